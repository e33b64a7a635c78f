"""The kernel keyring, which holds secrets in memory for a while.

Each secret is a key of the type ``user`` in a keyring named ``secretly``. That is linked into
the user keyring, so all of this user's login sessions can reach it. The kernel makes a key
unreadable when its time is over. See keyrings(7), keyctl(2).
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

#: The keyring's name. ``resolving.lookup`` looks for it in /proc/keys.
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

#: The kernel takes the seconds as an unsigned int; 0 means without an end.
_LONGEST = 2**31 - 1

#: The error for a secret that would be gone before anyone could use it.
TOO_SHORT = "the time to hold it must be longer than 0 s"

_UNITS = {"s": "s", "m": "min", "h": "h", "d": "d", "w": "w"}

#: The errors of a key that was removed, or whose time is over.
_GONE = (errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED)


class HeldSecret(NamedTuple):
    """A held secret, without its value.

    :param left: how long the kernel will hold it, such as ``"14 min"``; empty: unknown.
    """

    name: str
    username: str
    left: str


class TemporaryStore(Protocol):
    """A store that holds secrets for a while: the :class:`KernelKeyring`, or a double of it."""

    def get(self, name: str, username: str) -> Secret | None:
        """Return the held secret, or None."""

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret; it replaces one of the same name and user name."""

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop the secrets of *name* and *username*; None matches any. Return how many."""

    def held(self) -> list[HeldSecret]:
        """Return the held secrets, sorted by name."""


class KernelKeyring:
    """This user's part of the kernel keyring.

    A process may read such a key only while one of its own keyrings leads to the key. The
    session keyring of a systemd service or a container lacks the link to the user keyring, so
    secretly links its keyring into the thread's keyring while it uses it. Neither child
    processes nor the started command have that thread keyring.
    """

    def get(self, name: str, username: str) -> Secret | None:
        """Return the held secret, or None; also None on a system without a kernel keyring."""
        with contextlib.suppress(OSError), _ring() as ring:
            if ring:
                key = _keyctl(_SEARCH, ring, b"user", _description(name, username), 0)
                return Secret(_read(key).decode("utf-8", "surrogateescape"))
        return None

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret; it replaces one of the same name and user name.

        :param seconds: how long, rounded up to whole seconds.
        :raises KeychainUnavailable: if the kernel can't hold it.
        """
        if seconds <= 0:
            raise KeychainUnavailable(TOO_SHORT, "set a longer time, such as 15m")
        data = value.encode("utf-8", "surrogateescape")
        try:
            with _ring(make=True) as ring:
                # Until it has its time, no other process can find it, and it ends with this one.
                key = _add_key(b"user", _description(name, username), data, _THREAD)
                try:
                    _keyctl(_SET_TIMEOUT, key, min(math.ceil(seconds), _LONGEST))
                    _keyctl(_LINK, key, ring)
                finally:
                    _unlink(key, _THREAD)
        except OSError as error:
            raise _unavailable(error) from None

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop the secrets of *name* and *username*; None matches any. Return how many.

        :raises KeychainUnavailable: if the kernel does not allow it.
        """
        try:
            with _ring() as ring:
                if not ring:
                    return 0
                if name is None and username is None:
                    _keyctl(_UNLINK, ring, _USER)  # all of them together
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
        """Return the held secrets, sorted by name; empty on a system without a kernel keyring."""
        found = []
        with contextlib.suppress(OSError), _ring() as ring:
            times = _times()
            for key, name, username in _keys(ring) if ring else ():
                found.append(HeldSecret(name, username, times.get(key, "")))
        return sorted(found)


@contextlib.contextmanager
def _ring(make: bool = False) -> Iterator[int]:
    """Yield the id of secretly's keyring while this thread can use it; 0 if it does not exist.

    :param make: create the keyring if it does not exist.
    """
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
        elif not _find():  # no other process has just made it: a revoked keyring is in its place
            _keyctl(_MOVE, ring, _THREAD, _USER, 0)
    return _find()


def _keys(ring: int) -> Iterator[tuple[int, str, str]]:
    """Yield each key of the keyring whose time is not over, with its name and user name."""
    serials = _read(ring)
    for start in range(0, len(serials) - 3, 4):
        key = int.from_bytes(serials[start : start + 4], sys.byteorder)
        with contextlib.suppress(
            OSError, ValueError
        ):  # its time is over, or another program added it
            described = _read(key, _DESCRIBE).rstrip(b"\0").split(b";", 4)[4]
            name, username = map(_unescaped, described.split(b":"))
            yield key, name, username


def _revoked(key: int, ring: int) -> bool:
    """Revoke a key, for processes that linked it elsewhere too. Return whether it was live."""
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
    with contextlib.suppress(OSError):  # another process may have done it just now
        _keyctl(_UNLINK, key, ring)


def _times() -> dict[int, str]:
    """Return how long the kernel holds each key: only /proc/keys says so."""
    times = {}
    with contextlib.suppress(OSError), open("/proc/keys", "rb") as file:
        for line in file:
            serial, _, _, left, *_ = line.decode("ascii", "replace").split()
            if left[-1:] in _UNITS and left[:-1].isdigit():
                times[int(serial, 16)] = f"{left[:-1]} {_UNITS[left[-1]]}"
    return times


def _description(name: str, username: str) -> bytes:
    """Return a key's description, escaped so that it is one word of a line of /proc/keys."""
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
    """Return a key's payload, or its description."""
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
    """Return an error that says why the kernel can't hold a secret here."""
    hint = "secretly will ask each time; to store it in the keychain: --remember"
    if error.errno == errno.ENOSYS:
        why = (
            "this Linux has none"
            if sys.platform == "linux"
            else "macOS has none, and its keychain forgets nothing"
        )
    elif error.errno in (errno.EPERM, errno.EACCES):
        why = "not allowed here, as in many containers"
    elif error.errno == errno.EDQUOT:
        why, hint = "your quota is full", "look at /proc/keys to see what fills it"
    elif error.errno == errno.EINVAL:
        why = "the secret or its name is too long"
    else:
        why = os.strerror(error.errno or 0)
    return KeychainUnavailable(f"the kernel keyring can't hold it: {why}", hint)
