"""The kernel keyring: secrets that are held in memory, for a while.

Each is a key of its own, of the type ``user``, in a keyring named ``secretly`` that
is linked into the user keyring, so it is there in all of this user's sessions; the
kernel makes a key unreadable when its time is over. See keyrings(7), keyctl(2).
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from ..errors import KeychainUnavailable
from ..redacted import Secret

__all__ = ["HeldSecret", "KernelKeyring", "TemporaryStore"]

#: The keyring's name, which ``resolve`` looks for in /proc/keys.
RING = b"secretly"

#: add_key and keyctl, by machine and whether the process has 64 bits (asm/unistd.h).
_NUMBERS = {
    ("x86_64", True): (248, 250),
    ("aarch64", True): (217, 219),
    ("riscv64", True): (217, 219),
    ("loongarch64", True): (217, 219),
    ("ppc64le", True): (269, 271),
    ("s390x", True): (278, 280),
    ("armv7l", False): (309, 311),
    ("armv8l", False): (309, 311),
    ("i686", False): (286, 288),
}

# linux/keyctl.h
_THREAD, _USER = -1, -4
_REVOKE, _DESCRIBE, _LINK, _UNLINK, _SEARCH, _READ = 3, 6, 8, 9, 10, 11
_SET_TIMEOUT, _MOVE = 15, 30
_MOVE_EXCL = 1

#: The kernel takes the seconds as an unsigned int, and 0 for 'for ever'.
_LONGEST = 2**31 - 1

_UNITS = {"s": "s", "m": "min", "h": "h", "d": "d", "w": "w"}

#: What means that a key has gone, or its time is over.
_GONE = (errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED)


class HeldSecret(NamedTuple):
    """What is known of a secret that is held.

    :param left: how long still, such as ``"14 min"``; empty where that cannot be told.
    """

    name: str
    username: str
    left: str


class TemporaryStore(Protocol):
    """What holds secrets for a while: the :class:`KernelKeyring`, or a double of it."""

    def get(self, name: str, username: str) -> Secret | None:
        """Return what is held, or None."""

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret, in place of one of that name and user name."""

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop what is held for *name* and *username*, None meaning any; return how many."""

    def held(self) -> list[HeldSecret]:
        """Return what is held, by name."""


class KernelKeyring:
    """This user's part of the kernel keyring.

    A process may read such a key only while one of its own keyrings leads to it. A
    session keyring need not: the one of a systemd service or a container does not have
    the link to the user keyring. So the keyring is linked into the thread's keyring for
    as long as it is used, which neither children nor the command that is started have.
    """

    def get(self, name: str, username: str) -> Secret | None:
        """Return what is held; None too where nothing can be."""
        with contextlib.suppress(OSError), _ring() as ring:
            if ring:
                key = _keyctl(_SEARCH, ring, b"user", _description(name, username), 0)
                return Secret(_read(key).decode("utf-8", "surrogateescape"))
        return None

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret, in place of one of that name and user name.

        :param seconds: how long; a part of a second counts as one.
        :raises KeychainUnavailable: if it cannot be held.
        """
        if seconds <= 0:
            raise KeychainUnavailable("its time is over at once", "give it a longer one")
        data = value.encode("utf-8", "surrogateescape")
        try:
            with _ring(make=True) as ring:
                # Nobody else finds it, and it ends with this process, until it has its time.
                key = _add_key(b"user", _description(name, username), data, _THREAD)
                try:
                    _keyctl(_SET_TIMEOUT, key, min(math.ceil(seconds), _LONGEST))
                    _keyctl(_LINK, key, ring)
                finally:
                    _unlink(key, _THREAD)
        except OSError as error:
            raise _unavailable(error) from None

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop what is held for *name* and *username*, None meaning any; return how many.

        :raises KeychainUnavailable: if that cannot be told.
        """
        try:
            with _ring() as ring:
                if not ring:
                    return 0
                if name is None and username is None:
                    _keyctl(_UNLINK, ring, _USER)  # all at once
                return sum(
                    _revoked(key, ring)
                    for key, of, user in list(_keys(ring))
                    if name in (None, of) and username in (None, user)
                )
        except OSError as error:
            if error.errno == errno.ENOSYS:
                return 0
            raise _unavailable(error) from None

    def held(self) -> list[HeldSecret]:
        """Return what is held, by name; nothing where nothing can be."""
        found = []
        with contextlib.suppress(OSError), _ring() as ring:
            times = _times()
            for key, name, username in _keys(ring) if ring else ():
                found.append(HeldSecret(name, username, times.get(key, "")))
        return sorted(found)


@contextlib.contextmanager
def _ring(make: bool = False) -> Iterator[int]:
    """Reach our keyring, or 0 if there is none; made if that is wanted."""
    ring = _find() or (_made() if make else 0)
    try:
        yield ring
    finally:
        if ring:
            _unlink(ring, _THREAD)


def _find() -> int:
    try:
        return _keyctl(_SEARCH, _USER, b"keyring", RING, _THREAD)
    except OSError as error:
        if error.errno in _GONE:
            return 0
        raise


def _made() -> int:
    ring = _add_key(b"keyring", RING, None, _THREAD)
    try:
        _keyctl(_MOVE, ring, _THREAD, _USER, _MOVE_EXCL)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:  # before Linux 5.3
            _keyctl(_LINK, ring, _USER)
        elif error.errno != errno.EEXIST:
            raise
        elif not _find():  # not by another process, in this moment: one that was revoked is there
            _keyctl(_MOVE, ring, _THREAD, _USER, 0)
    return _find()


def _keys(ring: int) -> Iterator[tuple[int, str, str]]:
    """Each key of the keyring whose time is not over, with its name and user name."""
    serials = _read(ring)
    for start in range(0, len(serials) - 3, 4):
        key = int.from_bytes(serials[start : start + 4], sys.byteorder)
        with contextlib.suppress(OSError, ValueError):  # its time is over, or it is not ours
            described = _read(key, _DESCRIBE).rstrip(b"\0").split(b";", 4)[4]
            name, username = map(_unescaped, described.split(b":"))
            yield key, name, username


def _revoked(key: int, ring: int) -> bool:
    """Take a key from everybody, even from who has linked it elsewhere."""
    live = True
    try:
        _keyctl(_REVOKE, key)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        live = False
    _unlink(key, ring)
    return live


def _unlink(key: int, ring: int) -> None:
    with contextlib.suppress(OSError):  # another process has done it, in this moment
        _keyctl(_UNLINK, key, ring)


def _times() -> dict[int, str]:
    """How long each key lives still: the kernel tells it only in /proc/keys."""
    times = {}
    with contextlib.suppress(OSError), open("/proc/keys", "rb") as file:
        for line in file:
            serial, _, _, left, *_ = line.decode("ascii", "replace").split()
            if left[-1:] in _UNITS and left[:-1].isdigit():
                times[int(serial, 16)] = f"{left[:-1]} {_UNITS[left[-1]]}"
    return times


def _description(name: str, username: str) -> bytes:
    """What a key is found by: in /proc/keys it is on one line, whatever the names are."""
    return b":".join(map(_escaped, (name, username)))


def _escaped(text: str) -> bytes:
    return b"".join(
        b"%c" % byte if 0x20 < byte < 0x7F and byte not in b"%:" else b"%%%02X" % byte
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _unescaped(data: bytes) -> str:
    first, *others = data.split(b"%")
    plain = b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in others)
    return (first + plain).decode("utf-8", "surrogateescape")


# -- system calls ----------------------------------------------------------------


def _read(key: int, what: int = _READ) -> bytes:
    """What a key holds, or says of itself."""
    import ctypes

    size = 1024
    while True:
        buffer = ctypes.create_string_buffer(size)
        there = _keyctl(what, key, buffer, size)
        if there <= size:
            return buffer.raw[:there]
        size = there


def _add_key(kind: bytes, description: bytes, payload: bytes | None, ring: int) -> int:
    return _call(0, kind, description, payload, len(payload or b""), ring)


def _keyctl(operation: int, *arguments: Any) -> int:
    return _call(1, operation, *arguments)


def _call(which: int, *arguments: Any) -> int:
    """Make a system call that neither Python nor the C library has.

    :raises OSError: if it fails.
    """
    numbers = _NUMBERS.get((os.uname().machine, sys.maxsize > 2**32))
    try:
        import ctypes  # some builds of Python are without it
    except ImportError:
        numbers = None
    if sys.platform != "linux" or numbers is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    result: int = syscall(
        ctypes.c_long(numbers[which]),
        *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments),
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _unavailable(error: OSError) -> KeychainUnavailable:
    """Say why a secret cannot be held here."""
    hint = "it is asked for each time; the keychain can keep it: --remember"
    if error.errno == errno.ENOSYS:
        why = "there is none here" if sys.platform == "linux" else "this system has none"
    elif error.errno in (errno.EPERM, errno.EACCES):
        why = "it may not be used here, as in many containers"
    elif error.errno == errno.EDQUOT:
        why, hint = "this user's share of it is full", "/proc/keys shows what is in it"
    elif error.errno == errno.EINVAL:
        why = "it takes no secret, and no name, that is as long as this"
    else:
        why = os.strerror(error.errno or 0)
    return KeychainUnavailable(f"the kernel keyring cannot hold it: {why}", hint)
