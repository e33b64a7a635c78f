"""Hand the answers of threads to event loops: those of one loop together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Loop, Settle

__all__ = ["ThreadAnswer", "hand_over"]


class ThreadAnswer:
    """An answer, which any thread gives by a call. The loop may become known before or after.

    An answer to a loop that is closed is dropped.

    :ivar came: the answer, in a tuple; empty until there is one.
    :ivar receiver: the loop, and what the answer settles in it; None until it is known.
    """

    __slots__ = ("came", "receiver")

    def __init__(self) -> None:
        self.came: tuple[Any, ...] = ()
        self.receiver: tuple[Loop, Settle] | None = None

    def __call__(self, answer: Any) -> None:
        hand_over([(self, answer)])

    def deliver(self, loop: Loop, settle: Settle) -> None:
        """Have it settle a request of a loop that runs in this thread."""
        # No lock: if a thread answers just now, at least one of the two sees the other's part.
        self.receiver = loop, settle
        if self.came:
            settle(self.came[0])


def hand_over(answers: Iterable[tuple[Settle, Any]]) -> None:
    """Give answers, from any thread. A loop gets all of its own in one call."""
    of_loops: dict[int, tuple[Loop, list[tuple[Settle, Any]]]] = {}
    for done, answer in answers:
        if not isinstance(done, ThreadAnswer):
            done(answer)
            continue
        done.came = (answer,)
        if done.receiver is not None:
            loop, settle = done.receiver
            of_loops.setdefault(id(loop.identity), (loop, []))[1].append((settle, answer))
    for loop, settled in of_loops.values():
        loop.call_from_thread(_Settling(loop, settled))


class _Settling:
    """Settles requests of one loop, in that loop. If one fails, the others are settled next."""

    __slots__ = ("_left", "_loop")

    def __init__(self, loop: Loop, answers: Iterable[tuple[Settle, Any]]) -> None:
        self._loop, self._left = loop, iter(answers)

    def __call__(self) -> None:
        try:
            for settle, answer in self._left:
                settle(answer)
        except BaseException:  # such as that of a signal's handler
            self._loop.call_from_thread(self)
            raise
