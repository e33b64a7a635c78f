"""Children: started, read, ended and reaped."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import eventloop, guarded

__all__ = ["Child", "Finished", "dialogue", "living", "output"]

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
        session: bool = False,
    ) -> None:
        """Start it.

        :param session: in a session of its own, without a terminal.
        :raises OSError: if the program cannot be started.
        """
        self._process = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(environ),
            start_new_session=session,
            preexec_fn=guarded.before_exec(),
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

        So it does with all that the child has started and not left behind, where the
        system tells (Linux): a script around a pinentry passes no signal on.

        This takes a few milliseconds, or 0.4 s with a child that heeds neither
        of the first two. It waits in place, so that it also works where nothing
        can be awaited: in a coroutine that is closed, in a loop that stops, at exit.
        """
        if self.ended():
            return
        with contextlib.ExitStack() as held:
            family = _family(self.pid, held)
            for number, patience in _ENDING:
                deadline = time.monotonic() + patience
                # A stopped child handles nothing: continue it.
                for sent in (number, signal.SIGCONT):
                    with contextlib.suppress(ProcessLookupError):
                        self._process.send_signal(sent)
                    for descriptor in family:
                        with contextlib.suppress(ProcessLookupError):
                            signal.pidfd_send_signal(descriptor, sent)
                ended = self.ended(patience)
                if _all_over(family, deadline) and ended:
                    return


def _family(pid: int, held: contextlib.ExitStack) -> list[int]:
    """Descriptors of the processes that one has started, and these in turn (pidfd_open(2))."""
    found: list[int] = []
    if sys.platform != "linux":
        return found
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                children = [int(number) for number in file.read().split()]
            for child in children:
                with contextlib.suppress(OSError):
                    descriptor = os.pidfd_open(child)
                    held.callback(os.close, descriptor)
                    found += [descriptor, *_family(child, held)]
    return found


def _all_over(family: list[int], deadline: float) -> bool:
    """Whether all of these processes have ended, waiting until *deadline* at most."""
    for descriptor in family:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
    return True


def living() -> frozenset[Child]:
    """The children that were started and have not been reaped."""
    return frozenset(_living)


@atexit.register
def _end_all() -> None:
    for child in living():
        child.end()


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
    limit: int = 1 << 20,
    stdin: bytes = b"",
    session: bool = False,
) -> Finished:
    """Run a program and return what it wrote.

    :param seconds: how long it may take.
    :param limit: how many bytes it may write.
    :param stdin: what it is given to read, at most what a pipe holds (64 KiB).
    :param session: in a session of its own, without a terminal.
    :raises OSError: if it cannot be started, or given so much.
    :raises TimeoutError: if it took longer, or wrote more; it has been ended.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as held:
        given, reading, said = _pipe(held), _pipe(held), _pipe(held)
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
        held.callback(child.end)
        for pipe in (reading, said):
            pipe.close_writing()
        heard = _Heard(said.reading)
        wrote = await _read(reading.reading, deadline, limit, heard)
        await _over(child, deadline)
        return Finished(child.status or 0, wrote, heard.all())


async def _over(child: Child, deadline: float) -> None:
    """Wait for the end of one that has closed its stdout."""
    while not child.ended(0.01):
        if time.monotonic() > deadline:
            raise TimeoutError
        await eventloop.sleep(0.02)


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


def _pipe(held: contextlib.ExitStack) -> _Pipe:
    pipe = _Pipe()
    held.callback(pipe.close)
    return pipe


class _Heard:
    """The last 64 KiB of what comes through a pipe, as far as it has come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._data = descriptor, b""
        os.set_blocking(descriptor, False)

    def all(self) -> bytes:
        # Not to its end: who wrote it may have left a child that has it open.
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._descriptor, 65536):
                self._data = (self._data + chunk)[-65536:]
        return self._data


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
    limit: int = 1 << 20,
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
    """
    import pexpect
    from pexpect.fdpexpect import fdspawn

    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as held:
        master, slave = os.openpty()
        held.callback(os.close, master)
        theirs = held.enter_context(open(slave, "rb", buffering=0))
        modes = termios.tcgetattr(slave)
        modes[3] &= ~termios.ECHO  # the answer would come back
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        reading = _pipe(held)
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
        held.callback(child.end)
        reading.close_writing()
        await eventloop.readable(master, deadline - time.monotonic())
        theirs.close()
        spawn: Any = fdspawn(master, timeout=0)
        said, answers = b"", 0
        while await eventloop.readable(master, deadline - time.monotonic()):
            try:
                said += spawn.read_nonblocking(4096, 0)
            except (pexpect.EOF, OSError):  # the child has ended, or closed its terminal
                break
            plain = re.sub(rb"\x1b\[[0-9;]*m", b"", said)
            if re.search(prompt, plain):
                # It may want the same twice: for the vault, and for an item in it.
                if answers == _ANSWERS or (answers and _REFUSED.search(plain)):
                    return None
                started = time.monotonic()
                spawn.send((await answer()).encode("utf-8", "surrogateescape") + b"\n")
                deadline += time.monotonic() - started
                said, answers = b"", answers + 1
        else:
            raise TimeoutError
        wrote = await _read(reading.reading, deadline, limit)
        await _over(child, deadline)
        return Finished(child.status or 0, wrote, said[-65536:])


#: How often a pipe is emptied, in seconds, beside another that is waited for: a program
#: that finds it full waits.
_BESIDE = 0.2


async def _read(
    descriptor: int, deadline: float, limit: int, beside: _Heard | None = None
) -> bytes:
    found = bytearray()
    while (left := deadline - time.monotonic()) > 0:
        if not await eventloop.readable(descriptor, min(left, _BESIDE) if beside else left):
            if beside is not None:
                beside.all()
            continue
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return bytes(found)
        found += chunk
        if len(found) > limit:
            break
    raise TimeoutError
