"""The requests that secretly waits with, and how they find out what drives a coroutine.

An awaited request yields itself to the coroutine's driver. The reply shows which driver it is:

- asyncio throws RuntimeError ('Task got bad yield') into the coroutine;
- Twisted sends a yielded object that is not a Deferred straight back;
- trio throws TypeError into the coroutine: secretly can't wait there;
- :func:`~secretly.waiting.driving.drive` sends a :class:`Waited`: the request has waited in
  place. It sends nothing once it has handed the coroutine to the command's own loop: the request
  is yielded again, and that loop sends a :class:`Waited` too.

All but the last are not documented; ``tests/test_waiting.py`` checks them. A running loop says
nothing: Twisted may drive the coroutine inside asyncio's.
"""

from __future__ import annotations

import sys
import time

from ..errors import SecretlyError

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from threading import Thread
    from typing import Any, TypeVar

    from .loop import Loop, Settle, Undo

    T = TypeVar("T")
else:

    class Awaitable:  # subclasses of that in collections.abc take long to make
        __slots__ = ()
        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = [
    "CurrentLoop",
    "NeedsLoop",
    "Request",
    "Waited",
    "in_thread",
    "in_thread_if_needed",
    "loop_is_running",
    "on_loop",
    "poll_loop_runs",
    "reactor_stopped",
    "readable",
    "sleep",
    "start_thread",
]

#: How long, in seconds, to wait in place before an event loop is loaded: long enough for a
#: pinentry's handshake, and too short for a user.
_PATIENCE = 0.05

#: The longest sleep in place, in seconds. A longer one may have to be cancelled.
_LONGEST_SLEEP = 1.0

#: How long, in seconds, Python's own end waits for threads that were left behind.
_ENDING = 1.0

#: Where Twisted puts the reactor that is installed.
_REACTOR = "twisted.internet.reactor"

_POLL_LOOP = f"{__package__}.poll_loop"


class Request(Awaitable["T"]):
    """Something to wait for. It settles once, with a value."""

    __slots__ = ()

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        """Begin to wait on a loop. Call *settle* with the value when it is there."""
        raise NotImplementedError

    def wait_in_place(self) -> T:
        """Wait without an event loop and return the value.

        :raises NeedsLoop: if that may take too long.
        """
        raise NeedsLoop

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            answer = yield self
            if answer is None:  # drive() has handed the coroutine over: ask its loop
                answer = yield self
        except RuntimeError:
            loop = _asyncio()
        except TypeError:
            loop = None
        else:
            if isinstance(answer, Waited):
                value: T = answer.value
                return value
            loop = _twisted() if answer is self else None
        if loop is None:
            raise SecretlyError(
                "secretly was awaited by something that is neither Twisted nor asyncio",
                "drive it with asyncio.run, twisted.internet.task.react or ensureDeferred",
            )
        return (yield from self._wait(loop))

    def _wait(self, loop: Loop) -> Generator[Any, Any, T]:
        return loop.wait(self)


class NeedsLoop(Exception):
    """A request can't be waited for in place."""


class Waited:
    """How a request has waited: its value, or the error that kept it from waiting."""

    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self._value, self._error = value, error

    @property
    def value(self) -> Any:
        """The value; or the error is raised."""
        if self._error is not None:
            raise self._error
        return self._value


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


class _OnLoop(Awaitable["T"]):
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
    found: T = await _outcome(_Thread(function, timeout))
    return found


async def in_thread_if_needed(
    function: Callable[[], T], timeout: float, start: Callable[[Settle], object]
) -> T:
    """Run a blocking function in place, or, if an event loop drives, in a daemon thread.

    :param function: must itself raise :class:`TimeoutError` when the time has passed.
    :param timeout: how long it may take, in seconds.
    :param start: begins the same in a thread, and has it call its argument with the value and the
        error, one of which is None.
    :raises TimeoutError: if the time passed.
    """
    found: T = await _outcome(_InPlaceOrThread(function, timeout, start))
    return found


class _Thread(Request["Any"]):
    """A function in a daemon thread, which keeps no process from exiting.

    It settles with ``(value, error)``, or with None if the time passed first. An answer that
    comes later, or to a loop that is closed, is dropped.
    """

    def __init__(
        self,
        function: Callable[[], Any],
        timeout: float,
        start: Callable[[Settle], object] | None = None,
    ) -> None:
        self._function, self._timeout = function, timeout
        self._start = start or self._in_own_thread

    def _in_own_thread(self, done: Settle) -> None:
        def work() -> None:
            try:
                done((self._function(), None))
            except Exception as error:
                done((None, error))

        start_thread(work)

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        self._start(lambda answer: loop.call_from_thread(lambda: settle(answer)))
        return loop.call_later(self._timeout, lambda: settle(None))

    def wait_in_place(self) -> Any:
        import threading

        answers: list[Any] = []
        ready = threading.Event()

        def done(answer: Any) -> None:
            answers.append(answer)
            ready.set()

        self._start(done)
        return answers[0] if ready.wait(self._timeout) else None


class _InPlaceOrThread(_Thread):
    def wait_in_place(self) -> Any:
        try:
            return self._function(), None
        except Exception as error:
            return None, error


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


async def _outcome(thread: _Thread) -> Any:
    answer = await thread
    if answer is None:
        raise TimeoutError
    value, error = answer
    if error is not None:
        raise error
    return value


def loop_is_running() -> bool:
    """Return whether an event loop runs in this thread, without loading one to find out."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return True
    return poll_loop_runs() or bool(getattr(installed_reactor(), "running", False))


def poll_loop_runs() -> bool:
    """Return whether the command's own loop runs in this thread."""
    module: Any = sys.modules.get(_POLL_LOOP)
    if module is None:
        return False
    import _thread

    return _thread.get_ident() in module.PollLoop.threads


def installed_reactor() -> Any:
    """Return Twisted's reactor, or None if this process has loaded none."""
    return sys.modules.get(_REACTOR)


def reactor_has_stopped(reactor: Any) -> bool:
    """Return whether a reactor ran and has stopped. A stopped reactor never starts again.

    No public attribute says so; ``tests/test_waiting.py`` checks this one.
    """
    return bool(getattr(reactor, "_startedBefore", False)) and not reactor.running


#: What was loaded for a loop: an import statement takes as long as a short wait.
_loaded: dict[str, Any] = {}


def _asyncio() -> Loop | None:
    if "asyncio" not in _loaded:
        from . import asyncio_loop

        _loaded["asyncio"] = asyncio_loop
    found: Loop | None = _loaded["asyncio"].running_loop()
    return found


def _twisted() -> Loop:
    reactor = installed_reactor()
    if reactor_has_stopped(reactor):
        raise reactor_stopped()
    found: Loop | None = _loaded.get("twisted")
    if found is None or found.identity is not reactor:
        from .twisted_loop import TwistedLoop

        found = _loaded["twisted"] = TwistedLoop(reactor)
    return found


def reactor_stopped() -> SecretlyError:
    """The error of a wait in a reactor that has stopped."""
    return SecretlyError(
        "Twisted's reactor has stopped: secretly can't wait any more",
        "await the call while the reactor runs, before reactor.stop()",
    )
