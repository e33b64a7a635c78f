"""The library in a program that runs for long, or asks for many secrets together."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import COVERAGE

pytestmark = [pytest.mark.process, pytest.mark.outside]

#: Ways to run a coroutine function to its end, in a process of its own.
DRIVERS = {
    "asyncio": "import asyncio\nasyncio.run(main())",
    "twisted": (
        "from twisted.internet import defer, task\n"
        "task.react(lambda reactor: defer.ensureDeferred(main()))"
    ),
}

TOGETHER = """
import json
from secretly import secret
from secretly.waiting import tasks
from secretly.testing import FakePinentry, sandbox

async def main():
    with FakePinentry(["pypi-canary-1"]) as pinentry, sandbox(pinentry):
        found = await tasks.gather(*(secret("PyPI") for _ in range(1000)))
        print(json.dumps([len(found), len(set(found)), len(pinentry.prompts)]))
"""

SEQUENCE = """
import gc, json, os, tracemalloc
from secretly import Secret, remember, secret
from secretly.testing import FakePinentry, sandbox

def now():
    gc.collect()
    return len(os.listdir("/proc/self/fd")), tracemalloc.get_traced_memory()[0]

async def main():
    with FakePinentry() as pinentry, sandbox(pinentry):
        await remember("Name", "canary-1")
        measured = []
        for calls in (300, 1000, 1000):
            for _ in range(calls):
                assert await secret("Name") == "canary-1"
            measured.append(now())
            tracemalloc.start()  # after the first calls have made what stays
        print(json.dumps([*measured, len(pinentry.prompts)]))
"""


def printed(script: str, driver: str) -> list[object]:
    """What a script prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script + DRIVERS[driver]],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path[1:]), **COVERAGE},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_thousand_calls_together_are_one_prompt(driver: str) -> None:
    """Each call gets what was typed once."""
    assert printed(TOGETHER, driver) == [1000, 1, 1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_thousand_calls_leave_nothing(driver: str) -> None:
    """No descriptor stays open and no memory is kept: one small object a call would be more.

    What Twisted keeps on Python 3.13 comes and goes, and is not more after the second thousand.
    """
    (files, _), *after, prompts = printed(SEQUENCE, driver)  # type: ignore[misc]
    assert {number for number, _ in after} == {files}
    first, second = (kept for _, kept in after)
    assert min(first, second - first) < 20_000
    assert prompts == 0
