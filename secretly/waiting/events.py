"""Something that happens once, and can be waited for in any event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .requests import NeedsLoop, Request

if TYPE_CHECKING:
    from .loop import Loop, Settle, Undo


class Event(Request[None]):
    """Wait until :meth:`send` was called, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = False
        self._wake: Callable[[], None] | None = None

    def send(self) -> None:
        with self._lock:
            self._sent = True
            wake = self._wake
        if wake is not None:
            wake()

    @property
    def sent(self) -> bool:
        return self._sent

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        with self._lock:
            self._wake = lambda: loop.from_thread(lambda: settle(None))
            sent = self._sent
        if sent:
            settle(None)
        return lambda: None

    def here(self) -> None:
        if not self._sent:
            raise NeedsLoop


class EventWithin(Request[bool]):
    """Wait for an event for so many seconds at most; None: for as long as it takes.

    Settles with False if the time passed first.
    """

    def __init__(self, event: Event, seconds: float | None) -> None:
        self._event, self._seconds = event, seconds

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        undo: Undo = lambda: None  # noqa: E731
        if self._seconds is not None:
            undo = loop.later(max(0.0, self._seconds), lambda: settle(self._event.sent))
        self._event.arm(loop, lambda _: settle(True))
        return undo

    def here(self) -> bool:
        self._event.here()
        return True
