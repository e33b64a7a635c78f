"""The requests that secretly waits with: input, a time that passes, a function in a thread.

``request`` says what a request is, and how it is waited for.
"""

from __future__ import annotations

import time

from .request import Blocking, NeedsLoop, Request, outcome

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from threading import Thread
    from typing import Any, TypeVar

    from .loop import Loop, Settle, Undo

    T = TypeVar("T")

__all__ = ["CurrentLoop", "in_thread", "on_loop", "readable", "sleep", "start_thread"]

#: How long, in seconds, to wait in place before an event loop is loaded: long enough for a
#: pinentry's handshake, and too short for a user.
_PATIENCE = 0.05

#: The longest sleep in place, in seconds. A longer one may have to be cancelled.
_LONGEST_SLEEP = 1.0

#: How long, in seconds, Python's own end waits for threads that were left behind.
_ENDING = 1.0


class CurrentLoop(Request["Loop"]):
    """Gives the event loop that drives the coroutine."""

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        settle(loop)
        return lambda: None

    def _wait(self, loop: Loop) -> Generator[Any, Any, Loop]:
        return loop
        yield


def on_loop(loop: Loop, request: Request[T]) -> Awaitable[T]:
    """Return a request for a loop that is known: who drives is not found out again."""
    return _OnLoop(loop, request)


class _OnLoop(Request["T"]):
    def __init__(self, loop: Loop, request: Request[T]) -> None:
        self._loop, self._request = loop, request

    def __await__(self) -> Generator[Any, Any, T]:
        return self._loop.wait(self._request)


def readable(descriptor: int, timeout: float) -> Request[bool]:
    """Wait until a descriptor has something to read, or is at its end.

    :param descriptor: the file descriptor; it must stay open meanwhile.
    :param timeout: how long to wait at most, in seconds.
    :returns: False if the time passed first.
    """
    return _Readable(descriptor, timeout)


class _Readable(Request[bool]):
    def __init__(self, descriptor: int, timeout: float) -> None:
        # To load an event loop takes time as well.
        self._descriptor, self._deadline = descriptor, time.monotonic() + timeout

    @property
    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        stop_reading = loop.add_reader(self._descriptor, lambda: settle(True))
        # A loop may run its timers before it looks at its descriptors: data that is there counts.
        stop_timer = loop.call_later(self._left, lambda: settle(self._ready(0)))

        def undo() -> None:
            stop_reading()
            stop_timer()

        return undo

    def _ready(self, timeout: float) -> bool:
        import select

        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def wait_in_place(self) -> bool:
        left = self._left
        if self._ready(min(_PATIENCE, left)):
            return True
        if left <= _PATIENCE:
            return False
        raise NeedsLoop


def sleep(seconds: float) -> Request[None]:
    """Wait for a number of seconds."""
    return _Sleep(seconds)


class _Sleep(Request[None]):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        return loop.call_later(self._seconds, lambda: settle(None))

    def wait_in_place(self) -> None:
        if self._seconds > _LONGEST_SLEEP:
            raise NeedsLoop
        time.sleep(self._seconds)


async def in_thread(function: Callable[[], T], timeout: float) -> T:
    """Run a blocking function in a daemon thread, and return what it returns.

    :param timeout: how long to wait at most, in seconds.
    :raises TimeoutError: if the time passed; the thread is left behind, and its late answer is
        dropped.
    """
    found: T = await outcome(_Thread(function, timeout))
    return found


class _Thread(Blocking):
    """A function in a daemon thread, which keeps no process from exiting.

    An answer that comes later, or to a loop that is closed, is dropped.
    """

    def __init__(self, function: Callable[[], Any], timeout: float) -> None:
        super().__init__(function, timeout, self._in_own_thread)

    def _in_own_thread(self, done: Settle) -> None:
        in_place = super().wait_in_place
        start_thread(lambda: done(in_place()))

    def wait_in_place(self) -> Any:
        import threading

        answers: list[Any] = []
        ready = threading.Event()

        def done(answer: Any) -> None:
            answers.append(answer)
            ready.set()

        self._start(done)
        return answers[0] if ready.wait(self._timeout) else None


_working: set[Thread] = set()


def start_thread(work: Callable[[], object]) -> None:
    """Run a function in a daemon thread, which keeps no process from exiting."""
    import atexit
    import threading

    def run() -> None:
        _working.add(thread)
        try:
            work()
        finally:
            _working.discard(thread)

    thread = threading.Thread(target=run, name="secretly", daemon=True)
    atexit.unregister(_end_threads)
    atexit.register(_end_threads)
    thread.start()


def _end_threads() -> None:
    """Wait a moment for the threads that still work when Python ends.

    Python ends such a thread where it next takes the interpreter's lock (``pthread_exit``). If a
    Rust extension called Python there, as ``cryptography`` does when keyring loads it, the process
    aborts: "FATAL: exception not rethrown". A thread that waits for the keychain is not there.
    """
    until = time.monotonic() + _ENDING
    for thread in list(_working):
        thread.join(max(0.0, until - time.monotonic()))
