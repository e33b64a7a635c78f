"""``with`` blocks that are generators, as contextlib makes them.

contextlib loads collections and functools. Together they take longer to load than all of
``asking/``, and a prompt and a password manager's run would wait for them. contextlib is the
referee in the tests.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import asynccontextmanager, contextmanager, suppress
    from typing import Any

__all__ = ["asynccontextmanager", "contextmanager", "suppress", "undo_all"]


class _Suppress:
    """Ends the block quietly at these errors."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class _Block:
    """A block that a generator begins and ends."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __enter__(self) -> Any:
        try:
            return next(self._generator)
        except StopIteration:
            raise RuntimeError("the generator didn't yield") from None

    def __exit__(self, kind: object, error: BaseException | None, trace: Any) -> bool:
        try:
            if error is None:
                next(self._generator)
            else:
                self._generator.throw(error)
        except StopIteration as stop:
            return error is not None and stop is not error
        except BaseException as raised:
            if _is_not(raised, error, trace):
                raise
            return False
        self._generator.close()
        raise RuntimeError("the generator didn't stop")


class _AsyncBlock:
    """A block that an asynchronous generator begins and ends."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    async def __aenter__(self) -> Any:
        try:
            return await anext(self._generator)
        except StopAsyncIteration:
            raise RuntimeError("the generator didn't yield") from None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: Any) -> bool:
        try:
            if error is None:
                await anext(self._generator)
            else:
                await self._generator.athrow(error)
        except StopAsyncIteration as stop:
            return error is not None and stop is not error
        except BaseException as raised:
            if _is_not(raised, error, trace):
                raise
            return False
        await self._generator.aclose()
        raise RuntimeError("the generator didn't stop")


def _is_not(raised: BaseException, error: BaseException | None, trace: Any) -> bool:
    """Whether a generator raised another error than the block's, which goes on as it was.

    Python makes a RuntimeError of a StopIteration that leaves a generator (PEP 479).
    """
    wrapped = isinstance(error, (StopIteration, StopAsyncIteration)) and (
        isinstance(raised, RuntimeError) and raised.__cause__ is error
    )
    if error is None or not (raised is error or wrapped):
        return True
    error.__traceback__ = trace
    return False


def undo_all(steps: list[Callable[[], object]]) -> None:
    """Undo the last of these steps first. An error keeps no other step from being undone."""
    while steps:
        try:
            steps.pop()()
        finally:
            undo_all(steps)


def _made_by(block: Callable[[Any], object], function: Any) -> Any:
    """A function that begins a block with what *function* returns."""

    def begin(*arguments: Any, **named: Any) -> object:
        return block(function(*arguments, **named))

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(begin, name, getattr(function, name))
    begin.__dict__["__wrapped__"] = function
    return begin


if not TYPE_CHECKING:
    suppress = _Suppress

    def contextmanager(function):
        """Make a ``with`` block of a generator function."""
        return _made_by(_Block, function)

    def asynccontextmanager(function):
        """Make an ``async with`` block of an asynchronous generator function."""
        return _made_by(_AsyncBlock, function)
