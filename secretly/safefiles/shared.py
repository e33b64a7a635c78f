"""Files of secretly's own that its processes share: opened safely, and locked for a moment."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from . import make_private_folder

__all__ = ["lock", "open_own"]

#: How often, in seconds, to try again to take a lock.
_INTERVAL = 0.005


def open_own(path: str, flags: int) -> int:
    """Open a file that only this user can read and write, and make it if the flags say so.

    Links are not followed, and the opening waits for no other program.

    :raises OSError: if it can't be opened, or it is not such a file.
    """
    descriptor = _open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            raise OSError(errno.EINVAL, "it is not a regular file with one name")
        if facts.st_uid != os.geteuid():
            raise OSError(errno.EPERM, "it belongs to another user")
        if facts.st_mode & 0o777 != 0o600:  # the umask may have taken the user's own bits
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags & ~os.O_CREAT)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    make_private_folder(os.path.dirname(path))
    return os.open(path, flags, 0o600)


def lock(descriptor: int, seconds: float) -> None:
    """Lock an open file for this process alone (flock(2)).

    :param seconds: how long to wait for another process at most.
    :raises TimeoutError: if another process keeps the lock for longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process has it locked") from None
            time.sleep(_INTERVAL)
