"""A forgotten ``await`` fails loudly, and everything that takes a coroutine goes on working."""

from __future__ import annotations

import _thread
import asyncio
import collections.abc
import copy
import functools
import gc
import inspect
import pickle
import sys
import traceback
import types
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
import trio
from ptys import wait_until
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred, maybeDeferred, succeed

import secretly
from secretly.testing import sandbox
from secretly.waiting.awaited import must_be_awaited

CALLS: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "secret": lambda: secretly.secret("Example"),
    "credential": lambda: secretly.credential("Example"),
    "confirm": lambda: secretly.confirm("Delete it?"),
    "remember": lambda: secretly.remember("Example", "canary-1"),
    "forget": lambda: secretly.forget("Example"),
}


@pytest.fixture
def forgotten(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A coroutine that is not awaited, typed as what the programmer takes it for."""
    coroutine = CALLS[getattr(request, "param", "secret")]()
    yield coroutine
    coroutine.close()


MISTAKES: dict[str, Callable[[Any], object]] = {
    "f-string": lambda it: f"Bearer {it}",
    "format": lambda it: "Bearer {}".format(it),  # noqa: UP032
    "percent": lambda it: "Bearer %s" % it,  # noqa: UP031
    "str": str,
    "before": lambda it: it + "x",
    "after": lambda it: "x" + it,
    "bytes": lambda it: b"x" + it,
    "true": lambda it: 1 if it else 2,
    "not": lambda it: not it,
    "equal": lambda it: it == "canary-1",
    "not equal": lambda it: it != "canary-1",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_what_to_do(forgotten: Any, mistake: str) -> None:
    """Where a plain coroutine would be a text, or true, it says which call to await."""
    with pytest.raises(TypeError, match=r"secretly\.secret\(\) was not awaited: await it, or"):
        MISTAKES[mistake](forgotten)


@pytest.mark.parametrize("forgotten", CALLS, indirect=True)
def test_each_call_says_its_name(forgotten: Any, request: pytest.FixtureRequest) -> None:
    """So the reader finds the line."""
    name = request.node.callspec.params["forgotten"]
    with pytest.raises(TypeError, match=rf"secretly\.{name}\(\)"):
        str(forgotten)
    with pytest.raises(AttributeError, match="await it"):
        forgotten.encode()


@pytest.mark.parametrize("mistake", [len, list, lambda it: it[:4], lambda it: ",".join([it])])
def test_other_mistakes_are_type_errors(forgotten: Any, mistake: Callable[[Any], object]) -> None:
    """As with each object that has no such operation; they name the class ``NotAwaited``."""
    with pytest.raises(TypeError, match="NotAwaited"):
        mistake(forgotten)


def test_it_is_a_coroutine_to_all_that_ask(forgotten: Any) -> None:
    """To asyncio, to inspect, to the abstract classes; and it can be compared and be a key."""
    assert asyncio.iscoroutine(forgotten)
    assert inspect.iscoroutine(forgotten)
    assert inspect.isawaitable(forgotten)
    assert inspect.getcoroutinestate(forgotten) == inspect.CORO_CREATED
    for kind in (collections.abc.Coroutine, collections.abc.Awaitable, types.CoroutineType):
        assert isinstance(forgotten, kind)
    assert forgotten == forgotten
    assert {forgotten: 1}[forgotten] == 1
    assert forgotten != object()
    assert "coroutine object secret" in repr(forgotten)


@pytest.mark.parametrize("name", CALLS)
def test_its_function_is_a_coroutine_function(name: str) -> None:
    """With a signature and a source; pickled and copied by its name, as functions are."""
    function = getattr(secretly, name)
    assert inspect.iscoroutinefunction(function)
    assert inspect.isroutine(function)
    assert next(iter(inspect.signature(function).parameters)) in ("reference", "question")
    assert f"async def {name}(" in inspect.getsource(function)
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    assert f"<function {name} at" in repr(function)


def test_a_wrong_parameter_shows_no_secret_in_a_traceback() -> None:
    """Not even in one that has the local variables; nor does an error after a value was sent."""
    with pytest.raises(TypeError, match="bogus") as caught:
        secretly.remember("Example", "canary-kept", bogus=1)  # type: ignore[call-arg]

    @must_be_awaited
    async def fails() -> None:
        (await Sent()).clear()
        raise LookupError

    class Sent:
        def __await__(self) -> Generator[None, Any, Any]:
            return (yield)

    coroutine = fails()
    coroutine.send(None)
    with pytest.raises(LookupError) as failed:
        coroutine.send(["canary-kept"])
    for error in (caught.value, failed.value):
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in shown.stack if frame.filename != __file__]
        assert "canary-kept" not in str([frame.locals for frame in ours])


def test_its_function_can_be_a_method() -> None:
    """As an attribute of a class, it gets the instance, as a function does."""

    class Vault:
        @must_be_awaited
        async def title(self) -> str:
            return type(self).__name__

    assert asyncio.run(Vault().title()) == "Vault"
    assert inspect.iscoroutinefunction(Vault.title)


# -- what drives it ----------------------------------------------------------------


@must_be_awaited
async def twice(number: int) -> int:
    """Wait a moment where asyncio runs; return twice the number, or raise an error."""
    if asyncio._get_running_loop() is not None:
        await asyncio.sleep(0)
    if number < 0:
        raise ValueError(number)
    return 2 * number


async def _task(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.create_task(work)
    assert "twice" in repr(task)  # which asks whether its coroutine is true, since Python 3.12
    return await task


async def _group(work: Coroutine[Any, Any, int]) -> int:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
    return task.result()


async def _plain(work: Awaitable[int]) -> int:
    return await work


async def _gather(work: Coroutine[Any, Any, int]) -> int:
    return (await asyncio.gather(work, asyncio.sleep(0)))[0]


async def _python(work: Coroutine[Any, Any, int]) -> int:
    return await asyncio.tasks._PyTask(work, loop=asyncio.get_running_loop())  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    "drive",
    [_plain, _task, _gather, _group, _python, lambda work: asyncio.wait_for(work, 60)],
    ids=["await", "task", "gather", "group", "python's task", "wait_for"],
)
def test_asyncio_drives_it(drive: Callable[[Any], Coroutine[Any, Any, int]]) -> None:
    """With its value and with its error."""
    assert asyncio.run(drive(twice(2))) == 4
    with pytest.raises((ValueError, ExceptionGroup)):
        asyncio.run(drive(twice(-1)))


def test_asyncio_runs_it() -> None:
    """Also one of secretly's own calls, which waits for a thread."""
    assert asyncio.run(twice(2)) == 4
    with sandbox():
        assert asyncio.run(secretly.forget("Example")) is False


@pytest.mark.parametrize("call", [maybeDeferred, DeferredLock().run])
def test_twisted_calls_and_awaits_it(call: Callable[..., Deferred[str]]) -> None:
    """Twisted takes what is exactly a coroutine; it would pass on another object as a result."""
    found: list[Any] = []
    call(twice, 2).addBoth(found.append)
    call(functools.partial(twice, 3)).addBoth(found.append)
    assert found == [4, 6]
    succeed(4).addCallback(twice).addCallback(found.append)  # which awaits no coroutine
    coroutine = found.pop()
    with pytest.raises(TypeError, match="was not awaited"):
        str(coroutine)
    coroutine.close()


@pytest.mark.parametrize("make", [Deferred.fromCoroutine, ensureDeferred])
def test_twisted_drives_it(make: Callable[[Any], Deferred[int]]) -> None:
    """With its value and with its error."""
    found: list[Any] = []
    make(twice(2)).addCallback(found.append)
    make(twice(-1)).addErrback(lambda failure: found.append(failure.type))
    assert found == [4, ValueError]


def test_a_thread_of_its_own_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Python code calls it there."""
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    before = _thread._count()
    _thread.start_new_thread(must_be_awaited(lambda: seen.append("called")), ())  # type: ignore[arg-type,func-returns-value]
    wait_until(lambda: bool(seen) and _thread._count() == before)
    assert seen == ["called"]


def test_trio_drives_it() -> None:
    """secretly's own calls can't wait there, and say so."""
    assert trio.run(twice, 2) == 4
    with sandbox(), pytest.raises(secretly.SecretlyError, match="neither Twisted nor asyncio"):
        trio.run(secretly.forget, "Example")


def test_it_is_cancelled_and_closed() -> None:
    """A task's cancellation reaches it; a closed one can't be awaited any more."""

    async def main() -> bool:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    @must_be_awaited
    async def forever() -> None:
        await asyncio.sleep(3600)

    assert asyncio.run(main())
    coroutine = twice(1)
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        asyncio.run(coroutine)


def test_python_still_warns() -> None:
    """A coroutine that nothing awaits is warned of, by the name of the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        secretly.secret("Example")
        gc.collect()
    assert [str(w.message) for w in caught] == ["coroutine 'secret' was never awaited"]
