"""One way of waiting, under each of the loops that drive it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import resource
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, cast

import command
import pytest
from command import quick
from ptys import DEADLINE, SOON
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.selectreactor import SelectReactor

from secretly.errors import PromptTimeout, SecretlyError
from secretly.waiting import (
    asyncio_loop,
    driving,
    events,
    loop,
    own_loop,
    poll_loop,
    request,
    requests,
    sharing,
    tasks,
    twisted_loop,
)
from secretly.waiting.events import Event
from secretly.waiting.turns import Turns


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def script(source: str, seconds: float = DEADLINE) -> str:
    """Run a program in a new process, and return its stdout. It must write nothing to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def forked(source: str) -> str:
    """The same, quickly: the process is forked from one that has loaded secretly and Twisted."""
    source = f"import warnings; warnings.simplefilter('error')\n{textwrap.dedent(source)}"
    with quick() as home:
        done = home.run_code(source, loaded=command.TWISTED)
    assert (done.stderr, done.status) == ("", 0)
    return done.stdout


class Quiet:
    """Interruptions that never come."""

    pending = False
    waiting = False
    cancel: Callable[[], object] | None = None

    def check(self) -> None:
        """Nothing to raise."""


def in_poll_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in the command's own loop, also if it needs none."""
    return poll_loop.PollLoop().run(work, Quiet())


#: The loops that a test can start again and again.
LOOPS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "asyncio": asyncio.run,
    "the command's own": in_poll_loop,
}

each_loop = pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)


# -- the two undocumented behaviours ---------------------------------------------


class Probe:
    """Yields itself once, and returns what it was answered."""

    def __await__(self) -> Generator[Any, Any, object]:
        try:
            return (yield self)
        except RuntimeError as error:
            return error


async def probe(asked: Probe) -> object:
    return await asked


@pytest.mark.parametrize("kind", ["_CTask", "_PyTask"])
def test_asyncio_throws_runtime_error_for_what_it_does_not_know(kind: str) -> None:
    """Both of asyncio's Tasks throw RuntimeError into a coroutine that yields no Future."""

    async def main() -> object:
        task = getattr(asyncio.tasks, kind)(probe(Probe()), loop=asyncio.get_running_loop())
        return await task

    answer = asyncio.run(main())
    assert isinstance(answer, RuntimeError)
    assert "Task got bad yield" in str(answer)


def test_twisted_sends_back_what_it_does_not_know() -> None:
    """Twisted sends a yielded object that is not a Deferred straight back."""
    found: list[object] = []
    asked = Probe()
    Deferred.fromCoroutine(probe(asked)).addCallback(found.append)
    assert found == [asked]


@pytest.mark.parametrize("sent", [None, 1, "answer"])
def test_any_other_driver_gets_a_clear_error(sent: object) -> None:
    """A hand-made loop that sends values is told what drives secretly."""
    waiting = requests.in_thread(int, 1)
    waiting.send(None)
    with pytest.raises(SecretlyError, match="neither Twisted nor asyncio") as caught:
        for _ in range(3):
            waiting.send(sent)  # type: ignore[arg-type]
    assert "asyncio.run" in caught.value.hint


# -- asyncio ---------------------------------------------------------------------


async def arrives(pipe: tuple[int, int]) -> str:
    """Wait for a byte that is written a moment later; say that it came."""
    asyncio.get_running_loop().call_later(0.05, os.write, pipe[1], b"x")
    assert await requests.readable(pipe[0], DEADLINE) is True
    return os.read(pipe[0], 1).decode()


async def _task(work: Coroutine[Any, Any, str]) -> str:
    return await asyncio.create_task(work)


async def _gather(work: Coroutine[Any, Any, str]) -> str:
    return (await asyncio.gather(work, asyncio.sleep(0)))[0]


async def _timeout(work: Coroutine[Any, Any, str]) -> str:
    async with asyncio.timeout(DEADLINE):
        return await work


async def _plain(work: Coroutine[Any, Any, str]) -> str:
    return await work


async def _group(work: Coroutine[Any, Any, str]) -> str:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
    return task.result()


DRIVERS: dict[str, Callable[[Coroutine[Any, Any, str]], Coroutine[Any, Any, str]]] = {
    "run": _plain,
    "task": _task,
    "wait_for": lambda work: asyncio.wait_for(work, DEADLINE),
    "gather": _gather,
    "timeout": _timeout,
    "group": _group,
    "shield": lambda work: _plain(asyncio.shield(work)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_asyncio_drives_it(driver: str, pipe: tuple[int, int]) -> None:
    """However asyncio drives a coroutine, what it waits for comes."""

    async def main() -> str:
        return await DRIVERS[driver](arrives(pipe))

    assert asyncio.run(main()) == "x"


def test_a_loop_that_runs_already_drives_it(pipe: tuple[int, int]) -> None:
    """As in a notebook: a loop that never ends runs one coroutine after another."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        for _ in range(3):
            assert asyncio.run_coroutine_threadsafe(arrives(pipe), loop).result(DEADLINE) == "x"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_drive_it(pipe: tuple[int, int]) -> None:
    """A task that takes its first step when it is made is driven by asyncio too."""

    async def main() -> list[str]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        shared: sharing.Shared[str] = sharing.Shared()
        return await tasks.gather(
            shared.do("one", lambda: arrives(pipe)), shared.do("one", lambda: arrives(pipe))
        )

    assert asyncio.run(main()) == ["x", "x"]


@each_loop
def test_waiting_to_read_gives_up_after_its_time(
    run: Callable[[Any], Any], pipe: tuple[int, int]
) -> None:
    """A descriptor with nothing to read gives False."""
    started = time.monotonic()
    assert run(_awaited(requests.readable(pipe[0], 0.1))) is False
    assert 0.09 < time.monotonic() - started < SOON


@each_loop
def test_data_that_is_there_counts_without_any_time(
    run: Callable[[Any], Any], pipe: tuple[int, int]
) -> None:
    """Data that waits is read with a limit of 0, also when the loop was late; nothing is False."""

    async def main() -> None:
        assert await requests.readable(pipe[0], 0) is False
        os.write(pipe[1], b"x")
        assert await requests.readable(pipe[0], 0) is True
        assert await requests.readable(pipe[0], -1) is True

    run(main())


def test_the_time_until_a_loop_is_loaded_counts(pipe: tuple[int, int]) -> None:
    """A request's time limit begins when the request is made, not when a loop gets the request."""
    request = requests.readable(pipe[0], DEADLINE)
    time.sleep(0.2)
    seconds: list[float] = []

    class Timers:
        """A loop that records its timers and never runs them."""

        identity = None

        def add_reader(self, *ignored: Any) -> Callable[[], None]:
            return lambda: None

        def call_later(self, after: float, call: Any) -> Callable[[], None]:
            seconds.append(after)
            return lambda: None

    request.arm(Timers(), lambda _: None)  # type: ignore[arg-type]
    assert seconds[0] <= DEADLINE - 0.2


@each_loop
def test_the_end_is_something_to_read(run: Callable[[Any], Any]) -> None:
    """A descriptor whose other end was closed is readable."""
    reading, writing = os.pipe()
    os.close(writing)
    assert run(_awaited(requests.readable(reading, DEADLINE))) is True
    os.close(reading)


async def _awaited(request: Any) -> Any:
    return await request


@pytest.mark.parametrize("steps", range(5))
def test_cancelling_raises_asyncios_own(steps: int, pipe: tuple[int, int]) -> None:
    """At whatever step it is cancelled: asyncio's CancelledError, and no reader is left."""

    async def main() -> None:
        task = asyncio.create_task(_awaited(requests.readable(pipe[0], 10)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert asyncio.get_running_loop().remove_reader(pipe[0]) is False

    asyncio.run(main())


def test_time_outs_cancel(pipe: tuple[int, int]) -> None:
    """``wait_for`` and ``timeout`` end what takes too long."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaited(requests.readable(pipe[0], 10)), 0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await requests.sleep(10)
        assert asyncio.get_running_loop().remove_reader(pipe[0]) is False

    asyncio.run(main())


def test_gather_cancels(pipe: tuple[int, int]) -> None:
    """What ``gather`` is cancelled with reaches each of its parts."""

    async def main() -> None:
        parts = [asyncio.ensure_future(_awaited(requests.sleep(10))) for _ in range(3)]
        both = asyncio.gather(*parts)
        await asyncio.sleep(0.05)
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert all(part.cancelled() for part in parts)

    asyncio.run(main())


def test_a_shield_keeps_it_going(pipe: tuple[int, int]) -> None:
    """What is shielded goes on when its waiter is cancelled."""

    async def main() -> str:
        inner = asyncio.ensure_future(arrives(pipe))
        outer = asyncio.ensure_future(_plain(asyncio.shield(inner)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        return await inner

    assert asyncio.run(main()) == "x"


# -- Twisted ---------------------------------------------------------------------

REACTORS = {
    "epoll": "from twisted.internet import epollreactor; epollreactor.install()",
    "asyncio": "from twisted.internet import asyncioreactor; asyncioreactor.install()",
}

TWISTED = """
import os, sys
{install}
from twisted.internet import reactor, task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from secretly.waiting import driving, requests, sharing, tasks
reading, writing = os.pipe()
silent, _ = os.pipe()

async def arrives():
    reactor.callLater(0.05, os.write, writing, b"x")
    assert await requests.readable(reading, 60) is True
    assert await requests.readable(reading, 0) is True
    assert await requests.readable(writing, 0.01) in (True, False)
    return os.read(reading, 1).decode()

async def work():
    assert await arrives() == "x"
    assert await requests.readable(reading, 0.05) is False
    assert await requests.in_thread(lambda: 7, 60) == 7
    assert await tasks.gather(arrives(), requests.in_thread(lambda: "y", 60)) == ["x", "y"]
    shared = sharing.Shared()
    many = [shared.do("one", arrives, 60) for _ in range(10)]
    assert await tasks.gather(*many) == ["x"] * 10
    waiting = Deferred.fromCoroutine(tasks.gather(arrives(), never()))
    await requests.sleep(0.02)
    waiting.cancel()
    try:
        await waiting
    except CancelledError:
        print("cancelled", *cleaned)
    assert not [r for r in reactor.getReaders() if r.fileno() in (reading, silent)]

cleaned = []
async def never():
    try:
        await requests.readable(silent, 600)
    except CancelledError:
        cleaned.append("cleaned")
        raise

"""

TWISTED_DRIVERS = {
    "react": "task.react(lambda reactor: ensureDeferred(work()))",
    "react_coroutine": "task.react(lambda reactor: work())",
    "ensureDeferred": """
d = ensureDeferred(work())
d.addErrback(lambda failure: print(failure.getTraceback(), file=sys.stderr))
d.addBoth(lambda _: reactor.stop())
reactor.run()
""",
    "fromCoroutine": """
def begin():
    d = Deferred.fromCoroutine(work())
    d.addErrback(lambda failure: print(failure.getTraceback(), file=sys.stderr))
    d.addBoth(lambda _: reactor.stop())
reactor.callWhenRunning(begin)
reactor.run()
""",
}


@pytest.mark.process
@pytest.mark.parametrize("driver", TWISTED_DRIVERS)
@pytest.mark.parametrize("reactor", REACTORS)
def test_twisted_drives_it(reactor: str, driver: str) -> None:
    """However Twisted drives a coroutine, on either reactor: all requests, and cancelling."""
    program = TWISTED.replace("{install}", REACTORS[reactor]) + TWISTED_DRIVERS[driver]
    assert forked(program) == "cancelled cleaned\n"


@pytest.mark.process
def test_twisted_drives_it_inside_a_running_asyncio_program() -> None:
    """A coroutine of Twisted's inside ``asyncio.run`` is Twisted's, one of asyncio's asyncio's."""
    program = TWISTED.replace("{install}", REACTORS["asyncio"]).partition("async def work")
    body = (program[1] + program[2]).replace("\n", "\n    ")
    assert (
        script(f"""
import asyncio
async def main():
    import os
    from twisted.internet import asyncioreactor
    asyncioreactor.install(asyncio.get_running_loop())
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
    from secretly.waiting import driving, requests, sharing, tasks
    reading, writing = os.pipe()
    silent, _ = os.pipe()
    async def arrives():
        reactor.callLater(0.05, os.write, writing, b"x")
        assert await requests.readable(reading, 60) is True
        return os.read(reading, 1).decode()
    {body}
    loop = asyncio.get_running_loop()
    await ensureDeferred(work()).asFuture(loop)
    assert await asyncio.create_task(arrives()) == "x"
    assert await arrives() == "x"
    waiting = asyncio.create_task(never())
    await asyncio.sleep(0.02)
    waiting.cancel()
    try:
        await waiting
    except asyncio.CancelledError:
        print("asyncio's own")
asyncio.run(main())
""")
        == "cancelled cleaned\nasyncio's own\n"
    )


@pytest.mark.process
@pytest.mark.parametrize("reactor", REACTORS)
def test_a_reactor_that_stops_ends_what_waits(reactor: str) -> None:
    """A reactor that stops cancels the waiting coroutine, which cleans up."""
    program = (
        TWISTED.replace("{install}", REACTORS[reactor])
        + """
d = ensureDeferred(never())
d.addErrback(lambda failure: print(failure.check(CancelledError).__name__, *cleaned))
reactor.callLater(0.1, reactor.stop)
reactor.run()
"""
    )
    assert forked(program) == "CancelledError cleaned\n"


# -- threads ---------------------------------------------------------------------


@each_loop
def test_a_thread_returns_its_value_and_raises_its_error(run: Callable[[Any], Any]) -> None:
    """What the function returns is returned, what it raises is raised."""

    def fails() -> None:
        raise LookupError("from the thread")

    assert run(requests.in_thread(lambda: threading.current_thread().daemon, 10)) is True
    with pytest.raises(LookupError, match="from the thread"):
        run(requests.in_thread(fails, 10))


def test_a_thread_does_not_block_the_loop() -> None:
    """While a function blocks its thread, the loop goes on."""

    async def main() -> int:
        release = threading.Event()
        asyncio.get_running_loop().call_later(0.05, release.set)
        assert await requests.in_thread(lambda: release.wait(DEADLINE), 2 * DEADLINE)
        return 1

    assert asyncio.run(main()) == 1


@each_loop
def test_a_thread_has_a_deadline(run: Callable[[Any], Any]) -> None:
    """A function that takes too long is left behind."""
    release = threading.Event()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        run(requests.in_thread(lambda: release.wait(DEADLINE), 0.1))
    assert time.monotonic() - started < SOON
    release.set()


STUCK = {
    "asyncio": "import asyncio; asyncio.run(main())",
    "twisted": "from twisted.internet.task import react; react(lambda _: main())",
    "neither": """
class Never:
    pending, waiting, cancel = False, False, None
    def check(self): pass
driving.drive(main(), Never())
""",
}


@pytest.mark.process
@pytest.mark.parametrize("driver", STUCK)
def test_a_stuck_thread_keeps_no_process(driver: str) -> None:
    """A process ends without waiting for a thread that never returns, and prints nothing."""
    started = time.monotonic()
    program = f"""
import threading, time
from secretly.waiting import driving, requests, sharing, tasks
async def main():
    try:
        await requests.in_thread(lambda: time.sleep(600), 0.1)
    except TimeoutError:
        print("too long", threading.active_count())
{STUCK[driver]}
"""
    assert script(program) == "too long 2\n"
    assert time.monotonic() - started < 4 * SOON


def test_all_waits_in_twisted_have_one_trigger() -> None:
    """The reactor goes through all triggers to remove one: ten thousand would take seconds."""
    reactor, waits = SelectReactor(), twisted_loop.TwistedLoop()
    waits._reactor, triggers = reactor, reactor._eventTriggers
    waiting = [waits.wait(Event().within(None)) for _ in range(3)]
    cancelled: list[object] = []
    for one in waiting:
        next(one).addErrback(cancelled.append)
    assert len(triggers["shutdown"].before) == 1
    waiting.pop().close()
    reactor.fireSystemEvent("shutdown")
    assert len(cancelled) == 2
    again = waits.wait(Event().within(None))
    next(again)
    assert len(triggers["shutdown"].before) == 1
    again.close()
    assert triggers["shutdown"].before == []
    for one in waiting:
        one.close()


@pytest.mark.process
def test_a_thread_below_a_rust_extension_does_not_abort_the_process() -> None:
    """Python may end while a thread is in Python code that ``cryptography`` called."""
    pytest.importorskip("cryptography")
    program = """
import asyncio, time
from cryptography.hazmat.primitives import hashes
from secretly.waiting import requests
class Slow(hashes.HashAlgorithm):
    digest_size, block_size = 32, 64
    @property
    def name(self):
        time.sleep(0.005)
        return "sha256"
ending = []
def work():
    while not ending or time.monotonic() < ending[0] + 0.3:
        hashes.Hash(Slow())
try:
    asyncio.run(requests.in_thread(work, 0.2))
except TimeoutError:
    print("too long")
    ending.append(time.monotonic())
"""
    assert script(program) == "too long\n"


@pytest.mark.process
@pytest.mark.parametrize("outcome", ["1", "1 / 0"])
@pytest.mark.parametrize("driver", ["asyncio", "twisted"])
def test_a_late_answer_is_dropped(driver: str, outcome: str) -> None:
    """An answer or an error that comes when the loop is closed prints nothing."""
    run = STUCK[driver].replace("react(", "\ntry:\n  react(", 1)
    run += "\nexcept SystemExit: pass" if driver == "twisted" else ""
    program = f"""
import threading, time
from secretly.waiting import driving, requests, sharing, tasks
go = threading.Event()
def late():
    go.wait(30)
    return {outcome}
async def main():
    try:
        await requests.in_thread(late, 0.05)
    except TimeoutError:
        print("too long")
{run}
go.set()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(10)
print("over", threading.active_count())
"""
    assert forked(program) == "too long\nover 1\n"


# -- at the same time ------------------------------------------------------------


async def _after(seconds: float, value: str) -> str:
    await requests.sleep(seconds)
    return value


@each_loop
def test_gather_runs_coroutines_at_the_same_time_and_keeps_their_order(
    run: Callable[[Any], Any],
) -> None:
    """The results are in the order of the coroutines, though the last ends first."""
    events = [Event() for _ in range(3)]

    async def part(number: int) -> str:
        if number < 2:  # waits for one that comes after it
            await events[number + 1]
        events[number].set()
        return str(number)

    assert run(tasks.gather(*map(part, range(3)))) == ["0", "1", "2"]
    assert run(tasks.gather(_after(0, "one"))) == ["one"]
    assert run(tasks.gather()) == []


@each_loop
def test_the_first_error_cancels_the_others(run: Callable[[Any], Any]) -> None:
    """The first error is raised when the others have cleaned up, however long that takes."""
    cleaned: list[str] = []

    async def slow(name: str) -> str:
        try:
            await requests.sleep(10 * DEADLINE)
        finally:
            await requests.sleep(0.1)
            cleaned.append(name)
        return name

    async def fails() -> str:
        await requests.sleep(0.05)
        raise LookupError("the first")

    async def main() -> None:
        with pytest.raises(LookupError, match="the first"):
            await tasks.gather(slow("a"), fails(), slow("b"))
        assert sorted(cleaned) == ["a", "b"]

    run(main())


@pytest.mark.parametrize("steps", range(1, 6))
def test_cancelling_gather_cancels_each_part(steps: int) -> None:
    """Cancelled from outside, at any step, each part is closed or cancelled and cleans up."""
    begun: list[int] = []
    cleaned: list[int] = []

    async def part(number: int) -> None:
        begun.append(number)
        try:
            await requests.sleep(10)
        finally:
            cleaned.append(number)

    async def main() -> None:
        parts = [part(1), part(2)]
        both = asyncio.create_task(tasks.gather(*parts))
        for _ in range(steps):
            await asyncio.sleep(0)
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert sorted(cleaned) == sorted(begun)
        assert [inspect.getcoroutinestate(p) for p in parts] == [inspect.CORO_CLOSED] * 2
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


# -- one for many ----------------------------------------------------------------


class Work:
    """Work to share, that counts how often it was begun, cancelled and cleaned up."""

    def __init__(self, seconds: float = 0.1, cleaning: float = 0) -> None:
        self.seconds, self.cleaning = seconds, cleaning
        self.begun = self.cleaned = 0

    async def __call__(self) -> int:
        self.begun += 1
        try:
            await requests.sleep(self.seconds)
        finally:
            await requests.sleep(self.cleaning)
            self.cleaned += 1
        return self.begun


def test_many_share_one_piece_of_work() -> None:
    """A hundred who want the same begin it once; another key is another work."""
    work, other = Work(), Work()

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        many = [shared.do("one", work) for _ in range(100)]
        assert await asyncio.gather(*many, shared.do("two", other)) == [1] * 101
        assert await shared.do("one", work) == 2

    asyncio.run(main())
    assert (work.begun, other.begun) == (2, 1)


def test_all_who_share_get_the_error() -> None:
    """An error is raised to each, and is not kept for the next."""
    calls: list[int] = []

    async def fails() -> int:
        calls.append(1)
        await requests.sleep(0.05)
        raise LookupError

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        found = await asyncio.gather(
            *(shared.do("one", fails) for _ in range(5)), return_exceptions=True
        )
        assert [type(error) for error in found] == [LookupError] * 5
        with pytest.raises(LookupError):
            await shared.do("one", fails)

    asyncio.run(main())
    assert len(calls) == 2


def test_a_waiter_that_is_cancelled_leaves_the_others() -> None:
    """The first waiter, who began the work, may go: the others get the result."""
    begun: list[int] = []
    over = Event()

    async def work() -> int:
        begun.append(1)
        await over
        return len(begun)

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        tasks = [asyncio.create_task(shared.do("one", work)) for _ in range(3)]
        while not begun:
            await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        over.set()
        assert await tasks[1] == 1
        assert begun == [1]

    asyncio.run(main())


def test_the_last_waiter_ends_the_work() -> None:
    """When all waiters are cancelled the work is, and has cleaned up before they return."""
    work = Work(10, cleaning=0.1)

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        tasks = [asyncio.create_task(shared.do("one", work)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert (work.begun, work.cleaned) == (1, 1)
        work.seconds = 0.01
        assert await shared.do("one", work) == 2

    asyncio.run(main())


def test_a_caller_that_joins_has_its_own_timeout() -> None:
    """When that passes, it alone gives up. The caller that began waits as long as that takes."""
    begun: list[int] = []
    over = Event()

    async def work() -> int:
        begun.append(1)
        await over
        return len(begun)

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        first = asyncio.create_task(shared.do("one", work, 0.01))
        patient = asyncio.create_task(shared.do("one", work, DEADLINE))
        endless = asyncio.create_task(shared.do("one", work))
        await asyncio.sleep(0.05)
        with pytest.raises(PromptTimeout) as caught:
            await shared.do("one", work, 0.1)
        assert caught.value.hint
        assert not first.done()
        over.set()
        assert await asyncio.gather(first, patient, endless) == [1, 1, 1]

    asyncio.run(main())


class Skipping(asyncio.SelectorEventLoop):
    """An event loop whose time a test can move on, however busy the machine is."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


def test_the_last_one_whose_time_passes_ends_the_work() -> None:
    """If all others were cancelled, the work is ended, and has cleaned up before the error."""
    work = Work(10 * DEADLINE, cleaning=0.1)
    loop = Skipping()

    async def main() -> None:
        shared: sharing.Shared[int] = sharing.Shared()
        first = asyncio.create_task(shared.do("one", work))
        last = asyncio.create_task(shared.do("one", work, DEADLINE))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait([first])
        assert not last.done()
        loop.skipped = DEADLINE
        with pytest.raises(PromptTimeout):
            await last
        assert (work.begun, work.cleaned) == (1, 1)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_a_dead_loop_blocks_no_other_caller() -> None:
    """Work left behind in a loop that was closed is not waited for by the next loop."""
    shared: sharing.Shared[int] = sharing.Shared()
    work = Work(10)
    loop = asyncio.new_event_loop()
    first = loop.create_task(shared.do("one", work))
    loop.run_until_complete(asyncio.sleep(0.05))
    left = asyncio.all_tasks(loop)
    loop.close()
    work.seconds = 0.01
    assert asyncio.run(asyncio.wait_for(shared.do("one", work), DEADLINE)) == 2
    assert len(left) == 2 and first in left
    for task in left:
        _forget(task)


def _forget(task: asyncio.Task[Any]) -> None:
    """Close the coroutine of a task whose loop is closed, as the garbage collector would."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    with contextlib.suppress(RuntimeError):
        task.get_coro().close()  # type: ignore[union-attr]


# -- turns -----------------------------------------------------------------------


def test_turns_are_taken_across_threads() -> None:
    """Of coroutines in several threads' loops only one at a time has the turn."""
    turns = Turns()
    inside: list[int] = []
    most: list[int] = []

    async def one(number: int) -> None:
        async with turns.take():
            inside.append(number)
            most.append(len(inside))
            await requests.sleep(0.005)
            inside.remove(number)

    async def many(start: int) -> None:
        await asyncio.gather(*(one(start + i) for i in range(10)))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(many(n))) for n in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert most == [1] * 30


def test_the_turn_of_a_cancelled_coroutine_goes_to_the_next() -> None:
    """Whether it waits for the turn or holds it."""
    turns = Turns()
    order: list[str] = []

    async def hold(name: str, seconds: float) -> None:
        async with turns.take():
            order.append(name)
            await requests.sleep(seconds)

    async def main() -> None:
        first = asyncio.create_task(hold("first", 10))
        second = asyncio.create_task(hold("second", 10))
        third = asyncio.create_task(hold("third", 0.01))
        await asyncio.sleep(0.05)
        second.cancel()
        first.cancel()
        await asyncio.wait_for(third, DEADLINE)

    asyncio.run(main())
    assert order == ["first", "third"]


def test_a_turn_that_does_not_come_in_time_is_given_up() -> None:
    """A coroutine that gave up is skipped, and the next one gets the turn."""
    turns, given_up = Turns(), Event()
    order: list[str] = []

    async def hold(name: str, limit: float | None) -> None:
        async with turns.take(limit):
            order.append(name)
            await given_up

    async def main() -> None:
        first = asyncio.create_task(hold("first", 0.01))
        while not order:
            await asyncio.sleep(0)
        second = asyncio.create_task(hold("second", 0.05))
        third = asyncio.create_task(hold("third", None))
        with pytest.raises(PromptTimeout) as caught:
            await second
        assert caught.value.hint
        assert order == ["first"]
        given_up.set()
        await asyncio.gather(first, asyncio.wait_for(third, DEADLINE))

    asyncio.run(main())
    assert order == ["first", "third"]


def test_a_turn_that_is_cancelled_when_it_comes_is_passed_on() -> None:
    """A waiter that is cancelled in the very moment of its turn passes it on."""
    turns = Turns()

    async def wait_turn() -> None:
        async with turns.take():
            pass

    async def main() -> None:
        async with turns.take():
            second = asyncio.create_task(wait_turn())
            third = asyncio.create_task(wait_turn())
            await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait_for(third, DEADLINE)
        assert second.cancelled()

    asyncio.run(main())


@pytest.mark.parametrize("left", ["holder", "waiter"])
def test_a_turn_left_in_a_dead_loop_is_given_back(left: str) -> None:
    """A loop that was closed under a holder or a waiter does not keep the turn."""
    turns = Turns()

    async def hold(seconds: float) -> str:
        async with turns.take():
            await requests.sleep(seconds)
        return "had it"

    loop = asyncio.new_event_loop()
    other = asyncio.new_event_loop()
    abandoned = []
    if left == "waiter":
        holder = other.create_task(hold(0.2))
        other.run_until_complete(asyncio.sleep(0.05))
    abandoned.append(loop.create_task(hold(10)))
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    if left == "waiter":
        other.run_until_complete(holder)
    other.close()
    assert asyncio.run(asyncio.wait_for(hold(0), DEADLINE)) == "had it"
    for task in abandoned:
        _forget(task)
    assert asyncio.run(asyncio.wait_for(hold(0), DEADLINE)) == "had it"


# -- doing nothing ---------------------------------------------------------------


@contextlib.asynccontextmanager
async def _measured() -> AsyncIterator[None]:
    """Fail if this thread used the processor, or was woken, more than a little."""
    before = resource.getrusage(resource.RUSAGE_THREAD)
    yield
    after = resource.getrusage(resource.RUSAGE_THREAD)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    woken = after.ru_nvcsw - before.ru_nvcsw
    assert used < 0.02 + 0.03, f"{used:.3f} s of CPU in 2 s"
    assert woken < 40, f"woke {woken} times in 2 s"


@pytest.mark.alone
@each_loop
def test_waiting_costs_nothing(run: Callable[[Any], Any], pipe: tuple[int, int]) -> None:
    """Two seconds of waiting take under 1 % of a core, and do not wake the process."""

    async def main() -> None:
        await requests.readable(pipe[0], 0.01)
        async with _measured():
            await requests.readable(pipe[0], 2)

    run(main())


@pytest.mark.process
@pytest.mark.parametrize("reactor", REACTORS)
@pytest.mark.alone
def test_waiting_costs_nothing_in_twisted(reactor: str) -> None:
    """A second of waiting in a reactor takes next to nothing, and starts no thread."""
    program = (
        TWISTED.replace("{install}", REACTORS[reactor])
        + """
import resource, threading
async def measured(reactor):
    await requests.readable(reading, 0.1)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await requests.readable(reading, 1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.01 + 0.03, used
    assert after.ru_nvcsw - before.ru_nvcsw < 20, after.ru_nvcsw - before.ru_nvcsw
    print(threading.active_count())
task.react(measured)
"""
    )
    assert forked(program) == "1\n"


def test_waiting_starts_no_thread(pipe: tuple[int, int]) -> None:
    """While a descriptor or the time is waited for, no other threads are there than before."""
    before = {*threading.enumerate()}

    async def main() -> set[threading.Thread]:
        waiting = asyncio.gather(
            _awaited(requests.readable(pipe[0], 0.2)), _awaited(requests.sleep(0.2))
        )
        await asyncio.sleep(0.1)
        found = {*threading.enumerate()}
        await waiting
        return found

    assert asyncio.run(main()) <= before


# -- the command's own loop ------------------------------------------------------


def test_the_commands_own_loop_drives_it(pipe: tuple[int, int]) -> None:
    """Everything that secretly waits with, one after the other and at the same time."""

    async def written() -> str:
        threading.Timer(0.05, os.write, (pipe[1], b"x")).start()
        assert await requests.readable(pipe[0], DEADLINE) is True
        assert await requests.readable(pipe[0], 0) is True
        return os.read(pipe[0], 1).decode()

    async def work() -> str:
        assert request.loop_is_running()
        assert await written() == "x"
        assert await tasks.gather(written(), requests.in_thread(lambda: "y", 60)) == ["x", "y"]
        shared: sharing.Shared[str] = sharing.Shared()
        assert await tasks.gather(*(shared.do("one", written, 60) for _ in range(10))) == ["x"] * 10
        async with Turns().take(1):
            return await written()

    assert in_poll_loop(work()) == "x"
    assert not request.loop_is_running()


def test_timers_ring_in_their_order() -> None:
    """One that is undone does not ring, nor does one that another undoes."""
    rung: list[str] = []

    async def work() -> None:
        waits = await requests.CurrentLoop()
        waits.call_later(0.02, lambda: rung.append("last"))
        waits.call_later(0.01, lambda: rung.append("first"))
        waits.call_later(0.01, lambda: undo())
        waits.call_later(0, lambda: rung.append("undone"))()
        undo = waits.call_later(0.015, lambda: rung.append("undone by another"))
        time.sleep(0.03)
        await requests.sleep(0)
        await requests.sleep(0)

    in_poll_loop(work())
    assert rung == ["first", "last"]


class Interrupting(Quiet):
    """Interruptions that come when they are told to."""

    def come(self) -> None:
        """Do as the handler of a signal does."""
        self.pending = True
        assert self.cancel is not None
        self.cancel()


@pytest.mark.parametrize("when", ["before", "while it waits", "while it runs"])
def test_a_signal_cancels_the_coroutine(when: str, pipe: tuple[int, int]) -> None:
    """It cleans up, which may take a wait, and what it has started is closed."""
    signals, cleaned = Interrupting(), cast("list[str]", [])

    async def other() -> None:
        try:
            await requests.sleep(100)
        finally:
            cleaned.append("other")

    async def work() -> None:
        (await requests.CurrentLoop()).start(other(), lambda *_: None)
        if when == "while it runs":
            await requests.sleep(0)
            signals.come()
        try:
            await requests.readable(pipe[0], 100)
        finally:
            await requests.sleep(0.01)
            cleaned.append("itself")

    if when == "before":
        signals.pending = True
    elif when == "while it waits":
        threading.Timer(0.1, signals.come).start()
    with pytest.raises(poll_loop.WaitCancelled):
        poll_loop.PollLoop().run(work(), signals)
    assert cleaned == ["itself", "other"]
    assert signals.cancel is None


def test_a_coroutine_can_cancel_itself() -> None:
    """It is cancelled where it waits next; once it has ended, nothing is."""
    cancelled: list[Callable[[], None]] = []

    async def one() -> str:
        cancelled[0]()
        await requests.sleep(100)
        return "not cancelled"

    async def work() -> None:
        waits = await requests.CurrentLoop()
        cancelled.append(lambda: cancelled[1]())
        over, ended = Event(), cast("list[Any]", [])

        async def later() -> None:
            await requests.sleep(0)
            await one()

        cancelled.append(waits.start(later(), lambda *end: (ended.append(end), over.set())))
        await over
        assert isinstance(ended[0][1], poll_loop.WaitCancelled)
        cancelled[1]()
        assert len(ended) == 1

    in_poll_loop(work())


def test_a_wait_that_cannot_begin_is_an_error_where_it_is_awaited() -> None:
    """As when no thread can be started."""

    def start(settle: object) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> str:
        try:
            await request.in_thread_if_needed(int, 1, start)
        except RuntimeError as error:
            return str(error)
        return ""

    assert in_poll_loop(work()) == "can't start new thread"


def test_what_was_left_behind_is_closed() -> None:
    """A coroutine that ignores that is left."""
    closed: list[str] = []

    async def left(stubborn: bool) -> None:
        while True:
            try:
                await requests.sleep(100)
            except BaseException:
                closed.append("stubborn" if stubborn else "closed")
                if not stubborn or len(closed) > 2:
                    raise

    async def work() -> None:
        waits = await requests.CurrentLoop()
        for coroutine in stubborn, quiet:
            waits.start(coroutine, lambda *_: None)

    stubborn, quiet = left(True), left(False)
    in_poll_loop(work())
    assert closed == ["stubborn", "closed"]
    stubborn.close()
    assert inspect.getcoroutinestate(quiet) == inspect.CORO_CLOSED


def test_calls_from_threads_come_in_their_order_and_none_gets_lost() -> None:
    """Also more than the pipe that wakes the loop has room for. Late ones do nothing."""
    came: list[int] = []
    loops: list[loop.Loop] = []

    async def work() -> None:
        waits = await requests.CurrentLoop()
        loops.append(waits)
        for number in range(70_000):  # a pipe has 65,536 bytes
            waits.call_from_thread(lambda number=number: came.append(number))
        assert came == []
        while len(came) < 70_000:
            await requests.sleep(0)

    in_poll_loop(work())
    assert came == list(range(70_000))
    loops[0].call_from_thread(lambda: came.append(-1))
    assert came[-1] != -1


def test_secret_sync_refuses_to_wait_in_the_commands_own_loop() -> None:
    """As in each loop: nothing else would run there. Other threads may wait."""

    async def work() -> list[str]:
        return [own_loop.running_loop(), await requests.in_thread(own_loop.running_loop, DEADLINE)]

    assert in_poll_loop(work()) == ["the loop of the command", ""]
    assert own_loop.running_loop() == ""


def test_a_deferred_that_has_fired_needs_no_reactor() -> None:
    """Its value and its error come back; one that is cancelled raises Twisted's own error."""

    async def fails() -> str:
        try:
            await fail(LookupError("gone"))
        except LookupError as error:
            return str(error)
        return ""

    async def work() -> list[str]:
        return [await succeed("value"), await fails()]

    assert in_poll_loop(work()) == ["value", "gone"]


@pytest.mark.parametrize("asked", ["None", "a Future"])
def test_asyncios_own_is_not_awaited_in_the_commands_own_loop(asked: str) -> None:
    """``asyncio.sleep(0)`` works, a Future is an error."""

    async def work() -> str:
        try:
            await (asyncio.sleep(0) if asked == "None" else asyncio.Future(loop=asyncios))
        except RuntimeError as error:
            return str(error)
        return "done"

    asyncios = asyncio.new_event_loop()
    expected = "done" if asked == "None" else "await wasn't used with future"
    assert in_poll_loop(work()) == expected
    asyncios.close()


MOVING = """
import os, sys, threading
from secretly.waiting import driving, requests, tasks
class Quiet:
    pending, waiting, cancel = False, False, None
    def check(self): pass
signals = Quiet()
reading, writing = os.pipe()
silent, _ = os.pipe()

async def sleeps(seconds):
    await requests.sleep(seconds)
    return seconds

async def reads():
    assert await requests.readable(silent, 0.1) is False
    assert await requests.readable(reading, 60) is True
    return os.read(reading, 1)

async def native():
    from twisted.internet import reactor, task, threads
    assert not reactor.running
    reactor.callLater(0.2, os.write, writing, b"x")
    found = await task.deferLater(reactor, 0.1, lambda: "deferred")
    assert reactor.running
    assert await threads.deferToThread(lambda: 5) == 5
    assert await requests.in_thread(lambda: 7, 60) == 7
    return found

async def never():
    from twisted.internet import defer, reactor
    reactor.callLater(0.05, lambda: signals.cancel())
    try:
        await defer.Deferred()
    finally:
        await requests.sleep(0.01)
        print("cleaned")

async def stopped():
    from twisted.internet import reactor, task
    await task.deferLater(reactor, 0.01)
    reactor.stop()
    await requests.sleep(60)

"""


@pytest.mark.process
def test_a_deferred_is_waited_for_in_twisted() -> None:
    """The loop goes on in Twisted's reactor, with all that waits: timers, readers, threads."""
    program = """
async def main():
    return await tasks.gather(sleeps(0.05), reads(), native(), sleeps(0.3))
print(driving.drive(main(), signals))
"""
    assert forked(MOVING + program) == "[0.05, b'x', 'deferred', 0.3]\n"


@pytest.mark.process
def test_the_turn_comes_after_an_earlier_call_waited_in_twisted() -> None:
    """The reactor has stopped then, but the command's own loop drives the next coroutine."""
    program = """
from secretly.waiting.turns import Turns
turns = Turns()
async def waits(seconds):
    async with turns.take(5):
        await requests.sleep(seconds)
    return seconds
async def main():
    return await tasks.gather(waits(0.01), waits(0.02))
print(driving.drive(native(), signals), driving.drive(main(), signals))
"""
    assert script(MOVING + program) == "deferred [0.01, 0.02]\n"


@pytest.mark.process
def test_a_signal_cancels_what_waits_in_twisted() -> None:
    """The coroutine cleans up, and gets Twisted's own error."""
    program = """
try:
    driving.drive(never(), signals)
except BaseException as error:
    print(type(error).__module__, type(error).__name__)
"""
    assert forked(MOVING + program) == "cleaned\ntwisted.internet.defer CancelledError\n"


@pytest.mark.process
def test_a_source_that_stops_the_reactor_is_an_error() -> None:
    """Nothing can be waited for after that."""
    program = """
try:
    driving.drive(stopped(), signals)
except Exception as error:
    print(type(error).__name__, error)
"""
    said = "SecretlyError Twisted's reactor has stopped: secretly can't wait any more\n"
    assert script(MOVING + program) == said


def test_on_macos_the_loop_uses_select(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    """Its ``poll`` does not support terminals."""
    monkeypatch.setattr(sys, "platform", "darwin")
    os.write(pipe[1], b"x")
    assert list(poll_loop._readable({pipe[0]}, 1)) == [pipe[0]]
    os.read(pipe[0], 1)
    assert list(poll_loop._readable({pipe[0]}, 0.01)) == []


# -- without a loop --------------------------------------------------------------


def test_what_needs_a_loop_is_given_up_in_place() -> None:
    """A Deferred waits for Twisted: the coroutine is closed, and there is another value."""
    closed = []

    async def waits(for_what: Deferred[str] | None) -> str:
        try:
            return await for_what if for_what else "in place"
        finally:
            closed.append(for_what)

    never: Deferred[str] = Deferred()
    assert driving.drive_in_place(waits(None), Quiet(), "otherwise") == "in place"
    assert driving.drive_in_place(waits(never), Quiet(), "otherwise") == "otherwise"
    assert closed == [None, never]


@pytest.mark.process
def test_a_short_wait_loads_no_event_loop() -> None:
    """``drive`` runs a coroutine that waits for little without loading an event loop."""
    program = """
import os, sys
from secretly.waiting import driving, requests, sharing, tasks
class Quiet:
    pending, waiting, cancel = False, False, None
    def check(self): pass
reading, writing = os.pipe()
os.write(writing, b"x")
async def main():
    assert await requests.readable(reading, 60) is True
    assert await requests.in_thread(lambda: 1, 10) == 1
    await requests.sleep(0.01)
    return "done"
print(driving.drive(main(), Quiet()), "twisted" in sys.modules, "asyncio" in sys.modules)
"""
    assert script(program) == "done False False\n"


@pytest.mark.process
def test_a_longer_wait_is_left_to_the_commands_own_loop() -> None:
    """For a longer wait ``drive`` loads that loop and no other, and returns the value."""
    program = """
import os, sys, threading, time
from secretly.waiting import driving, requests, sharing, tasks
class Quiet:
    pending, waiting, cancel = False, False, None
    def check(self): pass
reading, writing = os.pipe()
def write():
    while "secretly.waiting.poll_loop" not in sys.modules:
        time.sleep(0.01)
    os.write(writing, b"x")
threading.Thread(target=write, daemon=True).start()
async def main():
    assert await requests.readable(reading, 60) is True
    assert await requests.readable(reading, 60) is True
    return await tasks.gather(one(1), one(2))
async def one(number):
    await requests.sleep(0.01)
    return number
others = ("twisted", "asyncio", "secretly.waiting.poll_loop")
print(driving.drive(main(), Quiet()), *(name in sys.modules for name in others))
"""
    assert script(program) == "[1, 2] False False True\n"


def test_drive_raises_what_the_coroutine_raises() -> None:
    """An error of the coroutine is the error of ``drive``."""

    async def fails() -> None:
        await requests.sleep(0.001)
        raise LookupError

    with pytest.raises(LookupError):
        driving.drive(fails(), Quiet())


def test_drive_closes_a_coroutine_that_gets_no_loop() -> None:
    """A loop needs two descriptors; the coroutine cleans up where none is left."""
    cleaned: list[int] = []

    async def waits() -> None:
        try:
            await requests.sleep(10)
        finally:
            cleaned.append(1)

    work = waits()  # kept: Python closes a coroutine that nothing has
    free, limits = os.dup(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            driving.drive(work, Quiet())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert cleaned == [1]


def test_drive_closes_a_coroutine_that_is_interrupted() -> None:
    """The exception of a signal ends the coroutine, which cleans up, and is raised."""
    cleaned: list[int] = []

    class Interrupted(Quiet):
        def check(self) -> None:
            raise KeyboardInterrupt

    async def waits() -> None:
        try:
            await requests.sleep(10)
        finally:
            cleaned.append(1)

    with pytest.raises(KeyboardInterrupt):
        driving.drive(waits(), Interrupted())
    assert cleaned == [1]


# -- in place, and each loop's adapter --------------------------------------------


def test_an_event_that_has_happened_is_not_waited_for() -> None:
    """An event that is already set doesn't wait, with and without a timeout."""

    async def main() -> bool:
        event = events.Event()
        event.set()
        await event
        return await event.within(1)

    assert driving.drive(main(), Quiet()) is True


@each_loop
def test_an_event_wakes_a_waiter_in_a_loop(run: Callable[[Any], Any]) -> None:
    """An event that another thread sets wakes a waiter before its timeout."""

    async def main() -> list[bool]:
        event = events.Event()
        threading.Timer(0.01, event.set).start()
        return [await event.within(SOON), await events.Event().within(0.01)]

    assert run(main()) == [True, False]


def test_each_adapter_has_what_a_loop_has() -> None:
    """Type checkers use the protocol, and this test checks the classes at run time."""
    wanted = {name for name in vars(loop.Loop) if not name.startswith("_")}
    assert {"call_later", "start", "wait"} <= wanted
    for adapter in (asyncio_loop.AsyncioLoop, poll_loop.PollLoop, twisted_loop.TwistedLoop):
        assert wanted <= set(dir(adapter))
