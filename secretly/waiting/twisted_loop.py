"""Wait in Twisted's reactor."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .loop import Done, T, Undo, Waitable

__all__ = ["TwistedLoop"]

#: How many waits may begin while a reactor stops, for coroutines to clean up. A coroutine that
#: ignores cancellation would begin waits without end.
_WAITS_WHILE_STOPPING = 50


class TwistedLoop:
    """A :class:`~secretly.waiting.loop.Loop` over the installed reactor.

    :param installed: that reactor; None: Twisted installs its usual one.
    """

    #: How many waits have begun since a reactor began to stop, by the reactor's id. A reactor
    #: starts only once.
    _begun_while_stopping: ClassVar[dict[int, int]] = {}

    #: What waits in each reactor, by the reactor's id and its own, and the reactor's trigger.
    _waiting: ClassVar[dict[int, dict[int, Deferred[Any]]]] = {}
    _triggers: ClassVar[dict[int, Any]] = {}

    __slots__ = ("_reactor",)

    def __init__(self, installed: Any = None) -> None:
        if installed is None:
            from twisted.internet import reactor as installed
        self._reactor: Any = installed

    @property
    def identity(self) -> object:
        return self._reactor

    def call_later(self, seconds: float, call: Callable[[], object]) -> Undo:
        timer = self._reactor.callLater(seconds, call)
        return lambda: timer.cancel() if timer.active() else None

    def add_reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        watched = _Descriptor(descriptor, call, self._reactor)
        self._reactor.addReader(watched)
        return lambda: cast(None, self._reactor.removeReader(watched))

    def call_from_thread(self, call: Callable[[], object]) -> None:
        self._reactor.callFromThread(call)

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
        begun = self._count() < _WAITS_WHILE_STOPPING
        if begun:
            self._begin(deferred)
        undo = _nothing
        try:
            undo = request.arm(self, _Settle(deferred))
            return cast("T", (yield from cast(Any, deferred).__await__()))
        finally:
            undo()
            if begun:
                self._end(deferred)

    def _begin(self, waited: Deferred[Any]) -> None:
        """Cancel *waited* when the reactor stops, which would leave its coroutine waiting.

        The reactor finds a trigger by going through all of them. So all waits have one together.
        """
        waiting = self._waiting.setdefault(id(self._reactor), {})
        if not waiting:
            stop = self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)
            self._triggers[id(self._reactor)] = stop
        waiting[id(waited)] = waited

    def _end(self, waited: Deferred[Any]) -> None:
        waiting = self._waiting.get(id(self._reactor), {})
        if waiting.pop(id(waited), None) is not None and not waiting:
            self._reactor.removeSystemEventTrigger(self._triggers.pop(id(self._reactor)))

    def _stop(self) -> None:
        self._begun_while_stopping.setdefault(id(self._reactor), 0)
        self._triggers.pop(id(self._reactor))
        for waited in self._waiting.pop(id(self._reactor)).values():
            waited.cancel()

    def _count(self) -> int:
        """Count a wait that begins, if the reactor stops; return how many have begun since."""
        begun = self._begun_while_stopping.get(id(self._reactor), -1) + 1
        if begun:
            self._begun_while_stopping[id(self._reactor)] = begun
        return begun


class _Settle:
    """Settles a Deferred. Thousands may wait, and a nested function would be three objects."""

    __slots__ = ("_deferred",)

    def __init__(self, deferred: Deferred[Any]) -> None:
        self._deferred = deferred

    def __call__(self, value: Any) -> None:
        if not self._deferred.called:
            self._deferred.callback(value)


def _nothing() -> None:
    """Undo nothing: the wait did not begin."""


class _Descriptor:
    """A descriptor as the reactor takes it (``IReadDescriptor``, without importing that)."""

    def __init__(self, descriptor: int, call: Callable[[], object], reactor: Any) -> None:
        self._descriptor, self._call, self._reactor = descriptor, call, reactor

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._call()

    def connectionLost(self, reason: object) -> None:
        # A reactor that stops drops all descriptors. A coroutine that still waits then has ignored
        # cancellation: woken, it could try without end to wait again, and keep the process here.
        if self._reactor.running:
            self._call()

    def logPrefix(self) -> str:
        return "secretly"
