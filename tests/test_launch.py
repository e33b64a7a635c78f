"""A plan, and the program that it names."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

import pytest

from secretly import Refused, SecretlyError, safefiles
from secretly.errors import NotExecutable, NotThere
from secretly.running import launch
from secretly.running import program as programs
from secretly.running.launch import LaunchPlan, execute
from secretly.running.program import find_program


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, in which one is not."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def program(path: Path, mode: int = 0o755) -> str:
    """Put a program there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


# -- finding it ------------------------------------------------------------------


def test_a_command_is_found_on_path(folder: Path) -> None:
    """The first of the name that can be executed, as the shell does it."""
    second = program(folder / "2" / "tool")
    assert find_program("tool", {"PATH": f"{folder}/1:{folder}/2"}) == second
    first = program(folder / "1" / "tool", mode=0o644)
    assert find_program("tool", {"PATH": f"{folder}/1:{folder}/2"}) == second
    os.chmod(first, 0o755)
    assert find_program("tool", {"PATH": f"{folder}/1:{folder}/2"}) == first


def test_a_command_with_a_slash_is_the_path_itself(folder: Path) -> None:
    """From here or from the root, PATH or none."""
    path = program(folder / "tool")
    assert find_program(path, {"PATH": ""}) == path
    assert find_program("../bin/tool", {}) == "../bin/tool"
    program(Path("tool"))
    assert find_program("./tool", {"PATH": str(folder)}) == "./tool"


@pytest.mark.parametrize("path", ["", ".", ":/nonexistent", "here", "../here"])
def test_a_program_in_this_folder_is_not_run_by_accident(folder: Path, path: str) -> None:
    """Not even with '.' in PATH; the way to mean it is told."""
    program(Path("tool"))
    with pytest.raises(NotThere) as caught:
        find_program("tool", {"PATH": path})
    assert "./tool" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", "no-such-tool", "/no/such/tool", "./tool", "a\0b", "to\x1bol"]
)
def test_a_command_that_is_not_there_is_an_error(folder: Path, name: str) -> None:
    """Of its own kind, which is exit status 127; the name is shown harmless."""
    with pytest.raises(NotThere) as caught:
        find_program(name, {"PATH": str(folder)})
    assert caught.value.hint
    assert str(caught.value).isprintable()


def test_a_link_to_nothing_is_not_there(folder: Path) -> None:
    """As the system says: no such file."""
    (folder / "tool").symlink_to("nothing")
    with pytest.raises(NotThere):
        find_program("tool", {"PATH": str(folder)})


@pytest.mark.parametrize("name", ["tool", "../bin/tool"])
def test_what_cannot_be_executed_is_another_error(folder: Path, name: str) -> None:
    """A file without its bit, or a folder: exit status 126, with the way to mend it."""
    program(folder / "tool", mode=0o644)
    with pytest.raises(NotExecutable) as caught:
        find_program(name, {"PATH": str(folder)})
    assert "chmod +x" in caught.value.hint


@pytest.mark.parametrize("name", ["folder", "../bin/folder"])
def test_a_folder_cannot_be_executed(folder: Path, name: str) -> None:
    """Though its bits say so."""
    (folder / "folder").mkdir()
    with pytest.raises(NotExecutable):
        find_program(name, {"PATH": str(folder)})


def test_secretlys_own_executables_are_passed_by(folder: Path) -> None:
    """Not even where there is no other are they taken for the command; by a path they are."""
    path = program(folder / "1" / "tool")
    Path(path).write_text(f"#!/bin/sh\n{safefiles.SHIM}\n")
    environ = {"PATH": f"{folder}/1:{folder}/2"}
    with pytest.raises(NotThere):
        find_program("tool", environ)
    second = program(folder / "2" / "tool", mode=0o644)
    with pytest.raises(NotExecutable, match=re.escape(second)):
        find_program("tool", environ)
    os.chmod(second, 0o755)
    assert find_program("tool", environ) == second
    assert find_program(path, environ) == path


def test_both_errors_are_secretlys(folder: Path) -> None:
    """So that whoever catches the root catches them."""
    assert issubclass(NotThere, SecretlyError)
    assert issubclass(NotExecutable, SecretlyError)
    assert not issubclass(NotThere, NotExecutable)


# -- the plan --------------------------------------------------------------------


def test_a_plan_shows_no_values() -> None:
    """What is delivered stands in it, and not in its repr."""
    plan = LaunchPlan("/bin/true", ["true"], {"TOKEN": "canary-1"})
    assert "canary" not in repr(plan)
    assert "/bin/true" in repr(plan)


def test_a_plan_does_not_change() -> None:
    """What was checked is what is executed."""
    with pytest.raises(AttributeError):
        LaunchPlan("/bin/true", ["true"]).program = "/bin/false"  # type: ignore[misc]


def test_a_value_with_a_nul_is_refused(folder: Path) -> None:
    """An environment would end it there; the variable is named, the value is not."""
    plan = LaunchPlan("/nonexistent", ["x"], {"GOOD": "canary-1", "TO\x1bKEN": "canary\0-2"})
    with pytest.raises(Refused, match="NUL") as caught:
        execute(plan)
    assert "TO\\x1bKEN" in str(caught.value)
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    assert "GOOD" not in os.environ


def test_a_program_that_was_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """What was shown to the person is what is run: another file, or other bytes, are not."""
    program, other = tmp_path / "tool", tmp_path / "other"
    for path in (program, other):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o644)  # were it executed, that would be another error
    plan = LaunchPlan(str(program), ["tool"], fingerprint=programs.fingerprint(str(program)))
    other.replace(program)
    with pytest.raises(Refused, match="was changed meanwhile"):
        launch.execute(plan)
    program.unlink()
    with pytest.raises(NotThere, match="has gone"):
        launch.execute(plan)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """A value that has no bytes at all is refused, unechoed."""
    with pytest.raises(Refused, match="not Unicode") as caught:
        launch.execute(LaunchPlan("/nonexistent", ["true"], environ={"X": "canary-\ud800"}))
    assert "canary" not in str(caught.value)


# -- what was shown, looked at again ---------------------------------------------


def unexecutable(folder: Path) -> Path:
    """A program that execve refuses: else a check that is missing would end the tests."""
    return Path(program(folder / "tool", mode=0o644))


def swapped(path: Path, text: str) -> None:
    """Give a file another content of the same size, and the time that it had."""
    facts = path.stat()
    assert len(text) == facts.st_size
    path.write_text(text)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns


def test_a_fingerprint_looks_at_the_content_if_told(tmp_path: Path) -> None:
    """Its last part is the content's hash, which a change in place changes."""
    path = Path(program(tmp_path / "tool"))
    assert programs.fingerprint(str(path))[-1] == ""
    before = programs.fingerprint(str(path), content=True)
    assert before[-1] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert before == programs.fingerprint(str(path), content=True)
    assert before[:-1] == programs.fingerprint(str(path))[:-1]
    swapped(path, path.read_text()[::-1])
    after = programs.fingerprint(str(path), content=True)
    assert after[-1] == hashlib.sha256(path.read_bytes()).hexdigest() != before[-1]
    assert after[:4] == before[:4]  # device, number, size, time: all as they were


def test_content_that_was_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """Whatever else of the file is as it was."""
    path = unexecutable(tmp_path)
    before = programs.fingerprint(str(path), content=True)
    swapped(path, path.read_text()[::-1])
    now = programs.fingerprint(str(path))  # had nothing but the content been changed
    plan = LaunchPlan(str(path), ["tool"], fingerprint=(*now[:-1], before[-1]))
    with pytest.raises(Refused, match="was changed meanwhile"):
        launch.execute(plan)


def test_a_fingerprint_of_what_cannot_be_read_has_the_rest() -> None:
    """One may execute what one may not read."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are for one user alone
        os.chmod(folder, 0o711)
        path = program(Path(folder, "tool"), mode=0o111)
        user = os.geteuid()
        if user == 0:  # root may read everything
            os.seteuid(65534)
        try:
            found = programs.fingerprint(path, content=True)
        finally:
            os.seteuid(user)
        assert found == (*programs.fingerprint(path)[:-1], "unreadable")


@pytest.mark.parametrize("content", [False, True])
def test_there_is_no_fingerprint_of_what_has_gone(tmp_path: Path, content: bool) -> None:
    """It is the error for a command that is not there."""
    with pytest.raises(NotThere, match="has gone"):
        programs.fingerprint(str(tmp_path / "tool"), content)


def test_what_else_was_shown_is_looked_at_before_the_exec(tmp_path: Path) -> None:
    """What the second look raises ends it: the program is not reached."""

    def recheck() -> None:
        raise Refused("dist/demo was changed", "look at it")

    with pytest.raises(Refused, match="dist/demo was changed"):
        launch.execute(LaunchPlan(str(unexecutable(tmp_path)), ["tool"], recheck=recheck))


def test_the_program_is_looked_at_after_what_else_was_shown(tmp_path: Path) -> None:
    """The second look takes a while for large files, in which the program may be swapped."""
    path = unexecutable(tmp_path)
    plan = LaunchPlan(
        str(path),
        ["tool"],
        fingerprint=programs.fingerprint(str(path), content=True),
        recheck=lambda: swapped(path, path.read_text()[::-1]),
    )
    with pytest.raises(Refused, match="was changed meanwhile"):
        launch.execute(plan)
