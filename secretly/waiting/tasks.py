"""Run coroutines at the same time, and for a limited time."""

from __future__ import annotations

import time

from ..errors import PromptTimeout, SecretlyError
from .blocks import contextmanager
from .events import Event
from .request import Request, Waited, loop_is_running
from .requests import CurrentLoop, on_loop

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
    from typing import Any, Generic, TypeVar

    from .loop import Loop, Undo

    T = TypeVar("T")
else:
    from .request import Awaitable

    Generic = Awaitable  # any base that takes a type

__all__ = ["CLEANING_UP", "Clock", "Overdue", "Task", "bounded", "gather", "run_with_deadline"]


async def gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Run coroutines at the same time and return their results in order.

    The first error cancels the others, and is raised when they have cleaned up.
    """
    if len(coroutines) < 2:
        return [await coroutine for coroutine in coroutines]
    change = Event()
    errors: list[BaseException] = []

    def finished(task: Task[T]) -> None:
        if task.error is not None:
            errors.append(task.error)
        if errors or all(t.done for t in tasks):
            change.set()

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
    values: list[Any] = [task.value for task in tasks]
    return values


class Task(Generic["T"]):
    """A coroutine of its own in the loop; awaiting the task waits for its end.

    :param finished: is called with the task at its end.
    :ivar value: what the coroutine returned.
    :ivar error: what the coroutine raised, or None.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], finished: Callable[[Task[T]], None]
    ) -> None:
        self._coroutine, self._finished = coroutine, finished
        self._ended = Event()
        self._cancel: Undo | None = None
        self.value: T | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._ended.is_set

    def start(self, loop: Loop) -> None:
        """Start the coroutine in a loop."""
        self._cancel = loop.start(self._coroutine, self._done)

    def _done(self, value: T | None, error: BaseException | None) -> None:
        self.value, self.error = value, error
        self._ended.set()
        finished = self._finished
        del self._finished  # it may refer to this task, which would keep the value in memory
        finished(self)

    def ended(self, timeout: float) -> Request[bool]:
        """Return a request that gives False if the coroutine does not end in time."""
        return self._ended.within(timeout)

    def cancel(self) -> None:
        """Cancel the coroutine, or close it if it was not started."""
        if self._cancel is None:
            self._coroutine.close()
        elif not self.done:
            self._cancel()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._ended.__await__()


class Overdue(Exception):
    """The clock has run out."""


class Clock:
    """A time that runs out, and that can be stopped while something else is waited for.

    :param seconds: how much time there is.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self._end, self._stops = time.monotonic() + seconds, 0

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the clock until the end of the block."""
        started = time.monotonic()
        self._stops += 1
        try:
            yield
        finally:
            self._stops -= 1
            self._end += time.monotonic() - started

    def left(self) -> float:
        """Return how many seconds are left, or until the next look at a clock that is stopped."""
        left = self._end - time.monotonic()
        return max(left, 1.0) if self._stops else left

    def check(self) -> None:
        """Raise :class:`Overdue` if no time is left."""
        if self.left() <= 0:
            raise Overdue


#: How long, in seconds, cancelled work has to clean up. It may ignore the cancellation.
CLEANING_UP = 2.0

#: How long after the time limit of a call, in seconds, secretly gives up the call. The call's
#: waits have the same limit, and better error messages.
_GRACE = 0.4


async def run_with_deadline(
    work: Coroutine[Any, Any, T], clock: Clock
) -> tuple[T | None, BaseException | None]:
    """Run third-party work until a clock runs out; return the value or the error it ended with.

    Nothing that this raises is the work's own error: it raises that the work was given up, or
    that the caller was cancelled. If no event loop runs, none is loaded as long as the work does
    not need one.

    :raises Overdue: when the clock has run out; the work was cancelled.
    """
    in_place = not loop_is_running()
    if in_place and (ended := await _InPlace(work, clock.check)) is not None:
        return ended
    try:
        loop = await CurrentLoop()
    except BaseException:
        work.close()
        raise
    over = Event()
    task = Task(_resume(work) if in_place else work, lambda _: over.set())
    task.start(loop)
    try:
        while not task.done:
            clock.check()
            await on_loop(loop, over.within(clock.left()))
    except BaseException as error:
        task.cancel()
        if not isinstance(error, GeneratorExit):
            await on_loop(loop, over.within(CLEANING_UP))
        raise
    return task.value, task.error


class _InPlace(Awaitable["tuple[T | None, BaseException | None] | None"]):
    """Runs a coroutine inside one that ``drive`` drives, as long as no event loop is needed.

    Gives the value and the error that the coroutine ended with; or None if it needs an event loop:
    there it must be passed to :func:`_resume`.

    :param check: is called before each wait, and raises if the coroutine must be given up.
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
                try:
                    self._coroutine.close()
                except RuntimeError:  # it waits again: leave it behind
                    pass
                raise
            if not isinstance(answer, Waited):  # an event loop drives now
                return None


async def _resume(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that was started already."""
    return await _Resumed(coroutine)


class _Resumed(Awaitable["T"]):
    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()


#: The hint of an error about a time limit.
MORE_TIME = "try again; for more time: secretly run --prompt-timeout, or timeout= in Python"


async def bounded(
    work: Coroutine[Any, Any, T],
    seconds: float | None,
    late: str,
    error: type[SecretlyError] = PromptTimeout,
    grace: float = _GRACE,
) -> T:
    """Run a whole call within a time limit.

    :param seconds: the limit; None: only each wait has a limit.
    :param late: the message of the error when the time has passed.
    :param error: the class of that error, before which the work is cancelled.
    :param grace: how much longer the work may take, in seconds, if its waits have the limit too.
    """
    if seconds is None:
        return await work
    try:
        value, wrong = await run_with_deadline(work, Clock(seconds + grace))
    except Overdue:
        raise error(late, MORE_TIME) from None
    if wrong is not None:
        raise wrong
    found: Any = value
    return found  # type: ignore[no-any-return]
