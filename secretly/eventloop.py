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

import contextlib
import select
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Hashable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from .errors import SecretlyError

if TYPE_CHECKING:
    import asyncio

    from twisted.internet.defer import Deferred

__all__ = ["Shared", "Turns", "in_thread", "readable", "run", "sleep", "together"]

T = TypeVar("T")
Settle = Callable[[Any], None]
Undo = Callable[[], None]
Done = Callable[[Any, "BaseException | None"], None]

#: How long :func:`run` waits in place, in seconds, before it loads an event loop:
#: long enough for a pinentry's handshake, too short for a person.
PATIENCE = 0.05


class _Loop(Protocol):
    """What the requests need of an event loop."""

    @property
    def identity(self) -> object: ...
    def later(self, seconds: float, call: Callable[[], object]) -> Undo: ...
    def reader(self, descriptor: int, call: Callable[[], object]) -> Undo: ...
    def from_thread(self, call: Callable[[], object]) -> None: ...
    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo: ...
    def wait(self, request: _Request[T]) -> Generator[Any, Any, T]: ...


class _Request(Awaitable[T]):
    """Something to wait for. Settles once, with a value."""

    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        """Begin; call *settle* with the value when it is there. Return what undoes that."""
        raise NotImplementedError

    def here(self) -> T:
        """Wait in place, without an event loop, or raise :class:`_NeedsLoop`."""
        raise _NeedsLoop

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            answer = yield self
            if answer is None:  # handed over by run(): a new driver starts with None
                answer = yield self
        except RuntimeError:
            loop = _asyncio()
        else:
            if isinstance(answer, _Outcome):
                return cast(T, answer.value)
            loop = _twisted() if answer is self else None
        if loop is None:
            raise SecretlyError(
                "secretly was awaited by something that is neither Twisted nor asyncio",
                "drive it with asyncio.run, twisted.internet.task.react or ensureDeferred",
            )
        return (yield from loop.wait(self))


class _NeedsLoop(Exception):
    """It cannot be waited for in place."""


class _Outcome:
    def __init__(self, value: object) -> None:
        self.value = value


# -- the requests ----------------------------------------------------------------


class readable(_Request[bool]):
    """Wait until a descriptor has something to read, or its end.

    :param descriptor: the file descriptor; it must stay open meanwhile.
    :param seconds: how long to wait at most.
    :returns: False if the time passed first.
    """

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.descriptor, self.seconds = descriptor, max(0.0, seconds)

    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        stop_reading = loop.reader(self.descriptor, lambda: settle(True))
        stop_timer = loop.later(self.seconds, lambda: settle(False))

        def undo() -> None:
            stop_reading()
            stop_timer()

        return undo

    def here(self) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        if poll.poll(min(PATIENCE, self.seconds) * 1000):
            return True
        if self.seconds <= PATIENCE:
            return False
        self.seconds -= PATIENCE
        raise _NeedsLoop


class sleep(_Request[None]):
    """Wait for a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        return loop.later(self.seconds, lambda: settle(None))

    def here(self) -> None:
        time.sleep(self.seconds)


class _Thread(_Request[Any]):
    """A function in a daemon thread, which keeps no process from exiting.

    Settles with ``(value, error)``, or None if the time passed first; an answer
    that comes later, or to a loop that is closed, is dropped.
    """

    def __init__(self, function: Callable[[], Any], seconds: float) -> None:
        self.function, self.seconds = function, seconds

    def _start(self, done: Settle) -> None:
        def work() -> None:
            try:
                done((self.function(), None))
            except Exception as error:
                done((None, error))

        threading.Thread(target=work, name="secretly", daemon=True).start()

    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        self._start(lambda answer: loop.from_thread(lambda: settle(answer)))
        return loop.later(self.seconds, lambda: settle(None))

    def here(self) -> Any:
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
    answer = await _Thread(function, seconds)
    if answer is None:
        raise TimeoutError
    value, error = answer
    if error is not None:
        raise error
    return cast(T, value)


class _Signal(_Request[None]):
    """Wait until :meth:`send` was called, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = False
        self._wake: Callable[[], None] | None = None

    def send(self) -> None:
        with self._lock:
            self._sent = True
            wake = self._wake
        if wake is not None:
            wake()

    @property
    def sent(self) -> bool:
        return self._sent

    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        with self._lock:
            self._wake = lambda: loop.from_thread(lambda: settle(None))
            sent = self._sent
        if sent:
            settle(None)
        return lambda: None

    def here(self) -> None:
        if not self._sent:
            raise _NeedsLoop


class _CurrentLoop(_Request[_Loop]):
    def arm(self, loop: _Loop, settle: Settle) -> Undo:
        settle(loop)
        return lambda: None


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Run coroutines at the same time and return their results in order.

    The first error cancels the others, and is raised when they have tidied up.
    """
    if len(coroutines) < 2:
        return [await coroutine for coroutine in coroutines]
    change, errors = _Signal(), cast("list[BaseException]", [])

    def finished(task: _Task[T]) -> None:
        if task.error is not None:
            errors.append(task.error)
        if errors or all(t.done for t in tasks):
            change.send()

    tasks = [_Task(coroutine, finished) for coroutine in coroutines]
    try:
        loop = await _CurrentLoop()
        for task in tasks:
            task.start(loop)
        await change
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        await task
    if errors:
        raise errors[0]
    return [cast(T, task.value) for task in tasks]


class _Task(Generic[T]):
    """A coroutine of its own in the loop, whose outcome is kept."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], finished: Callable[[_Task[T]], None]
    ) -> None:
        self._coroutine, self._finished = coroutine, finished
        self._over = _Signal()
        self._cancel: Undo | None = None
        self.value: T | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self._over.sent

    def start(self, loop: _Loop) -> None:
        self._cancel = loop.start(self._coroutine, self._done)

    def _done(self, value: T | None, error: BaseException | None) -> None:
        self.value, self.error = value, error
        self._over.send()
        self._finished(self)

    def cancel(self) -> None:
        if self._cancel is None:
            self._coroutine.close()
        elif not self.done:
            self._cancel()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._over.__await__()


class Shared(Generic[T]):
    """One piece of work for many who want the same at the same time.

    The first starts it, the others in the same event loop join; when the last
    of them is cancelled, so is the work, and it has tidied up before the
    cancellation goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[_Task[T], list[_Signal]]] = {}

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the outcome of ``work()``, or of one that runs already for *key*."""
        loop = await _CurrentLoop()
        key = (loop.identity, key)
        mine = _Signal()
        if key in self._running:
            task, waiters = self._running[key]
            waiters.append(mine)
        else:
            waiters = [mine]

            def finished(task: _Task[T]) -> None:
                if self._running.get(key, (None,))[0] is task:
                    del self._running[key]
                for waiter in waiters:
                    waiter.send()

            task = _Task(work(), finished)
            self._running[key] = task, waiters
            task.start(loop)
        try:
            await mine
        except BaseException as error:
            waiters.remove(mine)
            if not waiters and not task.done:
                del self._running[key]
                task.cancel()
                if not isinstance(error, GeneratorExit):
                    await task
            raise
        if task.error is not None:
            raise task.error
        return cast(T, task.value)


class Turns:
    """A lock that coroutines of any loop in any thread take one after another.

    One that was left behind in a loop that is closed neither keeps it nor gets it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: _Turn | None = None
        self._waiting: list[_Turn] = []

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it until the end of the block."""
        turn = _Turn()
        with self._lock:
            if self._holder is None or self._holder.abandoned():
                self._holder = turn
            else:
                self._waiting.append(turn)
        try:
            if self._holder is not turn:
                await turn.given
            yield
        finally:
            self._give_back(turn)

    def _give_back(self, turn: _Turn) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if self._holder is not turn:
                return
            waiting = [other for other in self._waiting if not other.abandoned()]
            self._holder = following = waiting.pop(0) if waiting else None
            self._waiting = waiting
        if following is not None:
            following.given.send()


class _Turn:
    """A wish to have the turn, and the asyncio loop that it is of, if of any."""

    def __init__(self) -> None:
        self.given = _Signal()
        asyncio = sys.modules.get("asyncio")
        self._loop = asyncio._get_running_loop() if asyncio is not None else None

    def abandoned(self) -> bool:
        return self._loop is not None and self._loop.is_closed()


# -- asyncio ---------------------------------------------------------------------


def _asyncio() -> _Loop | None:
    import asyncio

    try:
        return _Asyncio(asyncio.get_running_loop())
    except RuntimeError:
        return None


class _Asyncio:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def later(self, seconds: float, call: Callable[[], object]) -> Undo:
        return self._loop.call_later(seconds, call).cancel

    def reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        self._loop.add_reader(descriptor, call)
        return lambda: cast(None, self._loop.remove_reader(descriptor))

    def from_thread(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call)

    @property
    def identity(self) -> object:
        return self._loop

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
        import asyncio

        def finished(task: asyncio.Task[Any]) -> None:
            if task.cancelled():
                done(None, asyncio.CancelledError())
            elif error := task.exception():
                done(None, error)
            else:
                done(task.result(), None)

        task = self._loop.create_task(coroutine)
        task.add_done_callback(finished)
        return lambda: cast(None, task.cancel())

    def wait(self, request: _Request[T]) -> Generator[Any, Any, T]:
        future = self._loop.create_future()

        def settle(value: T) -> None:
            if not future.done():
                future.set_result(value)

        undo = request.arm(self, settle)
        try:
            return cast(T, (yield from future))
        finally:
            undo()


# -- Twisted ---------------------------------------------------------------------


def _twisted() -> _Loop:
    return _Twisted()


class _Twisted:
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

    def wait(self, request: _Request[T]) -> Generator[Any, Any, T]:
        from twisted.internet.defer import Deferred

        deferred: Deferred[T] = Deferred()
        stopped: list[bool] = []

        def stop() -> None:
            stopped.append(True)
            deferred.cancel()

        # A reactor that stops would leave the coroutine waiting for ever.
        trigger = self._reactor.addSystemEventTrigger("before", "shutdown", stop)

        def settle(value: T) -> None:
            if not deferred.called:
                deferred.callback(value)

        undo = request.arm(self, settle)
        try:
            return cast(T, (yield from cast(Any, deferred).__await__()))
        finally:
            undo()
            if not stopped:
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


# -- neither ---------------------------------------------------------------------


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


def run(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
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
                outcome = _Outcome(request.here())
            except _NeedsLoop:
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
