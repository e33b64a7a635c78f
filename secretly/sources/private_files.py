"""Check whether others can read a file, and say why and how to fix it."""

from __future__ import annotations

import os
import struct
import sys

from ..errors import SourceFailed
from ..safefiles import permissions
from ..text import escape, shell_quote

__all__ = ["refuse_if_others_can_read"]

#: File systems in memory, as systemd and container engines mount them for credentials.
_IN_MEMORY = frozenset("tmpfs ramfs".split())

# An access list in its extended attribute, from <linux/posix_acl_xattr.h>.
_ACCESS_LIST, _VERSION = "system.posix_acl_access", struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_USER, _OWNING_GROUP, _GROUP, _MASK, _OTHERS = 2, 4, 8, 16, 32
_READ = 4


def refuse_if_others_can_read(descriptor: int, path: str) -> None:
    """Refuse a file that users other than this one and root can read, or another user's file.

    A secret that root has put on a read-only mount or in memory is accepted as it is:
    container engines do this (``/run/secrets``), and the user can't change the permissions.

    :param descriptor: the file, opened.
    :param path: the path for the message.
    :raises SourceFailed: with the readers, the owner and a fix.
    """
    facts = os.fstat(descriptor)
    if facts.st_uid == 0 and not facts.st_mode & 0o022 and _is_provided(descriptor, facts):
        return
    readers = _readers(descriptor, facts)
    if facts.st_uid in (0, os.geteuid()) and not readers:
        return
    if not readers:
        readers = "its owner can read it"
    raise SourceFailed(
        f"others can read {escape(path)}: {readers} ({permissions.describe(facts)})",
        _remedy(descriptor, facts, path),
    )


def _remedy(descriptor: int, facts: os.stat_result, path: str) -> str:
    """Return how to make the file private, or a private copy if the user can't change the file."""
    name = shell_quote(path)
    copy = f"make a private copy, and name that: install -m 600 {name} ~/FILE"
    if permissions.fixed_by_file_system(facts):
        return f"chmod changes nothing on this file system; {copy}"
    if os.geteuid() not in (0, facts.st_uid):
        return copy
    if facts.st_uid not in (0, os.geteuid()):
        return f"make it yours: chown {os.geteuid()} {name} && chmod 600 {name}"
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return copy
    if _entries(descriptor):
        return f"remove its access list: setfacl -b {name} && chmod 600 {name}"
    return f"make it private: chmod 600 {name}"


def _readers(descriptor: int, facts: os.stat_result) -> str:
    """Say who else can read the file; empty if only its owner and root can."""
    entries = _entries(descriptor)
    if not entries:
        if facts.st_mode & 0o007:
            return "every user can access it"
        return (
            f"{permissions.group_name(facts.st_gid)} can access it" if facts.st_mode & 0o070 else ""
        )
    masks = [rights for tag, rights, _ in entries if tag == _MASK]
    mask = masks[0] if masks else 7
    for tag, rights, number in entries:
        if tag == _OTHERS and rights:
            return "every user can access it"
        if tag == _USER and rights & mask and number not in (0, os.geteuid()):
            return f"its access list names {permissions.user_name(number)}"
        if tag == _OWNING_GROUP and rights & mask:
            return f"{permissions.group_name(facts.st_gid)} can access it"
        if tag == _GROUP and rights & mask:
            return f"its access list names {permissions.group_name(number)}"
    return ""


def _entries(descriptor: int) -> list[tuple[int, int, int]]:
    """The entries of a file's access list: tag, rights, and a user's or group's number (acl(5))."""
    if not hasattr(os, "getxattr"):  # pragma: no cover - only Linux has it
        return []
    try:
        data = os.getxattr(descriptor, _ACCESS_LIST)
    except OSError:
        return []
    if len(data) < _VERSION.size or (len(data) - _VERSION.size) % _ENTRY.size:
        return [(_OTHERS, _READ, 0)]  # an unknown format: assume the worst
    return list(_ENTRY.iter_unpack(data[_VERSION.size :]))


def _is_provided(descriptor: int, facts: os.stat_result) -> bool:
    """Whether the file is on a mount that is read-only, or in memory."""
    if sys.platform != "linux":  # pragma: no cover - only Linux lists its mounts
        return False
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return True
    return permissions.mounted_as(facts.st_dev) in _IN_MEMORY
