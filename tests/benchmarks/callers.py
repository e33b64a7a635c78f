"""Ask the library for many secrets together; print how long it took, in seconds.

    python callers.py asyncio|twisted NAMES CALLS

Run by the interpreter of the installation that is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import secretly


async def ask(gather: Callable[[Sequence[Any]], Awaitable[Any]], names: int, calls: int) -> None:
    """Ask for the names, in turn, by so many calls."""
    before = time.perf_counter()
    wanted = [secretly.secret(f"Service-{number % names}") for number in range(calls)]
    found = await gather(wanted)
    took = time.perf_counter() - before
    assert len(found) == calls and all(one.startswith("canary-") for one in found)
    print(took)


def main(driver: str, names: int, calls: int) -> None:
    """Ask in a program of asyncio, or of Twisted."""
    if driver == "asyncio":
        import asyncio

        asyncio.run(ask(lambda wanted: asyncio.gather(*wanted), names, calls))
        return
    from twisted.internet import defer, task

    def gather(wanted: Sequence[Any]) -> Any:
        return defer.gatherResults(list(map(defer.ensureDeferred, wanted)))

    task.react(lambda reactor: defer.ensureDeferred(ask(gather, names, calls)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
