"""A child process: started, ended and reaped."""

from __future__ import annotations

import atexit
import os
import time

from ..waiting.blocks import suppress
from . import hardening
from .forking import NULL, fork, reap

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
else:
    import _signal as signal  # signal loads enum

__all__ = ["NULL", "Child", "end_marked", "living", "processes_from_proc", "processes_from_ps"]

#: The signals that end a child, with the seconds that it has after each to end itself.
#: INT is first: pinentry-tty restores the terminal for no other signal.
_ENDING = ((signal.SIGINT, 0.25), (signal.SIGTERM, 0.15), (signal.SIGKILL, 1.0))

#: How long to sleep, in seconds, between two looks at whether a child has ended: a program that has
#: closed its output ends a moment later.
_SHORTEST, _LONGEST = 0.0001, 0.002

_living: set[Child] = set()


class Child:
    """A child process that ends, at the latest, when this process exits.

    :ivar pid: the process ID.
    :ivar status: the exit status, negative for a signal; None while the child runs, and if its
        status was lost.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        environ: Mapping[str, str],
        new_session: bool = False,
    ) -> None:
        """Start the program.

        :param new_session: start it as the leader of a new session, which has no terminal
            (setsid(2)).
        :raises OSError: if the program can't be started.
        """
        self._popen: subprocess.Popen[bytes] | None = None
        self.status: int | None = None
        self._ended = False
        if (before_exec := hardening.before_exec()) is not None:
            streams = (stdin, stdout, stderr)
            self.pid = fork(argv, streams, environ, before_exec, new_session)
        else:
            from subprocess import Popen

            self._popen = Popen(
                list(argv),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(environ),
                start_new_session=new_session,
            )
            self.pid = self._popen.pid
        self._leads_session = new_session
        _living.add(self)

    def has_ended(self, timeout: float = 0) -> bool:
        """Wait for the child's end, reap it, and return whether it has ended.

        :param timeout: how long to wait at most, in seconds.
        """
        deadline, pause = time.monotonic() + timeout, _SHORTEST
        while not self._reap():
            if (left := deadline - time.monotonic()) <= 0:
                return False
            time.sleep(min(left, pause))
            pause = min(2 * pause, _LONGEST)
        _living.discard(self)
        return True

    def _reap(self) -> bool:
        """Reap the child if it has ended, and return whether it has."""
        if not self._ended:
            try:
                self.status = reap(self.pid)
                self._ended = self.status is not None
            except ChildProcessError:
                self._ended = True
            if self._ended and self._popen is not None:
                self._popen.returncode = self.status or 0  # otherwise it says that the child runs
        return self._ended

    def _signal(self, number: int) -> None:
        """Send a signal to the child, unless it has ended."""
        if not self._reap():
            _send({self.pid}, number)

    def end(self) -> None:
        """End the child if it still runs, with INT, TERM and KILL in turn, and reap it.

        The processes that it has started end with it (``pass`` is a shell that waits for
        gpg): its descendants and, if it leads a session, all of that session. A daemon in a
        session of its own, such as gpg-agent, is left alone.

        This takes some milliseconds, or 0.4 s if the child ignores INT and TERM. It blocks,
        so that it also works where nothing can be awaited: in a coroutine that is closed, in
        an event loop that stops, at exit.
        """
        if self.has_ended() and not self._leads_session:
            return
        family = _Family(self.pid, self._leads_session)

        def send(number: int) -> None:
            found = family.living()
            for _ in range(10):  # a stopped process starts no other, which would be missed
                self._signal(signal.SIGSTOP)
                _send(found, signal.SIGSTOP)
                before, found = found, family.living()
                if found == before:
                    break
            for sent in (number, signal.SIGCONT):  # a stopped process handles no signal
                _send(found, sent)
                self._signal(sent)

        _end(send, lambda: self.has_ended() and not family.living())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """End the child, if it still runs or if the block raised."""
        if kind is not None or not self.has_ended():
            self.end()


class _Family:
    """The processes that one process has started, found in the system's list of processes.

    A process group of their own would be simpler to signal. But only the foreground group may
    read from the terminal, so a program that asks there must stay in ours.

    :param head: the ID of the process that started the others.
    :param leads_session: whether it leads a session and a group.
    """

    def __init__(self, head: int, leads_session: bool) -> None:
        self._head, self._leads_session = head, leads_session
        self._found: set[int] = set()

    def living(self) -> set[int]:
        """Return those that run, without the head. Some may have lost their parent since."""
        there = {pid: facts for pid, *facts in _processes()}
        family = (self._found & there.keys()) | {self._head}
        while more := {p for p, (parent, *_) in there.items() if parent in family} - family:
            family |= more
        if self._leads_session:
            family |= {p for p, facts in there.items() if self._head in facts[1:]}
        self._found = family - {self._head}
        return self._found


def end_marked(mark: str) -> None:
    """End the processes that have *mark* in their environment, where the system shows that.

    :param mark: a variable with its value, ``NAME=value``, that no other process has.
    """

    def send(number: int) -> None:
        for sent in (number, signal.SIGCONT):
            _send(_marked(mark), sent)

    _end(send, lambda: not _marked(mark))


def _marked(mark: str) -> set[int]:
    found = set()
    for pid, *_ in _processes():
        with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # proc(5)
            if os.fsencode(mark) in file.read().split(b"\0"):
                found.add(pid)
    return found - {os.getpid()}


def _end(send: Callable[[int], None], ended: Callable[[], bool]) -> None:
    for number, seconds in _ENDING:
        if ended():
            return
        send(number)
        deadline = time.monotonic() + seconds
        while not ended() and time.monotonic() < deadline:
            time.sleep(0.002)
            if number == signal.SIGKILL:
                send(number)


def _send(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _processes() -> Iterator[tuple[int, int, int, int]]:
    """Yield each process that runs: its ID, its parent's, its group's and its session's."""
    yield from processes_from_proc() if os.path.isdir("/proc/self") else processes_from_ps()


def processes_from_proc() -> Iterator[tuple[int, int, int, int]]:
    """Yield the processes that proc(5) shows, on Linux."""
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            pid = int(name)
            with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # there are many
                state, *numbers = file.read().rpartition(b")")[2].split()[:4]
            if state not in (b"Z", b"X"):
                parent, group, session = map(int, numbers)
                yield pid, parent, group, session


def processes_from_ps() -> Iterator[tuple[int, int, int, int]]:
    """Yield the processes that ps(1) lists, on macOS: there a session's ID is the group's."""
    from . import ps

    for line in ps.show("-axo", "pid=,ppid=,pgid=,stat=").splitlines():
        *numbers, state = line.split()
        if not state.startswith(b"Z"):
            pid, parent, group = map(int, numbers)
            yield pid, parent, group, group


def living() -> frozenset[Child]:
    """Return the children that were started and have not been reaped."""
    return frozenset(_living)


# A forked process has a copy of this, and its parent's children are not its own.
os.register_at_fork(after_in_child=_living.clear)


@atexit.register
def _end_all() -> None:
    for child in living():
        child.end()
