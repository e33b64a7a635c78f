"""The launch, and the program that it names."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from secretly import Refused, SecretlyError, safefiles
from secretly.running import launch
from secretly.running import program as programs
from secretly.running.launch import Launch, execute, find_program
from secretly.running.not_started import NotExecutable, NotThere


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
    """Not even with '.' in PATH; the hint says how to run it."""
    program(Path("tool"))
    with pytest.raises(NotThere) as caught:
        find_program("tool", {"PATH": path})
    assert "./tool" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", "no-such-tool", "/no/such/tool", "./tool", "a\0b", "to\x1bol"]
)
def test_a_command_that_is_not_there_is_an_error(folder: Path, name: str) -> None:
    """It has exit status 127; control characters of the name are escaped."""
    with pytest.raises(NotThere) as caught:
        find_program(name, {"PATH": str(folder)})
    assert caught.value.hint
    assert str(caught.value).isprintable()


def test_a_broken_link_is_not_found(folder: Path) -> None:
    """The system says: no such file."""
    (folder / "tool").symlink_to("nothing")
    with pytest.raises(NotThere):
        find_program("tool", {"PATH": str(folder)})


@pytest.mark.parametrize("name", ["tool", "../bin/tool"])
def test_a_file_that_is_not_executable_is_another_error(folder: Path, name: str) -> None:
    """It has exit status 126; the hint fixes it."""
    program(folder / "tool", mode=0o644)
    with pytest.raises(NotExecutable) as caught:
        find_program(name, {"PATH": str(folder)})
    assert "chmod +x" in caught.value.hint


@pytest.mark.parametrize("name", ["folder", "../bin/folder"])
def test_a_folder_cannot_be_executed(folder: Path, name: str) -> None:
    """Although it has the executable bits."""
    (folder / "folder").mkdir()
    with pytest.raises(NotExecutable):
        find_program(name, {"PATH": str(folder)})


def test_shims_are_skipped(folder: Path) -> None:
    """A shim is never taken for its command, except by its path."""
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
    """Catching the root of the errors catches them."""
    assert issubclass(NotThere, SecretlyError)
    assert issubclass(NotExecutable, SecretlyError)
    assert not issubclass(NotThere, NotExecutable)


# -- the launch ------------------------------------------------------------------


def test_a_plan_shows_no_values() -> None:
    """It has the secrets, and its repr doesn't."""
    given = Launch("/bin/true", ["true"], {"TOKEN": "canary-1"})
    assert "canary" not in repr(given)
    assert "/bin/true" in repr(given)


def test_a_plan_does_not_change() -> None:
    """The program that was checked is executed."""
    with pytest.raises(AttributeError):
        Launch("/bin/true", ["true"]).program = "/bin/false"  # type: ignore[misc]


def test_a_value_with_a_nul_is_refused(folder: Path) -> None:
    """An environment would cut it there. The error names the variable, never the value."""
    given = Launch("/nonexistent", ["x"], {"GOOD": "canary-1", "TO\x1bKEN": "canary\0-2"})
    with pytest.raises(Refused) as caught:
        execute(given)
    assert "TO\\x1bKEN" in str(caught.value)
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    assert "GOOD" not in os.environ


def test_a_program_that_was_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """The user agreed to that file with those bytes: no other one runs."""
    program, other = tmp_path / "tool", tmp_path / "other"
    for path in (program, other):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o644)  # were it executed, that would be another error
    given = Launch(str(program), ["tool"], fingerprint=programs.fingerprint(str(program)))
    other.replace(program)
    with pytest.raises(Refused, match=re.escape(str(program))):
        launch.execute(given)
    program.unlink()
    with pytest.raises(NotThere):
        launch.execute(given)


def test_a_value_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A lone surrogate has no bytes. The error doesn't show the value."""
    with pytest.raises(Refused) as caught:
        launch.execute(Launch("/nonexistent", ["true"], environ={"X": "canary-\ud800"}))
    assert "canary" not in str(caught.value)


# -- the last look at what was shown ---------------------------------------------


def unexecutable(folder: Path) -> Path:
    """A program that execve refuses: a missing check would replace the tests' process."""
    return Path(program(folder / "tool", mode=0o644))


def swapped(path: Path, text: str) -> None:
    """Give a file another content of the same size, and its old time."""
    facts = path.stat()
    assert len(text) == facts.st_size
    path.write_text(text)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns


def test_a_fingerprint_may_include_the_content(tmp_path: Path) -> None:
    """Its last part is a hash of the content, which a change in place changes."""
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


def test_a_program_with_changed_content_is_refused(tmp_path: Path) -> None:
    """Although the rest of the file's facts are the same."""
    path = unexecutable(tmp_path)
    before = programs.fingerprint(str(path), content=True)
    swapped(path, path.read_text()[::-1])
    now = programs.fingerprint(str(path))  # had nothing but the content been changed
    given = Launch(str(path), ["tool"], fingerprint=(*now[:-1], before[-1]))
    with pytest.raises(Refused, match=re.escape(str(path))):
        launch.execute(given)


def test_an_unreadable_program_has_a_fingerprint() -> None:
    """It may be executable and not readable."""
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
def test_a_removed_program_has_no_fingerprint(tmp_path: Path, content: bool) -> None:
    """The error is the one for a command that doesn't exist."""
    with pytest.raises(NotThere):
        programs.fingerprint(str(tmp_path / "tool"), content)


def test_the_recheck_comes_before_the_exec(tmp_path: Path) -> None:
    """If it raises, the program isn't reached."""

    def recheck() -> None:
        raise Refused("dist/demo was changed", "look at it")

    with pytest.raises(Refused, match="dist/demo was changed"):
        launch.execute(Launch(str(unexecutable(tmp_path)), ["tool"], recheck=recheck))


def test_the_program_is_checked_after_the_recheck(tmp_path: Path) -> None:
    """The recheck of large files takes a while, in which the program may be swapped."""
    path = unexecutable(tmp_path)
    given = Launch(
        str(path),
        ["tool"],
        fingerprint=programs.fingerprint(str(path), content=True),
        recheck=lambda: swapped(path, path.read_text()[::-1]),
    )
    with pytest.raises(Refused, match=re.escape(str(path))):
        launch.execute(given)


# -- the exec --------------------------------------------------------------------

#: Executes the launch that stdin has as JSON, or prints the error.
EXECUTES = """
import json, sys
from secretly.errors import SecretlyError
from secretly.running.launch import Launch, execute, find_program
from secretly.running.not_started import NotExecutable, NotThere
try:
    execute(Launch(**json.load(sys.stdin)), say=lambda line: print(line, flush=True))
except SecretlyError as error:
    print(f"{type(error).__name__}: {error}")
"""


def executed(path: str, *argv: str, **plan: object) -> str:
    """What a process printed that became this program."""
    fields = {"program": path, "argv": ["tool", *argv], **plan}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTES],
        input=json.dumps(fields),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.process
def test_a_process_becomes_the_program(tmp_path: Path) -> None:
    """With its name, arguments and variables. A script without '#!' is run by sh."""
    path = Path(program(tmp_path / "tool"))
    for start in ("#!/bin/sh\n", ""):
        path.write_text(f'{start}echo "$0 $* $TOKEN"\n')
        said = executed(str(path), "a b", "c", environ={"TOKEN": "canary-1"}, said=["first"])
        assert said == f"first\n{path} a b c canary-1\n"


@pytest.mark.process
@pytest.mark.parametrize(
    ("text", "mode", "value", "said"),
    [
        ("#!/nonexistent/interpreter\n", 0o755, "", "NotThere: {} or its interpreter"),
        ("#!/bin/sh\n", 0o644, "", "NotExecutable: can't execute {}: "),
        ("#!/bin/sh\n", 0o755, "x" * 200_000, "Refused: can't start {}: its arguments and"),
    ],
    ids=["interpreter", "mode", "length"],
)
def test_a_program_that_cannot_be_executed_is_an_error(
    tmp_path: Path, text: str, mode: int, value: str, said: str
) -> None:
    """The error depends on what the system says."""
    path = Path(program(tmp_path / "tool", mode))
    path.write_text(text)
    assert executed(str(path), environ={"X": value}).startswith(said.format(path))


#: Adds a key to the session keyring, and prints what the system says.
ADDS_A_KEY = """
import ctypes, os, platform
add_key = {"x86_64": 248, "aarch64": 217}[platform.machine()]
call = ctypes.CDLL(None, use_errno=True).syscall
added = call(add_key, b"user", b"canary", b"canary-1", 8, -3)
print("added" if added > 0 else os.strerror(ctypes.get_errno()))
"""


def joined(words: Sequence[str]) -> list[str]:
    """The command line that runs in a session keyring of its own."""
    join = "import os, sys; from secretly.keeping import kernel_keyring as k; k._keyctl(1, None);"
    return [sys.executable, "-c", f"{join} os.execv(sys.argv[1], sys.argv[1:])", *words]


@pytest.mark.process
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="keyrings of Linux",
)
def test_a_sealed_session_keyring_stores_no_key() -> None:
    """maturin would store the password there. Without a seal, a key can be stored."""
    adds = ["-c", ADDS_A_KEY]
    open_to_all = subprocess.run(
        joined([sys.executable, *adds]), capture_output=True, text=True, timeout=60
    )
    if open_to_all.stdout != "added\n":
        pytest.skip(f"needs a kernel keyring: {open_to_all.stdout}{open_to_all.stderr}")
    said = executed(sys.executable, *adds, seal_keyring=True)
    assert said == "Operation not permitted\n"


# -- interpreters ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("#!/bin/sh -e", "/bin/sh"),
        ("#! /usr/bin/env tool", "{bin}/tool"),
        ("#!/usr/bin/env -S A=b tool -x", "{bin}/tool"),
        ("#!/usr/bin/env ./tool", "./tool"),
        ("#!/usr/bin/env no-such-tool", None),
        ("#!/usr/bin/env", "/usr/bin/env"),
        ("#!", ""),
        ("echo", None),
    ],
)
def test_the_interpreter_is_in_the_first_line(folder: Path, line: str, found: str | None) -> None:
    """``env`` looks for it in PATH."""
    program(folder / "tool")
    script = Path(program(folder / "script"))
    script.write_text(f"{line}\n")
    expected = found if found is None else found.format(bin=folder)
    assert programs.interpreter(str(script), {"PATH": f"/nonexistent:{folder}"}) == expected


def test_a_program_that_is_not_there_has_no_interpreter(folder: Path) -> None:
    """Nor has one that can't be read."""
    assert programs.interpreter(str(folder / "no-such-tool"), {}) is None


def test_an_interpreter_in_the_current_folder_is_refused(folder: Path) -> None:
    """A relative entry in PATH would let a file of the project see the secret."""
    program(Path("tool"))
    script = Path(program(folder / "script"))
    script.write_text("#!/usr/bin/env tool\n")
    with pytest.raises(Refused, match="tool, is in the current folder") as caught:
        programs.check_program(str(script), {"PATH": f".:{folder}"})
    assert "PATH" in caught.value.hint
    programs.check_program(str(script), {"PATH": os.defpath})  # there, the system finds none
    program(folder / "tool")
    programs.check_program(str(script), {"PATH": str(folder)})
