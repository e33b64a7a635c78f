"""``file://``: files that others can read, credentials of containers and systemd, and hints."""

from __future__ import annotations

import asyncio
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import lacking

from secretly import safefiles
from secretly.errors import Refused, SourceFailed
from secretly.reference import parse
from secretly.safefiles import permissions
from secretly.sources.items import Items
from secretly.sources.runs import Run
from secretly.text import Environ

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="access lists and mounts of Linux")

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another's")

#: The numbers of a user and a group that don't exist here.
OTHER = 4321

#: The number in the entries of an access list that name nobody.
NOBODY = 0xFFFFFFFF


def fetched(path: Path) -> str:
    """Return the file's text, or the error's message and hint."""
    run = Run(Environ(os.environ), None)
    try:
        return str(asyncio.run(Items(run).get(parse(f"file://{path}")))[0])
    except SourceFailed as error:
        return f"{error}\n{error.hint}"


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("canary-1\n")
    path.chmod(0o600)
    return path


def access_list(path: Path, *entries: tuple[int, int, int]) -> None:
    """Give a file an access list: tags, rights and numbers, as setfacl writes them (acl(5))."""
    usual = {1: (1, 6, NOBODY), 4: (4, 0, NOBODY), 16: (16, 4, NOBODY), 32: (32, 0, NOBODY)}
    usual |= {entry[0]: entry for entry in entries}
    data = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *usual[tag]) for tag in sorted(usual)
    )
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError as error:  # pragma: no cover - file systems differ
        lacking(f"needs a file system with access lists: {error}")


# -- access lists ------------------------------------------------------------------


def test_an_access_list_that_names_only_this_user_is_private(path: Path) -> None:
    """systemd protects a service's credentials with such a list, and the mode shows 0440."""
    access_list(path, (2, 4, os.geteuid()))
    assert path.stat().st_mode & 0o077 == 0o040
    assert fetched(path) == "canary-1"


@pytest.mark.parametrize(
    ("entry", "who"),
    [((2, 4, OTHER), f"user {OTHER}"), ((8, 4, OTHER), f"the group {OTHER}")],
    ids=["user", "group"],
)
def test_an_access_list_that_names_others_is_refused(
    path: Path, entry: tuple[int, int, int], who: str
) -> None:
    """The message names the readers, and the hint removes the list, because chmod wouldn't."""
    access_list(path, entry)
    said = fetched(path)
    assert who in said and "0640" in said
    assert f"setfacl -b {path}" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("entry", "who"),
    [((32, 4, NOBODY), "every user can"), ((4, 4, NOBODY), f"{os.getegid()}| can access it")],
    ids=["all", "group"],
)
def test_an_access_list_may_open_a_file_to_all_or_to_its_group(
    path: Path, entry: tuple[int, int, int], who: str
) -> None:
    """The file's own group and the other users have entries of their own in the list."""
    access_list(path, (2, 4, os.geteuid()), entry)
    said = fetched(path)
    assert re.search(who, said), said
    assert f"setfacl -b {path}" in said


# -- what is provided --------------------------------------------------------------


@pytest.fixture(name="in_memory")
def _in_memory() -> Iterator[Path]:
    """A file on a file system in memory."""
    folder = Path("/dev/shm")
    if not folder.is_dir() or permissions.mounted_as(folder.stat().st_dev) != "tmpfs":
        lacking("needs a file system in memory at /dev/shm")
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"canary-1\n")
        file.flush()
        yield Path(file.name)


@ROOT
def test_what_root_has_put_into_memory_is_taken(in_memory: Path) -> None:
    """Docker mounts ``/run/secrets`` in memory. A file that others can change is still refused."""
    in_memory.chmod(0o444)
    assert fetched(in_memory) == "canary-1"
    in_memory.chmod(0o446)
    assert "permissions 0446" in fetched(in_memory)
    in_memory.chmod(0o444)
    os.chown(in_memory, OTHER, OTHER)
    assert f"owner: user {OTHER}" in fetched(in_memory)


@ROOT
@pytest.mark.process
def test_what_root_has_put_on_a_read_only_mount_is_taken(path: Path) -> None:
    """A readable file of root's is accepted only on a read-only mount, here a bind mount.

    A file there that others can change is refused, and the hint doesn't change it.
    """
    path.chmod(0o444)
    path.with_name("open").write_text("canary-2\n")
    path.with_name("open").chmod(0o646)
    assert "every user" in fetched(path)
    code = (
        "import sys; from test_private_files import *; folder = Path(sys.argv[1]);"
        " print(fetched(folder / 'secret')); print(fetched(folder / 'open'))"
    )
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", path.parent, sys.executable, code],
        env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"needs a mount namespace: {done.stderr}")
    secret, said, hint = done.stdout.splitlines()
    assert (secret, done.stderr) == ("canary-1", "")
    assert "permissions 0646" in said and "install -m 600" in hint


# -- hints -------------------------------------------------------------------------


def test_a_files_bits_and_owner_are_in_the_message(path: Path) -> None:
    """The message shows the permission bits and the owner."""
    path.chmod(0o644)
    said = fetched(path)
    assert "permissions 0644" in said and "owner: yours" in said
    assert said.endswith(f"chmod 600 {path}")


@ROOT
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_another_users_file_is_named_as_such(path: Path, mode: int) -> None:
    """For another user's file, chmod is not enough: root's hint also changes the owner."""
    path.chmod(mode)
    os.chown(path, OTHER, OTHER)
    said = fetched(path)
    assert f"owner: user {OTHER}" in said
    assert f"chown 0 {path}" in said


@ROOT
def test_who_cannot_change_a_file_is_told_to_copy_it(path: Path) -> None:
    """The user can't change a file of root's or another user's, so the hint makes a copy."""
    path.chmod(0o644)
    for folder in (path.parent, *path.parent.parents[:3]):
        if Path(tempfile.gettempdir()) in folder.parents:  # not the folder for all users itself
            folder.chmod(0o755)
    assert "chmod" in fetched(path)  # the other user may not read the modules that this loads
    for owner in (0, OTHER + 1):
        os.chown(path, owner, owner)
        os.seteuid(OTHER)
        try:
            said = fetched(path)
        finally:
            os.seteuid(0)
        assert f"install -m 600 {path} ~/FILE" in said and "owner: " in said
        assert "chmod" not in said


#: Mount entries of a Windows disk in WSL 2 and WSL 1, and of a USB stick.
MOUNTED = {
    "WSL 2": r"- 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000;gid=1000,mmap,access=client",
    "WSL 1": r"- drvfs C:\134 rw,case=off",
    "a USB stick": "shared:5 - vfat /dev/sdb1 rw,fmask=0000,dmask=0000",
}


@pytest.mark.parametrize("where", MOUNTED)
def test_chmod_is_not_advised_where_it_changes_nothing(
    where: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """chmod changes nothing on a Windows disk, so the hint is to make a copy on another disk."""
    path.chmod(0o777)
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    (tmp_path / "mounts").write_text(f"91 79 {number} / /mnt/c rw,noatime {MOUNTED[where]}\n")
    monkeypatch.setattr(permissions, "_MOUNTS", tmp_path / "mounts")
    said = fetched(path)
    assert "permissions 0777" in said
    assert "chmod changes nothing" in said and f"install -m 600 {path} ~/FILE" in said
    with pytest.raises(Refused, match="permissions 0777, owner: yours") as caught:
        safefiles.refuse_if_others_can_write(path, "the env file")
    assert "chmod changes nothing" in caught.value.hint


def test_without_the_list_of_mounts_chmod_is_advised(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that secretly doesn't know."""
    path.chmod(0o777)
    monkeypatch.setattr(permissions, "_MOUNTS", tmp_path / "mounts")
    said = fetched(path)
    assert "chmod" in said
    assert "chmod changes nothing" not in said


@ROOT
def test_another_users_file_is_not_to_be_changed_by_chmod(path: Path) -> None:
    """If others could change a file, the message names the owner."""
    os.chown(path, OTHER, OTHER)
    with pytest.raises(Refused, match=f"owner: user {OTHER}") as caught:
        safefiles.refuse_if_others_can_write(path, "the env file")
    assert f"{path} belongs to user {OTHER}" in caught.value.hint
