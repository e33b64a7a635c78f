"""Run a program and read what it writes."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from ..redacted import READ_LIMIT
from ..waiting import requests
from .child import Child


class TooMuch(TimeoutError):
    """A program wrote more than it may: it would not have come to an end."""


class Finished(NamedTuple):
    """What a program left: its exit status and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes = b""

    def __repr__(self) -> str:
        return f"Finished(status={self.status})"


async def output(
    argv: Sequence[str],
    *,
    seconds: float,
    environ: Mapping[str, str],
    limit: int = READ_LIMIT,
    stdin: bytes = b"",
    session: bool = False,
) -> Finished:
    """Run a program and return what it wrote.

    :param seconds: how long it may take.
    :param limit: how many bytes it may write.
    :param stdin: what it is given to read, at most what a pipe holds (64 KiB).
    :param session: in a session of its own, without a terminal.
    :raises OSError: if it cannot be started, or given so much.
    :raises TimeoutError: if it took longer; it has been ended.
    :raises TooMuch: if it wrote more; it has been ended.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as held:
        given, reading, said = open_pipe(held), open_pipe(held), open_pipe(held)
        os.set_blocking(given.writing, False)
        if os.write(given.writing, stdin) < len(stdin):
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        stdin = b""  # a traceback may show locals
        given.close_writing()
        child = Child(
            argv,
            stdin=given.reading,
            stdout=reading.writing,
            stderr=said.writing,
            environ=environ,
            session=session,
        )
        held.enter_context(child)
        for pipe in (reading, said):
            pipe.close_writing()
        heard = Complaints(said.reading)
        wrote = read_pipe(Written(reading.reading, limit), deadline, heard)
        return await finish(child, deadline, wrote, heard.all)


async def finish(
    child: Child, deadline: float, reading: Awaitable[bytes], said: Callable[[], bytes]
) -> Finished:
    """Wait until it has closed its stdout, and for its end."""
    wrote = b""
    try:
        wrote = await reading
        while not child.ended(0.01):
            if time.monotonic() > deadline:
                raise TimeoutError
            said()  # one that finds the pipe full waits
            await requests.sleep(0.02)
        return Finished(child.status or 0, wrote, said())
    except BaseException:
        wrote = b""  # a traceback may show locals
        raise


class _Pipe:
    """A pipe whose two ends are closed at the latest at the end."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        self.close_writing()
        os.close(self.reading)


def open_pipe(held: contextlib.ExitStack) -> _Pipe:
    pipe = _Pipe()
    held.callback(pipe.close)
    return pipe


#: How much is kept of what a program complains of, and how much a pipe can hold at most (pipe(7)).
_TAIL, _PIPE = 1 << 16, 1 << 20


class Complaints:
    """The last 64 KiB of what comes through a pipe, as far as it has come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._data = descriptor, b""
        os.set_blocking(descriptor, False)

    def all(self) -> bytes:
        # Not to its end: who wrote it may have left a child that has it open, or never stop.
        with contextlib.suppress(BlockingIOError):
            for _ in range(_PIPE // _TAIL):
                self._data = (self._data + os.read(self._descriptor, _TAIL))[-_TAIL:]
        return self._data


class Written:
    """All that comes through a pipe, up to a limit in bytes."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor, self._limit = descriptor, limit
        self._found, self.ended = bytearray(), False
        os.set_blocking(descriptor, False)

    def take(self) -> bool:
        """Take what is there; say whether it was anything.

        :raises TooMuch: beyond the limit.
        """
        start = len(self._found)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_PIPE // _TAIL):  # whoever waits has a deadline to look at
                before = len(self._found)
                self._found += os.read(self.descriptor, _TAIL)  # no local: a traceback shows those
                self.ended = len(self._found) == before
                if len(self._found) > self._limit:
                    raise TooMuch
        return len(self._found) > start

    def all(self) -> bytes:
        return bytes(self._found)

    def forget(self) -> None:
        self._found.clear()


#: How often a pipe is emptied, in seconds, beside another that is waited for: a program
#: that finds it full waits; and how soon again if there was something.
MEANWHILE, SOON = 0.2, 0.002


async def read_pipe(wrote: Written, deadline: float, beside: Complaints | None = None) -> bytes:
    try:
        while (left := deadline - time.monotonic()) > 0:
            wrote.take()
            if wrote.ended:
                return wrote.all()
            pause = min(left, MEANWHILE) if beside else left
            if not await requests.readable(wrote.descriptor, pause) and beside is not None:
                beside.all()
        raise TimeoutError
    finally:
        wrote.forget()
