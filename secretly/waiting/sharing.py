"""Do a piece of work once for several callers who want the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import PromptTimeout
from .request import Request
from .requests import on_loop
from .tasks import CLEANING_UP, Task

if TYPE_CHECKING:
    from types import TracebackType

    from .loop import Loop, Settle, Undo

__all__ = ["Shared"]

T = TypeVar("T")


class _Caller(Request[bool]):
    """A caller that starts a piece of work or joins it; False if its time passes before the end.

    It finds out which work runs when its own loop is known, so it waits only once. The work ends
    in that loop, so this needs no lock, as an :class:`~secretly.waiting.events.Event` does.

    :ivar timeout: how long it waits at most if it joins, in seconds; None: until the end.
    :ivar joined: the work; None until the loop is known.
    """

    __slots__ = ("_key", "_running", "_start", "joined", "loop", "settle", "timeout")

    def __init__(
        self,
        running: dict[Hashable, _Work],
        key: Hashable,
        start: Callable[[], Coroutine[Any, Any, Any]],
        timeout: float | None,
    ) -> None:
        self._running, self._key, self.timeout = running, key, timeout
        self._start: Callable[[], Coroutine[Any, Any, Any]] | None = start
        self.joined: _Work | None = None

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        self.loop, self.settle = loop, settle
        key, start = (loop.identity, self._key), self._start
        self._start = None  # thousands may wait: what they need no more is freed
        work = self.joined = self._running.get(key)
        if work is None:
            assert start is not None
            work = self.joined = _Work(self._running, key, start())
            work.callers[self] = None
            work.task.start(loop)  # which may finish it
            return _nothing
        work.callers[self] = None
        if self.timeout is None:
            return _nothing
        task = work.task
        return loop.call_later(max(0.0, self.timeout), lambda: settle(task.done))


def _nothing() -> None:
    """Undo nothing: no timer was started."""


class _Work:
    """A piece of work that runs, until its end in *running*.

    :ivar callers: those that wait for its end, in order.
    :ivar traceback: that of its error, without the callers: each that gets the error adds itself.
    """

    def __init__(
        self, running: dict[Hashable, _Work], key: Hashable, work: Coroutine[Any, Any, Any]
    ) -> None:
        self._running, self._key = running, key
        self.callers: dict[_Caller, None] = {}
        self.traceback: TracebackType | None = None
        self.task = Task(work, self._finished)
        running[key] = self

    def _finished(self, task: Task[Any]) -> None:
        self._forget()
        if task.error is not None:
            self.traceback = task.error.__traceback__
        for caller in self.callers:  # they all wait in the same loop
            caller.loop.call_from_thread(self._wake)  # one call, and only when the task has ended
            break

    def _wake(self) -> None:
        callers, self.callers = self.callers, {}
        for caller in callers:
            caller.settle(True)

    def leave(self, caller: _Caller) -> bool:
        """Let a caller go; return whether that ended the work, because it was the last."""
        self.callers.pop(caller, None)
        if self.callers or self.task.done:
            return False
        self._forget()
        self.task.cancel()
        return True

    def _forget(self) -> None:
        if self._running.get(self._key) is self:
            del self._running[self._key]


class Shared(Generic[T]):
    """A piece of work for all callers that want the same result at the same time.

    The first caller starts the work, and others in the same event loop join. When the last of
    them is cancelled or has waited long enough, the work is cancelled, and has a moment to clean up
    before that caller goes on.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, _Work] = {}

    def do(
        self,
        key: Hashable,
        work: Callable[[], Coroutine[Any, Any, T]],
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Return the outcome of ``work()``, or of the work that runs already for *key*.

        :param timeout: how long a caller that joins waits at most, in seconds. The one that
            starts the work waits as long as that takes.
        :raises PromptTimeout: if that time passed.
        """
        return _outcome(_Caller(self._running, key, work, timeout))


async def _outcome(mine: _Caller) -> Any:
    try:
        if not await mine:
            raise PromptTimeout(
                f"another call's prompt for the same secret was not answered in {mine.timeout:g} s",
                "answer that prompt, or give a longer timeout",
            )
    except BaseException as error:
        joined = mine.joined
        if joined is not None and joined.leave(mine) and not isinstance(error, GeneratorExit):
            await on_loop(mine.loop, joined.task.ended(CLEANING_UP))
        raise
    assert mine.joined is not None
    task = mine.joined.task
    if task.error is not None:
        raise task.error.with_traceback(mine.joined.traceback)
    return task.value
