"""Run a program that asks on its terminal, and answer it."""

from __future__ import annotations

import contextlib
import os
import re
import termios
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ..text import READ_LIMIT
from ..waiting import requests
from .child import NULL, Child
from .output import (
    LONG_PAUSE,
    SHORT_PAUSE,
    TAIL,
    Finished,
    Pipe,
    PipeReader,
    TooMuch,
    finish,
    read_all,
)

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

__all__ = ["run_and_answer"]

#: How many times a program is given the same answer, and how it says that the answer was wrong.
_ANSWERS = 3
_REFUSED = re.compile(rb"(?i)incorrect|wrong|invalid|try again|failed")

#: Makes a terminal the controlling one, then becomes the program. A leader of a session that has
#: no terminal gets the one that it opens. It writes a line once it has opened it: only then can we
#: close our end of it, so that we see the program's end.
_START = 'exec <"$0" 2>"$0"; echo >&2; exec "$@"'


async def run_and_answer(
    argv: Sequence[str],
    *,
    timeout: float,
    environ: Mapping[str, str],
    prompt: bytes,
    answer: Callable[[], Awaitable[str]],
    limit: int = READ_LIMIT,
) -> Finished | None:
    """Run a program that asks on its terminal, and answer it.

    It has a terminal of its own, which the user does not see. What it writes to stdout goes to
    a pipe.

    :param timeout: how long it may take, in seconds, without the time that *answer* takes.
    :param prompt: the pattern of its prompt.
    :param answer: gives the answer, if it asks.
    :param limit: how many bytes it may write to stdout, and how many to its terminal.
    :returns: None if it did not accept the answer and asked again; it has been ended.
    :raises OSError: if it can't be started.
    :raises TimeoutError: if it took longer; it has been ended.
    :raises TooMuch: if it wrote more than *limit*; it has been ended.
    """
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as held:
        child, screen, wrote = await _start(argv, environ, held, limit, deadline)
        answers = 0
        while not screen.ended:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            # What it writes to stdout meanwhile may be more than a pipe holds.
            pause = SHORT_PAUSE if wrote.read() else LONG_PAUSE
            if not await requests.readable(screen.descriptor, min(left, pause)):
                continue
            screen.read()
            if re.search(prompt, screen.text):
                # It may ask the same twice: for the vault, and for an item in it.
                if answers == _ANSWERS or (answers and _REFUSED.search(screen.text)):
                    return None
                started = time.monotonic()
                screen.type(await answer())
                deadline += time.monotonic() - started
                answers += 1
        return await finish(child, deadline, read_all(wrote, deadline), lambda: screen.data)


async def _start(
    argv: Sequence[str],
    environ: Mapping[str, str],
    held: contextlib.ExitStack,
    limit: int,
    deadline: float,
) -> tuple[Child, _Screen, PipeReader]:
    """Start the program on a terminal of its own, with a pipe as its stdout."""
    master, slave = os.openpty()
    held.callback(os.close, master)
    theirs = held.enter_context(os.fdopen(slave, "rb", buffering=0))
    modes = termios.tcgetattr(slave)
    modes[3] &= ~termios.ECHO  # otherwise we would read the answer back
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    stdout = held.enter_context(Pipe())
    child = Child(
        ["/bin/sh", "-c", _START, os.ttyname(slave), *argv],
        stdin=NULL,
        stdout=stdout.writing,
        stderr=NULL,
        environ=environ,
        new_session=True,
    )
    held.enter_context(child)
    stdout.close_writing()
    await requests.readable(master, deadline - time.monotonic())
    theirs.close()
    return child, _Screen(master, limit), PipeReader(stdout.reading, limit)


class _Screen:
    """What a program has written to its terminal since the last answer: the last 64 KiB.

    :param descriptor: our end of the terminal.
    :param limit: how many bytes it may write in all.
    :ivar ended: whether the program has ended, or closed its terminal.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        from pexpect.fdpexpect import fdspawn

        self.descriptor, self._left = descriptor, limit
        self._spawn: Any = fdspawn(descriptor, timeout=0)
        self.data, self.ended = b"", False

    def read(self) -> None:
        """Read what is there.

        :raises TooMuch: if it is more than the limit.
        """
        import pexpect

        try:
            more = self._spawn.read_nonblocking(4096, 0)
        except (pexpect.EOF, OSError):
            self.ended = True
            return
        self.data = (self.data + more)[-TAIL:]
        self._left -= len(more)
        if self._left < 0:
            raise TooMuch

    @property
    def text(self) -> bytes:
        """The data without its colours."""
        return re.sub(rb"\x1b\[[0-9;]*m", b"", self.data)

    def type(self, text: str) -> None:
        """Type a line."""
        self._spawn.send(text.encode("utf-8", "surrogateescape") + b"\n")
        self.data = b""
