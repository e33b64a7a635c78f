"""Every wait ends: when the time limit of the call passes, or nothing drives the turn's holder."""

from __future__ import annotations

import asyncio
import datetime
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from command import home as fresh_home
from conftest import Tried
from ptys import DEADLINE, SOON, Pty, children

import secretly
from secretly import PromptTimeout, SecretlyError
from secretly.api import arguments
from secretly.asking import prompting
from secretly.asking.questions import Prompt
from secretly.config import values
from secretly.errors import BadConfiguration
from secretly.testing import FakePinentry, sandbox
from secretly.waiting import requests
from secretly.waiting.turns import Turns

pytestmark = pytest.mark.usefixtures("no_quick_homes")

#: A pinentry that shows its prompt and never answers.
SILENT = [("hang", False)]

#: How many seconds something is stuck that a limit must end: far longer than SOON.
STUCK = 10 * DEADLINE

PROMPT = Prompt("a title", "a description", "a prompt")


def took(call: Callable[[], Coroutine[Any, Any, object]], error: type[Exception]) -> float:
    """Await something that fails with this error; return how long that took, in seconds."""
    started = time.monotonic()
    with pytest.raises(error) as caught:
        asyncio.run(call())
    assert getattr(caught.value, "hint", "")
    return time.monotonic() - started


# -- turns that were left behind ---------------------------------------------------


def held(turns: Turns) -> asyncio.AbstractEventLoop:
    """Stop a loop, without closing it, while one of its coroutines holds the turn."""

    async def hold() -> None:
        async with turns.take():
            await requests.sleep(10 * DEADLINE)

    loop = asyncio.new_event_loop()
    loop.call_soon(asyncio.ensure_future, hold())
    loop.run_until_complete(asyncio.sleep(0.01))
    return loop


async def taken(turns: Turns) -> str:
    async with turns.take(DEADLINE):
        return "had it"


def ended(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the unfinished tasks of a loop, and close the loop."""
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


def test_a_loop_that_does_not_run_keeps_no_turn() -> None:
    """The next waiter gets the turn, and the stopped holder can't take the turn away afterwards."""
    turns = Turns()
    loop = held(turns)
    assert asyncio.run(taken(turns)) == "had it"
    ended(loop)
    assert asyncio.run(taken(turns)) == "had it"


def test_a_loop_that_stops_gives_the_turn_to_who_waits_already() -> None:
    """A waiting coroutine notices that the holder's loop has stopped, and gets the turn."""
    turns = Turns()
    loop, waits = asyncio.new_event_loop(), threading.Event()

    async def hold() -> None:
        async with turns.take():
            waits.wait(DEADLINE)  # blocks the loop, until the other waits
            await requests.sleep(10 * DEADLINE)

    def run() -> None:
        loop.create_task(hold())
        loop.run_until_complete(asyncio.sleep(0.01))

    async def wait() -> str:
        waiting = asyncio.create_task(taken(turns))
        await asyncio.sleep(0)
        waits.set()
        return await waiting

    thread = threading.Thread(target=run)
    thread.start()
    while turns._holder is None:
        time.sleep(0.001)
    assert asyncio.run(wait()) == "had it"
    thread.join()
    ended(loop)


def test_a_waiter_in_a_loop_that_does_not_run_is_passed_over() -> None:
    """A waiter keeps its place: it gets the turn when its loop runs again."""
    turns = Turns()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        async with turns.take():
            thread = threading.Thread(target=lambda: waiting.append(loop.create_task(taken(turns))))
            thread.start()
            thread.join()
            first = threading.Thread(target=loop.run_until_complete, args=(asyncio.sleep(0.01),))
            first.start()
            first.join()

    waiting: list[asyncio.Task[str]] = []
    asyncio.run(main())
    assert asyncio.run(taken(turns)) == "had it"
    assert loop.run_until_complete(waiting[0]) == "had it"
    loop.close()


def test_a_thread_that_has_ended_keeps_no_turn() -> None:
    """Without an event loop, a holder loses the turn when its thread ends."""
    turns, holders = Turns(), []

    def hold() -> None:
        entering = turns.take()
        holders.append(entering)
        with pytest.raises(StopIteration):
            entering.__aenter__().send(None)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert asyncio.run(taken(turns)) == "had it"


def test_who_waits_for_several_turns_waits_for_each() -> None:
    """The time limit of a turn counts anew for each coroutine that holds the turn first."""
    turns = Turns()

    async def hold() -> None:
        async with turns.take(2):
            await requests.sleep(0.7)

    async def main() -> None:
        await asyncio.gather(*(hold() for _ in range(4)))

    asyncio.run(main())


#: How prompts are left behind in each kind of loop.
LEFT = {
    "a stopped loop": """
        loop = asyncio.new_event_loop()
        left = loop.create_task(secretly.secret("A"))
        begun.append(lambda: loop.call_soon_threadsafe(loop.stop))
        loop.run_forever()
    """,
    "a stopped reactor": """
        from twisted.internet import reactor
        from twisted.internet.defer import ensureDeferred
        left = ensureDeferred(secretly.secret("A"))
        left.addErrback(lambda failure: None)
        begun.append(lambda: reactor.callFromThread(reactor.stop))
        reactor.run()
    """,
    "a reactor that crashed": """
        from twisted.internet import reactor
        from twisted.internet.defer import ensureDeferred
        left = ensureDeferred(secretly.secret("A"))
        begun.append(lambda: reactor.callFromThread(reactor.crash))
        reactor.run()
    """,
    "a thread of the process that forked": """
        def other():
            asyncio.run(secretly.secret("A"))
        threading.Thread(target=other, daemon=True).start()
        asked.wait()
        import pexpect.fdpexpect  # a fork in the middle of the other's import would wait for it
        forked = os.fork()
        if forked:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]))
        # On the same screen it would wait until the parent's dialog is answered.
        os.environ["DISPLAY"] = ":another"
    """,
}


@pytest.mark.process
@pytest.mark.parametrize("left", LEFT)
def test_a_prompt_that_was_left_behind_stops_no_other(left: str, tried: Tried) -> None:
    """The next prompt appears soon. After the reactor has stopped, a wait is an error."""
    program = f"""
import asyncio, os, sys, threading, time
import secretly
begun, asked = [], threading.Event()
def watch():
    while not os.path.exists(os.environ["SHOWN"]):
        time.sleep(0.01)
    asked.set()
    for call in begun:
        call()
threading.Thread(target=watch, daemon=True).start()
{textwrap.dedent(LEFT[left])}
print(asyncio.run(secretly.secret("B", timeout=10)), flush=True)
if {left == "a stopped reactor"}:
    failed = []
    ensureDeferred(secretly.secret("C")).addErrback(failed.append)
    print(failed[0].value, flush=True)
os._exit(0)
"""
    with FakePinentry([SILENT, "canary-b"]) as pinentry, fresh_home() as home:
        shown, started = str(pinentry.path.parent / "prompts"), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**home.environ, **pinentry.environ, "SHOWN": shown},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            stdin=subprocess.DEVNULL,
        )
    said = done.stdout.splitlines()
    assert (said[:1], done.returncode) == (["canary-b"], 0), done.stderr
    assert len(said) == (2 if left == "a stopped reactor" else 1)
    assert "canary" not in "".join(said[1:])
    took = time.monotonic() - started
    tried("waits", f"a prompt left behind by {left}", "the next prompt is shown", took)


# -- the limit of a whole call -----------------------------------------------------


@pytest.mark.process
def test_the_limit_counts_the_wait_for_another_prompt(tried: Tried) -> None:
    """A call with ``timeout=0.5`` ends after 0.5 s while an earlier prompt is still unanswered."""

    async def main() -> float:
        other = asyncio.create_task(secretly.secret("A"))
        while not pinentry.prompts:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        for call in (secretly.secret("B", timeout=0.5), secretly.confirm("Sure?", timeout=0.5)):
            with pytest.raises(PromptTimeout):
                await call
        seconds = time.monotonic() - started
        other.cancel()
        return seconds

    with FakePinentry([SILENT]) as pinentry, sandbox(pinentry):
        seconds = asyncio.run(main())
    assert seconds < SOON
    tried("waits", "two calls of 0.5 s next to another prompt", "PromptTimeout", seconds)


@pytest.mark.process
def test_the_error_names_the_limit_that_was_given() -> None:
    """The error names the limit from the call, not the time that was left for the last prompt."""
    for limit in (1, 4, 7):  # on a busy machine, the pinentry may not start in a second
        with FakePinentry([SILENT]) as pinentry:
            variables = {"PATH": os.defpath, **pinentry.environ}
            until = time.monotonic() + limit
            with pytest.raises(PromptTimeout) as caught:
                asyncio.run(prompting.ask(PROMPT, 8, variables, until=until))
            if pinentry.prompts:
                break
    assert re.search(r"\b8 s(\n|$)", str(caught.value))


@pytest.mark.process
@pytest.mark.parametrize("verb", ["greeting", "SETTIMEOUT", "GETINFO"])
def test_the_limit_counts_what_a_pinentry_does_not_answer(verb: str) -> None:
    """The limit of the call also covers the 30 s that a pinentry has to answer commands."""
    with FakePinentry(on={verb: [("hang", True)]}) as pinentry:
        variables = {"PATH": os.defpath, **pinentry.environ}
        until = time.monotonic() + 1
        seconds = took(lambda: prompting.ask(PROMPT, 60, variables, until=until), PromptTimeout)
    assert seconds < SOON
    assert children(os.getpid()) == []  # it has ignored all signals but the last


#: A program that prompts with a limit of 4 s, and prints by how much the limit was exceeded.
ASKS = """
import asyncio, os, sys, time
from secretly.asking import prompting
from secretly.asking.questions import Prompt
from secretly.errors import PromptTimeout
until = time.monotonic() + 4
try:
    asked = getattr(prompting, sys.argv[1])
    asyncio.run(asked(Prompt("a title", "a description", "a prompt"), 60, os.environ, until=until))
except PromptTimeout:
    print("late by", int(time.monotonic() - until), "s")
"""


@pytest.mark.process
def test_the_terminal_has_what_a_pinentry_left_of_the_limit(tmp_path: Path) -> None:
    """If a pinentry dies after 3.5 of 4 s, the terminal prompt has only the remaining time."""
    pinentry = tmp_path / "pinentry-late"
    pinentry.write_text("#!/bin/sh\nsleep 3.5\n")
    pinentry.chmod(0o700)
    variables = {"PATH": os.defpath, "PINENTRY": str(pinentry), "TERM": "xterm"}
    argv = [sys.executable, "-c", ASKS]
    with Pty([*argv, "ask"], variables) as asks, Pty([*argv, "confirm"], variables) as confirms:
        for screen in (asks, confirms):
            screen.wait_for("late by")
            assert screen.wait() == 0
            late = re.search(r"late by (\d+) s", screen.shown)
            assert late is not None and int(late[1]) < SOON, screen.shown


async def never(secret: str) -> None:
    await asyncio.sleep(STUCK)


@pytest.mark.process
def test_the_limit_counts_what_verify_takes(tried: Tried) -> None:
    """The limit covers ``verify``, for a typed and for a stored secret."""
    with FakePinentry(["canary-1"] * 2) as pinentry, sandbox(pinentry):
        limited = lambda: secretly.secret("A", verify=never, timeout=1)  # noqa: E731
        typed = took(limited, PromptTimeout)
        asyncio.run(secretly.remember("A", "canary-1"))
        stored = took(limited, PromptTimeout)
    assert max(typed, stored) < SOON
    tried("waits", "1 s, and a verify that does not end", "PromptTimeout", max(typed, stored))


@pytest.mark.process
def test_a_secret_whose_verify_blocked_too_long_is_an_error() -> None:
    """Nothing can end a function that blocks, but its answer comes too late."""

    def blocks(secret: str) -> None:
        time.sleep(1.2)

    with sandbox():
        asyncio.run(secretly.remember("A", "canary-1"))
        with pytest.raises(PromptTimeout):
            asyncio.run(secretly.secret("A", verify=blocks, timeout=1))


@pytest.mark.process
def test_all_attempts_together_have_one_limit() -> None:
    """Each further attempt has only the time that the earlier attempts left."""

    async def slow(secret: str) -> bool:
        await asyncio.sleep(1.1)
        return False

    with FakePinentry(["canary-1"] * 3) as pinentry, sandbox(pinentry):
        with pytest.raises(SecretlyError):
            asyncio.run(secretly.secret("A", verify=slow, timeout=30))
        shown = [int(prompt["SETTIMEOUT"]) for prompt in pinentry.prompts]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > shown[1] > shown[2]


@pytest.mark.process
@pytest.mark.parametrize("what", ["a pinentry that does not greet", "a keychain that is stuck"])
def test_the_limit_of_run_counts_what_is_stuck(what: str, tried: Tried) -> None:
    """``--prompt-timeout`` ends a run in which a program is stuck, and the command does not run."""
    with fresh_home() as home:
        stuck = home.program("pinentry-gtk-stuck", f"#!/bin/sh\nexec sleep {STUCK:.0f}\n")
        environ = {"PINENTRY": str(stuck), "DISPLAY": ":99"}
        if what == "a keychain that is stuck":
            (home.folder / "stuck.py").write_text(
                "import time\nfrom keyring.backend import KeyringBackend\n"
                "class Keyring(KeyringBackend):\n    priority = 1\n"
                f"    def get_password(self, *item):\n        time.sleep({STUCK})\n"
                "    set_password = delete_password = get_password\n"
            )
            environ |= {"PYTHONPATH": str(home.folder), "PYTHON_KEYRING_BACKEND": "stuck.Keyring"}
            home.configure('[keychain]\nbackends = ["stuck.Keyring"]\n')
        for option in ("--confirm", "--no-input"):
            if option == "--no-input" and "keychain" not in what:
                continue
            started = time.monotonic()
            limit = ("--prompt-timeout", "2s", option)
            done = home.run("run", *limit, "-e", "X=Demo", "touch", "ran", environ=environ)
            seconds = time.monotonic() - started
            assert 0.9 < seconds < SOON
            assert (done.status, len(done.stderr.splitlines())) == (125, 2)
            assert not (home.folder / "ran").exists()
            asks = "without prompts" if option == "--no-input" else "with prompts"
            tried("waits", f"2 s, and {what}, {asks}", "the command does not run", seconds)


# -- odd values --------------------------------------------------------------------

ODD_TIMEOUTS: list[Any] = [
    *(0, -1, -0.5, float("nan"), float("inf"), -float("inf"), 1e300, 10**400, True, False),
    *("5", "", b"5", [], (), 1j, datetime.timedelta(0), datetime.timedelta(seconds=-1)),
    *(datetime.timedelta.max, "canary-1"),
]
ODD_DURATIONS: list[Any] = [
    *(0, 1, 900, 1.5, float("nan"), "15m", "", b"ask", [], datetime.timedelta(0)),
    *(datetime.timedelta(seconds=-1), "canary-1"),
]


@pytest.mark.parametrize("odd", ODD_TIMEOUTS, ids=repr)
def test_an_odd_time_limit_is_refused(odd: Any) -> None:
    """Each call refuses an odd timeout before any prompt, with secretly's and Python's error."""
    calls: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: secretly.secret("A", timeout=odd),
        lambda: secretly.credential("A", timeout=odd),
        lambda: secretly.confirm("Sure?", timeout=odd),
        lambda: secretly.remember("A", "canary-1", timeout=odd),
        lambda: secretly.forget("A", timeout=odd),
    ]
    with sandbox():
        for call in calls:
            with pytest.raises(SecretlyError, match="timeout takes") as caught:
                asyncio.run(call())
            assert isinstance(caught.value, ValueError) and isinstance(caught.value, TypeError)
            assert "canary" not in str(caught.value)


@pytest.mark.parametrize("odd", ODD_DURATIONS, ids=repr)
def test_an_odd_time_to_remember_is_refused(odd: Any) -> None:
    """``remember`` is checked before the prompt, so the user never types a secret in vain."""
    with sandbox():
        for call in (secretly.secret, secretly.credential):
            with pytest.raises(SecretlyError, match="remember takes") as caught:
                asyncio.run(call("A", remember=odd))
            assert isinstance(caught.value, TypeError)
            assert "canary" not in str(caught.value)


def test_usual_values_are_taken() -> None:
    """A timeout may be a number of any kind or a timedelta."""
    assert arguments.in_seconds(None, 300.0) == 300.0
    assert arguments.in_seconds(1, 300.0) == 1.0
    assert arguments.in_seconds(0.25, 300.0) == 0.25
    assert arguments.in_seconds(datetime.timedelta(minutes=2), 300.0) == 120.0
    assert arguments.remembered(datetime.timedelta(minutes=15)) == 900.0
    assert [arguments.remembered(value) for value in (None, True, False, "ask")] == [
        *(None, True, False, "ask")
    ]


def test_a_limit_on_the_command_line_has_an_end() -> None:
    """``poll(2)`` can't wait for more than 24 days, so the command line allows 20."""
    assert values.time_limit("480h") == 480 * 3600.0
    with pytest.raises(BadConfiguration, match="20 days"):
        values.time_limit("999999h")


# -- other drivers -----------------------------------------------------------------


def test_a_driver_that_throws_type_error_is_told_what_drives_secretly() -> None:
    """trio throws TypeError for a value that it doesn't know, and the test does the same."""
    waiting = requests.in_thread(int, 1)
    waiting.send(None)
    with pytest.raises(SecretlyError, match="neither Twisted nor asyncio"):
        waiting.throw(TypeError("trio received unrecognized yield message"))


def test_trio_gets_our_error() -> None:
    """trio drives only its own coroutines, and the error says which loops secretly supports."""
    import trio

    with sandbox(), pytest.raises(SecretlyError, match="neither Twisted nor asyncio"):
        trio.run(secretly.secret, "A")
