"""Run coroutines at the same time, and for a limited time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .driving import in_place, resumed
from .events import Event, EventWithin
from .requests import CurrentLoop, on, running

if TYPE_CHECKING:
    from .loop import Loop, Undo

T = TypeVar("T")


async def gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Run coroutines at the same time and return their results in order.

    The first error cancels the others, and is raised when they have tidied up.
    """
    if len(coroutines) < 2:
        return [await coroutine for coroutine in coroutines]
    change, errors = Event(), cast("list[BaseException]", [])

    def finished(task: Task[T]) -> None:
        if task.error is not None:
            errors.append(task.error)
        if errors or all(t.done for t in tasks):
            change.send()

    tasks = [Task(coroutine, finished) for coroutine in coroutines]
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


class Task(Generic[T]):
    """A coroutine of its own in the loop, whose outcome is kept."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], finished: Callable[[Task[T]], None]
    ) -> None:
        self._coroutine, self._finished = coroutine, finished
        self._over = Event()
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


async def run_with_deadline(
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
    over = Event()
    task = Task(resumed(work) if here else work, lambda _: over.send())
    task.start(loop)
    try:
        while not task.done:
            clock.check()
            await on(loop, EventWithin(over, clock.left()))
    except BaseException as error:
        task.cancel()
        if not isinstance(error, GeneratorExit):
            await on(loop, EventWithin(over, _TIDYING))
        raise
    return task.value, task.error
