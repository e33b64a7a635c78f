"""Children: started, read, ended and reaped."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import eventloop

__all__ = ["Child", "Finished", "output"]

#: How long a child gets, in seconds, to end itself after each of the signals.
#: INT first: pinentry-tty restores the terminal for no other.
_ENDING = ((signal.SIGINT, 0.25), (signal.SIGTERM, 0.15), (signal.SIGKILL, 1.0))

_living: set[Child] = set()


class Child:
    """A child process, ended at the latest when this one exits."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        environ: Mapping[str, str],
    ) -> None:
        """Start it.

        :raises OSError: if the program cannot be started.
        """
        self._process = subprocess.Popen(
            list(argv), stdin=stdin, stdout=stdout, stderr=stderr, env=dict(environ)
        )
        _living.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self, seconds: float = 0) -> bool:
        """Whether it has ended (and is reaped), waiting at most that many seconds."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            if (left := deadline - time.monotonic()) <= 0:
                return False
            time.sleep(min(left, 0.002))
        _living.discard(self)
        return True

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    def end(self) -> None:
        """End it if it still runs, by INT, TERM and KILL in turn, and reap it.

        This takes a few milliseconds, or 0.4 s with a child that heeds neither
        of the first two. It waits in place, so that it also works where nothing
        can be awaited: in a coroutine that is closed, in a loop that stops, at exit.
        """
        # A stopped child handles nothing: continue it.
        for number, patience in _ENDING:
            if self.ended():
                return
            for sent in (number, signal.SIGCONT):
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(sent)
            self.ended(patience)


@atexit.register
def _end_all() -> None:
    for child in tuple(_living):
        child.end()


class Finished(NamedTuple):
    """What a program left: its exit status and what it wrote."""

    status: int
    stdout: bytes

    def __repr__(self) -> str:
        return f"Finished(status={self.status})"


async def output(
    argv: Sequence[str], *, seconds: float, environ: Mapping[str, str], limit: int = 1 << 20
) -> Finished:
    """Run a program with no input and return what it wrote to its stdout.

    :param seconds: how long it may take.
    :param limit: how many bytes it may write.
    :raises OSError: if it cannot be started.
    :raises TimeoutError: if it took longer, or wrote more; it has been ended.
    """
    deadline = time.monotonic() + seconds
    reading, writing = os.pipe()
    child = None
    try:
        try:
            null = subprocess.DEVNULL
            child = Child(argv, stdin=null, stdout=writing, stderr=null, environ=environ)
        finally:
            os.close(writing)
        wrote = await _read(reading, deadline, limit)
        if not child.ended(0.1):
            raise TimeoutError
        return Finished(child.status or 0, wrote)
    finally:
        if child is not None:
            child.end()
        os.close(reading)


async def _read(descriptor: int, deadline: float, limit: int) -> bytes:
    found = bytearray()
    while await eventloop.readable(descriptor, deadline - time.monotonic()):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return bytes(found)
        found += chunk
        if len(found) > limit:
            break
    raise TimeoutError
