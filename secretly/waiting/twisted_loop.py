"""Waiting in Twisted's reactor."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .loop import Done, T, Undo, Waitable


#: How many waits may begin while a reactor stops, to tidy up: one that heeds no cancelling
#: would begin them without end.
_LATE = 50


class TwistedLoop:
    """The installed reactor."""

    #: How many have begun since a reactor began to stop, by its id: it starts only once.
    _late: ClassVar[dict[int, int]] = {}

    def __init__(self) -> None:
        from twisted.internet import reactor

        self._reactor: Any = reactor

    def later(self, seconds: float, call: Callable[[], object]) -> Undo:
        timer = self._reactor.callLater(seconds, call)
        return lambda: timer.cancel() if timer.active() else None

    def reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        watched = _Descriptor(descriptor, call)
        self._reactor.addReader(watched)
        return lambda: cast(None, self._reactor.removeReader(watched))

    def from_thread(self, call: Callable[[], object]) -> None:
        self._reactor.callFromThread(call)

    @property
    def identity(self) -> object:
        return self._reactor

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
        from twisted.internet.defer import Deferred

        deferred = Deferred.fromCoroutine(coroutine)
        deferred.addCallbacks(
            lambda value: done(value, None), lambda failure: done(None, failure.value)
        )
        return deferred.cancel

    def wait(self, request: Waitable[T]) -> Generator[Any, Any, T]:
        from twisted.internet.defer import Deferred

        deferred: Deferred[T] = Deferred()
        stopped: list[bool] = []

        def stop() -> None:
            stopped.append(True)
            self._late.setdefault(id(self._reactor), 0)
            deferred.cancel()

        late = self._late.get(id(self._reactor), -1) + 1
        if late:
            self._late[id(self._reactor)] = late
        trigger = None
        if late < _LATE:
            # A reactor that stops would leave the coroutine waiting for ever.
            trigger = self._reactor.addSystemEventTrigger("before", "shutdown", stop)

        def settle(value: T) -> None:
            if not deferred.called:
                deferred.callback(value)

        undo = request.arm(self, settle)
        try:
            return cast("T", (yield from cast(Any, deferred).__await__()))
        finally:
            undo()
            if trigger is not None and not stopped:
                self._reactor.removeSystemEventTrigger(trigger)


class _Descriptor:
    """A descriptor as the reactor wants it (``IReadDescriptor``, without the import)."""

    def __init__(self, descriptor: int, call: Callable[[], object]) -> None:
        self._descriptor, self._call = descriptor, call

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._call()

    def connectionLost(self, reason: object) -> None:
        self._call()

    def logPrefix(self) -> str:
        return "secretly"
