"""Run a program on a pty, where it leads the session as in a terminal window."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conftest import COVERAGE

from secretly.asking import wording
from secretly.publishing.archives import Distribution
from secretly.publishing.destination import Destination
from secretly.publishing.release import Release

#: The limit, in seconds, for steps that must not wait for a time-out: far below the time-outs of
#: these tests, but enough for a busy machine.
SOON = 15.0

#: How many seconds a prompt gives the user of a test. Must be longer than SOON.
PATIENCE = 60.0

#: How many seconds to wait for something certain, so that a hanging test fails.
DEADLINE = 60.0

_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])")


def wait_until(true: Callable[[], Any], seconds: float = DEADLINE, what: str = "it") -> Any:
    """Call *true* until its result is truthy, and return that result. Fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)
    return result


def stat_of(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on, or [] without the process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # of many processes, often
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    facts = stat_of(pid)
    return bool(facts) and facts[0] not in "ZX"


def processes() -> Iterator[tuple[int, list[str]]]:
    """Yield the ID of every process, with the fields of :func:`stat_of`."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (facts := stat_of(int(entry))):
            yield int(entry), facts


def children(pid: int) -> list[int]:
    """Return the children of a process, including zombies."""
    return sorted(child for child, facts in processes() if facts[1] == str(pid))


def command_of(pid: int) -> str:
    """Return the command line of a process, with spaces between the words."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ")
    return ""


#: The path of a program, so long that the path takes half of a dialog.
DEEP = f"/home/person/{'/'.join(f'folder-{n}' for n in range(28))}/bin/twine"


def consent() -> str:
    """Return the question that the user confirms before twine uploads five files."""
    files = [
        Distribution(
            f"dist/demo-1.0-py3{number}-none-any.whl",
            10**number,
            hashlib.sha256(bytes([number])).hexdigest(),
            "demo",
            "1.0",
        )
        for number in range(5)
    ]
    release = Release("twine", Destination("pypi", "PyPI", "", "__token__"), tuple(files))
    found = release.consent(DEEP, ["twine", "upload", "dist/*"])
    assert not found.listing
    text = found.text("__token__")
    return wording.confirm_use_text("PyPI", wording.place("keychain"), text)


class Pty:
    """A session leader whose controlling terminal is a pty.

    :param stdin: a descriptor to use instead of the terminal, like *stdout* and *stderr*.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        rows: int = 30,
        columns: int = 100,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.path = os.ttyname(self.slave)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = self.modes()
        self._shown = bytearray()
        self._process = subprocess.Popen(
            list(argv),
            stdin=self.slave if stdin is None else stdin,
            stdout=self.slave if stdout is None else stdout,
            stderr=self.slave if stderr is None else stderr,
            env={**COVERAGE, **environ},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0),
            pass_fds=(self.slave,),
        )
        self.pid = self._process.pid

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, *exception: object) -> None:
        """Kill the program and all other processes in its session."""
        self._process.kill()
        self._process.wait()
        for pid, facts in processes():
            if facts[3] == str(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.close(self.master)
        os.close(self.slave)

    def modes(self) -> list[Any]:
        """Return the terminal's modes, as termios reports them."""
        return termios.tcgetattr(self.slave)

    def echoes(self) -> bool:
        """Return whether the terminal echoes typed text."""
        return bool(self.modes()[3] & termios.ECHO)

    def read(self, seconds: float = 0) -> str:
        """Wait up to *seconds* for more output. Return all output, with escape sequences."""
        while select.select([self.master], [], [], seconds)[0]:
            self._shown += os.read(self.master, 65536)
            seconds = 0
        return self._shown.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """All output so far, without escape sequences."""
        return _SEQUENCE.sub("", self.read())

    def wait_for(self, text: str, seconds: float = DEADLINE) -> None:
        """Wait until the terminal shows *text*."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.shown!r}"
            self.read(0.02)

    def type(self, text: str | bytes) -> None:
        """Type or paste a text of any length, and read the output meanwhile."""
        left = text.encode() if isinstance(text, str) else text
        while left:
            self.read()
            if select.select([], [self.master], [], 1)[1]:
                left = left[os.write(self.master, left[:256]) :]

    def forget(self) -> None:
        """Discard all output so far."""
        self.read()
        self._shown.clear()

    def wait(self, seconds: float = DEADLINE) -> int:
        """Wait until the program ends, and return its exit status."""
        deadline = time.monotonic() + seconds
        while (status := self._process.poll()) is None:
            assert time.monotonic() < deadline, f"the program did not end: {self.shown!r}"
            self.read(0.01)
        self.read()
        return status


ASKS = r"""
import asyncio, json, os, select, signal, sys, time

how = json.loads(sys.argv[1])
outcome = {}

async def work():
    import secretly
    from secretly.asking import prompting, questions
    prompt = questions.Prompt(**how["prompt"])
    if how["what"] == "secret":
        return str(await secretly.secret(how["reference"], timeout=how["seconds"]))
    asked = getattr(prompting, how["what"])
    answer = await asked(prompt, how["seconds"], os.environ)
    return answer if answer is None else str(answer)

async def main():
    task = asyncio.ensure_future(work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, task.cancel)
    return await task

open(how["ready"], "w").close()
started = time.monotonic()
try:
    outcome["value"] = asyncio.run(main())
except BaseException as error:
    names = [kind.__name__ for kind in type(error).mro()]
    outcome["error"] = next(name for name in names if not name.startswith("_"))
    outcome["said"] = f"{error} | {getattr(error, 'hint', '')}"
outcome["took"] = time.monotonic() - started
try:
    outcome["child"] = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    outcome["child"] = None
try:
    descriptor = os.open("/dev/tty", os.O_RDONLY)
    outcome["left"] = bool(select.select([descriptor], [], [], 0)[0])
except OSError:
    outcome["left"] = None
if how["stdin"]:
    outcome["stdin"] = sys.stdin.read()
with open(how["result"] + "~", "w") as file:
    json.dump(outcome, file)
os.rename(how["result"] + "~", how["result"])
"""


class Asking(Pty):
    """A program on a terminal that asks the user something and writes the outcome to a file.

    :param folder: the folder for the outcome, which is also the program's home.
    :param what: ``ask`` or ``confirm`` for a pinentry, or ``secret`` for the library's function.
    :param shell: a shell command that leads the session and starts the program as ``"$@"``.
    :param prompt: the fields of the :class:`secretly.asking.questions.Prompt`.
    """

    def __init__(
        self,
        folder: Path,
        what: str = "ask",
        *,
        seconds: float = PATIENCE,
        reference: str = "",
        variables: Mapping[str, str] | None = None,
        shell: str = "",
        name: str = "asking",
        stdin: int | None = None,
        rows: int = 30,
        columns: int = 100,
        **prompt: Any,
    ) -> None:
        (folder / "gnupg").mkdir(exist_ok=True)
        self.results = folder / f"{name}.json"
        self.ready = folder / f"{name}.ready"
        texts = {"title": "a title", "description": "a description", "prompt": "a prompt", **prompt}
        how = {
            "what": what,
            "seconds": seconds,
            "reference": reference,
            "prompt": texts,
            "stdin": stdin is not None,
            "result": str(self.results),
            "ready": str(self.ready),
        }
        self.program = [sys.executable, "-c", ASKS, json.dumps(how)]
        argv = ["/bin/sh", "-c", shell, "sh", *self.program] if shell else self.program
        environ = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "GNUPGHOME": str(folder / "gnupg"),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **(variables or {}),
        }
        super().__init__(argv, environ, stdin=stdin, rows=rows, columns=columns)
        self._ends = not shell

    def result(self, seconds: float = DEADLINE) -> dict[str, Any]:
        """Return the outcome. Check that the terminal is restored, without a child or input."""
        self.until(self.results.exists, seconds)
        outcome: dict[str, Any] = json.loads(self.results.read_text())
        assert self.modes() == self.before
        assert outcome["child"] is None
        assert not outcome["left"]
        if COVERAGE and self._ends:
            self.wait()  # it writes down what was covered
        return outcome

    def until(self, true: Callable[[], Any], seconds: float = DEADLINE) -> Any:
        """Read output and call *true* until its result is truthy. Return that result."""
        deadline = time.monotonic() + seconds
        while not (result := true()):
            assert time.monotonic() < deadline, f"waited too long: {self.shown!r}"
            self.read(0.01)
        return result

    def prompted(self, text: str = "a prompt:") -> None:
        """Wait until the program prompts: the terminal shows *text* and has its echo off."""
        self.wait_for(text)
        self.until(lambda: not self.echoes())

    def refuses_ctrl_z(self, end: str) -> None:
        """Type a secret with a Ctrl-Z in it: it is refused, and nothing of it is shown.

        :param end: the key that ends the entry.
        """
        self.prompted()
        self.type("can\x1a")
        self.type(f"ary-1{end}")
        found = self.result()
        assert found["error"] == "PinentryFailed"
        assert "Ctrl-Z" in found["said"]
        assert "ary-1" not in self.shown

    def pinentries(self) -> list[int]:
        """Return the pinentries that run in this session."""
        return [
            pid
            for pid, facts in processes()
            if facts[3] == str(self.pid)
            and facts[0] not in "ZX"
            and "pinentry" in command_of(pid).partition(" ")[0]
        ]
