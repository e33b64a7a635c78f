"""Files of secretly's own that its processes share, and their folders: made for you alone."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

__all__ = ["lock", "make_private_folder", "open_own"]

#: How often, in seconds, to try again to take a lock.
_INTERVAL = 0.005


def make_private_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, and those that lead to it, for this user alone, whatever the umask.

    A folder that exists is left as it is. Root makes nothing in folders of the user who started
    sudo: that user couldn't write there later.

    :raises OSError: if it can't be made, or belongs to the user who started sudo.
    """
    if os.path.isdir(path):
        if "SUDO_UID" in os.environ:
            from . import permissions

            if permissions.sudo_user() == os.stat(path).st_uid:
                raise OSError(errno.EPERM, f"it would belong to root: {permissions.WITHOUT_SUDO}")
        return
    parent = os.path.dirname(os.path.abspath(path))
    make_private_folder(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    else:
        os.chmod(path, 0o700)  # the umask may have taken the user's own bits


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
