"""When a plain file stays as it is: what keeps secretly from reading it, or from changing it."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from secretly.config import loading
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.plaintext import guarding, replacing, storing, surveying
from secretly.plaintext.finding import Cut, Document, FileKind, Finding, cut_out
from secretly.plaintext.kinds import env_file, shell
from secretly.plaintext.lines import NoParse
from secretly.plaintext.reading import search
from secretly.redacted import Secret
from secretly.testing import MemoryKeychain, sandbox

SECRET = Secret("canary-1")


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, which is the working folder too."""
    folder = tmp_path / "home"
    folder.mkdir(0o700)
    monkeypatch.chdir(folder)
    return folder


def around(home: Path) -> tuple[dict[str, str], Configuration]:
    """The environment of a home, and its configuration."""
    environ = {"HOME": str(home), "PATH": "/nowhere/bin"}
    return environ, loading.load(environ)


# -- searching -------------------------------------------------------------------


def test_a_file_that_cannot_be_read_as_its_kind_is_reported(home: Path) -> None:
    """With the reason. The search goes on with the other files."""
    (home / ".pypirc").write_bytes(b"\xff\xfe")
    (home / ".netrc").write_text("machine h login a password canary-1\n")
    found = list(surveying.survey(*around(home)))
    assert [one.place.partition(":")[0] for one in found] == ["~/.pypirc", "~/.netrc"]
    assert "can't read ~/.pypirc as a" in found[0].what.replace(str(home), "~")


@pytest.mark.parametrize(
    ("finding", "advice"),
    [
        (Finding("KEY", 1, SECRET, name="My key", problem="why"), "by hand: secretly set 'My key'"),
        (Finding("KEY", 1, SECRET, problem="why"), "why"),
        (Finding("KEY", 1, SECRET, name="A", problem="run: secretly set A"), "run: secretly set A"),
    ],
)
def test_what_cannot_be_moved_has_an_advice(home: Path, finding: Finding, advice: str) -> None:
    """How to do it by hand, if secretly has a name for it."""
    path = home / ".envrc"
    path.touch()
    environ, configuration = around(home)
    document = Document(str(path), str(path), b"", environ, configuration)
    searched = surveying.Searched(shell.KINDS[0], document, [finding])
    assert surveying._advice(searched, finding, "~/.envrc").startswith(advice)


def test_the_kind_of_a_file_may_be_known_from_who_reads_it(home: Path) -> None:
    """A start-up file sources one; nothing knows the other."""
    (home / ".bashrc").write_text("source ~/mine\n")
    (home / "mine").write_text("export GH_TOKEN=canary-1\n")
    (home / "other").write_text("export GH_TOKEN=canary-1\n")
    (home / ".netrc").write_text("machine h login a password canary-2\n")
    environ, configuration = around(home)
    kind = surveying.kind_of(str(home / "mine"), environ, configuration)
    assert kind is not None
    assert kind.find is shell.find
    assert surveying.kind_of(str(home / "other"), environ, configuration) is None
    assert list(surveying.readers_of(str(home / "mine"), environ, configuration)) == ["~/.bashrc"]


def _broken(document: Document) -> list[Finding]:
    raise ValueError(document.data)


@pytest.mark.parametrize(("name", "why"), [("absent", "No such file"), ("there", "differently")])
def test_a_file_that_cannot_be_searched_is_refused(home: Path, name: str, why: str) -> None:
    """No text of the file is in the message."""
    (home / "there").write_text(SECRET)
    kind = FileKind("kind", (), (), _broken)
    with pytest.raises(Refused, match=why) as caught:
        search(str(home / name), kind, *around(home))
    assert SECRET not in str(caught.value)


# -- cutting ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "why"),
    [
        ([Finding("A", 1, SECRET, cuts=(Cut(0, 4), Cut(2, 6)))], "same place"),
        ([Finding("A", 1, SECRET, cuts=(Cut(0, 4),), keys=(("C",),))], "not where it seems"),
        ([Finding("A", 1, SECRET, cuts=(Cut(4, 8),), keys=(("A",),))], "more than the secret"),
    ],
)
def test_a_cut_that_would_change_more_is_refused(findings: list[Finding], why: str) -> None:
    """The parser of the file's programs compares before and after."""

    def parse(data: bytes) -> dict[tuple[str, ...], str]:
        return {(line[:1],): line[2:] for line in data.decode().splitlines()}

    with pytest.raises(NoParse, match=why):
        cut_out(b"A=1\nB=2\n", findings, parse)


# -- storing ---------------------------------------------------------------------


class _Changing(MemoryKeychain):
    """A keychain that returns another value than it got."""

    async def set(self, name: str, username: str, value: str, timeout: float | None = None) -> None:
        await super().set(name, username, f"{value}-changed", timeout)


@pytest.mark.parametrize(
    ("config", "keychain", "why"),
    [
        ("", _Changing(), "returns another value"),
        ('[secrets.Mine]\nsource = "env://X"\n', MemoryKeychain(), "configured to come from env"),
        ('[secrets.Mine]\nprefix = "good-"\n', MemoryKeychain(), "can't be stored as it is"),
    ],
)
def test_a_secret_that_would_not_come_back_is_refused(
    config: str, keychain: MemoryKeychain, why: str
) -> None:
    """It would be lost if it were taken out of its file."""
    with sandbox(keychain=keychain, config=config) as here, pytest.raises(Refused, match=why):
        asyncio.run(storing.store(Finding("KEY", 1, SECRET, name="Mine"), here))


# -- replacing -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [lambda path: replacing.replace_file(path, b"a", b"b"),
     lambda path: replacing.remove_file(path, b"a")],
)  # fmt: skip
def test_a_file_that_is_gone_is_not_replaced(tmp_path: Path, change: Callable[[str], None]) -> None:
    """The system's reason is in the message."""
    with pytest.raises(Refused, match="No such file"):
        change(str(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_a_file_that_changes_just_after_it_was_replaced_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program wrote its own version then, with the secret in it."""
    path, real, seen = tmp_path / "file", os.fsync, list[int]()
    path.write_bytes(b"old")

    def changing(descriptor: int) -> None:
        real(descriptor)
        seen.append(descriptor)
        if len(seen) == 2:  # the folder: the new file has its name now
            path.write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", changing)
    with pytest.raises(Refused, match="meanwhile"):
        replacing.replace_file(str(path), b"old", b"new")
    assert path.read_bytes() == b"theirs"


@pytest.mark.process
def test_something_else_that_is_called_like_a_leftover_stays(tmp_path: Path) -> None:
    """Only a regular file can be one that a run has left."""
    path, pipe = tmp_path / "file", tmp_path / ".file.secretly-1"
    path.write_bytes(b"old")
    os.mkfifo(pipe)
    replacing.replace_file(str(path), b"old", b"new")
    assert pipe.exists()


def test_attributes_are_copied_and_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own may refuse to be set; the others must be."""
    if not hasattr(os, "listxattr"):
        pytest.skip("this system has no such attributes")
    has: dict[int, dict[str, bytes]] = {
        3: {"security.label": b"s", "user.mine": b"x"},
        4: {"security.other": b"s", "user.old": b"y"},
    }

    def set_one(descriptor: int, name: str, value: bytes) -> None:
        if name.startswith("security."):
            raise PermissionError(errno.EPERM, "not permitted")
        has[descriptor][name] = value

    monkeypatch.setattr(os, "listxattr", lambda descriptor: list(has[descriptor]))
    monkeypatch.setattr(os, "getxattr", lambda descriptor, name: has[descriptor][name])
    monkeypatch.setattr(os, "setxattr", set_one)
    monkeypatch.setattr(os, "removexattr", lambda descriptor, name: has[descriptor].pop(name))
    replacing._copy_xattrs(3, 4)
    assert has[4] == {"security.other": b"s", "user.mine": b"x"}


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EIO])
def test_a_file_system_without_attributes_has_none(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Another failure is one."""

    def failing(descriptor: int) -> list[str]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listxattr", failing, raising=False)
    if number == errno.ENOTSUP:
        assert replacing._xattrs(3) == []
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            replacing._xattrs(3)


def test_the_new_file_gets_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it differs: the system may refuse to set it."""
    given = []
    monkeypatch.setattr(os, "fchown", lambda *arguments: given.append(arguments))
    with open(tmp_path / "a", "w") as one, open(tmp_path / "b", "w") as other:
        replacing._copy_attributes(one.fileno(), other.fileno())
        assert given == []
        real = os.fstat
        facts = SimpleNamespace(st_gid=real(one.fileno()).st_gid + 1, st_mode=0o100640)
        descriptor = one.fileno()
        monkeypatch.setattr(os, "fstat", lambda n: facts if n == descriptor else real(n))
        replacing._copy_attributes(descriptor, other.fileno())
        assert given == [(other.fileno(), -1, facts.st_gid)]


# -- guarding --------------------------------------------------------------------


def test_a_folder_is_not_changed(home: Path) -> None:
    """Neither is anything else that is not a regular file."""
    with pytest.raises(Refused, match="not a regular file"):
        guarding.check_changeable(str(home), {})


def test_a_file_in_a_folder_that_you_cannot_write_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file could not be written next to it."""
    (home / "file").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(Refused, match="can't write in the folder"):
        guarding.check_changeable(str(home / "file"), {})


def test_without_git_nothing_was_in_git(home: Path) -> None:
    """But a file in its folder may be: it is refused."""
    (home / ".git").mkdir()
    (home / "file").touch()
    environ = {"PATH": "/nowhere/bin", "HOME": str(home)}
    assert not guarding.was_in_git(str(home / "file"), environ)
    with pytest.raises(Refused, match="under version control"):
        guarding.check_changeable(str(home / "file"), environ)


@pytest.mark.process
def test_a_git_that_cannot_be_started_knows_nothing(home: Path) -> None:
    """As one that doesn't answer in time."""
    (home / "bin").mkdir(0o700)
    (home / "bin" / "git").write_bytes(b"\x7fELF")
    (home / "bin" / "git").chmod(0o700)
    (home / "file").touch()
    assert not guarding.was_in_git(str(home / "file"), {"PATH": str(home / "bin")})


def test_an_env_files_kind_is_known_by_its_name(home: Path) -> None:
    """Wherever it is."""
    (home / ".env").touch()
    assert surveying.kind_of(str(home / ".env"), *around(home)) in env_file.KINDS
