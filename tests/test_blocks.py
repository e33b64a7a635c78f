"""``with`` blocks that are generators behave as contextlib's do."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from secretly.waiting import blocks


class Own(Exception):
    """An error of the block's."""


#: What a block raises.
RAISED = (None, Own, ValueError, StopIteration, StopAsyncIteration, RuntimeError, GeneratorExit)


def passes() -> Iterator[int]:
    yield 1


def cleans_up() -> Iterator[int]:
    try:
        yield 1
    finally:
        DONE.append("cleaned up")


def ends_quietly() -> Iterator[int]:
    try:
        yield 1
    except Own:
        DONE.append("ended")


def raises_another() -> Iterator[int]:
    try:
        yield 1
    except Own:
        raise ValueError("another") from None


def raises_it_again() -> Iterator[int]:
    try:
        yield 1
    except BaseException as error:
        raise error


def fails_at_the_end() -> Iterator[int]:
    yield 1
    raise ValueError("the end")


def never_begins() -> Iterator[int]:
    yield from ()


def goes_on() -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        DONE.append("closed")


def goes_on_after_an_error() -> Iterator[int]:
    try:
        yield 1
    except BaseException:
        yield 2


GENERATORS = (
    passes,
    cleans_up,
    ends_quietly,
    raises_another,
    raises_it_again,
    fails_at_the_end,
    never_begins,
    goes_on,
    goes_on_after_an_error,
)

#: What the generators did.
DONE: list[str] = []


def outcome(error: BaseException | None, raised: BaseException | None) -> tuple[object, ...]:
    """What a block ended with: its error itself, or another one, and what was done."""
    done = tuple(DONE)
    DONE.clear()
    if error is not None and error is raised:
        return ("itself", *done)
    said = "" if isinstance(error, RuntimeError) else str(error)
    return (type(error), said, error and error.__suppress_context__, *done)


def run(begin: Callable[..., Any], kind: type[BaseException] | None) -> tuple[object, ...]:
    """Run a block that raises; return its outcome."""
    raised = None if kind is None else kind("raised")
    try:
        with begin() as value:
            DONE.append(f"begun with {value}")
            if raised is not None:
                raise raised
    except BaseException as error:
        return outcome(error, raised)
    return outcome(None, raised)


async def run_async(
    begin: Callable[..., Any], kind: type[BaseException] | None
) -> tuple[object, ...]:
    """The same, for a block of an asynchronous generator."""
    raised = None if kind is None else kind("raised")
    try:
        async with begin() as value:
            DONE.append(f"begun with {value}")
            if raised is not None:
                raise raised
    except BaseException as error:
        return outcome(error, raised)
    return outcome(None, raised)


def finish(coroutine: Any) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def asynchronous(generator: Callable[[], Iterator[int]]) -> Callable[[], AsyncIterator[int]]:
    """The asynchronous generator of the same name below."""
    made: Callable[[], AsyncIterator[int]] = globals()[f"async_{generator.__name__}"]
    return made


# Each asynchronous generator is the text of the other one, with 'async'.
for _one in GENERATORS:
    _text = inspect.getsource(_one).replace("def ", "async def async_", 1)
    _text = _text.replace("yield from ()", "if False:\n        yield 1").replace("Async", "")
    exec(_text)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("generator", GENERATORS)
def test_a_block_ends_as_one_of_contextlib_does(
    generator: Callable[[], Iterator[int]], kind: type[BaseException] | None
) -> None:
    """Whatever the block raises, and whatever the generator makes of that."""
    ours = run(blocks.contextmanager(generator), kind)
    assert ours == run(contextlib.contextmanager(generator), kind)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("generator", GENERATORS)
def test_an_asynchronous_block_ends_as_one_of_contextlib_does(
    generator: Callable[[], Iterator[int]], kind: type[BaseException] | None
) -> None:
    """The same for ``async with``."""
    begins = asynchronous(generator)
    ours = finish(run_async(blocks.asynccontextmanager(begins), kind))
    assert ours == finish(run_async(contextlib.asynccontextmanager(begins), kind))


@pytest.mark.parametrize("kinds", [(Own,), (ValueError, Own), (Exception,), (OSError,), ()])
@pytest.mark.parametrize("kind", RAISED)
def test_errors_are_suppressed_as_contextlib_does(
    kind: type[BaseException] | None, kinds: tuple[type[BaseException], ...]
) -> None:
    """Those that are named, and classes below them."""
    ours = run(lambda: blocks.suppress(*kinds), kind)
    assert ours == run(lambda: contextlib.suppress(*kinds), kind)


def test_the_traceback_of_an_error_does_not_show_the_generator() -> None:
    """It is that of the block."""
    lines: list[list[str]] = []
    for begin in (blocks.contextmanager(cleans_up), contextlib.contextmanager(cleans_up)):
        try:
            with begin():
                raise Own
        except Own as error:
            frame, names = error.__traceback__, []
            while frame is not None:
                names.append(frame.tb_frame.f_code.co_name)
                frame = frame.tb_next
            lines.append(names)
    assert lines[0] == lines[1]


def test_a_function_that_begins_blocks_is_described_as_the_generator_is() -> None:
    """Documentation shows its name, its text and its parameters."""

    def begin(first: int, *, second: str = "") -> Iterator[int]:
        """A text."""
        yield first

    made = blocks.contextmanager(begin)
    named = (made.__name__, made.__qualname__, made.__doc__, made.__module__)
    assert named == (begin.__name__, begin.__qualname__, "A text.", __name__)
    assert inspect.signature(made) == inspect.signature(begin)
    with made(3, second="x") as value:
        assert value == 3


def test_each_step_is_undone_whatever_another_one_raises() -> None:
    """As contextlib's ExitStack does: the last one first, and the last error is raised."""
    done: list[int] = []

    def step(number: int) -> None:
        done.append(number)
        if number in (2, 4):
            raise Own(number)

    steps: list[Callable[[], object]] = [lambda n=n: step(n) for n in range(6)]  # type: ignore[misc]
    with pytest.raises(Own) as raised:
        blocks.undo_all(steps)
    assert (done, steps) == ([5, 4, 3, 2, 1, 0], [])
    assert raised.value.args == (2,)
    assert isinstance(raised.value.__context__, Own)
