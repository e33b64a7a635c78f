"""Wait in the command's own event loop, which is made of ``poll`` and little else.

Twisted takes twice the memory of the command, and a user may read a question for minutes. A
coroutine that awaits a Deferred needs Twisted all the same: then this loop's timers and readers
move to the reactor, which runs until the command's coroutine ends.
"""

from __future__ import annotations

import _thread  # threading takes longer to load
import os
import sys
import time

from .blocks import suppress
from .request import Request, Waited, reactor_stopped

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Generator
    from typing import Any, ClassVar, TypeVar

    from .loop import Done, Interruptions, Loop, Undo, Waitable

    T = TypeVar("T")

    #: How a coroutine goes on: its ``send`` or its ``throw``; and with what.
    Step = Callable[[Any], object]
    Next = tuple[Step, object]
    Go = Callable[[Step, object], None]

__all__ = ["PollLoop", "WaitCancelled"]

#: The longest wait without a look at the timers, in seconds: ``poll`` takes a limited number.
_LONGEST = 3600.0


class WaitCancelled(BaseException):
    """The coroutine is cancelled. Not an Exception, so nothing handles it by mistake."""


class PollLoop:
    """A :class:`~secretly.waiting.loop.Loop` for one coroutine and the tasks that it starts."""

    #: The threads that run such a loop now.
    threads: ClassVar[set[int]] = set()

    _woken = _waking = -1

    def __init__(self) -> None:
        self._timers: dict[object, tuple[float, Callable[[], object]]] = {}
        self._readers: dict[object, tuple[int, Callable[[], object]]] = {}
        self._calls: list[Callable[[], object]] = []
        self._tasks: dict[_Task, None] = {}
        self._needs_twisted = False
        self._twisted: Loop | None = None
        self._stop: Callable[[], object] = _nothing
        self._moved: dict[object, Undo] = {}
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)
        self.add_reader(self._woken, self._make_calls)

    def __del__(self) -> None:
        # Not before: a thread may call late, when another file could have the same descriptor.
        for descriptor in (self._woken, self._waking):
            if descriptor >= 0:
                os.close(descriptor)

    @property
    def identity(self) -> object:
        return self

    def call_later(self, seconds: float, call: Callable[[], object]) -> Undo:
        if self._twisted is not None:
            return self._twisted.call_later(seconds, call)
        timer = object()
        self._timers[timer] = time.monotonic() + seconds, call
        return lambda: self._drop(timer)

    def add_reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        if self._twisted is not None:
            return self._twisted.add_reader(descriptor, call)
        reader = object()
        self._readers[reader] = descriptor, call
        return lambda: self._drop(reader)

    def _drop(self, what: object) -> None:
        self._timers.pop(what, None)
        self._readers.pop(what, None)
        if undo := self._moved.pop(what, None):
            undo()

    def call_from_thread(self, call: Callable[[], object]) -> None:
        # Without a lock, because a signal handler may call while one is held.
        self._calls.append(call)
        with suppress(BlockingIOError):  # it is full, so it wakes the loop anyway
            os.write(self._waking, b"\0")

    def _make_calls(self) -> None:
        os.read(self._woken, 4096)
        for _ in range(len(self._calls)):
            self._calls.pop(0)()

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
        def ended(value: Any, error: BaseException | None) -> None:
            self._tasks.pop(task)
            done(value, error)

        task = _Task(self, coroutine, ended)
        self._tasks[task] = None
        task.go_on(coroutine.send, None)
        return task.cancel

    def wait(self, request: Waitable[T]) -> Generator[Any, Any, T]:
        answer = yield request
        value: T = answer.value
        return value

    def run(self, coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
        """Run a coroutine to its end, and return its value; a signal cancels it.

        :param coroutine: it may have been started, and then waits for a request.
        """
        outcome: list[tuple[Any, BaseException | None]] = []
        thread = _thread.get_ident()

        def over(*ended: Any) -> None:
            outcome.append(ended)
            self._stop()

        self.threads.add(thread)
        try:
            cancel = self.start(coroutine, over)
            interruptions.cancel = lambda: self.call_from_thread(cancel)
            if interruptions.pending:
                cancel()
            while not outcome and not self._needs_twisted:
                self._turn()
            if not outcome:
                self._run_in_twisted(outcome)
        finally:
            interruptions.cancel = None
            self.threads.discard(thread)
            for task in list(self._tasks):
                task.close()
            self._readers.clear()
        value: T
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def _turn(self) -> None:
        """Wait until something happens, and make its calls."""
        soonest = min((when for when, _ in self._timers.values()), default=float("inf"))
        left = min(max(0.0, soonest - time.monotonic()), _LONGEST)
        found = _readable({descriptor for descriptor, _ in self._readers.values()}, left)
        for reader, (descriptor, call) in list(self._readers.items()):
            if descriptor in found and reader in self._readers:
                call()
        now = time.monotonic()
        due = [(when, timer) for timer, (when, _) in self._timers.items() if when <= now]
        for _, timer in sorted(due, key=lambda pair: pair[0]):
            if timer in self._timers:
                self._timers.pop(timer)[1]()

    def need_twisted(self) -> None:
        """Go on in Twisted's reactor."""
        self._needs_twisted = True

    def _run_in_twisted(self, outcome: list[tuple[Any, BaseException | None]]) -> None:
        from twisted.internet import reactor as installed

        from .twisted_loop import TwistedLoop

        reactor: Any = installed
        self._twisted = loop = TwistedLoop()
        now = time.monotonic()
        for timer, (when, call) in self._timers.items():
            self._moved[timer] = loop.call_later(max(0.0, when - now), call)
        for reader, (descriptor, call) in self._readers.items():
            self._moved[reader] = loop.add_reader(descriptor, call)
        self._stop = lambda: reactor.callWhenRunning(reactor.stop)
        # Signal handlers are the command's own. The reactor's would change signals that were
        # ignored at the start, and the command that runs next must find them as they were.
        reactor.run(installSignalHandlers=False)
        if not outcome:
            raise reactor_stopped()


class _Task:
    """A coroutine in the loop.

    :param ended: is called with the value and the error at its end.
    """

    def __init__(self, loop: PollLoop, coroutine: Coroutine[Any, Any, Any], ended: Done) -> None:
        self._loop, self._coroutine, self._ended = loop, coroutine, ended
        self._runs, self._over = False, False
        self._wait: object = None
        self._undo: Undo = _nothing

    def go_on(self, step: Step, value: object) -> None:
        """Run the coroutine until it waits for something that has not happened, or ends.

        :param step: how it goes on: its ``send`` or its ``throw``.
        """
        while True:
            self._runs = True
            try:
                asked = step(value)
            except StopIteration as stop:
                self._over = True
                return self._ended(stop.value, None)
            except BaseException as error:
                self._over = True
                return self._ended(None, error)
            finally:
                self._runs = False
            happened = self._wait_for(asked)
            if happened is None:
                return None
            step, value = happened

    def _wait_for(self, asked: object) -> Next | None:
        """Wait for what the coroutine has yielded.

        :returns: how the coroutine goes on, if that has happened already.
        """
        send, throw = self._coroutine.send, self._coroutine.throw
        if isinstance(asked, Request):
            return self._begin(lambda settle: self._arm(asked, settle))
        defer: Any = sys.modules.get("twisted.internet.defer")
        if defer is None or not isinstance(asked, defer.Deferred):
            return send, asked  # as Twisted does; a Future of asyncio's raises an error then
        deferred: Any = asked

        def arm(settle: Go) -> Undo:
            deferred.addCallbacks(
                lambda value: settle(send, value), lambda failure: settle(throw, failure.value)
            )
            return lambda: deferred.cancel()

        happened = self._begin(arm)
        if happened is None:
            self._loop.need_twisted()
        return happened

    def _arm(self, request: Request[Any], settle: Go) -> Undo:
        send = self._coroutine.send
        try:
            return request.arm(self._loop, lambda value: settle(send, Waited(value)))
        except Exception as error:  # not thrown: asyncio throws RuntimeError into each request
            settle(send, Waited(error=error))
            return _nothing

    def _begin(self, arm: Callable[[Go], Undo]) -> Next | None:
        """Begin to wait for what calls *arm*'s argument when it has happened."""
        happened: list[Next] = []
        begun, wait = False, object()

        def settle(step: Step, value: object) -> None:
            if self._wait is not wait:
                return
            self._wait = None
            if begun:
                self._undo()
                self.go_on(step, value)
            else:
                happened.append((step, value))

        self._wait = wait
        self._undo = arm(settle)
        begun = True
        if not happened:
            return None
        self._undo()
        return happened[0]

    def cancel(self) -> None:
        """Raise :class:`WaitCancelled` where it waits, or what a Deferred raises there."""
        if self._over:
            return
        if self._runs:
            self._loop.call_from_thread(self.cancel)
            return
        wait = self._wait
        self._undo()
        if self._wait is wait:
            self._wait = None
            self.go_on(self._coroutine.throw, WaitCancelled())

    def close(self) -> None:
        """Close the coroutine. One that waits again is left behind."""
        self._wait = None
        self._undo()
        with suppress(BaseException):  # it may be other people's code
            self._coroutine.close()


def _readable(descriptors: Collection[int], seconds: float) -> Collection[int]:
    """Wait until some of these can be read, or the time has passed; return them."""
    import select

    if sys.platform == "darwin":  # poll(2) says that it does not support devices, as terminals are
        return select.select(descriptors, [], [], seconds)[0]
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(seconds * 1000)]


def _nothing() -> None:
    """Undo nothing, and stop nothing."""
