"""The time to a prompt: from the start of the command until pinentry asks."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = [
    "UNKNOWN",
    "StandIn",
    "by_hand",
    "curses",
    "curses_by_hand",
    "memory",
    "standing_in",
    "to_the_end",
]

#: How long anything here may take, in seconds.
PATIENCE = 30.0

#: What is asked for, and is nowhere.
UNKNOWN = "Unknown"

_PROMPT = f"Secret for {UNKNOWN}"

_STAND_IN = """#!{python} -IS
import os, time
noted = [time.monotonic_ns()]
os.write(1, b"OK\\n")
read = b""
while True:
    chunk = os.read(0, 4096)
    if not chunk:
        break
    read += chunk
    while b"\\n" in read:
        line, _, read = read.partition(b"\\n")
        if line == b"GETPIN":
            noted.append(time.monotonic_ns())
            with open({noted!r}, "w") as file:
                file.write(str(noted))
            if {answers}:
                os.write(1, {pin!r} + b"OK\\n")
        elif line == b"GETINFO flavor":
            os.write(1, b"D gtk2\\nOK\\n")
        elif line == b"BYE":
            os.write(1, b"OK closing connection\\n")
            raise SystemExit
        else:
            os.write(1, b"OK\\n")
"""


class StandIn:
    """A pinentry that notes when it was started and asked, and answers immediately.

    :param pin: what it answers. None: it doesn't answer.
    """

    def __init__(self, folder: Path, pin: str | None = "canary-1") -> None:
        folder.mkdir(exist_ok=True)
        self.path, self._noted = folder / "pinentry-gtk-noting", folder / "noted"
        script = _STAND_IN.format(
            python=sys.executable,
            noted=str(self._noted),
            answers=pin is not None,
            pin=f"D {pin}\n".encode(),
        )
        self.path.write_text(script)
        self.path.chmod(0o700)

    @property
    def has_asked(self) -> bool:
        """Whether it was asked."""
        return self._noted.exists()

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which secretly uses this pinentry."""
        return {"PINENTRY": str(self.path), "DISPLAY": ":fake"}

    def asked(self) -> int:
        """When it was last asked, in nanoseconds of the monotonic clock."""
        _, asked = json.loads(self._noted.read_text())
        self._noted.unlink()
        return int(asked)


def _start(
    argv: Sequence[str], environ: Mapping[str, str], pinentry: StandIn, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        env={**environ, **pinentry.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
    )


def _run(argv: Sequence[str], environ: Mapping[str, str], pinentry: StandIn) -> float:
    """Run a command that asks; return when it ended, in seconds of the monotonic clock."""
    with tempfile.TemporaryFile() as errors:
        with _start(argv, environ, pinentry, errors) as process:
            status = process.wait(PATIENCE * 4)
            ended = time.monotonic()
        errors.seek(0)
        assert status == 0, (argv[:4], errors.read())
    return ended


def standing_in(
    argv: Sequence[str], environ: Mapping[str, str], pinentry: StandIn
) -> Callable[[], float]:
    """A function that runs a command, and returns the seconds until it asked."""

    def run() -> float:
        started = time.monotonic_ns()
        _run(argv, environ, pinentry)
        return (pinentry.asked() - started) / 1e9

    return run


def to_the_end(
    argv: Sequence[str], environ: Mapping[str, str], pinentry: StandIn
) -> Callable[[], float]:
    """A function that runs a command that asks, and returns the seconds until its end."""

    def run() -> float:
        started = time.monotonic()
        took = _run(argv, environ, pinentry) - started
        pinentry.asked()
        return took

    return run


def memory(
    argv: Sequence[str], environ: Mapping[str, str], pinentry: StandIn
) -> Callable[[], float]:
    """A function that starts a command, and returns the MB that it has while its prompt waits.

    :param pinentry: one that doesn't answer.
    """

    def run() -> float:
        with (
            tempfile.TemporaryFile() as errors,
            _start(argv, environ, pinentry, errors) as process,
        ):
            try:
                deadline = time.monotonic() + PATIENCE
                while not pinentry.has_asked:
                    assert time.monotonic() < deadline, argv
                    time.sleep(0.01)
                time.sleep(1)  # it may load more while the user reads
                shown = subprocess.run(
                    ["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, check=True
                )
            finally:
                os.killpg(process.pid, signal.SIGKILL)
        pinentry.asked()
        return int(shown.stdout) * 1024 / 1e6

    return run


def by_hand(pinentry: StandIn) -> Callable[[], float]:
    """A function that starts a pinentry without secretly, and makes it ask."""

    def run() -> float:
        started = time.monotonic_ns()
        converse([str(pinentry.path)], {}, ["SETDESC x", "SETPROMPT x", "GETPIN"])
        return (pinentry.asked() - started) / 1e9

    return run


def converse(argv: Sequence[str], environ: Mapping[str, str], commands: Sequence[str]) -> None:
    """Be a pinentry's client with as few steps as possible."""
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen(argv, stdin=theirs, stdout=theirs, env=environ) as process:
        theirs.close()
        ours.settimeout(PATIENCE)
        answers = ours.makefile("rb")
        assert answers.readline().startswith(b"OK")
        for command in commands:
            ours.sendall(f"{command}\n".encode())
            while not (line := answers.readline()).startswith((b"OK", b"ERR")):
                assert line
        answers.close()
        ours.shutdown(socket.SHUT_RDWR)
        process.wait(PATIENCE)


# -- the real one, on a terminal ---------------------------------------------------------


@contextlib.contextmanager
def _on_terminal(
    argv: Sequence[str], environ: Mapping[str, str], stream: socket.socket | None = None
) -> Iterator[tuple[int, str]]:
    """Run a command on a terminal of its own; return the terminal and its name."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for number in range(3):
                os.dup2(slave if stream is None or number == 2 else stream.fileno(), number)
            os.closerange(3, 256)
            os.execve(argv[0], list(argv), dict(environ))
        finally:
            os._exit(127)
    os.close(slave)
    try:
        yield master, name
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)


def _shown(terminal: int) -> None:
    """Wait until the screen shows the prompt."""
    screen, deadline = b"", time.monotonic() + PATIENCE
    while _PROMPT.encode() not in screen:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([terminal], [], [], left)[0], screen
        screen += os.read(terminal, 65536)


def curses(argv: Sequence[str], environ: Mapping[str, str], program: str) -> Callable[[], float]:
    """A function that runs a command, and returns the seconds until its prompt is shown."""
    environ = {**environ, "PINENTRY": program, "TERM": "xterm"}

    def run() -> float:
        started = time.monotonic()
        with _on_terminal(argv, environ) as (terminal, _):
            _shown(terminal)
            took = time.monotonic() - started
            os.write(terminal, b"\x03")
            _ended(terminal)
        return took

    return run


def _ended(terminal: int) -> None:
    """Wait until no process has the terminal open."""
    with contextlib.suppress(OSError):
        while select.select([terminal], [], [], PATIENCE)[0] and os.read(terminal, 65536):
            pass


def curses_by_hand(program: str) -> Callable[[], float]:
    """A function that makes pinentry-curses show the same prompt without secretly."""
    environ = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": os.defpath}

    def run() -> float:
        ours, theirs = socket.socketpair()
        started = time.monotonic()
        with ours, theirs, _on_terminal([program], environ, theirs) as (terminal, name):
            ours.settimeout(PATIENCE)
            answers = ours.makefile("rb")
            assert answers.readline().startswith(b"OK")
            options = (f"OPTION ttyname={name}", "OPTION ttytype=xterm", "OPTION lc-ctype=C.UTF-8")
            for command in (*options, "SETDESC x", f"SETPROMPT {_PROMPT}:"):
                ours.sendall(f"{command}\n".encode())
                assert answers.readline().startswith(b"OK")
            ours.sendall(b"GETPIN\n")
            _shown(terminal)
            return time.monotonic() - started

    return run
