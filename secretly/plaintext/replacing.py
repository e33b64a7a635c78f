"""Replace a file, or remove it: whole or not at all, and only if it has not changed meanwhile.

The new file is written under a name of its own, in the same folder, for this user alone. It gets
the old one's permissions, owner, access list and attributes, and takes its place. A second process
removes it if this one is killed before that; what a power failure leaves, the next run removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import stat
import sys
from collections.abc import Iterator

from .. import safefiles
from ..errors import Refused
from ..text import escape

__all__ = ["remove_file", "replace_file"]

_MARK = ".secretly-"


def replace_file(path: str, before: bytes, after: bytes) -> None:
    """Give a file other bytes.

    :param path: the file, with links resolved.
    :param before: the bytes that it has.
    :param after: the bytes that it gets.
    :raises Refused: if it has other bytes by now, or can't be replaced. Then it is as it was.
    """
    try:
        with _original(path, before) as original, _new_file(path) as (name, new):
            _write(new, after)
            _copy_attributes(original, new)
            os.fsync(new)
            _check_same(path, original, before)
            os.replace(name, path)
        _sync_folder(path)
        if safefiles.read_file(path) != after:
            raise _changed(path)
    except OSError as error:
        raise Refused(
            f"can't replace {escape(path)}: {error.strerror}",
            "it is as it was, and the secrets are stored: take them out by hand",
        ) from None


def remove_file(path: str, before: bytes) -> None:
    """Remove a file.

    :raises Refused: if it has other bytes by now, or can't be removed.
    """
    try:
        with _original(path, before) as original:
            _check_same(path, original, before)
            os.unlink(path)
        _sync_folder(path)
    except OSError as error:
        raise Refused(
            f"can't remove {escape(path)}: {error.strerror}",
            "its secret is stored: remove the file by hand",
        ) from None


@contextlib.contextmanager
def _original(path: str, before: bytes) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_same(path, descriptor, before)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_same(path: str, descriptor: int, before: bytes) -> None:
    """Check that the path still names the file that is open, and that it has these bytes.

    :raises Refused: if not.
    """
    facts, there = os.fstat(descriptor), os.lstat(path)
    same = (facts.st_dev, facts.st_ino) == (there.st_dev, there.st_ino)
    if not same or not stat.S_ISREG(there.st_mode) or safefiles.read_file(path) != before:
        raise _changed(path)


def _changed(path: str) -> Refused:
    return Refused(
        f"another program has changed {escape(path)} meanwhile",
        "the secrets are stored: run the same command again",
    )


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@contextlib.contextmanager
def _new_file(path: str) -> Iterator[tuple[str, int]]:
    """A new file for this user alone next to *path*; it is gone if nothing has renamed it."""
    import fcntl

    folder, base = os.path.split(path)
    _remove_leftovers(folder, base)
    name = os.path.join(folder, f".{base[:50]}{_MARK}{secrets.token_hex(8)}")
    with _removed_if_killed(name):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield name, descriptor
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            os.close(descriptor)


def _remove_leftovers(folder: str, base: str) -> None:
    """Remove what a power failure left. What another run is writing is locked, and stays."""
    import fcntl

    beginning = f".{base[:50]}{_MARK}"
    for name in os.listdir(folder):
        if not name.startswith(beginning):
            continue
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                facts = os.fstat(descriptor)
                if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
                    os.unlink(path)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _removed_if_killed(path: str) -> Iterator[None]:
    """Have a second process remove a file when the block ends, and also if this one is killed."""
    reading, writing = os.pipe()
    child = _fork_without_signals()
    if child == 0:  # it makes system calls alone: other threads may have held locks
        try:
            os.setsid()  # what ends the terminal's processes doesn't end it
            os.close(writing)
            os.read(reading, 1)  # returns when the other end is closed
            os.unlink(path)
        finally:
            os._exit(0)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        with contextlib.suppress(ChildProcessError):  # secretly's parent ignores SIGCHLD
            os.waitpid(child, 0)


def _fork_without_signals() -> int:
    """Fork a process that goes on when all processes are asked to end."""
    asking = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
    before, child = signal.pthread_sigmask(signal.SIG_BLOCK, asking), -1
    try:
        child = os.fork()
    finally:
        if child != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _copy_attributes(original: int, new: int) -> None:
    """Give the new file the owner, the access list, the attributes and the permissions."""
    facts = os.fstat(original)
    if os.fstat(new).st_gid != facts.st_gid:
        os.fchown(new, -1, facts.st_gid)
    if hasattr(os, "listxattr"):
        _copy_xattrs(original, new)
    else:  # pragma: no cover - macOS
        _copy_by_copyfile(original, new)
    os.fchmod(new, stat.S_IMODE(facts.st_mode))


def _copy_xattrs(original: int, new: int) -> None:
    wanted = _xattrs(original)
    for name in _xattrs(new):
        if name not in wanted and not name.startswith("security."):
            os.removexattr(new, name)  # the folder's default access list, for example
    for name in wanted:
        value = os.getxattr(original, name)
        if name.startswith("security."):  # the system's own, which only root may set
            with contextlib.suppress(OSError):
                os.setxattr(new, name, value)
        else:
            os.setxattr(new, name, value)


def _xattrs(descriptor: int) -> list[str]:
    """The names of a file's attributes; none where the file system has no attributes."""
    try:
        return os.listxattr(descriptor)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _copy_by_copyfile(original: int, new: int) -> None:  # pragma: no cover - macOS
    """Copy the access list and the attributes, see copyfile(3)."""
    import ctypes

    if sys.platform == "darwin":
        library = ctypes.CDLL(None, use_errno=True)
        acl_and_xattrs = 1 | 4
        if library.fcopyfile(original, new, None, acl_and_xattrs) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _sync_folder(path: str) -> None:
    """Bring the new name to the disk, where the file system can do that for a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
