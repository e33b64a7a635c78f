"""What threads answer comes to the coroutine that waits, whenever it comes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from secretly.waiting import answers, request, requests

Settle = Callable[[Any], None]


async def started(start: Callable[[Settle], object], timeout: float = 20.0) -> Any:
    """Wait for what a thread answers."""
    return await request.in_thread_if_needed(refuse, timeout, start)


def refuse() -> None:
    raise AssertionError("a loop drives: it must not wait in place")


def in_thread(call: Callable[[], object]) -> None:
    """Call in a thread, to its end."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_an_answer_that_comes_before_the_wait_begins_is_kept() -> None:
    """Also if the reactor runs only later, as under ``task.react``."""

    def now(done: Settle) -> None:
        in_thread(lambda: done(("now", None)))

    assert asyncio.run(started(now)) == "now"
    work = request.Blocking(refuse, 20.0, now)
    work.begin()
    assert Deferred.fromCoroutine(request.outcome(work)).result == "now"


def test_an_answer_that_comes_later_is_waited_for() -> None:
    """An error is raised."""

    def later(done: Settle) -> None:
        threading.Timer(0.05, done, [("later", None)]).start()

    def wrong(done: Settle) -> None:
        threading.Timer(0.05, done, [(None, ValueError("wrong"))]).start()

    assert asyncio.run(started(later)) == "later"
    with pytest.raises(ValueError, match="wrong"):
        asyncio.run(started(wrong))


def test_no_answer_in_time_is_an_error() -> None:
    """A late answer is dropped, also when the loop is closed."""
    kept: list[Settle] = []
    with pytest.raises(TimeoutError):
        asyncio.run(started(kept.append, 0.01))
    kept[0](("late", None))


def test_a_thread_starts_before_the_loop_says_that_it_drives() -> None:
    """So it works while the loop begins many other calls."""
    began: list[int] = []

    def start(number: int, done: Settle) -> None:
        began.append(number)
        done((number, None))

    async def main() -> list[int]:
        waits = [started(lambda done, n=n: start(n, done)) for n in range(3)]
        tasks = list(map(asyncio.create_task, waits))
        asyncio.get_running_loop().call_soon(lambda: began.append(-1))
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [0, 1, 2]
    assert began == [0, 1, 2, -1]


def test_a_loop_gets_all_of_its_answers_in_one_call() -> None:
    """What no loop waits for gets its answer directly."""
    wakes: list[int] = []
    kept: list[Settle] = []
    direct: list[int] = []

    async def main() -> list[Any]:
        loop: Any = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def counted(*args: Any) -> Any:
            wakes.append(len(args))
            return wake(*args)

        loop.call_soon_threadsafe = counted
        waits = [asyncio.create_task(started(kept.append)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        pairs = [(done, (number, None)) for number, done in enumerate(kept)]
        in_thread(lambda: answers.hand_over([*pairs, (direct.append, 9)]))
        return await asyncio.gather(*waits)

    assert asyncio.run(main()) == [0, 1, 2]
    assert (direct, len(wakes)) == ([9], 1)


def test_a_request_that_fails_takes_no_answer_from_the_others() -> None:
    """As if a signal's handler raises just then."""
    settled: list[int] = []
    failed: list[object] = []

    def settle(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        settled.append(number)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failed.append(context["exception"])
        )
        loop = await requests.CurrentLoop()
        waiting = [answers.ThreadAnswer() for _ in range(3)]
        for one in waiting:
            one.deliver(loop, settle)
        in_thread(lambda: answers.hand_over(zip(waiting, range(3), strict=True)))
        while len(settled) < 2:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 20))
    assert settled == [0, 2]
    assert [str(one) for one in failed] == ["1"]
