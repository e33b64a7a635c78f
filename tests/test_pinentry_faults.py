"""Every way in which a pinentry can fail: each is an error, soon, and leaves nothing behind.

Each fault is a real process's: a scripted pinentry, or the real pinentry-tty and
pinentry-curses. The library asks with it, in a program that goes on after each fault (under
asyncio, on the terminal; under Twisted, on a screen), and so does the command.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command import SECRETLY, Quick, Terminal, files_with, wait_until
from command import quick as quick_home
from conftest import Tried, need
from ptys import DEADLINE, PATIENCE, SOON, Pty, children, command_of, running

from secretly.asking import questions, wording
from secretly.testing.pinentry import Action, Answer, FakePinentry, _executable

pytestmark = [pytest.mark.process, pytest.mark.outside]

FAILED = "PinentryFailed"

#: A pinentry that never ends, and one that ignores INT and TERM as well.
HANG: Action = ("hang", False)
DEAF: Action = ("hang", True)

#: The errors that mean that the user declined.
DECLINED = ("Cancelled", "NotConfirmed")

#: The outcome when a pinentry can't ask, and the terminal can.
ON_TERMINAL = "the terminal asks"

#: The end of the line that says why the terminal asks.
PASSED_OVER = wording.passed_over("", "").removeprefix(f"{wording.TITLE}: ")


def quick(attempt: Callable[[], float]) -> float:
    """Try it, and return how long it took, in seconds: much less than any time-out."""
    took = attempt()
    assert took < SOON
    return took


# -- the faults ------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A fault of a pinentry, and the error that it must cause.

    :param kind: the error's name; empty: none, as the pinentry had answered.
    :param answers: what it does at its prompts, and *on* at other commands, as for
        :class:`FakePinentry`.
    :param script: the shell's commands that are the fault at GETPIN, instead.
    :param waits: whether *kind* comes when the user's time is over.
    :param final: whether nothing else asks, though there is a terminal: the user has answered, or
        a signal has killed the pinentry.
    :param command: whether the command is tried, too; it always is where *waits* is true.
    """

    kind: str
    answers: Sequence[Answer] = ()
    on: Mapping[str, Sequence[Action]] = field(default_factory=dict)
    script: str = ""
    waits: bool = False
    final: bool = False
    command: bool = False

    def passed_over(self, screen: bool) -> bool:
        """Whether the terminal asks in place of the pinentry.

        Without a screen, a pinentry that didn't change the terminal's modes got no
        answer: neither Escape, nor No, nor Return alone.
        """
        declined = self.kind in (*DECLINED, "Refused") and not screen
        return not self.final and (self.kind == FAILED or declined)


_SCRIPT = """#!/bin/sh
echo OK
while read -r verb rest; do
    case $verb in
        GETPIN) : >"$0.fault"; {fault} ;;
        *) echo OK ;;
    esac
done
"""


class Pinentry:
    """The process that has the fault, and the time when it did it."""

    def __init__(self, fault: Fault, seconds: float) -> None:
        self.fault, self.seconds = fault, seconds
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Pinentry:
        self._folder = Path(self._held.enter_context(tempfile.TemporaryDirectory()))
        self.fake = self._held.enter_context(FakePinentry(self.fault.answers, on=self.fault.on))
        # It begins by saying so: what is wrong may be its first word.
        self._began = self._folder / "began"
        self.path = self._folder / "pinentry-gtk-fault"
        text = f'#!/bin/sh\n: >"{self._began}"\nexec "{self.fake.path}"\n'
        if self.fault.script:
            text = _SCRIPT.format(fault=self.fault.script)
        _executable(self.path, text)
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def environ(self, screen: bool) -> dict[str, str]:
        """Variables with which it is asked."""
        return {
            "PINENTRY": str(self.path),
            **({"DISPLAY": f":fake{os.getpid()}"} if screen else {}),
        }

    @property
    def since(self) -> float:
        """When the fault was, or when the time was over that it had, since the epoch.

        That is when it was given the line that it failed at, or else began.
        """
        places = (Path(f"{self.path}.fault"), self.fake.path.parent / "lines", self._began)
        return next(p for p in places if p.exists()).stat().st_mtime + (
            self.seconds if self.fault.waits else 0
        )


# -- by the library --------------------------------------------------------------

_PROGRAM = """
import asyncio, json, os, sys, time
from secretly import SecretlyError, confirm, secret

async def one(asked):
    for name in ("PINENTRY", "DISPLAY"):
        os.environ.pop(name, None)
    os.environ.update(asked["environ"])
    found = {"error": ""}
    try:
        if asked["what"] == "confirm":
            found["value"] = await confirm("Really?", timeout=asked["seconds"])
        else:
            wanted = asked["wanted"]
            verify = (lambda typed: typed == wanted) if wanted else None
            found["value"] = str(await secret("Demo", timeout=asked["seconds"], verify=verify))
    except SecretlyError as error:
        kinds = [kind.__name__ for kind in type(error).mro()]
        found["error"] = next(kind for kind in kinds if not kind.startswith("_"))
        found["said"], found["hint"] = str(error), error.hint
    found["over"] = time.time()
    try:
        found["child"] = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        found["child"] = None
    found["descriptors"] = sorted(os.listdir("/proc/self/fd"))
    return found

def lines():
    while line := sys.stdin.readline():
        yield json.loads(line)

async def each(reactor):
    for asked in lines():
        print(json.dumps(await one(asked)), flush=True)

if sys.argv[1] == "asyncio":
    for asked in lines():
        print(json.dumps(asyncio.run(one(asked))), flush=True)
else:
    from twisted.internet import defer, task
    task.react(lambda reactor: defer.ensureDeferred(each(reactor)))
"""


class Program:
    """A program on a terminal of its own that asks, with the library, whenever it is told to.

    :ivar screen: whether what it asks with opens a window.
    """

    def __init__(self, driver: str, folder: Path) -> None:
        self.screen = driver == "twisted"
        self._folder = folder
        self._held = contextlib.ExitStack()
        self._driver = driver

    def __enter__(self) -> Program:
        theirs, self._asks = os.pipe()
        self._answers, given = os.pipe()
        for descriptor in (self._asks, self._answers):
            self._held.callback(os.close, descriptor)
        environ = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "XDG_RUNTIME_DIR": str(self._folder),
            "XDG_STATE_HOME": str(self._folder / "state"),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        argv = [sys.executable, "-c", _PROGRAM, self._driver]
        self._pty = self._held.enter_context(Pty(argv, environ, stdin=theirs, stdout=given))
        for descriptor in (theirs, given):
            os.close(descriptor)
        with FakePinentry(["canary-1"]) as fake:  # once, for all that is opened and loaded once
            found = self._tell({**fake.environ}, "secret", PATIENCE, "")
            assert found["value"] == "canary-1"
            self._descriptors = found["descriptors"]
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def _tell(
        self, environ: Mapping[str, str], what: str, seconds: float, wanted: str
    ) -> dict[str, Any]:
        told = {"environ": dict(environ), "what": what, "seconds": seconds, "wanted": wanted}
        self._pty.forget()
        os.write(self._asks, json.dumps(told).encode() + b"\n")
        said, deadline = b"", time.monotonic() + DEADLINE
        while not said.endswith(b"\n"):
            ready, _, _ = select.select([self._answers, self._pty.master], [], [], 0.05)
            assert time.monotonic() < deadline, f"it hangs: {self._pty.shown!r}"
            if self._answers in ready:
                chunk = os.read(self._answers, 1 << 22)
                assert chunk, f"it has ended: {self._pty.shown!r}"
                said += chunk
            self._answer_on_terminal(what)
        found: dict[str, Any] = json.loads(said)
        return found

    def _answer_on_terminal(self, what: str) -> None:
        """Answer if the terminal asks in place of the pinentry: echo is on for a question."""
        shown = self._pty.shown
        if PASSED_OVER not in shown:
            return
        if what == "confirm" and wording.YES_OR_NO in shown:
            self._pty.forget()
            self._pty.type("y\n")
        elif what != "confirm" and not self._pty.echoes():
            self._pty.forget()
            self._pty.type("canary-9\n")

    def asks(self, fault: Fault, what: str = "secret", wanted: str = "") -> float:
        """Ask, and look at what came of it; return how long after the fault that was."""
        seconds = 0.3 if fault.waits else PATIENCE
        with Pinentry(fault, seconds) as pinentry:
            found = self._tell(pinentry.environ(self.screen), what, seconds, wanted)
            took: float = found["over"] - pinentry.since
        if fault.passed_over(self.screen):
            assert not found["error"], (fault, found)
            assert found["value"] == (True if what == "confirm" else "canary-9")
        else:
            assert found["error"] == fault.kind, (fault, found)
        if found["error"]:
            assert found["said"] and found["hint"]
            assert "canary" not in found["said"] + found["hint"]
        # No child, not even a zombie; no descriptor more; the terminal as it was.
        assert found["child"] is None
        assert children(self._pty.pid) == []
        assert found["descriptors"] == self._descriptors
        assert self._pty.modes() == self._pty.before
        assert "canary" not in self._pty.shown
        assert "Traceback" not in self._pty.shown
        assert files_with("canary", self._folder) == []
        return took


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Program]]:
    """One under asyncio and one under Twisted, for all the faults."""
    with contextlib.ExitStack() as held:
        yield [
            held.enter_context(Program(driver, tmp_path_factory.mktemp(driver)))
            for driver in ("asyncio", "twisted")
        ]


# -- by the command --------------------------------------------------------------


@pytest.fixture(name="home", scope="module")
def _home() -> Iterator[Quick]:
    with quick_home() as found:
        assert isinstance(found, Quick)
        found.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
        yield found


class Run:
    """``secretly run`` on a terminal: it would make a file, if it got so far.

    :param before: what a shell does before it becomes the command.
    """

    def __init__(
        self, home: Quick, environ: Mapping[str, str], seconds: float = PATIENCE, before: str = ""
    ) -> None:
        self._home = home
        self._folder = Path(tempfile.mkdtemp(dir=home.folder))
        self._errors = self._folder / "errors"
        options = ["--prompt-timeout", f"{seconds:.0f}s", "-e", "X=Demo"]
        words = ["run", *options, "/usr/bin/touch", "ran"]
        self.terminal: Terminal
        if before:
            argv = ["/bin/sh", "-c", f'{before} exec "$@" 2>"$ERRORS"', "sh", *SECRETLY, *words]
            environ = {**environ, "ERRORS": str(self._errors)}
            self.terminal = home.terminal(argv, environ=environ, cwd=self._folder)
        else:
            self.terminal = home.secretly_on_terminal(
                *words, environ=environ, cwd=self._folder, errors=self._errors
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.terminal.__exit__()

    @property
    def pinentry(self) -> int:
        """The pinentry that it has started."""
        (found,) = [pid for pid in children(self.terminal.pid) if "pinentry" in command_of(pid)]
        return found

    def cancel_on_terminal(self, seconds: float = PATIENCE) -> None:
        """Press Ctrl-D when the terminal asks in place of the pinentry."""
        self.terminal.expect(PASSED_OVER, seconds)
        self.terminal.wait_for_prompt()
        self.terminal.type("\x04")

    def failed(self, *kinds: str, vanished: bool = False, before: str = "") -> float:
        """Wait for its end, which must be one of these errors; return when that was.

        :param before: a line that it prints before.
        """
        status = self.terminal.wait()
        over = time.time()
        # No process of the session is left.
        assert self.terminal.left_over == []
        said = self._errors.read_text()
        assert status in {130 if kind in DECLINED else 125 for kind in kinds}, (status, said)
        lines = said.removeprefix(f"secretly: {before}\n" if before else "").splitlines()
        assert len(lines) == 2, said
        assert lines[0].startswith("secretly: ") and lines[1].startswith("  "), said
        self.harmless(vanished=vanished)
        return over

    def died(self, number: int, *, vanished: bool = False) -> float:
        """Wait for its end, by this signal; return when that was."""
        status = self.terminal.wait()
        over = time.time()
        assert self.terminal.left_over == []
        assert status == -number, (status, self._errors.read_text())
        self.harmless(vanished=vanished)
        return over

    def harmless(self, *, vanished: bool = False) -> None:
        """The command did not run; the secret is nowhere; the terminal is as it was."""
        assert not (self._folder / "ran").exists()
        assert "canary" not in self.terminal.screen
        assert files_with("canary", self._home.folder) == []
        if not vanished:
            assert self.terminal.modes_now == self.terminal.modes


def runs(home: Quick, fault: Fault, screen: bool) -> float:
    """Ask by the command, and look at what came of it; return how long after the fault that was."""
    seconds = 2 if fault.waits else PATIENCE  # enough for the start, on a busy machine too
    with (
        Pinentry(fault, seconds) as pinentry,
        Run(home, pinentry.environ(screen), seconds) as run,
    ):
        kind = fault.kind
        if fault.passed_over(screen):
            run.cancel_on_terminal()
            kind = "Cancelled"
        return run.failed(kind) - pinentry.since


# -- death -----------------------------------------------------------------------

DEADLY = {
    "KILL": signal.SIGKILL,
    "TERM": signal.SIGTERM,
    "HUP": signal.SIGHUP,
    "INT": signal.SIGINT,
}

#: What it answers if it is well, by command.
WELL = {
    "greeting": b"OK Pleased to meet you\n",
    "GETINFO": b"D gtk2\nOK\n",
    "GETPIN": b"D canary-1\nOK\n",
}

#: The commands that it is sent, or that are asked of it in a second conversation.
COMMANDS = (
    "greeting",
    "OPTION",
    "SETTIMEOUT",
    "SETTITLE",
    "SETDESC",
    "SETPROMPT",
    "SETERROR",
    "GETINFO",
    "GETPIN",
    "BYE",
)


def death(number: int, moment: str, verb: str) -> Fault:
    """It dies of a signal, before or after its answer to a command or half-way through it."""
    whole = WELL.get(verb, b"OK\n")
    said = {"before": b"", "during": whole[: max(1, len(whole) - 4)], "after": whole}[moment]
    actions: list[Action] = [("raw", said)] if said else []
    actions.append(("kill", number))
    if verb == "GETPIN":
        return Fault("" if moment == "after" else FAILED, [actions], final=True)
    if verb == "SETERROR":  # only what was not accepted has a reason to be asked for again
        return Fault(FAILED, ["canary-0"], {verb: actions}, final=True)
    return Fault("" if verb == "BYE" else FAILED, ["canary-1"], {verb: actions}, final=True)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("name", DEADLY)
def test_a_pinentry_that_dies(
    name: str, moment: str, programs: list[Program], tried: Tried
) -> None:
    """Whatever it was asked: an error, unless the user's answer had come."""

    def ask(program: Program, verb: str) -> float:
        fault = death(DEADLY[name], moment, verb)
        what = "confirm" if verb == "SETPROMPT" else "secret"
        return quick(lambda: program.asks(fault, what, "canary-1" if verb == "SETERROR" else ""))

    def half(number: int) -> float:
        # Each command under each of the two programs, though not with each signal.
        return max(ask(programs[number], verb) for verb in COMMANDS[number ^ turn :: 2])

    turn = [*DEADLY].index(name) % 2
    with ThreadPoolExecutor(2) as pool:
        took = list(pool.map(half, (0, 1)))
    said = f"dies of {name} {moment} its answer, at each of {len(COMMANDS)} commands"
    tried("pinentry", said, "PinentryFailed, or its answer", max(took))


@pytest.mark.parametrize("verb", ["SETDESC", "SETPROMPT"])
def test_an_ok_too_many_is_not_consent(verb: str, programs: list[Program], tried: Tried) -> None:
    """It would pass for the user's: it is told from that, whenever it comes."""
    fault = Fault(FAILED, [[HANG]], {verb: [("raw", b"OK\n"), ("wait", 0.1), ("raw", b"OK\n")]})
    took = max(quick(lambda: program.asks(fault, "confirm")) for program in programs)  # noqa: B023
    tried("pinentry", f"an OK too many at {verb}, before it is asked to confirm", FAILED, took)


@pytest.mark.parametrize("verb", ["SETDESC", "GETPIN"])
@pytest.mark.parametrize("name", DEADLY)
def test_the_command_runs_nothing_if_the_pinentry_dies(
    name: str, verb: str, home: Quick, tried: Tried
) -> None:
    """It ends with its own status and two lines."""
    fault = death(DEADLY[name], "during", verb)
    took = quick(lambda: runs(home, fault, name == "HUP"))
    said = f"dies of {name} during its answer at {verb}, by the command"
    tried("pinentry", said, fault.kind, took)


# -- what it says ----------------------------------------------------------------

TOO_LONG = 20_000


def says(data: bytes, *more: Action) -> list[Answer]:
    """It answers the prompt with these bytes."""
    return [[("raw", data), *more]]


def code(text: bytes) -> list[Answer]:
    """It answers the prompt with this error."""
    return says(b"ERR " + text + b" canary <Pinentry>\n")


FAULTS = {
    # What it was not asked.
    "data with the answer to SETTITLE": Fault(
        FAILED, [[HANG]], {"SETTITLE": [("raw", b"D canary-1\nOK\n")]}, command=True
    ),
    "data with the answer to SETPROMPT": Fault(
        FAILED, [[HANG]], {"SETPROMPT": [("raw", b"D canary-1\nOK\n")]}
    ),
    # Partial lines.
    "half a line, then its end": Fault(FAILED, says(b"D canary", ("exit", 0)), command=True),
    "a whole line and no OK, then its end": Fault(FAILED, says(b"D canary-1\n", ("exit", 0))),
    "half an OK, then its end": Fault(FAILED, says(b"D canary-1\nO", ("exit", 0))),
    "half a line, then nothing": Fault("PromptTimeout", says(b"D canary", HANG), waits=True),
    "an OK without the end of its line": Fault(
        "PromptTimeout", says(b"D canary-1\nOK", HANG), waits=True
    ),
    # Long lines.
    "a line of 20,000 bytes": Fault(
        FAILED, says(b"D " + b"c" * TOO_LONG + b"\nOK\n"), command=True
    ),
    "20,000 bytes without an end": Fault(FAILED, says(b"D " + b"c" * TOO_LONG, HANG)),
    "a greeting of 20,000 bytes": Fault(
        FAILED, on={"greeting": [("raw", b"OK " + b"x" * TOO_LONG + b"\n")]}
    ),
    "a status of 20,000 bytes": Fault(FAILED, says(b"S " + b"x" * TOO_LONG + b"\nOK\n")),
    "an error of 20,000 bytes": Fault(FAILED, says(b"ERR 99 " + b"x" * TOO_LONG + b"\n")),
    "more than a mebibyte": Fault(
        FAILED,
        says(
            b"D " + b"c" * 900 + b"\n",
            *[("raw", (b"D " + b"c" * 900 + b"\n") * 300)] * 4,
            ("raw", b"OK\n"),
        ),
    ),
    # Slow drips.
    "drips, and its time is over": Fault(
        "PromptTimeout", says(b"", ("drip", b"D " + b"c" * 900 + b"\nOK\n")), waits=True
    ),
    "drips comments": Fault("PromptTimeout", [[("drip", b"# wait\n" * 500)]], waits=True),
    # Garbage.
    "bytes that are not text": Fault(FAILED, says(b"\x00\xff\xfe\x80\n"), command=True),
    "a page of HTML": Fault(FAILED, says(b"<!DOCTYPE html>\n<p>canary</p>\n")),
    "garbage for a greeting": Fault(FAILED, on={"greeting": [("raw", b"hello\n")]}, command=True),
    "garbage for an answer": Fault(FAILED, ["canary-1"], {"SETTITLE": [("raw", b"\x1b[2J\n")]}),
    "OK in small letters": Fault(FAILED, says(b"D canary-1\nok\n")),
    "a typed text that is not UTF-8": Fault(
        FAILED, says(b"D canary-\xe9\nOK\n"), command=True, final=True
    ),
    "a typed text with a NUL": Fault(FAILED, says(b"D canary\x00-1\nOK\n"), final=True),
    "a typed text with an escape": Fault(FAILED, says(b"D canary%1B[2J\nOK\n"), final=True),
    # An early OK.
    "an OK before it was asked": Fault(FAILED, ["canary-1"], {"greeting": [("raw", b"OK\nOK\n")]}),
    "an answer before it was asked": Fault(
        FAILED, ["canary-1"], {"SETPROMPT": [("raw", b"OK\nD canary-0\nOK\n")]}, command=True
    ),
    "an OK too many, a moment later": Fault(
        FAILED, ["canary-1"], {"SETDESC": [("raw", b"OK\n"), ("wait", 0.1), ("raw", b"OK\n")]}
    ),
    "an OK, and nothing typed, each time": Fault("Refused", says(b"OK\n") * 3, command=True),
    # Wrong codes.
    "an error for a greeting": Fault(
        FAILED, on={"greeting": [("raw", b"ERR 83886179 no\n")]}, command=True
    ),
    "a description that it does not take": Fault(
        FAILED, ["canary-1"], {"SETDESC": [("raw", b"ERR 83886254 no\n")]}
    ),
    "an error without a number": Fault(FAILED, says(b"ERR canary\n"), command=True),
    "the error 0": Fault(FAILED, code(b"0")),
    "the error -1": Fault(FAILED, code(b"-1")),
    "an error of a hundred digits": Fault(FAILED, code(b"9" * 100)),
    "an error whose low bits are 0": Fault(FAILED, code(b"83886080")),
    "an unknown error": Fault(FAILED, code(b"65535"), command=True),
    "an error of the system's, ENOTTY": Fault(FAILED, code(b"83918950")),
    "a cancel of another source": Fault("Cancelled", code(b"99"), command=True),
    "a time-out before its time": Fault("PromptTimeout", code(b"83886142")),
    "not confirmed, for a secret": Fault("NotConfirmed", code(b"83886194"), command=True),
    # It ends itself.
    "exits with 0": Fault(FAILED, [[("exit", 0)]], command=True),
    "exits with 1": Fault(FAILED, [[("exit", 1)]], command=True),
    "exits with 127": Fault(FAILED, [[("exit", 127)]]),
    "closes its streams and lives on": Fault(
        FAILED, script="exec <&- >&-; exec sleep 60", command=True
    ),
    "closes its output and lives on": Fault(
        "PromptTimeout", script="exec >&-; exec sleep 60", waits=True
    ),
    # Time-outs.
    "never answers": Fault("PromptTimeout", [[HANG]], waits=True),
    "never answers, deaf to INT and TERM": Fault("PromptTimeout", [[DEAF]], waits=True),
    "is stopped": Fault("PromptTimeout", [[("kill", signal.SIGSTOP)]], waits=True),
    "talks without an end": Fault("PromptTimeout", script="exec yes '# x'", waits=True),
    "asks without an end": Fault(FAILED, script="exec yes 'INQUIRE QUALITY x'", command=True),
    "asks, and reads no answer": Fault(FAILED, says(b"INQUIRE X\n" * 20_000, HANG)),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_pinentry_that_fails(
    what: str, programs: list[Program], home: Quick, tried: Tried
) -> None:
    """By the library under asyncio and Twisted, and by the command: the same error, soon."""
    fault = FAULTS[what]
    ways = [lambda: programs[0].asks(fault), lambda: programs[1].asks(fault)]
    if fault.waits or fault.command:
        ways.append(lambda: runs(home, fault, False))
    with ThreadPoolExecutor(len(ways)) as pool:  # most of it is waiting
        took = list(pool.map(quick, ways))
    kind = fault.kind
    if fault.passed_over(False):
        kind = f"{fault.kind}; on a terminal: {ON_TERMINAL}"
    tried("pinentry", what, kind, max(took))


# -- what the user does not answer -----------------------------------------------

#: How long, in seconds, it has for what the user does not answer.
MACHINE = questions.MACHINE_TIMEOUT

SLOW: dict[str, dict[str, Sequence[Action]]] = {
    "never greets": {"greeting": [HANG]},
    "greets with half a line": {"greeting": [("raw", b"OK Plea"), HANG]},
    "drips its greeting for longer": {
        "greeting": [part for _ in range(80) for part in (("raw", b"# x\n"), ("wait", 0.5))]
    },
    "is stopped at its start": {"greeting": [("kill", signal.SIGSTOP)]},
    "takes no description": {"SETDESC": [HANG]},
    "never says what it is": {"GETINFO": [HANG]},
}


@pytest.fixture(name="slow", scope="module")
def _slow(home: Quick) -> Iterator[dict[str, Future[float]]]:
    """Start those that wait for longer than the others."""

    def waited(on: Mapping[str, Sequence[Action]]) -> float:
        with (
            Pinentry(Fault(FAILED, on=on), PATIENCE) as pinentry,
            Run(home, pinentry.environ(False)) as run,
        ):
            run.cancel_on_terminal(2 * DEADLINE)
            waits = wording.slow(pinentry.path.name, MACHINE)
            return run.failed("Cancelled", before=waits) - pinentry.since - MACHINE

    with ThreadPoolExecutor(len(SLOW)) as pool:
        yield {what: pool.submit(waited, on) for what, on in SLOW.items()}


@pytest.fixture(scope="module", autouse=True)
def _slow_first(request: pytest.FixtureRequest) -> None:
    """Start them before the other tests, where one of these tests runs at all."""
    own = (item for item in request.session.items if item.path == request.path)
    if any("slow" in getattr(item, "fixturenames", ()) for item in own):
        request.getfixturevalue("slow")


# -- the real ones, by the command ------------------------------------------------

BOTH = pytest.mark.parametrize("program", ["pinentry-tty", "pinentry-curses"])


@contextlib.contextmanager
def prompted(
    home: Quick, program: str, seconds: float = PATIENCE, before: str = ""
) -> Iterator[Run]:
    """The command, when the user has typed half of the secret."""
    need(program)
    with Run(home, {"PINENTRY": program}, seconds, before) as run:
        run.terminal.expect("Secret for Demo")
        run.terminal.wait_for_prompt()
        run.terminal.type("can")
        assert program in command_of(run.pinentry)
        yield run


@pytest.mark.real
@BOTH
@pytest.mark.parametrize("name", DEADLY)
def test_a_real_pinentry_that_dies(name: str, program: str, home: Quick, tried: Tried) -> None:
    """Its changes to the terminal are undone.

    pinentry-curses exits at TERM as it does at Ctrl-C.
    """
    cancels = name == "INT" or (name, program) == ("TERM", "pinentry-curses")
    kind = "Cancelled" if cancels else FAILED

    def attempt() -> float:
        with prompted(home, program) as run:
            assert run.terminal.modes_now != run.terminal.modes
            pinentry, since = run.pinentry, time.time()
            while running(pinentry):  # pinentry-tty loses an INT that comes before it reads
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pinentry, DEADLY[name])
                time.sleep(0.02)
            return run.failed(kind) - since

    tried("pinentry", f"{program} dies of {name}, asking on the terminal", kind, quick(attempt))


@pytest.mark.real
@BOTH
@pytest.mark.parametrize("name", ["Ctrl-C", "Ctrl-Backslash"])
def test_a_key_that_ends_the_pinentry_ends_the_command(
    name: str, program: str, home: Quick, tried: Tried
) -> None:
    """The key is for all in the foreground: the command dies of it, once the terminal is right."""
    number = signal.SIGINT if name == "Ctrl-C" else signal.SIGQUIT

    def attempt() -> float:
        with prompted(home, program) as run:
            since = time.time()
            run.terminal.type("\x03" if name == "Ctrl-C" else "\x1c")
            return run.died(number) - since

    tried("pinentry", f"{name} at {program}", f"the end, by {number.name}", quick(attempt))


@pytest.mark.real
@BOTH
@pytest.mark.parametrize("stopped", [False, True])
def test_a_real_pinentry_without_an_answer(
    stopped: bool, program: str, home: Quick, tried: Tried
) -> None:
    """Its time is over, whether it can still report that or not."""

    def attempt() -> float:
        with prompted(home, program, 2) as run:
            since = time.time() + 2
            if stopped:
                os.kill(run.pinentry, signal.SIGSTOP)
            return run.failed("PromptTimeout") - since

    what = f"{program} {'is stopped' if stopped else 'is not answered'}, asking on the terminal"
    tried("pinentry", what, "PromptTimeout", quick(attempt))


@pytest.mark.real
@BOTH
@pytest.mark.parametrize("respected", [True, False])
def test_a_terminal_that_vanishes(respected: bool, program: str, home: Quick, tried: Tried) -> None:
    """A hang-up ends the command; if that is ignored (nohup), the missing terminal does.

    pinentry-curses would go on without one. pinentry-tty says that it was cancelled, unless
    secretly sees before that the terminal was closed.
    """
    kind = FAILED if program == "pinentry-curses" else "Cancelled"

    def attempt() -> float:
        with prompted(home, program, before="" if respected else "trap '' HUP;") as run:
            pinentry, since = run.pinentry, time.time()
            run.terminal.hang_up()
            if respected:
                over = run.died(signal.SIGHUP, vanished=True)
            else:
                over = run.failed(kind, FAILED, vanished=True)
            assert not running(pinentry)
            return over - since

    what = f"the terminal of {program} vanishes" + ("" if respected else ", under nohup")
    tried("pinentry", what, "the end, by SIGHUP" if respected else kind, quick(attempt))


def opened_by(file: Path) -> list[str]:
    """Return what the process whose number is in that file has open, without standard streams."""
    with contextlib.suppress(OSError, ValueError):
        folder = Path(f"/proc/{int(file.read_text())}/fd")
        return [os.readlink(one) for one in folder.iterdir() if int(one.name) > 2]
    return []


@pytest.mark.real
@pytest.mark.parametrize("program", ["pinentry-curses", "pinentry-tty", ""])
def test_a_terminal_that_vanishes_from_a_command_that_waits(
    program: str, home: Quick, tried: Tried
) -> None:
    """A second command on the same terminal waits for its turn there when the terminal closes."""
    environ = {"PINENTRY": program} if program else {"PATH": str(home.programs)}
    if program:
        need(program)

    def attempt() -> float:
        with tempfile.TemporaryDirectory(dir=home.folder) as name:
            folder = Path(name)
            run = '"$@" run -e X=Demo /usr/bin/touch'
            lines = (
                f"trap '' HUP; {run} {folder}/ran 2>{folder}/1 & read go <{folder}/go",
                f"{run} {folder}/ran 2>{folder}/2 & echo $! >{folder}/pid",
                f"wait $!; echo $? >{folder}/status; wait",
            )
            os.mkfifo(folder / "go")
            argv = ["/bin/bash", "-c", "\n".join(lines), "sh", *SECRETLY]
            with home.terminal(argv, environ=environ) as terminal:
                terminal.expect("Secret for Demo")
                (folder / "go").write_text("go\n")
                # It has the terminal open to wait for its lock, as well as its standard streams.
                wait_until(lambda: terminal.path in opened_by(folder / "pid"))
                since = time.time()
                terminal.hang_up()
                wait_until(lambda: (folder / "status").exists() and (folder / "status").read_text())
                took = time.time() - since
            assert (folder / "status").read_text() == "125\n"
            assert len((folder / "2").read_text().splitlines()) == 2
            assert not (folder / "ran").exists()
            return took

    what = f"the terminal vanishes while another asks there ({program or 'no pinentry'})"
    tried("pinentry", what, FAILED, quick(attempt))


# -- a script around a real one ----------------------------------------------------


@contextlib.contextmanager
def behind(home: Quick, program: str, seconds: float = PATIENCE) -> Iterator[Run]:
    """The command, prompting with a script that starts the pinentry and waits for it."""
    need(program)
    script = home.program(f"my-{program}", f'#!/bin/sh\n{program} "$@"\n')
    with Run(home, {"PINENTRY": str(script)}, seconds) as run:
        run.terminal.expect("Secret for Demo")
        run.terminal.wait_for_prompt()
        run.terminal.type("can")
        yield run


@pytest.mark.real
@BOTH
@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_a_pinentry_behind_a_script_is_ended(
    name: str, program: str, home: Quick, tried: Tried
) -> None:
    """The script passes no signal on, and yet its pinentry ends: no more can be typed into it."""

    def attempt() -> float:
        with behind(home, program) as run:
            since = time.time()
            os.kill(run.terminal.pid, DEADLY[name])
            return run.died(DEADLY[name]) - since

    what = f"{name} to the command, while {program} asks behind a script"
    tried("pinentry", what, f"the end, by SIG{name}", quick(attempt))


@pytest.mark.real
@BOTH
def test_a_pinentry_behind_a_script_has_a_deadline(program: str, home: Quick, tried: Tried) -> None:
    """Both the script and the pinentry end."""

    def attempt() -> float:
        with behind(home, program, 2) as run:
            since = time.time() + 2
            return run.failed("PromptTimeout") - since

    what = f"{program} is not answered, behind a script"
    tried("pinentry", what, "PromptTimeout", quick(attempt))


# -- no way to ask -----------------------------------------------------------------

NO_WAY = {
    "no terminal, and no screen": ({}, "NoPinentry"),
    "no terminal for pinentry-tty": ({"PINENTRY": "pinentry-tty"}, "NoPinentry"),
    "PINENTRY names a missing program": ({"PINENTRY": "/nonexistent"}, "NoPinentry"),
    "PINENTRY names a folder": ({"PINENTRY": "/tmp"}, "NoPinentry"),
    "a pinentry without its interpreter": ("#!/nonexistent\n", FAILED),
    "a pinentry that is not a program": ("\x7fELF", FAILED),
    "a pinentry that is true(1)": ("#!/bin/true\n", FAILED),
    "a pinentry that is yes(1)": ("#!/usr/bin/yes\n", FAILED),
}


@pytest.mark.parametrize("what", NO_WAY)
def test_without_a_way_to_ask_nothing_is_run(what: str, home: Quick, tried: Tried) -> None:
    """It is an error soon."""
    found: Any
    found, kind = NO_WAY[what]
    if isinstance(found, str):
        program = home.program("pinentry-gtk-none", found)
        found = {"PINENTRY": str(program), "DISPLAY": f":fake{os.getpid()}"}

    def attempt() -> float:
        since = time.monotonic()
        done = home.run("run", "-e", "X=Demo", "/usr/bin/touch", "ran", environ=found)
        took = time.monotonic() - since
        assert (done.status, len(done.stderr.splitlines())) == (125, 2), done
        assert not (home.folder / "ran").exists()
        return took

    tried("pinentry", what, kind, quick(attempt))


# -- what was started first -------------------------------------------------------


@pytest.mark.parametrize("what", SLOW)
def test_a_pinentry_that_is_too_slow(
    what: str, slow: dict[str, Future[float]], tried: Tried
) -> None:
    """A pinentry has thirty seconds for its own part. Then the terminal asks."""
    took = slow[what].result(2 * DEADLINE)
    assert 0 <= took < SOON
    tried("pinentry", f"{what}, within {MACHINE:.0f} s", ON_TERMINAL, took)
