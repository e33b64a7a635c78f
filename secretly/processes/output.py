"""Run a program and read what it writes, within a time and up to a limit."""

from __future__ import annotations

import errno
import os
import time

from ..record import Record
from ..text import READ_LIMIT
from ..waiting import requests
from ..waiting.blocks import suppress
from .child import Child

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Self

__all__ = [
    "KEEP_STATUSES",
    "LONG_PAUSE",
    "SHORT_PAUSE",
    "TAIL",
    "Finished",
    "Pipe",
    "PipeReader",
    "PipeTail",
    "TooMuch",
    "finish",
    "read_all",
    "read_output",
]

#: How many bytes are remembered of what a program writes to stderr.
TAIL = 1 << 16

#: What to do where exit statuses are lost.
KEEP_STATUSES = "set SIGCHLD to its default, and wait for your own children only"

#: How many bytes a pipe holds at most, as far as a user may set that (pipe(7)).
_PIPE = 1 << 20

#: How often, in seconds, a pipe is emptied while something else is waited for: a program stops
#: at a full pipe. The short pause is for a pipe that just had data.
LONG_PAUSE, SHORT_PAUSE = 0.2, 0.002


class TooMuch(TimeoutError):
    """A program wrote more than the limit, and might never stop."""


class Finished(Record):
    """How a program ended: its exit status and what it wrote.

    :param status: None if it was lost: this process ignores SIGCHLD, or another part of it waits
        for children that are not its own. What the program wrote may be half of what it would.
    """

    status: int | None
    stdout: bytes
    stderr: bytes = b""

    def __repr__(self) -> str:
        return f"Finished(status={self.status})"


async def read_output(
    argv: Sequence[str],
    *,
    timeout: float,
    environ: Mapping[str, str],
    limit: int = READ_LIMIT,
    stdin: bytes = b"",
    ready: bytes = b"",
    new_session: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> Finished:
    """Run a program and return what it wrote.

    :param timeout: how long it may take, in seconds.
    :param limit: how many bytes it may write to stdout.
    :param stdin: what it can read, at most as much as a pipe holds (64 KiB).
    :param ready: what it writes first, before it is given *stdin*; that is not returned.
    :param new_session: start it in a new session, which has no terminal.
    :param meanwhile: called when it has been started.
    :raises OSError: if it can't be started, or *stdin* is too long.
    :raises TimeoutError: if it took longer; it has been ended.
    :raises TooMuch: if it wrote more; it has been ended.
    """
    deadline = time.monotonic() + timeout
    with Pipe() as given, Pipe() as wrote, Pipe() as complained:
        if not ready:
            _give(given, stdin)
        with Child(
            argv,
            stdin=given.reading,
            stdout=wrote.writing,
            stderr=complained.writing,
            environ=environ,
            new_session=new_session,
        ) as child:
            for pipe in (wrote, complained):
                pipe.close_writing()
            if meanwhile is not None:
                meanwhile()
            tail, reader = PipeTail(complained.reading), PipeReader(wrote.reading, limit)
            if ready:
                _give(given, stdin if await _is_ready(reader, ready, deadline) else b"")
            stdin = b""  # a traceback may show locals
            return await finish(child, deadline, read_all(reader, deadline, tail), tail.read)


def _give(pipe: Pipe, data: bytes) -> None:
    """Let a child read this from a pipe, and then its end."""
    os.set_blocking(pipe.writing, False)
    if os.write(pipe.writing, data) < len(data):
        data = b""  # a traceback may show locals
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    pipe.close_writing()


async def _is_ready(reader: PipeReader, ready: bytes, deadline: float) -> bool:
    """Wait until a program has written this, and drop it; return False if it wrote another thing.

    :raises TimeoutError: if it has not written so much in time.
    """
    while len(reader.found()) < len(ready) and not reader.ended:
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError
        await requests.readable(reader.descriptor, left)
        reader.read()
    if reader.found() != ready:
        return False
    reader.forget()
    return True


async def finish(
    child: Child, deadline: float, reading: Awaitable[bytes], stderr: Callable[[], bytes]
) -> Finished:
    """Wait until the child has closed its stdout and has ended.

    :param deadline: when to give up, as :func:`time.monotonic` has it.
    :param reading: gives all of its stdout.
    :param stderr: returns what it has written to stderr so far.
    :raises TimeoutError: if it took longer.
    """
    wrote = b""
    try:
        wrote = await reading
        while not child.has_ended(0.01):
            if time.monotonic() > deadline:
                raise TimeoutError
            stderr()  # the child stops at a full pipe
            await requests.sleep(0.02)
        return Finished(child.status, wrote, stderr())
    except BaseException:
        wrote = b""  # a traceback may show locals
        raise


class Pipe:
    """A pipe, whose ends are closed at the end of a block."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close_writing()
        os.close(self.reading)

    def close_writing(self) -> None:
        """Close the writing end, once."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1


class PipeTail:
    """The last 64 KiB of what comes through a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._data = descriptor, b""
        os.set_blocking(descriptor, False)

    def read(self) -> bytes:
        """Read what is there, and return the last 64 KiB so far.

        The end of the pipe is not waited for: the program may have left a child that has the
        pipe open.
        """
        with suppress(BlockingIOError):
            for _ in range(_PIPE // TAIL):  # a program that never stops must not keep us here
                self._data = (self._data + os.read(self._descriptor, TAIL))[-TAIL:]
        return self._data


class PipeReader:
    """Reads all that comes through a pipe.

    :param limit: how many bytes that may be.
    :ivar ended: whether the pipe has come to its end.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor, self._limit = descriptor, limit
        self._found, self.ended = bytearray(), False
        os.set_blocking(descriptor, False)

    def read(self) -> bool:
        """Read what is there; return whether that was anything.

        :raises TooMuch: if it is more than the limit.
        """
        start = len(self._found)
        with suppress(BlockingIOError):
            for _ in range(_PIPE // TAIL):  # the caller has a deadline to keep
                before = len(self._found)
                self._found += os.read(self.descriptor, TAIL)  # no local: a traceback shows those
                self.ended = len(self._found) == before
                if len(self._found) > self._limit:
                    raise TooMuch
        return len(self._found) > start

    def found(self) -> bytes:
        """Return what was read so far."""
        return bytes(self._found)

    def forget(self) -> None:
        """Drop what was read."""
        self._found.clear()


async def read_all(reader: PipeReader, deadline: float, tail: PipeTail | None = None) -> bytes:
    """Read a pipe to its end, and return what came.

    :param deadline: when to give up, as :func:`time.monotonic` has it.
    :param tail: another pipe, to be emptied meanwhile.
    :raises TimeoutError: if the end did not come in time.
    :raises TooMuch: if it is more than the reader's limit.
    """
    try:
        while (left := deadline - time.monotonic()) > 0:
            reader.read()
            if reader.ended:
                return reader.found()
            pause = min(left, LONG_PAUSE) if tail else left
            if not await requests.readable(reader.descriptor, pause) and tail is not None:
                tail.read()
        raise TimeoutError
    finally:
        reader.forget()
