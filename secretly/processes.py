"""Children: started, read, ended and reaped."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import signal
import subprocess
import termios
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import eventloop, guarded

__all__ = ["Child", "Finished", "TooMuch", "dialogue", "end_marked", "living", "output"]

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
        self._leads = session
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

        What it has started goes with it (``pass`` is a shell that waits for gpg): its
        descendants, and, if it leads a session, all of that. A daemon of its own, such as
        gpg's agent, is neither.

        This takes some milliseconds, or 0.4 s with one that heeds neither of the
        first two. It waits in place, so that it also works where nothing can be
        awaited: in a coroutine that is closed, in a loop that stops, at exit.
        """
        if self.ended() and not self._leads:
            return
        family = _Family(self.pid, self._leads)

        def send(number: int) -> None:
            found = family.living()
            for _ in range(10):  # what is stopped starts nothing more, which would be missed
                self._process.send_signal(signal.SIGSTOP)  # nothing, once it has ended
                _send(found, signal.SIGSTOP)
                before, found = found, family.living()
                if found == before:
                    break
            for sent in (number, signal.SIGCONT):  # a stopped one handles nothing
                _send(found, sent)
                self._process.send_signal(sent)

        _end(send, lambda: self.ended() and not family.living())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """End it, if it still runs or did not do what it was started for."""
        if kind is not None or not self.ended():
            self.end()


class _Family:
    """What a process has started, by what the system says of the processes that there are.

    A group of its own would be simpler to signal, but only the one in the foreground may
    read from the terminal, and a program that asks there must be in ours.

    :param leads: whether the process leads a session and a group.
    """

    def __init__(self, head: int, leads: bool) -> None:
        self._head, self._leads = head, leads
        self._found: set[int] = set()

    def living(self) -> set[int]:
        """Those that run, without the head. Some may have lost their parent meanwhile."""
        there = {pid: facts for pid, *facts in _processes()}
        family = (self._found & there.keys()) | {self._head}
        while more := {p for p, (parent, *_) in there.items() if parent in family} - family:
            family |= more
        if self._leads:
            family |= {p for p, facts in there.items() if self._head in facts[1:]}
        self._found = family - {self._head}
        return self._found


def end_marked(mark: str) -> None:
    """End the processes that have *mark* in their environment, where the system shows that.

    :param mark: a variable with its value, which no others have.
    """

    def send(number: int) -> None:
        for sent in (number, signal.SIGCONT):
            _send(_marked(mark), sent)

    _end(send, lambda: not _marked(mark))


def _marked(mark: str) -> set[int]:
    found = set()
    for pid, *_ in _processes():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # proc(5)
            if os.fsencode(mark) in file.read().split(b"\0"):
                found.add(pid)
    return found - {os.getpid()}


def _end(send: Callable[[int], None], over: Callable[[], bool]) -> None:
    for number, patience in _ENDING:
        if over():
            return
        send(number)
        deadline = time.monotonic() + patience
        while not over() and time.monotonic() < deadline:
            time.sleep(0.002)
            if number == signal.SIGKILL:
                send(number)


def _send(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _processes() -> Iterator[tuple[int, int, int, int]]:
    """Each process that runs: its number, its parent's, its group's and its session's."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(name)
                with open(f"/proc/{pid}/stat", "rb") as file:  # proc(5)
                    state, *numbers = file.read().rpartition(b")")[2].split()[:4]
                if state not in (b"Z", b"X"):
                    parent, group, session = map(int, numbers)
                    yield pid, parent, group, session
        return
    yield from _listed()  # macOS


def _listed() -> Iterator[tuple[int, int, int, int]]:
    command = ["/bin/ps", "-axo", "pid=,ppid=,pgid=,stat="]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, timeout=2)
        for line in done.stdout.splitlines():
            *numbers, state = line.split()
            if not state.startswith(b"Z"):
                pid, parent, group = map(int, numbers)
                yield pid, parent, group, group


def living() -> frozenset[Child]:
    """The children that were started and have not been reaped."""
    return frozenset(_living)


@atexit.register
def _end_all() -> None:
    for child in living():
        child.end()


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
    :raises TimeoutError: if it took longer; it has been ended.
    :raises TooMuch: if it wrote more; it has been ended.
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
        held.enter_context(child)
        for pipe in (reading, said):
            pipe.close_writing()
        heard = _Heard(said.reading)
        wrote = _read(_Wrote(reading.reading, limit), deadline, heard)
        return await _finished(child, deadline, wrote, heard.all)


async def _finished(
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
            await eventloop.sleep(0.02)
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


def _pipe(held: contextlib.ExitStack) -> _Pipe:
    pipe = _Pipe()
    held.callback(pipe.close)
    return pipe


#: How much is kept of what a program complains of, and how much a pipe can hold at most (pipe(7)).
_TAIL, _PIPE = 1 << 16, 1 << 20


class _Heard:
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


class _Wrote:
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
        held.enter_context(child)
        reading.close_writing()
        await eventloop.readable(master, deadline - time.monotonic())
        theirs.close()
        wrote, said = _Wrote(reading.reading, limit), _Said(fdspawn(master, timeout=0), limit)
        answers = 0
        while not said.ended:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            # What it writes meanwhile may be more than a pipe holds.
            pause = _SOON if wrote.take() else _BESIDE
            if not await eventloop.readable(master, min(left, pause)):
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
        return await _finished(child, deadline, _read(wrote, deadline), lambda: said.data)


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


#: How often a pipe is emptied, in seconds, beside another that is waited for: a program
#: that finds it full waits; and how soon again if there was something.
_BESIDE, _SOON = 0.2, 0.002


async def _read(wrote: _Wrote, deadline: float, beside: _Heard | None = None) -> bytes:
    try:
        while (left := deadline - time.monotonic()) > 0:
            wrote.take()
            if wrote.ended:
                return wrote.all()
            pause = min(left, _BESIDE) if beside else left
            if not await eventloop.readable(wrote.descriptor, pause) and beside is not None:
                beside.all()
        raise TimeoutError
    finally:
        wrote.forget()
