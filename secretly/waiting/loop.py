"""The protocol of event loops, as requests use them. Only type checkers load this module."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Gives a request its value. Calls after the first one do nothing.
Settle = Callable[[Any], None]

#: Undoes what was begun. A second call does nothing.
Undo = Callable[[], None]

#: Takes the value and the error that a coroutine ended with.
Done = Callable[[Any, "BaseException | None"], None]


class Waitable(Protocol[T_co]):
    """Something to wait for in an event loop."""

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        """Begin to wait. Call *settle* with the value when it is there."""


class Interruptions(Protocol):
    """How the command's driver learns of the signals that end the command.

    :ivar pending: whether a signal came.
    :ivar waiting: set while the signal's handler may raise an exception.
    :ivar cancel: set to what the handler calls instead.
    """

    pending: bool
    waiting: bool
    cancel: Callable[[], object] | None

    def check(self) -> None:
        """Raise what ends the command, if a signal came."""


class Loop(Protocol):
    """An event loop, as the requests use it."""

    @property
    def identity(self) -> object:
        """The loop itself, the same for each adapter of it."""

    def call_later(self, seconds: float, call: Callable[[], object]) -> Undo:
        """Call when that many seconds have passed."""

    def add_reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        """Call whenever the descriptor has something to read."""

    def call_from_thread(self, call: Callable[[], object]) -> None:
        """Call in the loop's own thread; this may come from any thread."""

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
        """Start a coroutine as a task of its own."""

    def wait(self, request: Waitable[T]) -> Generator[Any, Any, T]:
        """Wait for a request: its ``__await__`` yields from this."""
