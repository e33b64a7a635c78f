"""What a request needs of an event loop: for type checkers alone, so no start loads it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Settle = Callable[[Any], None]
Undo = Callable[[], None]
Done = Callable[[Any, "BaseException | None"], None]


class Waitable(Protocol[T_co]):
    """Something that can be waited for in an event loop."""

    def arm(self, loop: Loop, settle: Settle) -> Undo:
        """Begin; call *settle* with the value once it is there. Return what undoes that."""


class Loop(Protocol):
    """An event loop, as the requests use it."""

    @property
    def identity(self) -> object:
        """The loop itself, to tell it from others."""

    def later(self, seconds: float, call: Callable[[], object]) -> Undo:
        """Call in so many seconds."""

    def reader(self, descriptor: int, call: Callable[[], object]) -> Undo:
        """Call whenever the descriptor has something to read."""

    def from_thread(self, call: Callable[[], object]) -> None:
        """Call in the loop's own thread."""

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Undo:
        """Start a coroutine as a task of its own."""

    def wait(self, request: Waitable[T]) -> Generator[Any, Any, T]:
        """Wait for a request: what its ``__await__`` yields from."""
