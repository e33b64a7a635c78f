"""One piece of work for several callers who want the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, cast

from ..errors import PromptTimeout
from .events import Event, EventWithin
from .requests import CurrentLoop, on
from .tasks import T, Task


class Shared(Generic[T]):
    """One piece of work for many who want the same at the same time.

    The first starts it, the others in the same event loop join; when the last
    of them is cancelled or has waited long enough, the work is cancelled, and it
    has tidied up before that goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[Task[T], list[Event]]] = {}

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
        mine = Event()
        if key in self._running:
            task, waiters = self._running[key]
            waiters.append(mine)
        else:
            waiters, seconds = [mine], None

            def finished(task: Task[T]) -> None:
                if self._running.get(key, (None,))[0] is task:
                    del self._running[key]
                for waiter in waiters:
                    waiter.send()

            task = Task(work(), finished)
            self._running[key] = task, waiters
            task.start(loop)
        try:
            if not await on(loop, EventWithin(mine, seconds)):
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
