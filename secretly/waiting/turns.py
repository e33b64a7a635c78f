"""A lock that coroutines of any event loop take in turn."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import AsyncIterator

from ..errors import PromptTimeout
from .events import Event

__all__ = ["Turns"]


class Turns:
    """A lock that coroutines of any loop in any thread take one after another.

    A coroutine that was left behind in a closed loop neither keeps the turn nor gets it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: _Turn | None = None
        self._waiting: list[_Turn] = []

    @contextlib.asynccontextmanager
    async def take(self, timeout: float | None = None) -> AsyncIterator[None]:
        """Wait for the turn, and hold it until the end of the block.

        :param timeout: how long to wait at most, in seconds; None: without a limit.
        :raises PromptTimeout: if the turn did not come in that time.
        """
        turn = _Turn()
        with self._lock:
            if self._holder is None or self._holder.abandoned():
                self._holder = turn
            else:
                self._waiting.append(turn)
        try:
            if self._holder is not turn and not await turn.given.within(timeout):
                raise PromptTimeout(
                    f"earlier prompts were not answered in {timeout:g} s",
                    "answer them, or give a longer timeout",
                )
            yield
        finally:
            self._give_back(turn)

    @property
    def taken(self) -> bool:
        """Whether a coroutine has the turn, so that another one would wait for it."""
        return self._holder is not None

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
            following.given.set()


class _Turn:
    """A coroutine's wish to have the turn, and the asyncio loop that drives it, if one does."""

    def __init__(self) -> None:
        self.given = Event()
        asyncio = sys.modules.get("asyncio")
        self._loop = asyncio._get_running_loop() if asyncio is not None else None

    def abandoned(self) -> bool:
        """Whether its loop is closed."""
        return self._loop is not None and self._loop.is_closed()
