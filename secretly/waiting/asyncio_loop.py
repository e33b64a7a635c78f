"""Wait in an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .loop import Done, T, Undo, Waitable

__all__ = ["AsyncioLoop", "running_loop"]


class AsyncioLoop:
    """A :class:`~secretly.waiting.loop.Loop` over asyncio's running loop."""

    __slots__ = ("__weakref__", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @property
    def identity(self) -> object:
        return self._loop

    def call_later(self, seconds: float, call: Callable[[], object]) -> Undo:
        return self._loop.call_later(seconds, call).cancel

    def add_reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        self._loop.add_reader(descriptor, call)
        return lambda: cast(None, self._loop.remove_reader(descriptor))

    def call_from_thread(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:  # no need to wake it
                self._loop.call_soon(call)
                return
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits there
            self._loop.call_soon_threadsafe(call)

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
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

    def wait(self, request: Waitable[T]) -> Generator[Any, Any, T]:
        future = self._loop.create_future()
        undo = request.arm(self, _Settle(future))
        try:
            return cast("T", future.result() if future.done() else (yield from future))
        finally:
            undo()


class _Settle:
    """Settles a future. Thousands may wait, and a nested function would be three objects."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def __call__(self, value: Any) -> None:
        if not self._future.done():
            self._future.set_result(value)


_last: Callable[[], AsyncioLoop | None] = lambda: None  # noqa: E731


def running_loop() -> AsyncioLoop | None:
    """Return the adapter of the loop that runs in this thread, or None."""
    global _last
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    found = _last()  # which another thread may change
    if found is None or found.identity is not loop:
        found = AsyncioLoop(loop)
        _last = weakref.ref(found)
    return found
