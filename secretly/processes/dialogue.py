"""Run a program that asks on its terminal, and answer it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import termios
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..redacted import READ_LIMIT
from ..waiting import requests
from .child import Child
from .output import _TAIL, MEANWHILE, SOON, Finished, TooMuch, Written, finish, open_pipe, read_pipe

#: How often a program is told the same, and how it says that this was wrong.
_ANSWERS = 3
_REFUSED = re.compile(rb"(?i)incorrect|wrong|invalid|try again|failed")


async def dialogue(
    argv: Sequence[str],
    *,
    seconds: float,
    environ: Mapping[str, str],
    prompt: bytes,
    answer: Callable[[], Awaitable[str]],
    limit: int = READ_LIMIT,
) -> Finished | None:
    """Run a program that asks on its terminal, and answer it.

    The terminal is one of its own, which nobody sees; what it writes to its stdout
    goes to a pipe.

    :param seconds: how long it may take, without the time that *answer* takes.
    :param prompt: the pattern of what it asks with.
    :param answer: gives what it is told, if it asks.
    :returns: None if it did not like the answer and asked again: it has been ended.
    :raises OSError: if it cannot be started.
    :raises TimeoutError: if it took longer; it has been ended.
    :raises TooMuch: if it wrote more than *limit*, to either; it has been ended.
    """
    from pexpect.fdpexpect import fdspawn

    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as held:
        master, slave = os.openpty()
        held.callback(os.close, master)
        theirs = held.enter_context(open(slave, "rb", buffering=0))
        modes = termios.tcgetattr(slave)
        modes[3] &= ~termios.ECHO  # the answer would come back
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        reading = open_pipe(held)
        # A leader of a session without a terminal gets the one that it opens.
        # It writes a line once it has opened it: only then can ours be closed, and its end seen.
        script = 'exec <"$0" 2>"$0"; echo >&2; exec "$@"'
        child = Child(
            ["/bin/sh", "-c", script, os.ttyname(slave), *argv],
            stdin=subprocess.DEVNULL,
            stdout=reading.writing,
            stderr=subprocess.DEVNULL,
            environ=environ,
            session=True,
        )
        held.enter_context(child)
        reading.close_writing()
        await requests.readable(master, deadline - time.monotonic())
        theirs.close()
        wrote, said = Written(reading.reading, limit), _Said(fdspawn(master, timeout=0), limit)
        answers = 0
        while not said.ended:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            # What it writes meanwhile may be more than a pipe holds.
            pause = SOON if wrote.take() else MEANWHILE
            if not await requests.readable(master, min(left, pause)):
                continue
            said.take()
            if re.search(prompt, said.plain):
                # It may want the same twice: for the vault, and for an item in it.
                if answers == _ANSWERS or (answers and _REFUSED.search(said.plain)):
                    return None
                started = time.monotonic()
                said.answer(await answer())
                deadline += time.monotonic() - started
                answers += 1
        return await finish(child, deadline, read_pipe(wrote, deadline), lambda: said.data)


class _Said:
    """The last 64 KiB of what a program has said on its terminal since it was answered."""

    def __init__(self, spawn: Any, limit: int) -> None:
        self._spawn, self._left = spawn, limit
        self.data, self.ended = b"", False

    def take(self) -> None:
        """Take what is there.

        :raises TooMuch: if it is beyond the limit.
        """
        import pexpect

        try:
            more = self._spawn.read_nonblocking(4096, 0)
        except (pexpect.EOF, OSError):  # the child has ended, or closed its terminal
            self.ended = True
            return
        self.data = (self.data + more)[-_TAIL:]
        self._left -= len(more)
        if self._left < 0:
            raise TooMuch

    @property
    def plain(self) -> bytes:
        """Without its colours."""
        return re.sub(rb"\x1b\[[0-9;]*m", b"", self.data)

    def answer(self, text: str) -> None:
        """Type a line."""
        self._spawn.send(text.encode("utf-8", "surrogateescape") + b"\n")
        self.data = b""
