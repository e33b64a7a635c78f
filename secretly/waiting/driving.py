"""Drive a coroutine without an event loop for as long as that works, then with Twisted.

Most runs of the command never need an event loop, and loading one takes longer than all that they
do. So the command drives its coroutine itself: each request that the coroutine yields waits in
place. The first one that can't is left to Twisted's reactor.
"""

from __future__ import annotations

from .requests import NeedsLoop, Request, Waited

__all__ = ["drive", "drive_in_place", "resume", "run_in_place"]

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")

    class Interruptions(Protocol):
        """How :func:`drive` learns of the signals that end a command.

        :ivar pending: whether a signal came.
        :ivar waiting: set while the signal's handler may raise an exception.
        :ivar cancel: set to what the handler calls instead.
        """

        pending: bool
        waiting: bool
        cancel: Callable[[], object] | None

        def check(self) -> None:
            """Raise what ends the command, if a signal came."""

else:
    from _collections_abc import Awaitable  # loaded already; collections is not


def drive(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
    """Drive *coroutine* to its end, and return its value.

    When it first waits for longer than a moment, Twisted's reactor is loaded and takes over: it
    starts, runs this one coroutine, and stops. Only one call in a process can get that far, as a
    reactor does not start twice.
    """
    done, returned = _advance(coroutine, interruptions)
    if not done:
        return _run_in_twisted(coroutine, interruptions)
    value: T = returned
    return value


def drive_in_place(
    coroutine: Coroutine[Any, Any, T], interruptions: Interruptions, otherwise: T
) -> T:
    """Drive *coroutine* for as long as it needs no event loop, and return its value.

    It can be called before :func:`drive`, as it never starts the reactor.

    :param otherwise: the value if it would need an event loop: then it is given up.
    """
    done, returned = _advance(coroutine, interruptions)
    if not done:
        coroutine.close()
        return otherwise
    value: T = returned
    return value


def _advance(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> tuple[bool, Any]:
    """Drive *coroutine* to its end, or until it needs an event loop.

    :returns: whether it came to its end, and its value.
    """
    try:
        request = coroutine.send(None)
        while True:
            try:
                interruptions.waiting = True
                interruptions.check()
                if not isinstance(request, Request):  # a Deferred, for example
                    raise NeedsLoop
                outcome = Waited(request.wait_in_place())
            except NeedsLoop:
                return False, None
            finally:
                interruptions.waiting = False
            request = coroutine.send(outcome)
    except StopIteration as stop:
        return True, stop.value
    except BaseException:
        coroutine.close()
        raise


def _run_in_twisted(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred

    reactor: Any = installed
    outcome: list[tuple[Any, BaseException | None]] = []

    async def work() -> None:
        try:
            outcome.append((await resume(coroutine), None))
        except BaseException as error:
            outcome.append((None, error))
        reactor.callWhenRunning(reactor.stop)

    def begin() -> None:
        deferred = Deferred.fromCoroutine(work())
        interruptions.cancel = lambda: reactor.callFromThread(deferred.cancel)
        if interruptions.pending:
            deferred.cancel()

    reactor.callWhenRunning(begin)
    # Signal handlers are the command's own. The reactor's would change signals that were ignored
    # at the start, and the command that runs next must find them as they were.
    reactor.run(installSignalHandlers=False)
    interruptions.cancel = None
    value: T
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


async def resume(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that was started already."""
    return await _Resumed(coroutine)


class _Resumed(Awaitable["T"]):
    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()


def run_in_place(
    coroutine: Coroutine[Any, Any, T], check: Callable[[], None]
) -> Awaitable[tuple[T | None, BaseException | None] | None]:
    """Run a coroutine inside one that :func:`drive` drives, as long as no event loop is needed.

    :param check: is called before each wait, and raises if the coroutine must be given up.
    :returns: the value and the error that the coroutine ended with; or None if it needs an event
        loop; there it must be passed to :func:`resume`.
    """
    return _InPlace(coroutine, check)


class _InPlace(Awaitable["tuple[T | None, BaseException | None] | None"]):
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
                try:
                    self._coroutine.close()
                except RuntimeError:  # it waits again: leave it behind
                    pass
                raise
            if not isinstance(answer, Waited):  # an event loop drives now
                return None
