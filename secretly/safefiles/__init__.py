"""Files that only this user can have changed: who may write one, and each folder on its path."""

from __future__ import annotations

import errno
import os
import stat

from ..errors import Refused
from ..text import READ_LIMIT, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BY_OTHERS",
    "SHIM",
    "change_marks",
    "find_writable_by_others",
    "is_settled",
    "is_shim",
    "program_on_path",
    "read_file",
    "read_start",
    "refuse_if_others_can_write",
]

#: What every message says of a file that other users can change.
BY_OTHERS = "could be changed by others"

#: The second line of a shim, a small program that runs a command through secretly.
SHIM = "# Made by secretly."

#: How long, in nanoseconds, a file system may give two changes the same time:
#: usual file systems, and those whose times are whole seconds.
_TICK, _COARSE_TICK = 50_000_000, 2_000_000_000


def find_writable_by_others(path: str | os.PathLike[str]) -> str | None:
    """Return the file or folder through which others could change *path*, or None.

    Others are all users but root and this one. A group that has no other member (many systems
    make one for each user) doesn't count, unless the file has an access list. In a folder with
    the sticky bit only the owner of a file can replace it. Links are followed, and the folders
    on both paths checked.

    :raises OSError: if the file can't be examined.
    """
    seen: set[str] = set()
    # Not abspath: only the system knows where '..' leads after a link.
    todo = [os.fspath(path) if os.path.isabs(path) else os.path.join(os.getcwd(), path)]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        facts = os.lstat(current)
        parent = os.path.dirname(current)
        todo.append(parent)
        if stat.S_ISLNK(facts.st_mode):
            todo.append(os.path.join(parent, os.readlink(current)))
            owner_only = True
        else:
            owner_only = not facts.st_mode & stat.S_IWOTH and (
                not facts.st_mode & stat.S_IWGRP or _is_group_alone(current, facts)
            )
        sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
        if facts.st_uid not in (0, os.geteuid()) or not (owner_only or sticky):
            return current
    return None


def _is_group_alone(path: str, facts: os.stat_result) -> bool:
    """Whether the group of a file, which can change it, has no other user in it."""
    from . import permissions

    return permissions.is_own_group(facts.st_gid) and not permissions.has_access_list(path)


def refuse_if_others_can_write(path: str | os.PathLike[str], what: str) -> None:
    """Refuse a file that others could change.

    :param what: what the file is, for the message: ``"the configuration"``.
    :raises Refused: naming the file or folder, and how to fix it.
    """
    try:
        weak = find_writable_by_others(path)
    except OSError as error:
        raise Refused(
            f"can't examine {what} {escape(os.fspath(path))}: {error.strerror}",
            "check the permissions of its folders",
        ) from None
    if weak is not None:
        from . import permissions

        facts = os.lstat(weak)
        raise Refused(
            f"{what} {escape(os.fspath(path))} {BY_OTHERS}: {escape(weak)} "
            f"({permissions.describe(facts)})",
            permissions.remedy_for_writable(weak, facts),
        )


def open_without_waiting(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file, as :func:`open`'s *opener*, without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file of at most 1 MiB. A device may have no end.

    :raises OSError: if the file can't be read, is too large or is not regular; *strerror* says
        which.
    """
    data = read_regular(path)
    if len(data) > READ_LIMIT:
        raise OSError(errno.EFBIG, f"it is larger than {READ_LIMIT >> 20} MiB")
    return data


def read_regular(
    path: str | os.PathLike[str], check: Callable[[int], None] = lambda _: None
) -> bytes:
    """Return the content of a regular file, or its first MiB and one byte more.

    :param check: gets the descriptor before anything is read, and may refuse the file.
    :raises OSError: if the file can't be read or is not regular.
    """
    with open(path, "rb", opener=open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        check(file.fileno())
        return file.read(READ_LIMIT + 1)


def read_start(path: str | os.PathLike[str], size: int) -> bytes:
    """Return so many of a file's first bytes, without waiting for the writer of a pipe.

    :raises OSError: if the file can't be read.
    """
    descriptor = open_without_waiting(path, os.O_RDONLY)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def change_marks(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return what changes if a file does (inode(7)), or who may change it.

    The last is the time of the last change, in nanoseconds: 0 for a file that can't be looked at.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno or -1, 0
    return (
        *(found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size),
        *(found.st_mtime_ns, found.st_ctime_ns),
    )


def is_settled(changed: int, now: int) -> bool:
    """Whether any later change would change the file's time.

    :param changed: the time of the last change, in nanoseconds.
    :param now: the present time, in nanoseconds.
    """
    return now - changed > (_TICK if changed % 1_000_000_000 else _COARSE_TICK)


def is_shim(path: str | os.PathLike[str]) -> bool:
    """Return whether a program is a shim of secretly's."""
    try:
        if not os.path.isfile(path):
            return False
        start = read_start(path, 512)
    except OSError:
        return False
    first, second, *_ = [*start.split(b"\n"), b"", b""]
    return first.startswith(b"#!") and second == SHIM.encode()


def program_on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """Find a program that secretly itself starts, and return its path or None.

    Empty and relative entries of PATH are skipped: they would run a program from the current
    folder. So are shims: the real program comes after its shim.
    """
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder):
            candidate = os.path.join(folder, name)
            if (
                os.path.isfile(candidate)
                and os.access(candidate, os.X_OK)
                and not is_shim(candidate)
            ):
                return candidate
    return None
