"""Coroutines beside one another: together, in turns, or one for many who want the same."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Hashable, Iterator
from typing import Any, Generic, TypeVar, cast

from .errors import PromptTimeout
from .eventloop import (
    CurrentLoop,
    Loop,
    NeedsLoop,
    Request,
    Settle,
    Undo,
    in_place,
    on,
    resumed,
    running,
)

__all__ = ["Clock", "Overdue", "Shared", "Turns", "limited", "together"]

T = TypeVar("T")


class _Signal(Request[None]):
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

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        with self._lock:
            self._wake = lambda: loop.from_thread(lambda: settle(None))
            sent = self._sent
        if sent:
            settle(None)
        return lambda: None

    def here(self) -> None:
        if not self._sent:
            raise NeedsLoop


class _Within(Request[bool]):
    """Wait for a signal for so many seconds at most; None: for as long as it takes.

    Settles with False if the time passed first.
    """

    def __init__(self, signal: _Signal, seconds: float | None) -> None:
        self._signal, self._seconds = signal, seconds

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        undo: Undo = lambda: None  # noqa: E731
        if self._seconds is not None:
            undo = loop.later(max(0.0, self._seconds), lambda: settle(self._signal.sent))
        self._signal.arm(loop, lambda _: settle(True))
        return undo

    def here(self) -> bool:
        self._signal.here()
        return True


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
        loop = await CurrentLoop()
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

    def start(self, loop: Loop) -> None:
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


class Overdue(Exception):
    """The clock has run out."""


class Clock:
    """A time in seconds, which stands still while somebody else is waited for."""

    def __init__(self, seconds: float = float("inf")) -> None:
        self._end, self._still = time.monotonic() + seconds, 0

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Have it stand still until the end of the block."""
        started = time.monotonic()
        self._still += 1
        try:
            yield
        finally:
            self._still -= 1
            self._end += time.monotonic() - started

    def left(self) -> float:
        """How much is left; while it stands still, when to look again."""
        left = self._end - time.monotonic()
        return max(left, 1.0) if self._still else left

    def check(self) -> None:
        """Raise :class:`Overdue` if nothing is left."""
        if self.left() <= 0:
            raise Overdue


#: How long, in seconds, work that was given up has to tidy up: it may not heed that at all.
_TIDYING = 2.0


async def limited(
    work: Coroutine[Any, Any, T], clock: Clock
) -> tuple[T | None, BaseException | None]:
    """Do another's work; return the value or the error that it ended with.

    What is raised is never the work's own: that it was given up, or that whoever waits for
    it was cancelled. Where no event loop runs yet, none is loaded for it.

    :raises Overdue: when the clock has run out; the work was cancelled.
    """
    here = not running()
    if here and (ended := await in_place(work, clock.check)) is not None:
        return ended
    try:
        loop = await CurrentLoop()
    except BaseException:
        work.close()
        raise
    over = _Signal()
    task = _Task(resumed(work) if here else work, lambda _: over.send())
    task.start(loop)
    try:
        while not task.done:
            clock.check()
            await on(loop, _Within(over, clock.left()))
    except BaseException as error:
        task.cancel()
        if not isinstance(error, GeneratorExit):
            await on(loop, _Within(over, _TIDYING))
        raise
    return task.value, task.error


class Shared(Generic[T]):
    """One piece of work for many who want the same at the same time.

    The first starts it, the others in the same event loop join; when the last
    of them is cancelled or has waited long enough, the work is cancelled, and it
    has tidied up before that goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[_Task[T], list[_Signal]]] = {}

    async def do(
        self,
        key: Hashable,
        work: Callable[[], Coroutine[Any, Any, T]],
        seconds: float | None = None,
    ) -> T:
        """Return the outcome of ``work()``, or of one that runs already for *key*.

        :param seconds: how long one that joins waits at most; whoever starts the work
            waits for as long as that takes.
        :raises PromptTimeout: if that passed.
        """
        loop = await CurrentLoop()
        key = (loop.identity, key)
        mine = _Signal()
        if key in self._running:
            task, waiters = self._running[key]
            waiters.append(mine)
        else:
            waiters, seconds = [mine], None

            def finished(task: _Task[T]) -> None:
                if self._running.get(key, (None,))[0] is task:
                    del self._running[key]
                for waiter in waiters:
                    waiter.send()

            task = _Task(work(), finished)
            self._running[key] = task, waiters
            task.start(loop)
        try:
            if not await on(loop, _Within(mine, seconds)):
                raise PromptTimeout(
                    f"a prompt that was shown already was not answered within {seconds:g} s",
                    "answer it, or allow more time",
                )
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
    async def one(self, seconds: float | None = None) -> AsyncIterator[None]:
        """Wait for the turn, and have it until the end of the block.

        :param seconds: how long to wait for it; None: as long as those before it take.
        :raises PromptTimeout: if it did not come in that time.
        """
        turn = _Turn()
        with self._lock:
            if self._holder is None or self._holder.abandoned():
                self._holder = turn
            else:
                self._waiting.append(turn)
        try:
            if self._holder is not turn and not await _Within(turn.given, seconds):
                raise PromptTimeout(
                    f"the prompts before this one were not answered within {seconds:g} s",
                    "answer them, or allow more time",
                )
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
