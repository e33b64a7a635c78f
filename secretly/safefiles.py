"""Whether others could change a file: who may write it, and each folder on the way to it."""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Mapping

from .errors import Refused
from .redacted import READ_LIMIT
from .text import escape, shell_quote

__all__ = [
    "BY_OTHERS",
    "SHIM",
    "check_only_mine",
    "is_shim",
    "open_without_waiting",
    "program_on_path",
    "read_file",
    "writable_by_others",
]

#: What is said of a file that is not to be used.
BY_OTHERS = "could be changed by others"

#: The second line of the small executables that secretly makes.
SHIM = "# Made by secretly."


def writable_by_others(path: str | os.PathLike[str]) -> str | None:
    """Return the file or folder by which others could change *path*, or None.

    Others are everyone but root and this user. A group in which nobody else is
    (the user's own, as many systems make one) is no other, unless an access list goes with
    it. In a folder with the
    sticky bit only the owner of a file can replace it. Links are followed, and
    the folders on both ways looked at.

    :raises OSError: if it cannot be looked at.
    """
    seen: set[str] = set()
    # Not abspath: what '..' leads to after a link is for the system to say.
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
                not facts.st_mode & stat.S_IWGRP
                or (_nobody_else_in(facts.st_gid) and not _has_access_list(current))
            )
        sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
        if facts.st_uid not in (0, os.geteuid()) or not (owner_only or sticky):
            return current
    return None


def _has_access_list(path: str) -> bool:
    """Whether it has an access list, which may name others (acl(5)).

    Then the bits of the group are what all that are named in it may do at most.
    """
    if not hasattr(os, "getxattr"):  # Linux alone has it
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.EOPNOTSUPP)


@functools.cache
def _nobody_else_in(group: int) -> bool:
    import grp
    import pwd

    if group == 0:
        return True
    mine = {user.pw_name for user in pwd.getpwall() if user.pw_uid in (0, os.geteuid())}
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        members = set()
    members |= {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return members <= mine


def check_only_mine(path: str | os.PathLike[str], what: str) -> None:
    """Refuse a file that others could change.

    :param what: what it is, for the message: ``"the configuration"``.
    :raises Refused: naming the file or folder, and how to mend it.
    """
    try:
        weak = writable_by_others(path)
    except OSError as error:
        raise Refused(
            f"{what} {escape(os.fspath(path))} cannot be looked at: {error.strerror}",
            "check its folders' permissions",
        ) from None
    if weak is not None:
        raise Refused(
            f"{what} {escape(os.fspath(path))} {BY_OTHERS}: {escape(weak)}",
            f"make it yours alone: chmod go-w {shell_quote(weak)}",
        )


def open_without_waiting(path: str, flags: int) -> int:
    """Open a file, as :func:`open`'s *opener*: a pipe in its place would be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return what is in a plain file of at most 1 MiB: a device may have no end.

    :raises OSError: if it cannot be read, or is another; *strerror* says why.
    """
    with open(path, "rb", opener=open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        data = file.read(READ_LIMIT + 1)
    if len(data) > READ_LIMIT:
        raise OSError(errno.EFBIG, f"it is larger than {READ_LIMIT >> 20} MiB")
    return data


def is_shim(path: str | os.PathLike[str]) -> bool:
    """Whether a program is one of the small executables that secretly makes."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            first, second, *_ = [*file.read(512).split(b"\n"), b"", b""]
            return first.startswith(b"#!") and second == SHIM.encode()
    except OSError:
        return False


def program_on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """Find a program that secretly itself starts.

    Entries of PATH that are empty or relative are skipped: they would run a
    program from whatever folder one happens to be in. So are secretly's own
    executables: what they stand for comes after them.
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
