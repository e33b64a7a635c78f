"""One way of waiting for Twisted and for asyncio, and for neither.

Everything that waits in secretly awaits one of the requests below. A request
yields itself to whoever drives the coroutine, and the answer tells who that is:

- Twisted sends a yielded object that is no Deferred straight back;
- asyncio throws RuntimeError ('Task got bad yield') into the coroutine;
- :func:`run`, below, sends the request's outcome: it waits without any event loop
  for what comes at once, and loads Twisted for what does not.

Neither of the first two is documented; ``tests/test_eventloop.py`` holds both.
``asyncio.get_running_loop`` cannot tell: a coroutine that Twisted drives inside
a running asyncio program has a running loop, and is not asyncio's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import SecretlyError

if TYPE_CHECKING:
    from .loop import Loop, Settle, Undo

T = TypeVar("T")


#: How long :func:`run` waits in place, in seconds, before it loads an event loop:
#: long enough for a pinentry's handshake, too short for a person.
PATIENCE = 0.05


class Request(Awaitable[T]):
    """Something to wait for. Settles once, with a value."""

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        """Begin; call *settle* with the value when it is there. Return what undoes that."""
        raise NotImplementedError

    def here(self) -> T:
        """Wait in place, without an event loop, or raise :class:`NeedsLoop`."""
        raise NeedsLoop

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            answer = yield self
            if answer is None:  # handed over by run(): a new driver starts with None
                answer = yield self
        except RuntimeError:
            loop = _asyncio()
        else:
            if isinstance(answer, Outcome):
                return cast(T, answer.value)
            loop = _twisted() if answer is self else None
        if loop is None:
            raise SecretlyError(
                "secretly was awaited by something that is neither Twisted nor asyncio",
                "drive it with asyncio.run, twisted.internet.task.react or ensureDeferred",
            )
        return (yield from loop.wait(self))


class on(Awaitable[T]):
    """A request on a loop that is known already: who drives need not be found out again."""

    def __init__(self, loop: Loop, request: Request[T]) -> None:
        self._loop, self._request = loop, request

    def __await__(self) -> Generator[Any, Any, T]:
        return self._loop.wait(self._request)


class NeedsLoop(Exception):
    """It cannot be waited for in place."""


class Outcome:
    def __init__(self, value: object) -> None:
        self.value = value


class readable(Request[bool]):
    """Wait until a descriptor has something to read, or its end.

    :param descriptor: the file descriptor; it must stay open meanwhile.
    :param seconds: how long to wait at most.
    :returns: False if the time passed first.
    """

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.descriptor, self.seconds = descriptor, max(0.0, seconds)

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        stop_reading = loop.reader(self.descriptor, lambda: settle(True))
        # A loop may run its timers before it looks at its descriptors: what is there counts.
        stop_timer = loop.later(self.seconds, lambda: settle(self._ready(0)))

        def undo() -> None:
            stop_reading()
            stop_timer()

        return undo

    def _ready(self, seconds: float) -> bool:
        import select

        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def here(self) -> bool:
        if self._ready(min(PATIENCE, self.seconds)):
            return True
        if self.seconds <= PATIENCE:
            return False
        self.seconds -= PATIENCE
        raise NeedsLoop


class sleep(Request[None]):
    """Wait for a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        return loop.later(self.seconds, lambda: settle(None))

    def here(self) -> None:
        if self.seconds > 1:  # somebody may give it up
            raise NeedsLoop
        time.sleep(self.seconds)


class _Thread(Request[Any]):
    """A function in a daemon thread, which keeps no process from exiting.

    Settles with ``(value, error)``, or None if the time passed first; an answer
    that comes later, or to a loop that is closed, is dropped.
    """

    def __init__(self, function: Callable[[], Any], seconds: float) -> None:
        self.function, self.seconds = function, seconds

    def _start(self, done: Settle) -> None:
        import threading

        def work() -> None:
            try:
                done((self.function(), None))
            except Exception as error:
                done((None, error))

        threading.Thread(target=work, name="secretly", daemon=True).start()

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        self._start(lambda answer: loop.from_thread(lambda: settle(answer)))
        return loop.later(self.seconds, lambda: settle(None))

    def here(self) -> Any:
        import threading

        answers: list[Any] = []
        ready = threading.Event()

        def done(answer: Any) -> None:
            answers.append(answer)
            ready.set()

        self._start(done)
        return answers[0] if ready.wait(self.seconds) else None


async def in_thread(function: Callable[[], T], seconds: float) -> T:
    """Run a blocking function in a daemon thread.

    :param seconds: how long to wait for it at most.
    :raises TimeoutError: if the time passed; the thread is left behind, and its
        late answer is dropped.
    """
    found: T = await _outcome(_Thread(function, seconds))
    return found


async def bounded(function: Callable[[], T], seconds: float) -> T:
    """Run a blocking function that raises :class:`TimeoutError` itself after that many seconds.

    Where an event loop runs it has a daemon thread, as :func:`in_thread` gives it.
    """
    found: T = await _outcome(_Bounded(function, seconds))
    return found


async def _outcome(thread: _Thread) -> Any:
    answer = await thread
    if answer is None:
        raise TimeoutError
    value, error = answer
    if error is not None:
        raise error
    return value


class _Bounded(_Thread):
    """A function that ends by itself in time: without a loop it needs no thread."""

    def here(self) -> Any:
        try:
            return self.function(), None
        except Exception as error:
            return None, error


class CurrentLoop(Request["Loop"]):
    def arm(self, loop: Loop, settle: Settle) -> Undo:
        settle(loop)
        return lambda: None


def running() -> bool:
    """Whether an event loop runs here, as far as is known without loading one."""
    asyncio, reactor = (sys.modules.get(name) for name in ("asyncio", _REACTOR))
    here = asyncio is not None and asyncio._get_running_loop() is not None
    return here or bool(getattr(reactor, "running", False))


#: Where Twisted puts the reactor that is installed.
_REACTOR = "twisted.internet.reactor"


def _asyncio() -> Loop | None:
    import asyncio

    from .asyncio_loop import AsyncioLoop

    try:
        return AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        return None


def _twisted() -> Loop:
    from .twisted_loop import TwistedLoop

    return TwistedLoop()
