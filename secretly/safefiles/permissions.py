"""File permissions and owners, for messages and hints. Loaded only for errors and odd files."""

from __future__ import annotations

import errno
import os
import stat

from ..text import escape, shell_quote

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "WITHOUT_SUDO",
    "describe",
    "fixed_by_file_system",
    "group_name",
    "has_access_list",
    "is_own_group",
    "mounted_as",
    "remedy_for_writable",
    "sudo_user",
    "user_name",
]

#: What to do about a home folder, or a keychain, that is not root's.
WITHOUT_SUDO = "run secretly without sudo"

#: File systems that show the same permissions for all files, whatever chmod says, unless they
#: are mounted with other options. WSL mounts Windows' disks as drvfs or 9p.
_WITHOUT_PERMISSIONS = frozenset(
    "9p v9fs drvfs vfat msdos exfat ntfs ntfs3 fuseblk cifs smb3".split()
)

#: The mounts that this process sees, see proc_pid_mountinfo(5).
_MOUNTS = "/proc/self/mountinfo"


def describe(facts: os.stat_result) -> str:
    """Return a file's permissions and its owner: ``permissions 0644, owner: yours``."""
    owner = "yours" if facts.st_uid == os.geteuid() else user_name(facts.st_uid)
    return f"permissions {stat.S_IMODE(facts.st_mode):04o}, owner: {owner}"


def remedy_for_writable(path: str, facts: os.stat_result) -> str:
    """Return the hint for a file or folder that others could change.

    :param facts: the facts about the file or the link.
    """
    name = shell_quote(path)
    if sudo_user() == facts.st_uid:
        return WITHOUT_SUDO
    if facts.st_uid not in (0, os.geteuid()):
        return f"{name} belongs to {user_name(facts.st_uid)}: use a copy in a folder of yours"
    if fixed_by_file_system(facts):
        return (
            "chmod changes nothing on this file system: move it to a Linux folder of yours, or "
            "mount the disk with permissions (WSL: the option 'metadata')"
        )
    by = "sudo " if os.geteuid() not in (0, facts.st_uid) else ""
    return f"only you may change it: {by}chmod go-w {name}"


def fixed_by_file_system(facts: os.stat_result) -> bool:
    """Whether others can use a file, and chmod can't change that."""
    return bool(facts.st_mode & 0o077) and mounted_as(facts.st_dev) in _WITHOUT_PERMISSIONS


def mounted_as(device: int) -> str:
    """Return the type of a mounted file system by its device."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    return next((kind for number, kind in _mounts() if number == wanted), "")


def _mounts() -> Iterator[tuple[str, str]]:
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            for line in file:
                first, _, rest = line.partition(" - ")
                yield first.split()[2], rest.split()[0]
    except (OSError, IndexError):
        return


def sudo_user() -> int | None:
    """Return the user who started this process with sudo, which made it root's; else None."""
    number = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return (int(number[:11]) or None) if number.isdecimal() else None


def user_name(number: int) -> str:
    """Return a user's name, or the number without one."""
    import pwd

    try:
        return escape(pwd.getpwuid(number).pw_name)
    except KeyError:
        return f"user {number}"


def group_name(number: int) -> str:
    """Return a group's name, or the number without one."""
    import grp

    try:
        return f"the group {escape(grp.getgrgid(number).gr_name)}"
    except KeyError:
        return f"the group {number}"


def has_access_list(path: str) -> bool:
    """Return whether a file has an access list, which may name others (acl(5)).

    Then the group's bits say what all who are named in the list may do at most.
    """
    if not hasattr(os, "getxattr"):  # only Linux has it
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.EOPNOTSUPP)


#: What :func:`is_own_group` found.
_own_groups = {0: True}


def is_own_group(group: int) -> bool:
    """Return whether a group has no member but this user and root."""
    if group not in _own_groups:
        _own_groups[group] = _look_up_group(group)
    return _own_groups[group]


def _look_up_group(group: int) -> bool:
    import grp
    import pwd

    mine = {user.pw_name for user in pwd.getpwall() if user.pw_uid in (0, os.geteuid())}
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        members = set()
    members |= {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return members <= mine
