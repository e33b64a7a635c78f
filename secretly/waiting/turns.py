"""A lock that coroutines of any event loop take in turn."""

from __future__ import annotations

import _thread  # threading takes longer to load
import os
import sys
import time

from ..errors import PromptTimeout
from .blocks import asynccontextmanager
from .events import Event
from .request import installed_reactor, reactor_has_stopped

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

__all__ = ["Turn", "Turns"]

#: How often, in seconds, a waiting coroutine checks whether the holder is still driven.
_LOOK_INTERVAL = 0.25

_FOREVER = float("inf")  # math is slow to load


class Turns:
    """A lock that coroutines of any loop in any thread take one after another.

    A coroutine that nothing drives any more does not keep the turn: its loop does not run, its
    thread has ended, or it belongs to the process that forked this one.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Begin anew. In a forked process, the thread that holds the lock may not exist."""
        self._process = os.getpid()
        self._lock = _thread.allocate_lock()
        self._holder: Turn | None = None
        self._waiting: list[Turn] = []

    @asynccontextmanager
    async def take(self, timeout: float | None = None) -> AsyncIterator[Turn]:
        """Wait for the turn, and hold it until the end of the block.

        :param timeout: how long to wait at most for each coroutine that holds the turn first, in
            seconds; None: without a limit.
        :raises PromptTimeout: if one of these coroutines takes longer.
        """
        if self._process != os.getpid():
            self._forget()
        turn = Turn()
        with self._lock:
            self._waiting.append(turn)
            self._pass_on()
        try:
            if self._holder is not turn:
                await self._given(turn, _FOREVER if timeout is None else timeout)
            yield turn
        finally:
            self._give_back(turn)

    async def _given(self, turn: Turn, timeout: float) -> None:
        """Wait until this turn's coroutine gets the turn."""
        holder, deadline = self._holder, time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if await turn.given.within(min(left, _LOOK_INTERVAL)):
                return
            with self._lock:
                self._pass_on()
                if self._holder is turn:
                    return
                if self._holder is not holder:
                    holder, deadline = self._holder, time.monotonic() + timeout
        raise PromptTimeout(
            "an earlier prompt was not answered in time",
            "answer it, or give a longer timeout",
        )

    def _give_back(self, turn: Turn) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if self._holder is turn:
                self._holder = None
            self._pass_on()

    def _pass_on(self) -> None:
        """Give a free turn to the first waiting coroutine that is driven."""
        if self._holder is not None:
            if not self._holder.abandoned():
                return
            self._holder.release()
        self._holder = next((turn for turn in self._waiting if not turn.abandoned()), None)
        if self._holder is not None:
            self._waiting.remove(self._holder)
            self._holder.given.set()


class Turn:
    """A coroutine that wants the turn or has it, and what drives it.

    :ivar release: called if the turn goes to another coroutine while nothing drives this one, which
        can't release its lock.
    """

    release: Callable[[], None]

    def __init__(self) -> None:
        self.given = Event()
        self.release = _nothing
        asyncio: Any = sys.modules.get("asyncio")
        self._loop = asyncio._get_running_loop() if asyncio is not None else None
        threading: Any = sys.modules.get("threading")  # if not, there is one thread
        self._thread = threading.current_thread() if threading is not None else None
        self._in_reactor = False
        reactor = installed_reactor()
        #: A reactor that has stopped never starts again, so something else drives this coroutine.
        self._after_reactor = reactor is not None and reactor_has_stopped(reactor)
        if self._loop is None and reactor is not None and not self._after_reactor:
            reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        self._in_reactor = True

    def abandoned(self) -> bool:
        """Whether nothing drives the coroutine now."""
        if self._loop is not None:  # asyncio's, or Twisted's reactor on top of it
            return not self._loop.is_running()
        reactor = None if self._after_reactor else installed_reactor()
        if reactor is not None and (self._in_reactor or reactor_has_stopped(reactor)):
            return not reactor.running
        return self._thread is not None and not self._thread.is_alive()


def _nothing() -> None:
    """Release nothing."""
