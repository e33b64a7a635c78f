"""Requests, and how they recognize the driver of a coroutine.

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

from ..errors import SecretlyError

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any, TypeVar

    from .answers import ThreadAnswer
    from .loop import Loop, Settle, Undo

    T = TypeVar("T")
else:

    class Awaitable:  # subclasses of that in collections.abc take long to make
        __slots__ = ()
        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = [
    "Blocking",
    "NeedsLoop",
    "Request",
    "Waited",
    "in_thread_if_needed",
    "installed_reactor",
    "loop_is_running",
    "outcome",
    "poll_loop_runs",
    "reactor_has_stopped",
    "reactor_stopped",
]

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


async def in_thread_if_needed(
    function: Callable[[], T], timeout: float, start: Callable[[Settle], object]
) -> T:
    """Run a blocking function in place, or in a daemon thread if an event loop runs.

    :param function: must itself raise :class:`TimeoutError` when the time has passed.
    :param timeout: how long it may take, in seconds.
    :param start: begins the same in a thread, and has it call its argument with the value and the
        error, one of which is None.
    :raises TimeoutError: if the time passed.
    """
    work = Blocking(function, timeout, start)
    if loop_is_running():
        work.begin()
    found: T = await outcome(work)
    return found


class Blocking(Request["Any"]):
    """A blocking function: in place, or in a thread where an event loop drives.

    It settles with ``(value, error)``, one of which is None; or with None if the time passed first.

    :param start: begins it in a thread, and has it call its argument with the value and the error.
    """

    _answer: ThreadAnswer | None = None

    def __init__(
        self, function: Callable[[], Any], timeout: float, start: Callable[[Settle], object]
    ) -> None:
        self._function, self._timeout, self._start = function, timeout, start

    def begin(self) -> ThreadAnswer:
        """Begin it in a thread, before it is known which loop drives the coroutine.

        asyncio says that in its next turn: after all other coroutines that start in this turn.
        """
        from . import answers

        self._answer = answers.ThreadAnswer()
        self._start(self._answer)
        return self._answer

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        (self._answer or self.begin()).deliver(loop, settle)
        return loop.call_later(self._timeout, lambda: settle(None))

    def wait_in_place(self) -> Any:
        try:
            return self._function(), None
        except Exception as error:
            return None, error


async def outcome(work: Blocking) -> Any:
    """Return what a blocking function returns, or raise its error.

    :raises TimeoutError: if the time passed.
    """
    answer = await work
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
