"""A child process: started, ended and reaped."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import hardening

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
            preexec_fn=hardening.before_exec(),
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
