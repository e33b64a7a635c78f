"""Whether others could change a file, and which programs secretly starts."""

from __future__ import annotations

import functools
import grp
import os
import pwd
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from secretly import safefiles
from secretly.errors import KeychainUnavailable, Refused
from secretly.keeping.backends import check_for_bus
from secretly.safefiles import permissions, shared
from secretly.safefiles.shared import open_own

#: A user and a group that are not this process's own, and that no user here has.
OTHER = 54_321


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that only this user can write, in a chain that others cannot."""
    folder = tmp_path.resolve() / "place"
    folder.mkdir(mode=0o755)
    (folder / "file").write_text("")
    (folder / "file").chmod(0o644)
    return folder


def own(path: Path, user: int = -1, group: int = -1) -> None:
    """Give a file to another, which only root can."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to own files as another user")
    os.chown(path, user, group, follow_symlinks=False)


def test_a_file_that_only_its_user_can_write_is_trusted(place: Path) -> None:
    """In folders that only the user can write, or sticky ones."""
    assert safefiles.find_writable_by_others(place / "file") is None
    safefiles.refuse_if_others_can_write(place / "file", "the program")


@pytest.mark.parametrize("mode", [0o646, 0o602, 0o777])
def test_a_file_that_all_can_write_is_refused(place: Path, mode: int) -> None:
    """The error names the file, and the command that fixes it."""
    (place / "file").chmod(mode)
    with pytest.raises(Refused, match=r"the program .* could be changed by others") as caught:
        safefiles.refuse_if_others_can_write(place / "file", "the program")
    assert caught.value.hint.endswith(f"chmod go-w {place / 'file'}")


def test_the_command_of_the_hint_fixes_it(place: Path) -> None:
    """After that command the file is accepted."""
    (place / "file").chmod(0o666)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")
    (place / "file").chmod(0o666 & ~0o022)
    assert safefiles.find_writable_by_others(place / "file") is None


def test_a_folder_that_all_can_write_is_refused(place: Path) -> None:
    """A user who can write a folder can replace each file in it."""
    deep = place / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    assert safefiles.find_writable_by_others(deep / "file") is None
    (place / "a").chmod(0o777)
    assert safefiles.find_writable_by_others(deep / "file") == str(place / "a")


def test_a_sticky_folder_is_trusted(place: Path) -> None:
    """In a folder like /tmp only a file's owner can replace it."""
    place.chmod(0o1777)
    assert safefiles.find_writable_by_others(place / "file") is None


def test_a_sticky_bit_on_a_file_does_not_count(place: Path) -> None:
    """Only that of its folder does."""
    (place / "file").chmod(0o1666)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")


def test_a_file_of_another_user_is_refused(place: Path) -> None:
    """A file's owner can always change it, whatever its mode."""
    own(place / "file", OTHER)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")
    own(place / "file", 0)
    own(place, OTHER)
    assert safefiles.find_writable_by_others(place / "file") == str(place)


def test_a_file_of_another_in_a_sticky_folder_is_refused(place: Path) -> None:
    """Stickiness protects the owner of a file, who must be the right one; so with folders."""
    place.chmod(0o1777)
    own(place / "file", OTHER)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")
    own(place / "file", 0)
    own(place, OTHER)
    assert safefiles.find_writable_by_others(place / "file") == str(place)


def test_a_group_without_other_members_does_not_count(place: Path) -> None:
    """Many systems make a group for each user, and folders that the group can write."""
    mine = os.geteuid()
    (place / "file").chmod(0o664)
    os.chown(place / "file", -1, pwd.getpwuid(mine).pw_gid)
    if mine == 0:
        assert safefiles.find_writable_by_others(place / "file") is None
    own(place / "file", group=OTHER)  # a group without members
    assert safefiles.find_writable_by_others(place / "file") is None


def test_a_group_with_other_members_is_refused(place: Path) -> None:
    """Whether they are its members, or it is their first group."""
    groups = {u.pw_gid for u in pwd.getpwall() if u.pw_uid not in (0, os.geteuid())} - {0}
    if not groups:
        pytest.skip("needs another user")
    own(place / "file", group=min(groups))
    (place / "file").chmod(0o664)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")
    (place / "file").chmod(0o644)
    assert safefiles.find_writable_by_others(place / "file") is None


def test_a_group_with_named_members_is_refused(place: Path) -> None:
    """The members that the group file names count as well."""
    mine = {u.pw_name for u in pwd.getpwall() if u.pw_uid in (0, os.geteuid())}
    first = {u.pw_gid for u in pwd.getpwall()}
    groups = [g for g in grp.getgrall() if set(g.gr_mem) - mine and g.gr_gid not in first]
    if not groups:
        pytest.skip("needs a group with members")
    own(place / "file", group=groups[0].gr_gid)
    (place / "file").chmod(0o664)
    assert safefiles.find_writable_by_others(place / "file") == str(place / "file")


def test_a_link_is_followed_and_both_paths_are_checked(place: Path) -> None:
    """A safe link into an unsafe folder is as bad as a link in one."""
    weak, safe = place / "weak", place / "safe"
    weak.mkdir()
    weak.chmod(0o777)
    safe.mkdir()
    (weak / "file").write_text("")
    (safe / "there").symlink_to(weak / "file")
    assert safefiles.find_writable_by_others(safe / "there") == str(weak)
    (weak / "link").symlink_to(place / "file")
    assert safefiles.find_writable_by_others(weak / "link") == str(weak)
    (safe / "fine").symlink_to("../file")
    assert safefiles.find_writable_by_others(safe / "fine") is None


def test_each_link_of_a_chain_counts(place: Path) -> None:
    """A safe link to a link in an unsafe folder to a safe file: the one in the middle can move."""
    weak = place / "weak"
    weak.mkdir()
    (weak / "second").symlink_to(place / "file")
    (place / "first").symlink_to(weak / "second")
    assert safefiles.find_writable_by_others(place / "first") is None
    weak.chmod(0o777)
    assert safefiles.find_writable_by_others(place / "first") == str(weak)


def test_a_folder_that_is_a_link_counts(place: Path) -> None:
    """Not only the last part of a path may be a link."""
    weak = place / "weak"
    (weak / "inner").mkdir(parents=True)
    (weak / "inner" / "file").write_text("")
    (place / "short").symlink_to("weak/inner")
    assert safefiles.find_writable_by_others(place / "short" / "file") is None
    weak.chmod(0o777)
    assert safefiles.find_writable_by_others(place / "short" / "file") == str(weak)


def test_a_link_of_another_in_a_sticky_folder_is_refused(place: Path) -> None:
    """A link's owner can put another in its place there."""
    place.chmod(0o1777)
    (place / "link").symlink_to("file")
    assert safefiles.find_writable_by_others(place / "link") is None
    own(place / "link", OTHER)
    assert safefiles.find_writable_by_others(place / "link") == str(place / "link")


def test_dots_after_a_link_mean_what_the_system_says(place: Path) -> None:
    """'link/..' is the folder above the link's target, not the folder that the link is in."""
    weak = place / "weak"
    (weak / "inner").mkdir(parents=True)
    (weak / "file").write_text("")
    (place / "link").symlink_to("weak/inner")
    path = f"{place}/link/../file"
    assert os.path.samefile(path, weak / "file")
    assert safefiles.find_writable_by_others(path) is None
    (weak / "file").chmod(0o666)
    assert safefiles.find_writable_by_others(path) == path


def test_a_relative_path_begins_at_the_current_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders above the current one count for it too."""
    monkeypatch.chdir(place)
    assert safefiles.find_writable_by_others("./file") is None
    place.chmod(0o777)
    assert safefiles.find_writable_by_others("file") is not None


def test_links_in_a_circle_end(place: Path) -> None:
    """They lead nowhere, and checking them comes to an end."""
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    assert safefiles.find_writable_by_others(place / "a") is None


def test_a_missing_file_is_refused(place: Path) -> None:
    """A file that can't be examined is not trusted, and its name is shown escaped."""
    with pytest.raises(Refused, match="No such file") as caught:
        safefiles.refuse_if_others_can_write(place / "no\x1bne", "the configuration")
    assert str(caught.value).isprintable()


# -- programs that secretly starts -----------------------------------------------


def program(folder: Path, name: str = "tool", mode: int = 0o755) -> Path:
    """An executable file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(mode)
    return folder / name


def test_the_first_on_path_is_found(place: Path) -> None:
    """PATH is read in its order."""
    one, two = program(place / "1"), program(place / "2")
    find = functools.partial(safefiles.program_on_path, "tool")
    assert find({"PATH": f"{place}/1:{place}/2"}) == str(one)
    assert find({"PATH": f"{place}/none:{place}/2:{place}/1"}) == str(two)


@pytest.mark.parametrize("path", ["", ":", ".", "bin", "./bin", "bin::.", "../place/bin"])
def test_relative_and_empty_entries_of_path_are_skipped(
    place: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program of the current folder is run."""
    program(place)
    found = program(place / "bin")
    monkeypatch.chdir(place)
    assert safefiles.program_on_path("tool", {"PATH": path}) is None
    assert safefiles.program_on_path("tool", {"PATH": f"{path}:{place}/bin"}) == str(found)


def test_a_file_that_cannot_be_executed_is_skipped(place: Path) -> None:
    """A folder is skipped too."""
    program(place / "1", mode=0o644)
    (place / "2" / "tool").mkdir(parents=True)
    last = program(place / "3")
    path = f"{place}/1:{place}/2:{place}/3"
    assert safefiles.program_on_path("tool", {"PATH": path}) == str(last)


def test_without_path_the_systems_own_is_used() -> None:
    """As execvp does."""
    assert safefiles.program_on_path("sh", {}) in ("/bin/sh", "/usr/bin/sh")


# -- shims -----------------------------------------------------------------------


def shim(folder: Path, name: str = "tool") -> Path:
    """A shim."""
    path = program(folder, name)
    path.write_text(f"#!/bin/sh\n{safefiles.SHIM}\necho ours\n")
    return path


def test_a_shim_is_known_by_its_first_lines(place: Path) -> None:
    """Also through links. No other file is a shim, even if it has the name or the line."""
    ours = shim(place / "1")
    (place / "link").symlink_to("1")
    (place / "2").symlink_to("1/tool")
    for path in (ours, place / "link" / "tool", place / "2"):
        assert safefiles.is_shim(path)
    for number, text in enumerate(
        (
            "",
            "#!/bin/sh\n",
            f"#!/bin/sh\necho\n{safefiles.SHIM}\n",
            f"{safefiles.SHIM}\n",
            f"#!/bin/sh\n{safefiles.SHIM} Not.\n",
        )
    ):
        (place / f"other{number}").write_text(text)
        assert not safefiles.is_shim(place / f"other{number}")
    (place / "bytes").write_bytes(b"\x7fELF\xff\0")
    (place / "round").symlink_to("round")
    for name in ("bytes", "round", "none", "1"):
        assert not safefiles.is_shim(place / name)


def test_a_pipe_is_not_a_shim_and_is_not_waited_for(place: Path) -> None:
    """Looking at a program must not hang."""
    os.mkfifo(place / "pipe")
    assert not safefiles.is_shim(place / "pipe")


def test_shims_are_skipped(place: Path) -> None:
    """The real program comes after its shim, however often the shims' folder is on PATH."""
    shim(place / "1")
    (place / "link").symlink_to("1")
    found = program(place / "2")
    path = f"{place}/1:{place}/1/:{place}/link:{place}/2:{place}/1"
    assert safefiles.program_on_path("tool", {"PATH": path}) == str(found)
    assert safefiles.program_on_path("tool", {"PATH": f"{place}/1:{place}/link"}) is None


# -- sudo ------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["", "0", "-1", "me", "\u0664", "54322", "9" * 5000])
def test_without_sudo_root_makes_folders_anywhere(
    number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that names another user, or none at all, changes nothing."""
    monkeypatch.setenv("SUDO_UID", number)
    own(tmp_path, OTHER)
    shared.make_private_folder(tmp_path / "state" / "secretly")
    assert (tmp_path / "state" / "secretly").is_dir()


@pytest.mark.parametrize("below", ["", "state/secretly"])
def test_with_sudo_root_makes_nothing_in_the_home_of_the_user(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user couldn't write to a folder or a file of root's there later."""
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    own(tmp_path, OTHER)
    with pytest.raises(OSError, match="without sudo"):
        shared.make_private_folder(tmp_path / below)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(OSError, match="without sudo"):
        open_own(str(tmp_path / below / "receipts.jsonl"), os.O_CREAT | os.O_WRONLY)
    assert not [*tmp_path.iterdir()]


def test_with_sudo_the_hint_is_to_do_without(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a configuration of the user's, and for a keychain, because root's is another one."""
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    own(place / "file", OTHER)
    with pytest.raises(Refused) as found:
        safefiles.refuse_if_others_can_write(place / "file", "the configuration")
    assert found.value.hint == permissions.WITHOUT_SUDO
    if sys.platform == "linux" and not any(map(PathFinder.find_spec, ("dbus", "gi"))):
        with pytest.raises(KeychainUnavailable) as missing:
            check_for_bus({"XDG_RUNTIME_DIR": "/nonexistent"})
        assert permissions.WITHOUT_SUDO in missing.value.hint


def test_what_changes_a_file_changes_its_marks(place: Path) -> None:
    """Its content, its permissions, its name, and whether it is there."""
    file, other = place / "file", place / "other"
    changes = [
        lambda: file.write_text("1"),
        lambda: file.chmod(0o600),
        lambda: os.utime(file, ns=(0, 0)),
        lambda: other.write_text("2"),
        lambda: other.replace(file),
        lambda: file.unlink(),
    ]
    before = safefiles.change_marks(file)
    assert before == safefiles.change_marks(file)
    assert before[-1] == file.stat().st_ctime_ns
    seen = [before]
    for change in changes:
        change()
        seen.append(safefiles.change_marks(file))
    assert seen.index(seen[3]) == seen.index(seen[4])  # another file's change
    assert len({*seen}) == len(seen) - 1
    assert seen[-1][-1] == 0
