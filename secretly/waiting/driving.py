"""Drive a coroutine without an event loop, for as long as that works."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar, cast

from .requests import NeedsLoop, Outcome, Request

T = TypeVar("T")


class Interruptions(Protocol):
    """How :func:`run` learns of the signals that end a command.

    :ivar pending: true once a signal came.
    :ivar waiting: set while an exception may be raised by the signal's handler.
    :ivar cancel: set to what the handler may call instead.
    """

    pending: bool
    waiting: bool
    cancel: Callable[[], object] | None

    def check(self) -> None:
        """Raise what ends the command if a signal came."""


def drive(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
    """Drive *coroutine* to its end, without an event loop for as long as that goes.

    When it first waits for longer than a moment, Twisted's reactor is loaded and
    takes over: it starts, runs this one coroutine, and stops. Only one call in a
    process can get that far, for a reactor does not start twice.
    """
    try:
        request = coroutine.send(None)
        while True:
            try:
                interruptions.waiting = True
                interruptions.check()
                if not isinstance(request, Request):  # a Deferred, say
                    raise NeedsLoop
                outcome = Outcome(request.here())
            except NeedsLoop:
                break
            finally:
                interruptions.waiting = False
            request = coroutine.send(outcome)
    except StopIteration as stop:
        return cast(T, stop.value)
    except BaseException:
        coroutine.close()
        raise
    return _run_in_twisted(coroutine, interruptions)


def _run_in_twisted(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred

    reactor: Any = installed
    outcome: list[tuple[Any, BaseException | None]] = []

    async def work() -> None:
        try:
            outcome.append((await _Resumed(coroutine), None))
        except BaseException as error:
            outcome.append((None, error))
        reactor.callWhenRunning(reactor.stop)

    def begin() -> None:
        deferred = Deferred.fromCoroutine(work())
        interruptions.cancel = lambda: reactor.callFromThread(deferred.cancel)
        if interruptions.pending:
            deferred.cancel()

    reactor.callWhenRunning(begin)
    # Signal handlers are the command's own: the reactor's would lose what was
    # ignored at the start, which the command that follows is to find as it was.
    reactor.run(installSignalHandlers=False)
    interruptions.cancel = None
    value, error = outcome[0]
    if error is not None:
        raise error
    return cast(T, value)


class _Resumed(Awaitable[T]):
    """A coroutine that was started already, to be awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()


async def resumed(coroutine: Coroutine[Any, Any, T]) -> T:
    """Go on with a coroutine that was started already."""
    return await _Resumed(coroutine)


class in_place(Awaitable["tuple[T | None, BaseException | None] | None"]):
    """A coroutine inside one that :func:`run` drives, for as long as that needs no event loop.

    Gives the value and the error that it ended with; or None, if it is to be :func:`resumed`
    in an event loop.

    :param check: is called before each wait, and raises if the coroutine is to be given up.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], check: Callable[[], None]) -> None:
        self._coroutine, self._check = coroutine, check

    def __await__(self) -> Generator[Any, Any, tuple[T | None, BaseException | None] | None]:
        answer: object = None
        while True:
            try:
                request = self._coroutine.send(answer)
            except StopIteration as stop:
                return stop.value, None
            except BaseException as error:
                return None, error
            if not isinstance(request, Request):
                return None
            try:
                self._check()
                answer = yield request
            except BaseException:
                with contextlib.suppress(RuntimeError):  # it waits again: it is left behind
                    self._coroutine.close()
                raise
            if not isinstance(answer, Outcome):  # it was handed over to a loop, or never was here
                return None
