"""``secretly run --wrap``: what a recipe starts runs with secretly."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import tokens
from command import PATIENCE, SECRETLY, Home, ended, home, processes, quick, wait_until

from secretly.config import values
from secretly.errors import Refused
from secretly.running import wrapping
from secretly.testing import FakePinentry

#: A twine that says which project its token is for.
TWINE = f"""#!{sys.executable} -I
import os, sys
sys.path[:0] = {sys.path!r}
from secretly.publishing.pypi_token import token_scope
value = os.environ.get("TWINE_PASSWORD")
print("twine got", sorted(token_scope(value).projects) if value else "nothing", sys.argv[1:])
"""

RECIPE = """#!/bin/sh
echo "recipe got ${TWINE_PASSWORD-nothing}"
twine check dist/*
twine upload dist/*
"""


#: Shows its process ID, its open files and its children.
SHOW = """
echo $$
echo /proc/$$/fd/*
read -r own <"/proc/$$/task/$$/children"
echo "$own"
"""


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with quick() as found:
        prepare(found)
        yield found


def prepare(found: Home) -> None:
    """A recipe, a twine, a package, and a token that comes from a variable."""
    found.program("twine", TWINE)
    found.program("recipe", RECIPE)
    tokens.wheel(found.folder / "dist")
    found.configure('[secrets.PyPI]\nsource = "env://TOKEN"\n')
    found.environ["TOKEN"] = tokens.TOKEN


@contextlib.contextmanager
def running(found: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A wrapped recipe that notes its start, then runs until it is killed."""
    found.program("recipe", "touch started\nexec sleep 60\n")
    process = found.start([*SECRETLY, "run", "--wrap", "twine", "recipe"])
    with ended(process):
        yield process


def folders(found: Home) -> list[Path]:
    """The folders with wrapped commands that are there now."""
    return [path for part in ("run", "tmp") for path in (found.folder / part).glob("secretly-*")]


def keepers(found: Home) -> list[int]:
    """The processes with this home that are left."""
    own, left = os.fsencode(str(found.folder)), []
    for pid in processes():
        try:
            if own in Path(f"/proc/{pid}/environ").read_bytes():
                left.append(pid)
        except OSError:
            continue
    return left


@pytest.mark.process
def test_a_recipe_is_asked_about_when_it_uploads(here: Home) -> None:
    """The recipe gets nothing. Its upload is shown and confirmed, and gets a narrowed token."""
    here.keep_in_a_file()
    assert here.run("set", "PyPI", "--stdin", stdin=tokens.TOKEN).status == 0
    with FakePinentry([True]) as pinentry:
        done = here.run("run", "--wrap", "twine", "--", "recipe", environ=pinentry.environ)
        prompts = pinentry.prompts
    wheel = "dist/demo-1.0-py3-none-any.whl"
    assert done.status == 0, done
    got, checked, uploaded = done.stdout.splitlines()
    assert (got, checked) == ("recipe got nothing", f"twine got nothing ['check', '{wheel}']")
    assert uploaded.startswith(f"twine got ['demo'] ['upload', '{wheel}'")
    assert len(prompts) == 1
    assert "upload: demo 1.0" in str(prompts[0])
    wait_until(lambda: not folders(here))


@pytest.mark.process
def test_a_no_ends_the_upload(here: Home) -> None:
    """The recipe sees that its twine failed."""
    here.keep_in_a_file()
    here.run("set", "PyPI", "--stdin", stdin=tokens.TOKEN)
    with FakePinentry([False]) as pinentry:
        done = here.run("run", "--wrap", "twine", "recipe", environ=pinentry.environ)
    assert done.status == 130
    assert "twine got ['demo']" not in done.stdout


@pytest.mark.process
def test_options_hold_for_the_wrapped_command(here: Home) -> None:
    """How to ask and what to print; not the variables, which are the recipe's own."""
    options = ("--no-confirm", "-q", "--no-input", "-e", "API_KEY=env://KEY", "--wrap=twine")
    here.program("recipe", 'echo "recipe got $API_KEY"\ntwine upload dist/*\n')
    done = here.run("run", *options, "recipe", environ={"KEY": "canary-1"})
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("recipe got canary-1\ntwine got ['demo'] ")


PROFILES = """
[secrets.PyPI]
source = "env://TOKEN"
[commands.twine.profiles.prod]
secrets = { TWINE_PASSWORD = "PyPI" }
[commands.twine.profiles.none]
env = { TWINE_PASSWORD = "" }
"""


@pytest.mark.process
def test_a_profile_is_the_wrapped_commands(here: Home) -> None:
    """The recipe itself has none. Of several wrapped commands, those get it that have it."""
    here.configure(PROFILES)
    options = ("run", "--no-confirm", "-q", "--wrap=twine", "--wrap=gh")
    done = here.run(*options, "recipe")
    assert (done.status, "choose one: secretly run -p none" in done.stderr) == (125, True)
    done = here.run(*options, "-p", "prod", "recipe")
    assert (done.status, done.stderr) == (0, "")
    assert "twine got ['demo'] " in done.stdout
    shown = here.run(*options, "-p", "prod", "--dry-run", "recipe").stdout
    assert shown.count("--profile=prod") == 1
    assert "--profile=prod -- twine" in shown


@pytest.mark.process
def test_a_profile_that_the_wrapped_command_does_not_have_is_refused(here: Home) -> None:
    """The error names its profiles. A known command's profile is its own."""
    here.configure(PROFILES)
    done = here.run("run", "--wrap", "twine", "-p", "prd", "recipe")
    assert (done.status, done.stdout) == (125, "")
    assert "twine has no profile 'prd'" in done.stderr
    assert "its profiles: none, prod" in done.stderr
    done = here.run("run", "--wrap", "twine", "-p", "prod", "gh", "pr", "list")
    assert (done.status, "gh has no profile 'prod'" in done.stderr) == (125, True)


@pytest.mark.process
def test_the_tool_is_the_one_on_the_recipes_path(here: Home) -> None:
    """A recipe may put the tool's folder on PATH itself, after the wrapped one."""
    (here.programs / "twine").rename(here.folder / "twine")
    here.program("recipe", 'PATH="${PATH%%:*}:$HOME:$PATH" twine check x\n')
    done = here.run("run", "--wrap", "twine", "recipe")
    assert (done.status, done.stdout) == (0, "twine got nothing ['check', 'x']\n")


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--wrap", "twin", "recipe"), 125, "unknown command 'twin'. Did you mean 'twine'?"),
        (("--wrap", "../x", "recipe"), 125, "unknown command '../x'"),
        (("--wrap", "twine"), 125, "no command to run"),
        (("--wrap", "twine", "absent"), 127, "command not found: absent"),
    ],
)
def test_mistakes(here: Home, words: tuple[str, ...], status: int, said: str) -> None:
    """An unknown command, or none: nothing is run, and no folder stays."""
    done = here.run("run", *words)
    assert (done.status, done.stdout) == (status, "")
    assert said in done.stderr
    assert not folders(here)


@pytest.mark.process
def test_a_dry_run_says_what_would_run(here: Home) -> None:
    """It makes no folder."""
    options = ("--prompt-timeout=2m", "--remember=90s", "--confirm", "-v")
    done = here.run("run", "--dry-run", "--wrap", "twine", *options, "recipe")
    runs = "secretly run --confirm --verbose --remember=90s --prompt-timeout=2m -- twine"
    assert done.stdout.splitlines()[-1] == f"twine: if the command starts it: {runs}"
    assert not folders(here)


@pytest.mark.process
def test_a_folder_for_programs_is_found(here: Home) -> None:
    """Where programs can't be executed, a shell would pass over them and start the tool itself."""
    done = here.run("run", "--wrap", "twine", "recipe", environ={"XDG_RUNTIME_DIR": "/proc"})
    assert "recipe got nothing" in done.stdout


@pytest.mark.process
def test_a_folder_that_path_can_not_have_is_passed_over(here: Home) -> None:
    """A colon ends a folder in PATH, and the tool would be started without secretly."""
    (here.folder / "a:b").mkdir()
    environ = dict.fromkeys(("XDG_RUNTIME_DIR", "TMPDIR"), str(here.folder / "a:b"))
    here.program("recipe", "command -v twine\n")
    done = here.run("run", "--wrap", "twine", "recipe", environ=environ)
    assert "/secretly-wrap-" in done.stdout


def open_many() -> None:
    """Open more files than select() can wait for, and ignore children that end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    for _ in range(1030):
        os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


@pytest.mark.process
@pytest.mark.outside
def test_what_a_parent_leaves_behind_does_not_unwrap_the_tool() -> None:
    """Many open files, and SIGCHLD ignored: the folder stays as long as the command runs."""
    with home() as found:
        prepare(found)
        found.program("recipe", "sleep 0.3\ncommand -v twine\n")
        line = [*SECRETLY, "run", "--wrap", "twine", "recipe"]
        done = found.run_any(line, preexec_fn=open_many, close_fds=False)
        assert (done.status, done.stderr) == (0, "")
        assert "/secretly-wrap-" in done.stdout
        wait_until(lambda: not folders(found))


@pytest.mark.process
@pytest.mark.outside
def test_the_command_takes_secretlys_place() -> None:
    """It has secretly's process ID, and no open file and no child that it didn't make itself."""
    with home() as found:
        prepare(found)
        found.program("recipe", f"#!/bin/sh\n{SHOW}")
        bare = found.run_any([str(found.programs / "recipe")])
        process = found.start([*SECRETLY, "run", "--wrap", "twine", "recipe"])
        with ended(process):
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (0, b"")
        assert out.decode() == re.sub(r"\d+", str(process.pid), bare.stdout, count=1).replace(
            f"/proc/{bare.stdout.split()[0]}/", f"/proc/{process.pid}/"
        )
        wait_until(lambda: not folders(found))


@pytest.mark.process
@pytest.mark.outside
@pytest.mark.parametrize("point", range(10))
def test_killed_at_any_point_it_leaves_nothing(point: int) -> None:
    """From before the folder is made to when the recipe has run for a while."""
    with home() as found:
        prepare(found)
        start = time.monotonic()
        with running(found) as process:
            if point == 9:
                wait_until((found.folder / "started").exists)
            else:
                wait_until(lambda: time.monotonic() - start > point * 0.05)
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
            wait_until(lambda: not folders(found) and not keepers(found))


@pytest.mark.process
@pytest.mark.outside
def test_an_abandoned_folder_goes_at_the_next_run() -> None:
    """If the process that stays behind is killed too, the next run removes the folder."""
    with home() as found:
        prepare(found)
        with running(found):
            wait_until((found.folder / "started").exists)
            left_behind = keepers(found)
            # All stop first: the one that stays behind removes the folder when the recipe ends.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left_behind:
                    os.kill(pid, number)
        (left,) = folders(found)
        found.program("recipe", "exit 0\n")
        assert found.run("run", "--wrap", "twine", "recipe").status == 0
        wait_until(lambda: not folders(found))
        assert not left.exists()


# -- the process that stays behind -------------------------------------------------


def test_folders_of_runs_that_ended_are_removed(tmp_path: Path) -> None:
    """Not those of runs that go on, nor what only has such a name."""
    prefix = wrapping._PREFIX
    gone = tmp_path / f"{prefix}{2**22 + 1}-a"  # Linux has no process with that number
    stays = [tmp_path / f"{prefix}{name}" for name in (f"{os.getpid()}-a", "x-a", f"{2**70}-a")]
    for folder in (gone, *stays):
        folder.mkdir()
        (folder / "twine").touch()
    link = tmp_path / f"{prefix}{2**22 + 1}-link"
    link.symlink_to(stays[0])
    wrapping._remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*stays, link])


def test_the_first_folder_that_may_have_programs_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, the system's reason is said, or that programs can't be executed."""
    absent, there = tmp_path / "absent", tmp_path / "there"
    there.mkdir()
    assert Path(wrapping._made_in([absent, there], "x-")).parent == there
    with pytest.raises(FileNotFoundError):
        wrapping._made_in([absent], "x-")
    no_programs = SimpleNamespace(f_flag=getattr(os, "ST_NOEXEC", 8))
    monkeypatch.setattr(os, "statvfs", lambda root: no_programs)
    with pytest.raises(PermissionError, match="can't be executed there"):
        wrapping._made_in([there], "x-")


def _no_pidfd(pid: int) -> int:
    raise OSError(errno.ENOSYS, "Function not implemented")


@pytest.mark.process
@pytest.mark.parametrize("old", [False, True], ids=["", "a system without pidfd_open"])
def test_without_a_folder_the_reason_is_said(
    old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none is left."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if old:
        monkeypatch.setattr(os, "pidfd_open", _no_pidfd, raising=False)
    with pytest.raises(Refused, match="can't make a folder for wrapped commands: No such file"):
        wrapping.make_folder({"no/such": "text"}, os.environ)
    wait_until(lambda: not list(tmp_path.iterdir()))


def test_on_a_system_that_cannot_say_it_the_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may become another user's before it ends."""
    answers: list[OSError | None] = [None, PermissionError(), ProcessLookupError()]

    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (1234, 0)
        if (answer := answers.pop(0)) is not None:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(wrapping, "_INTERVAL", 0)
    wrapping._wait(1234, None)
    assert answers == []


@pytest.mark.parametrize("text", ["1s", "59s", "60s", "15m", "90m", "2h", "999999h"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    """What is handed on means the same."""
    seconds = values.duration(text)
    assert values.duration(values.duration_text(seconds)) == seconds
