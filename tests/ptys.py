"""A child on a terminal: a pty, and the child leads the session, as in a terminal window."""

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

#: How soon, in seconds, something must happen for which no time-out is waited: much sooner than the
#: time-outs of these tests, and late enough for a machine that is busy.
SOON = 15.0

#: How long, in seconds, the user of a test has who answers, or never does: longer than that.
PATIENCE = 60.0

#: How long, in seconds, to wait for what certainly happens: a test that hangs fails.
DEADLINE = 60.0

_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])")


def wait_until(true: Callable[[], Any], seconds: float = DEADLINE, what: str = "it") -> Any:
    """Return what *true* returns once that is true; fail if it takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)
    return found


def stat_of(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on; empty without the process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return []


def running(pid: int) -> bool:
    """Return whether a process runs: it exists, and is not a zombie."""
    facts = stat_of(pid)
    return bool(facts) and facts[0] not in "ZX"


def processes() -> Iterator[tuple[int, list[str]]]:
    """All processes, with the fields of :func:`stat_of`."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (facts := stat_of(int(entry))):
            yield int(entry), facts


def children(pid: int) -> list[int]:
    """The children of a process, zombies included."""
    return sorted(child for child, facts in processes() if facts[1] == str(pid))


def command_of(pid: int) -> str:
    """The command line of a process, its words joined by spaces."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ")
    return ""


#: A program so deep in folders that its path takes half of a dialog.
DEEP = f"/home/person/{'/'.join(f'folder-{n}' for n in range(28))}/bin/twine"


def consent() -> str:
    """Return the question before twine gets a stored token to upload six files."""
    files = [
        Distribution(
            f"dist/demo-1.0-py3{number}-none-any.whl",
            10**number,
            hashlib.sha256(bytes([number])).hexdigest(),
            "demo",
            "1.0",
        )
        for number in range(6)
    ]
    release = Release("twine", Destination("pypi", "PyPI"), tuple(files))
    text, listing = release.consent(DEEP, ["twine", "upload", "dist/*"])
    assert not listing
    return wording.confirm_use_text("PyPI", wording.place("keychain"), text)


class Pty:
    """A program whose controlling terminal is a pty; it leads its session.

    :param stdin: a descriptor to give it instead of the terminal; the same for the others.
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
        """End it, and whatever it left in its session."""
        self._process.kill()
        self._process.wait()
        for pid, facts in processes():
            if facts[3] == str(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.close(self.master)
        os.close(self.slave)

    def modes(self) -> list[Any]:
        """The terminal's modes, as termios has them."""
        return termios.tcgetattr(self.slave)

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(self.modes()[3] & termios.ECHO)

    def read(self, seconds: float = 0) -> str:
        """Return all that was shown, with escape sequences; wait that many seconds for more."""
        while select.select([self.master], [], [], seconds)[0]:
            self._shown += os.read(self.master, 65536)
            seconds = 0
        return self._shown.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """All that was shown so far, without escape sequences."""
        return _SEQUENCE.sub("", self.read())

    def wait_for(self, text: str, seconds: float = DEADLINE) -> None:
        """Wait until *text* was shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.shown!r}"
            self.read(0.02)

    def type(self, text: str | bytes) -> None:
        """Type or paste a text of any length, and read what is shown meanwhile."""
        left = text.encode() if isinstance(text, str) else text
        while left:
            self.read()
            if select.select([], [self.master], [], 1)[1]:
                left = left[os.write(self.master, left[:256]) :]

    def forget(self) -> None:
        """Drop what was shown."""
        self.read()
        self._shown.clear()

    def wait(self, seconds: float = DEADLINE) -> int:
        """Wait until the program ended; return its exit status."""
        deadline = time.monotonic() + seconds
        while (status := self._process.poll()) is None:
            assert time.monotonic() < deadline, f"it did not end: {self.shown!r}"
            self.read(0.01)
        self.read()
        return status


ASKS = r"""
import asyncio, json, os, select, signal, sys, time

how = json.loads(sys.argv[1])
found = {}

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
    found["value"] = asyncio.run(main())
except BaseException as error:
    found["error"] = next(k.__name__ for k in type(error).mro() if not k.__name__.startswith("_"))
    found["said"] = f"{error} | {getattr(error, 'hint', '')}"
found["took"] = time.monotonic() - started
try:
    found["child"] = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    found["child"] = None
try:
    descriptor = os.open("/dev/tty", os.O_RDONLY)
    found["left"] = bool(select.select([descriptor], [], [], 0)[0])
except OSError:
    found["left"] = None
if how["stdin"]:
    found["stdin"] = sys.stdin.read()
with open(how["result"] + "~", "w") as file:
    json.dump(found, file)
os.rename(how["result"] + "~", how["result"])
"""


class Asking(Pty):
    """A program on a terminal that asks for something, and writes down the outcome.

    :param folder: where it writes that, and its home.
    :param what: ``ask`` or ``confirm`` of the pinentry, or the library's ``secret``.
    :param shell: a shell's command that starts it as ``"$@"``, to lead the session instead.
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
            "GNUPGHOME": str(folder / "gnupg"),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **(variables or {}),
        }
        super().__init__(argv, environ, stdin=stdin, rows=rows, columns=columns)

    def result(self, seconds: float = DEADLINE) -> dict[str, Any]:
        """Return the outcome. The terminal must be as it was, and nothing left behind."""
        self.until(self.results.exists, seconds)
        found: dict[str, Any] = json.loads(self.results.read_text())
        assert self.modes() == self.before
        assert found["child"] is None
        assert not found["left"]
        return found

    def until(self, true: Callable[[], Any], seconds: float = DEADLINE) -> Any:
        """Wait until *true*, reading what is shown meanwhile; return what it returned."""
        deadline = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < deadline, f"waited in vain: {self.shown!r}"
            self.read(0.01)
        return found

    def prompted(self, text: str = "a prompt:") -> None:
        """Wait until it asks: the text is shown, and echo is off."""
        self.wait_for(text)
        self.until(lambda: not self.echoes())

    def pinentries(self) -> list[int]:
        """The pinentries that run in this session."""
        return [
            pid
            for pid, facts in processes()
            if facts[3] == str(self.pid)
            and facts[0] not in "ZX"
            and "pinentry" in command_of(pid).partition(" ")[0]
        ]
