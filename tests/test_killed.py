"""Kill the command with KILL at every step: it leaves nothing, and the next run works."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from command import (
    SECRETLY,
    Home,
    Terminal,
    children,
    ended,
    files_with,
    quick,
    session_of,
    wait_until,
)
from conftest import Tried, need

from secretly.asking import wording
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.process, pytest.mark.outside]

CANARY = "canary-5e81"

#: How long prompts wait, in seconds, and how long a pinentry may be there after that.
TIMEOUT, SLACK = 30, 10.0

#: The command to kill: it asks, stores and lists the secret, and starts a program with it.
RUN = ["run", "-q", "--remember", f"--prompt-timeout={TIMEOUT}s", "-e", "A=Name"]
SHOW = ["sh", "-c", 'echo "got $A"']


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with quick() as found:
        # Compiled modules are written as the others are, by a file that is renamed.
        found.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        yield found


def files(here: Home) -> set[str]:
    """The files in a home, without those of the test, the receipts, and the lock of the screen.

    The next prompt on a screen takes its lock over: it belongs to no process that lives.
    """
    own = {"filekeychain.py", "stopping.py", "config.toml", "mark", "receipts.jsonl"}
    paths = (path for path in here.folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(here.folder)) for path in paths if path.name not in own}
    return {name for name in names if not name.startswith("run/secretly/screen-")}


def afterwards(here: Home, tried: Tried, point: str, started: float) -> None:
    """Check that a killed run left nothing more than a full run, and that the next run works.

    What was being written to the list of names may be there until that is written again: it
    has no secret in it.
    """
    took = time.monotonic() - started
    assert files(here) <= KEPT | {PARTIAL}
    assert {path.name for path in files_with(CANARY, here.folder)} <= {"keychain.json"}
    with FakePinentry([CANARY]) as pinentry:
        done = here.run(*RUN, *SHOW, environ=pinentry.environ)
    assert (done.status, done.stdout, done.stderr) == (0, f"got {CANARY}\n", "")
    assert here.run("set", "Name", "--stdin", stdin=CANARY).status == 0
    assert files(here) == KEPT
    tried("killed with -9", point, "nothing is left, and the next run works", took)


KEPT = {"keychain.json", ".local/state/secretly/kept.tsv", ".local/state/secretly/kept.lock"}
PARTIAL = ".local/state/secretly/kept.new"


def test_a_full_run_leaves_the_keychain_and_the_list(here: Home) -> None:
    """The other tests compare with it."""
    here.keep_in_a_file()
    with FakePinentry([CANARY]) as pinentry:
        done = here.run(*RUN, *SHOW, environ=pinentry.environ)
    assert (done.status, done.stdout, done.stderr) == (0, f"got {CANARY}\n", "")
    assert files(here) == KEPT


def kill(pid: int) -> float:
    """Kill a process, wait until all processes that it started have ended; return when."""
    started = time.monotonic()
    leader = os.getsid(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(session_of(leader)) - {leader} or not session_of(leader), SLACK)
    return started


# -- in the dialogue with a pinentry ---------------------------------------------

_STAY = ("wait", 60)
_VERBS = ["greeting", "OPTION", "SETTIMEOUT", "SETTITLE", "SETDESC", "SETPROMPT", "GETINFO", "BYE"]


@pytest.mark.parametrize("verb", [*_VERBS, "GETPIN", "half of an answer"])
def test_killed_in_the_dialogue_it_leaves_no_pinentry(here: Home, verb: str, tried: Tried) -> None:
    """Killed before each answer, it takes the pinentry along, long before its time-out."""
    here.keep_in_a_file()
    on: dict[str, Any] = {verb: [_STAY]} if verb in _VERBS else {}
    answer: Any = CANARY if verb == "BYE" else [_STAY]
    if verb == "half of an answer":
        answer = [("raw", f"D {CANARY[:9]}".encode()), _STAY]
    with FakePinentry([answer], on=on) as pinentry:
        process = here.start([*SECRETLY, *RUN, *SHOW], environ=pinentry.environ)
        with ended(process):
            last = "GETPIN" if verb == "half of an answer" else verb

            def there() -> bool:
                if verb == "greeting":
                    return bool(children(process.pid))
                return any(line.split()[0] == last.encode() for line in pinentry.lines)

            wait_until(there)
            started = kill(process.pid)
            assert process.wait() == -signal.SIGKILL
        if verb in ("GETPIN", "half of an answer"):
            (limit,) = (line for line in pinentry.lines if line.startswith(b"SETTIMEOUT"))
            assert 1 <= int(limit.split()[1]) <= TIMEOUT  # a slow start takes its part
    afterwards(here, tried, f"pinentry: {verb}", started)


def test_killed_at_a_confirmation_it_leaves_nothing(here: Home, tried: Tried) -> None:
    """It has the stored secret in memory."""
    here.keep_in_a_file()
    with FakePinentry([CANARY]) as pinentry:
        assert here.run(*RUN, "true", environ=pinentry.environ).status == 0
    with FakePinentry([[_STAY]]) as pinentry:
        line = [*SECRETLY, "run", "--confirm", "-e", "A=Name", *SHOW]
        process = here.start(line, environ=pinentry.environ)
        with ended(process):
            wait_until(lambda: pinentry.prompts)
            started = kill(process.pid)
    afterwards(here, tried, "a confirmation", started)


# -- with real pinentries, and on the terminal itself ----------------------------


@contextlib.contextmanager
def twice(here: Home) -> Iterator[Terminal]:
    """On one terminal, run the command, and run it again after it was killed."""
    script = f'"$0" run -q --prompt-timeout={TIMEOUT}s "$@"; echo again; "$0" run -q "$@"'
    line = ["sh", "-c", script, *SECRETLY, "-e", "A=Name", *SHOW]
    with here.terminal(line) as terminal:
        yield terminal


@pytest.mark.real
@pytest.mark.parametrize("program", ["pinentry-tty", "pinentry-curses", "none"])
def test_killed_on_a_terminal_it_leaves_the_terminal_to_the_next_prompt(
    here: Home, program: str, tried: Tried
) -> None:
    """The next prompt shows nothing of what the user types.

    A pinentry that was left there until its time-out would turn echo on.
    """
    if program == "none":
        here.environ["PATH"] = str(here.programs)
        for name in ("sh", "echo", "stty"):
            os.symlink(f"/bin/{name}", here.programs / name)
    else:
        need(program)
        here.environ["PINENTRY"] = program
    with twice(here) as terminal:
        terminal.expect("Name")
        terminal.wait_for_prompt()
        (pid,) = children(terminal.pid)
        pinentry = children(pid)
        assert bool(pinentry) == (program != "none")
        started = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        terminal.expect("again")
        terminal.expect("Name")
        wait_until(lambda: children(terminal.pid) not in ([], [pid]))
        wait_until(lambda: not set(pinentry) & set(terminal.left_over), SLACK)
        took = time.monotonic() - started
        terminal.wait_for_prompt()
        terminal.type(f"{CANARY}\r")
        assert terminal.wait() == 0
        assert terminal.left_over == []
        assert terminal.screen.count(CANARY) == 1  # what the program says
        assert f"got {CANARY}" in terminal.screen
    assert {name for name in files(here) if not name.startswith("programs/")} == set()
    tried("killed with -9", f"{program} on a terminal", "the next run works", took)


@pytest.mark.real
def test_killed_in_its_turn_it_lets_the_next_one_ask(here: Home, tried: Tried) -> None:
    """The lock on the terminal ends with its process."""
    need("pinentry-tty")
    here.environ["PINENTRY"] = "pinentry-tty"
    script = '"$0" run -q "$@" & first=$!; echo "$first"; "$0" run -q "$@"; wait'
    with here.terminal(["sh", "-c", script, *SECRETLY, "-e", "A=Name", *SHOW]) as terminal:
        terminal.expect(wording.secret_label("Name"))
        wait_until(lambda: len(children(terminal.pid)) == 2)
        asking = [pid for pid in children(terminal.pid) if children(pid)]
        assert len(asking) == 1
        (waiting,) = set(children(terminal.pid)) - set(asking)
        # It is in turn once it has the terminal open, which is what it locks.
        wait_until(lambda: has_open(waiting, terminal.path))
        started = time.monotonic()
        os.kill(asking[0], signal.SIGKILL)
        terminal.expect(wording.secret_label("Name"))
        took = time.monotonic() - started
        assert len(children(waiting)) == 1
        terminal.wait_for_prompt()
        terminal.type(f"{CANARY}\r")
        assert terminal.wait() == 0
        assert f"got {CANARY}" in terminal.screen
    tried("killed with -9", "the one whose turn it is", "the next in turn asks", took)


def has_open(pid: int, path: str) -> bool:
    """Whether a process has a file open beyond its standard streams, or hides its files."""
    try:
        links = [one for one in Path(f"/proc/{pid}/fd").iterdir() if int(one.name) > 2]
        return any(os.readlink(link) == path for link in links)
    except OSError as error:
        return isinstance(error, PermissionError)


# -- in the keychain, and in other places ----------------------------------------

#: The keychain that is a file, which stays at one point until it is killed.
_STOPPING = """
import os, time
import filekeychain

def stay(point):
    if os.environ.get("TEST_POINT") == point:
        open(os.environ["TEST_MARK"], "w").close()
        time.sleep(60)

class Keyring(filekeychain.Keyring):
    priority = 2

    def get_password(self, service, username):
        stay("before reading")
        found = super().get_password(service, username)
        stay("after reading")
        return found

    def set_password(self, service, username, password):
        stay("before writing")
        super().set_password(service, username, password)
        stay("after writing")
"""


@pytest.mark.parametrize(
    "point", ["before reading", "after reading", "before writing", "after writing"]
)
def test_killed_while_storing_it_leaves_a_whole_keychain(
    here: Home, point: str, tried: Tried
) -> None:
    """The typed secret is in the keychain or not: before and after storing it."""
    here.keep_in_a_file()
    (here.folder / "stopping.py").write_text(_STOPPING)
    here.environ["PYTHON_KEYRING_BACKEND"] = "stopping.Keyring"
    here.configure('[keychain]\nbackends = ["stopping.Keyring"]\n')
    mark = here.folder / "mark"
    with FakePinentry([CANARY]) as pinentry:
        environ = {**pinentry.environ, "TEST_POINT": point, "TEST_MARK": str(mark)}
        process = here.start([*SECRETLY, *RUN, *SHOW], environ=environ)
        with ended(process):
            wait_until(mark.exists)
            started = kill(process.pid)
    afterwards(here, tried, f"keychain: {point}", started)


#: The system calls on a file at which it is killed; each is tried before it is made.
CALLS = {
    "the list's lock is opened": ("openat", "kept.lock"),
    "the list is locked": ("flock", "kept.lock"),
    "the new list is made": ("openat", "kept.new"),
    "the new list is written": ("write", "kept.new"),
    "the new list is brought to the disk": ("fsync", "kept.new"),
    "the new list takes the old one's place": ("/^rename", "kept.new"),
    "the list's lock is let go": ("close", "kept.lock"),
}


@pytest.mark.real
@pytest.mark.parametrize("point", CALLS)
def test_killed_while_listing_it_leaves_a_whole_list(here: Home, point: str, tried: Tried) -> None:
    """The list is the old one or the new one, and not locked."""
    if os.geteuid() != 0:
        pytest.skip("strace cannot read names in a process that is closed, but as root")
    call, name = CALLS[point]
    here.keep_in_a_file()
    path = here.folder / ".local/state/secretly" / name
    with FakePinentry([CANARY]) as pinentry:
        started = killed_at(here, [*RUN, *SHOW], pinentry.environ, call, "-f", "-P", str(path))
    afterwards(here, tried, point, started)


def killed_at(
    here: Home, arguments: list[str], environ: dict[str, str], call: str, *options: str
) -> float:
    """Run the command under strace, which kills it at a system call; return when that began."""
    need("strace")
    trace = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL", "-o", os.devnull]
    started = time.monotonic()
    line = ["strace", *trace, *options, *SECRETLY, *arguments]
    process = here.start(line, environ=environ)
    with ended(process):
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        wait_until(lambda: not session_of(process.pid), SLACK)
    return started


@pytest.mark.real
def test_killed_at_the_exec_it_leaves_nothing(here: Home, tried: Tried) -> None:
    """This is the last moment before it becomes the program."""
    here.keep_in_a_file()
    with FakePinentry([CANARY]) as pinentry:
        started = killed_at(here, [*RUN, *SHOW], pinentry.environ, "execve")
        assert pinentry.prompts  # it was not at the first: strace does not count its own
    assert files(here) == KEPT
    afterwards(here, tried, "execve", started)


def test_killed_while_reading_a_source_it_leaves_no_program(here: Home, tried: Tried) -> None:
    """The password manager's program ends too."""
    mark = here.folder / "mark"
    here.program("manager", f"#!/bin/sh\ntouch {mark}\n[ $SLOW ] && exec sleep 60\necho {CANARY}\n")
    here.configure('[secrets.Name]\ncommand = ["manager"]\n')
    line = [*SECRETLY, "run", "-q", "-e", "A=Name", *SHOW]
    process = here.start(line, environ={"SLOW": "1"})
    with ended(process):
        wait_until(mark.exists)
        started = kill(process.pid)
    took = time.monotonic() - started
    assert here.run_any(line).stdout == f"got {CANARY}\n"
    assert files(here) == {"programs/manager"}
    tried("killed with -9", "a source's program runs", "it goes too; the next run works", took)


def test_killed_while_reading_standard_input_it_stores_nothing(here: Home, tried: Tried) -> None:
    """It had read half of a secret."""
    here.keep_in_a_file()
    process = here.start([*SECRETLY, "set", "Name", "--stdin"])
    with ended(process):
        assert process.stdin is not None
        stdin = process.stdin
        stdin.write(CANARY[:9].encode())
        stdin.flush()
        wait_until(lambda: unread(stdin) == 0)
        started = kill(process.pid)
    assert files(here) == set()
    afterwards(here, tried, "standard input is read", started)


def unread(pipe: IO[bytes]) -> int:
    """How many bytes are in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0])


@pytest.mark.real
@pytest.mark.parametrize("call", ["/^f?chmod", "/^rename"])
def test_killed_while_making_shims_it_leaves_whole_ones(
    here: Home, call: str, tried: Tried
) -> None:
    """A shim is complete or missing, and the next run removes leftovers."""
    here.configure("[commands.tool.profiles.dev]\nenv = { A = '1' }\n")
    folder = here.folder / "shims"
    folder.mkdir(0o700)  # else the first of these calls is for the folder
    arguments = ["shim", "--dir", str(folder), "tool"]
    started = killed_at(here, arguments, {}, call)
    took = time.monotonic() - started
    left = [path.name for path in folder.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".dev.tool.")
    assert here.run(*arguments).status == 0
    assert files(here) == {"shims/dev.tool"}
    what = "nothing is left after the next, which works"
    tried("killed with -9", f"shim: {call.strip('/^?')}", what, took)
