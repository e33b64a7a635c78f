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
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from .errors import SecretlyError

if TYPE_CHECKING:
    import asyncio

    from twisted.internet.defer import Deferred

__all__ = [
    "CurrentLoop",
    "Loop",
    "NeedsLoop",
    "Request",
    "bounded",
    "in_place",
    "in_thread",
    "on",
    "readable",
    "resumed",
    "run",
    "running",
    "sleep",
]

T = TypeVar("T")
Settle = Callable[[Any], None]
Undo = Callable[[], None]
Done = Callable[[Any, "BaseException | None"], None]

#: How long :func:`run` waits in place, in seconds, before it loads an event loop:
#: long enough for a pinentry's handshake, too short for a person.
PATIENCE = 0.05


class Loop(Protocol):
    """What the requests need of an event loop."""

    @property
    def identity(self) -> object: ...
    def later(self, seconds: float, call: Callable[[], object]) -> Undo: ...
    def reader(self, descriptor: int, call: Callable[[], object]) -> Undo: ...
    def from_thread(self, call: Callable[[], object]) -> None: ...
    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo: ...
    def wait(self, request: Request[T]) -> Generator[Any, Any, T]: ...


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
            if isinstance(answer, _Outcome):
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


class _Outcome:
    def __init__(self, value: object) -> None:
        self.value = value


# -- the requests ----------------------------------------------------------------


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


class CurrentLoop(Request[Loop]):
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


# -- asyncio ---------------------------------------------------------------------


def _asyncio() -> Loop | None:
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
        import asyncio

        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:  # no need to wake it
                self._loop.call_soon(call)
                return
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

    def wait(self, request: Request[T]) -> Generator[Any, Any, T]:
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


def _twisted() -> Loop:
    return _Twisted()


#: How many waits may begin while a reactor stops, to tidy up: one that heeds no cancelling
#: would begin them without end.
_LATE = 50


class _Twisted:
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

    def wait(self, request: Request[T]) -> Generator[Any, Any, T]:
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
            return cast(T, (yield from cast(Any, deferred).__await__()))
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
                if not isinstance(request, Request):  # a Deferred, say
                    raise NeedsLoop
                outcome = _Outcome(request.here())
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
            if not isinstance(answer, _Outcome):  # it was handed over to a loop, or never was here
                return None
