"""Something that happens once, and can be waited for in any event loop."""

from __future__ import annotations

import _thread  # threading takes longer to load

from .request import NeedsLoop, Request

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop, Settle, Undo

__all__ = ["Event"]


class Event(Request[None]):
    """Waits until :meth:`set` is called, by any thread. One coroutine may wait for it."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._set = False
        self._wake: Callable[[], None] | None = None

    def set(self) -> None:
        """Say that it has happened."""
        with self._lock:
            self._set = True
            wake = self._wake
        if wake is not None:
            wake()

    @property
    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._set

    def within(self, timeout: float | None) -> Request[bool]:
        """Return a request that gives False if the event does not happen in time.

        :param timeout: how long to wait at most, in seconds; None: without a limit.
        """
        return _Within(self, timeout)

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        with self._lock:
            self._wake = lambda: loop.call_from_thread(lambda: settle(None))
            happened = self._set
        if happened:
            settle(None)
        return lambda: None

    def wait_in_place(self) -> None:
        if not self._set:
            raise NeedsLoop


class _Within(Request[bool]):
    def __init__(self, event: Event, timeout: float | None) -> None:
        self._event, self._timeout = event, timeout

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        undo: Undo = lambda: None  # noqa: E731
        if self._timeout is not None:
            undo = loop.call_later(max(0.0, self._timeout), lambda: settle(self._event.is_set))
        self._event.arm(loop, lambda _: settle(True))
        return undo

    def wait_in_place(self) -> bool:
        self._event.wait_in_place()
        return True
