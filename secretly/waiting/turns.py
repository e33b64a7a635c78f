"""A lock that coroutines of any event loop take in turn."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import AsyncIterator

from ..errors import PromptTimeout
from .events import Event, EventWithin


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
            if self._holder is not turn and not await EventWithin(turn.given, seconds):
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
        self.given = Event()
        asyncio = sys.modules.get("asyncio")
        self._loop = asyncio._get_running_loop() if asyncio is not None else None

    def abandoned(self) -> bool:
        return self._loop is not None and self._loop.is_closed()
