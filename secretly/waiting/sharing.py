"""Do a piece of work once for several callers who want the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..errors import PromptTimeout
from .events import Event
from .requests import CurrentLoop, on_loop
from .tasks import CLEANING_UP, Task

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """A piece of work for all callers that want the same result at the same time.

    The first caller starts the work, and others in the same event loop join. When the last of
    them is cancelled or has waited long enough, the work is cancelled, and has a moment to clean up
    before that caller goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[Task[T], list[Event]]] = {}

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
        mine = Event()
        if key in self._running:
            task, waiters = self._running[key]
            waiters.append(mine)
        else:
            waiters, timeout = [mine], None
            task = self._start(loop, key, work(), waiters)
        try:
            if not await on_loop(loop, mine.within(timeout)):
                raise PromptTimeout(
                    f"another call's prompt for the same secret was not answered in {timeout:g} s",
                    "answer that prompt, or give a longer timeout",
                )
        except BaseException as error:
            waiters.remove(mine)
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
        self, loop: Loop, key: Hashable, work: Coroutine[Any, Any, T], waiters: list[Event]
    ) -> Task[T]:
        def finished(task: Task[T]) -> None:
            if self._running.get(key, (None,))[0] is task:
                del self._running[key]
            for waiter in waiters:
                waiter.set()

        task = Task(work, finished)
        self._running[key] = task, waiters
        task.start(loop)  # which may finish it
        return task
