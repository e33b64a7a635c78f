"""Read items for all calls that wait for some at the same time, in one thread."""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..waiting import answers, requests

__all__ = ["SharedReads", "WaitingCall"]

#: How many items are read together. Calls for more wait for the next read.
_TOGETHER = 500

_Item = tuple[str, str]

#: Reads items, in so many seconds: the first ones of a list that may grow meanwhile.
_Read = Callable[[Sequence[_Item], float], Sequence[Any]]


class WaitingCall(NamedTuple):
    """A call that waits for items.

    :param until: when its time has passed, a time of the monotonic clock in seconds.
    :param done: gets the values, in order, and the error: one of them is None.
    """

    wanted: Sequence[_Item]
    until: float
    done: Callable[[Any], None]


class SharedReads:
    """The calls that wait for one reader.

    A call that comes while it searches joins the read, if it wants other items. What was searched
    for before may have been stored since: a call for that is read for next.
    """

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._calls: list[WaitingCall] = []
        self._later: list[WaitingCall] = []  # those that are read for next
        self._items: list[_Item] = []  # what is read now
        self._known: set[_Item] = set()  # the same
        self._worker = 0  # the process whose thread reads

    def add(self, call: WaitingCall, read: _Read) -> None:
        """Have a thread read what a call wants."""
        with self._lock:
            starts, self._worker = self._worker != os.getpid(), os.getpid()
            if not starts and not self._known.isdisjoint(call.wanted):
                self._later.append(call)
            else:
                self._calls.append(call)
                if not starts:
                    self._join(call)
        if starts:
            try:
                requests.start_thread(lambda: self._work(read))
            except BaseException:
                self._worker = 0
                raise

    def _join(self, call: WaitingCall) -> None:
        """Add what a call wants to what is read now, if there is room."""
        if len(self._items) < _TOGETHER:
            new = [one for one in dict.fromkeys(call.wanted) if one not in self._known]
            self._known.update(new)
            self._items += new

    def _work(self, read: _Read) -> None:
        while True:
            with self._lock:
                self._items, self._known = [], set()
                self._calls, self._later = self._calls + self._later, []
                if not self._calls:
                    self._worker = 0
                    return
                for call in self._calls:
                    self._join(call)
                until = max(call.until for call in self._calls)
            found: dict[_Item, Any] = {}
            try:
                values = read(self._items, until - time.monotonic())
                found = dict(zip(self._items, values, strict=False))
            except TimeoutError:
                pass
            answers.hand_over(self._answered(found))

    def _answered(self, found: dict[_Item, Any]) -> list[tuple[Callable[[Any], None], Any]]:
        """Take out the calls that can be answered, and those whose time has passed."""
        now = time.monotonic()
        answered: list[tuple[Callable[[Any], None], Any]] = []
        with self._lock:
            calls, self._calls = self._calls, []
            for call in calls:
                if all(one in found for one in call.wanted):
                    answered.append((call.done, ([found[one] for one in call.wanted], None)))
                elif call.until <= now:
                    answered.append((call.done, (None, TimeoutError())))
                else:
                    self._calls.append(call)
        return answered
