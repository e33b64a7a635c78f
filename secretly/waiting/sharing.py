"""Do a piece of work once for several callers who want the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..errors import PromptTimeout
from .requests import CurrentLoop, Request, on_loop
from .tasks import CLEANING_UP, Task

if TYPE_CHECKING:
    from .loop import Loop, Settle, Undo

__all__ = ["Shared"]

T = TypeVar("T")


class _Waiter(Request[bool]):
    """A caller that waits for the end of the work; False if its time passes first.

    The work ends in the loop that the caller waits in, so this needs no lock, as an
    :class:`~secretly.waiting.events.Event` does.

    :param work: the work that it joins; None: it starts the work.
    :param timeout: how long it waits at most, in seconds; None: until the end.
    """

    def __init__(self, work: Task[Any] | None = None, timeout: float | None = None) -> None:
        self._work, self._timeout = work, timeout
        self._settle: Settle | None = None
        self._over = False

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        self._settle = settle
        if self._over:
            settle(True)
        elif self._timeout is not None:
            return loop.call_later(max(0.0, self._timeout), lambda: settle(self._has_ended))
        return _nothing

    @property
    def _has_ended(self) -> bool:
        return self._over or (self._work is not None and self._work.done)

    def end(self) -> None:
        """Say that the work has ended."""
        self._over = True
        if self._settle is not None:
            self._settle(True)


def _nothing() -> None:
    """Undo nothing: no timer was started."""


class Shared(Generic[T]):
    """A piece of work for all callers that want the same result at the same time.

    The first caller starts the work, and others in the same event loop join. When the last of
    them is cancelled or has waited long enough, the work is cancelled, and has a moment to clean up
    before that caller goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[Task[T], dict[_Waiter, None]]] = {}

    async def do(
        self,
        key: Hashable,
        work: Callable[[], Coroutine[Any, Any, T]],
        timeout: float | None = None,
    ) -> T:
        """Return the outcome of ``work()``, or of the work that runs already for *key*.

        :param timeout: how long a caller that joins waits at most, in seconds. The one that
            starts the work waits as long as that takes.
        :raises PromptTimeout: if that time passed.
        """
        loop = await CurrentLoop()
        key = (loop.identity, key)
        running = self._running.get(key)
        if running:
            task, waiters = running
            mine = _Waiter(task, timeout)
            waiters[mine] = None
        else:
            mine = _Waiter()
            waiters = {mine: None}
            task = self._start(loop, key, work(), waiters)
        try:
            if not await on_loop(loop, mine):
                raise PromptTimeout(
                    f"another call's prompt for the same secret was not answered in {timeout:g} s",
                    "answer that prompt, or give a longer timeout",
                )
        except BaseException as error:
            del waiters[mine]
            if not waiters and not task.done:
                del self._running[key]
                task.cancel()
                if not isinstance(error, GeneratorExit):
                    await on_loop(loop, task.ended(CLEANING_UP))
            raise
        if task.error is not None:
            raise task.error
        return cast(T, task.value)

    def _start(
        self, loop: Loop, key: Hashable, work: Coroutine[Any, Any, T], waiters: dict[_Waiter, None]
    ) -> Task[T]:
        def wake() -> None:
            for waiter in tuple(waiters):
                waiter.end()

        def finished(task: Task[T]) -> None:
            if self._running.get(key, (None,))[0] is task:
                del self._running[key]
            loop.call_from_thread(wake)  # one call for all, and only when the task has ended

        task = Task(work, finished)
        self._running[key] = task, waiters
        task.start(loop)  # which may finish it
        return task
