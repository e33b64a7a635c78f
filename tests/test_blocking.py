"""The library in programs that are not async."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from ptys import DEADLINE, Pty, wait_until

import secretly
from secretly import (
    PinentryFailed,
    PromptTimeout,
    SecretlyError,
    credential_sync,
    environment,
    secret_sync,
)
from secretly.testing import FakePinentry, MemoryKeychain, sandbox
from secretly.waiting import own_loop

pytestmark = pytest.mark.process

#: A prompt without an answer.
UNANSWERED: Any = [("hang", False)]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """secretly's thread ends with the last call."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name == "secretly"]
    wait_until(lambda: not any(map(threading.Thread.is_alive, left)), what="the end of a thread")
    assert own_loop._LoopThread._current is None


def running(program: Path) -> list[str]:
    """The processes that run a program."""
    return [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and os.fsencode(program) in _command(entry)
    ]


def _command(entry: Path) -> list[bytes]:
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def answered_after(seconds: float, text: str = "canary-1") -> Any:
    """A prompt that the user answers after a while."""
    return [("wait", seconds), ("raw", f"D {text}\nOK\n".encode())]


# -- the same as the coroutines ----------------------------------------------------


def test_a_secret_and_a_credential_come_back() -> None:
    """Asked for, stored, and found again."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert secret_sync("Example", username="ada", remember=True) == "canary-1"
        assert repr(secret_sync("Example", username="ada")) == "Secret('…')"
        assert credential_sync("Example", username="ada") == ("ada", "canary-1")
        assert len(pinentry.prompts) == 1


def test_the_parameters_are_those_of_the_coroutines() -> None:
    """Names, order and defaults."""
    import inspect

    for blocking, coroutine in ((secret_sync, "secret"), (credential_sync, "credential")):
        there, here = inspect.signature(getattr(secretly, coroutine)), inspect.signature(blocking)
        assert [(p.name, p.kind, p.default) for p in there.parameters.values()] == [
            (p.name, p.kind, p.default) for p in here.parameters.values()
        ]


def test_errors_are_those_of_the_coroutines() -> None:
    """Cancelled, not found, a wrong argument, a wrong reference."""
    with FakePinentry([None]) as pinentry, sandbox(pinentry):
        with pytest.raises(secretly.Cancelled):
            secret_sync("Example")
        with pytest.raises(secretly.BadReference):
            secret_sync("")
        with pytest.raises(TypeError):
            secret_sync("Example", timeout="soon")  # type: ignore[arg-type]
    with sandbox(), pytest.raises(secretly.NotFound):
        credential_sync("Example")


def test_the_context_variables_are_the_callers() -> None:
    """In a *verify* of each kind."""
    caller = contextvars.ContextVar("caller", default="unknown")
    seen = []

    async def coroutine(secret: secretly.Secret) -> None:
        seen.append(caller.get())

    with FakePinentry(["canary-1"] * 2) as pinentry, sandbox(pinentry):
        caller.set("ada")
        secret_sync("Example", verify=coroutine)
        secret_sync("Example", verify=lambda secret: seen.append(caller.get()))
    assert seen == ["ada", "ada"]


# -- verify ------------------------------------------------------------------------


def test_verify_may_block() -> None:
    """It has a thread of its own, so the time limit holds."""
    over = threading.Event()
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        started = time.monotonic()
        with pytest.raises(PromptTimeout, match="verify"):
            secret_sync("Example", verify=lambda _: over.wait(DEADLINE), timeout=2)
        assert time.monotonic() - started < DEADLINE
    over.set()


def test_verify_rejects_as_often_as_it_wants() -> None:
    """Then secretly asks again; its error is the caller's."""
    verdicts = iter([False, True])

    def fail(secret: secretly.Secret) -> bool:
        raise LookupError("no server")

    def leave(secret: secretly.Secret) -> bool:
        sys.exit(3)

    with FakePinentry(["canary-1"] * 4) as pinentry, sandbox(pinentry):
        assert secret_sync("Example", verify=lambda _: next(verdicts)) == "canary-1"
        assert len(pinentry.prompts) == 2
        with pytest.raises(LookupError, match="no server"):
            secret_sync("Example", verify=fail)
        with pytest.raises(SystemExit):
            secret_sync("Example", verify=leave)


def test_verify_may_return_something_to_await() -> None:
    """As a lambda around a coroutine function does."""

    async def accepted(secret: secretly.Secret) -> bool:
        return False

    with FakePinentry(["canary-1"] * 3) as pinentry, sandbox(pinentry):
        with pytest.raises(SecretlyError):
            secret_sync("Example", verify=lambda secret: accepted(secret))
        assert len(pinentry.prompts) == 3


# -- where an event loop runs ------------------------------------------------------

BLOCKING: dict[str, Callable[[], object]] = {
    "await secretly.secret(…)": lambda: secret_sync("Example"),
    "await secretly.credential(…)": lambda: credential_sync("Example"),
    "async with secretly.environment(…)": lambda: environment({"A": "Example"}).__enter__(),
}


@pytest.mark.parametrize("instead", BLOCKING)
def test_in_an_event_loop_the_coroutine_is_named(instead: str) -> None:
    """Under asyncio, as in a notebook's cell; nothing is asked, and no coroutine is left."""

    async def main() -> None:
        BLOCKING[instead]()

    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        with pytest.raises(SecretlyError, match="asyncio runs in this thread") as caught:
            asyncio.run(main())
        assert instead in caught.value.hint
        assert pinentry.lines == []


def test_another_thread_of_an_async_program_may_wait() -> None:
    """With ``to_thread`` of asyncio and of trio: no event loop runs in that thread."""

    async def refused() -> None:
        secret_sync("Example")

    with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry):
        assert asyncio.run(asyncio.to_thread(secret_sync, "Example")) == "canary-1"
        assert trio.run(trio.to_thread.run_sync, secret_sync, "Example") == "canary-2"
        with pytest.raises(SecretlyError, match="trio runs in this thread") as caught:
            trio.run(refused)
        assert "trio.to_thread.run_sync(secretly.secret_sync" in caught.value.hint


def test_twisted_may_run_in_another_thread() -> None:
    """The reactor's own thread is refused; its thread pool may wait."""
    source = """
        import secretly, threading
        from secretly.testing import FakePinentry, sandbox
        from twisted.internet import defer, task, threads

        async def main(reactor):
            await task.deferLater(reactor, 0)  # the reactor does not run before
            try:
                secretly.secret_sync("Example")
            except secretly.SecretlyError as error:
                print(error)
            print(str(await threads.deferToThread(secretly.secret_sync, "Example")))
            print(str(await secretly.secret("Other")))

        with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry):
            task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert script(source).splitlines() == [
        "secretly.secret_sync can't wait here: Twisted runs in this thread",
        "canary-1",
        "canary-2",
    ]


def script(source: str) -> str:
    """Run a program in a new process, and return its stdout. It must write nothing to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


# -- threads -----------------------------------------------------------------------


def test_threads_share_a_prompt() -> None:
    """Twenty at the same time get the secret of one prompt."""
    found: list[str] = []

    def check(secret: secretly.Secret) -> bool:
        return True

    def ask() -> None:
        found.append(secret_sync("Example", verify=check))

    with FakePinentry([answered_after(0.5)]) as pinentry, sandbox(pinentry):
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert found == ["canary-1"] * 20
        assert len(pinentry.prompts) == 1


def test_each_thread_keeps_its_own_time() -> None:
    """One that gives up doesn't end the prompt of another."""
    late: list[BaseException] = []

    def impatient() -> None:
        try:
            secret_sync("Example", timeout=0.3)
        except PromptTimeout as error:
            late.append(error)

    with FakePinentry([answered_after(2)]) as pinentry, sandbox(pinentry):
        patient = threading.Thread(target=lambda: late.append(secret_sync("Example")))  # type: ignore[arg-type]
        patient.start()
        wait_until(lambda: pinentry.prompts, what="a prompt")
        impatient()
        patient.join(DEADLINE)
        assert len(late) == 2
        assert isinstance(late[0], PromptTimeout)
        assert late[1] == "canary-1"


def test_a_call_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does not wait endlessly for work that ignores its own limit."""
    monkeypatch.setattr(own_loop, "_GRACE", 0.1)
    with pytest.raises(PromptTimeout, match=r"did not end in 0\.1 s") as caught:
        own_loop.run_blocking(lambda: asyncio.sleep(3600), 0.1)
    assert caught.value.hint


def test_what_a_call_leaves_behind_is_cancelled() -> None:
    """The loop ends with the last call, and with it each task that somebody started there."""
    ended = []

    async def left_behind() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def leaves() -> int:
        task = asyncio.create_task(left_behind())
        await asyncio.sleep(0)
        return len(str(task))

    assert own_loop.run_blocking(leaves) > 0
    assert ended == [True]


def test_where_no_thread_can_start_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a program, since Python 3.12; the next call works."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> int:
        return 1

    with monkeypatch.context() as patched, pytest.raises(SecretlyError) as caught:
        patched.setattr(threading.Thread, "start", refuse)
        own_loop.run_blocking(work)
    assert caught.value.hint
    assert own_loop.run_blocking(work) == 1


# -- signals, forks and the end of the program -------------------------------------


class Alarmed(Exception):
    """A program's own signal handler raises it."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGALRM])
def test_a_signal_ends_the_prompt(number: int) -> None:
    """Ctrl-C raises KeyboardInterrupt; another handler's exception does the same.

    Another thread, which waits for its turn to ask, gets it.
    """

    def alarm(*_: object) -> None:
        raise Alarmed

    before = signal.signal(signal.SIGALRM, alarm)
    try:
        with FakePinentry([UNANSWERED, "canary-1"]) as pinentry, sandbox(pinentry):
            found: list[str] = []
            other = threading.Thread(target=lambda: found.append(secret_sync("Other")))

            def interrupt() -> None:
                wait_until(lambda: pinentry.prompts, what="a prompt")
                other.start()
                os.kill(os.getpid(), number)

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises((KeyboardInterrupt, Alarmed)) as caught:
                secret_sync("Example")
            if number == signal.SIGINT:  # how secretly waits is not what you look for then
                shown = [Path(frame.filename).name for frame in traceback.extract_tb(caught.tb)]
                assert shown == ["test_blocking.py", "blocking.py", "blocking.py"]
            thread.join(DEADLINE)
            other.join(DEADLINE)
            assert found == ["canary-1"]
            assert running(pinentry.path) == []
    finally:
        signal.signal(signal.SIGALRM, before)


def test_ctrl_c_on_the_terminal_gives_it_back(tmp_path: Path) -> None:
    """Where secretly asks on the terminal itself, because it found no pinentry."""
    source = """
        import secretly
        try:
            secretly.secret_sync("Example")
        except KeyboardInterrupt:
            print("interrupted")
    """
    environ = {
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    with Pty([sys.executable, "-c", textwrap.dedent(source)], environ) as screen:
        screen.wait_for("Secret for Example:")
        wait_until(lambda: not screen.echoes(), what="a prompt")
        screen.type("can\x03")
        assert screen.wait() == 0
        assert screen.shown.rstrip().endswith("interrupted")
        assert "can" not in screen.shown.partition("Secret for Example:")[2]
        assert screen.modes() == screen.before


def test_a_forked_process_asks_for_itself() -> None:
    """Also if another thread was waiting for a prompt when the process forked."""
    with FakePinentry([UNANSWERED, "canary-2"]) as pinentry, sandbox(pinentry):
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                secret_sync("Example", timeout=DEADLINE)
            except PinentryFailed as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: pinentry.prompts, what="a prompt")
        (first,) = running(pinentry.path)
        if (child := os.fork()) == 0:
            status = 1
            try:
                status = 0 if secret_sync("Example", timeout=DEADLINE) == "canary-2" else 2
            finally:
                os._exit(status)
        os.kill(int(first), signal.SIGKILL)  # the child's prompt is on the same screen
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        thread.join(DEADLINE)
        assert len(failed) == 1


def test_the_program_ends_while_a_daemon_thread_waits() -> None:
    """Without a word, and the pinentry ends with it."""
    with FakePinentry([UNANSWERED]) as pinentry:
        source = f"""
            import atexit, os, threading, time
            atexit.register(time.sleep, 0.3)  # the last to run: a thread that woke would write
            import secretly
            os.environ.update({pinentry.environ!r})
            wait = lambda: secretly.secret_sync("Example")
            threading.Thread(target=wait, daemon=True).start()
            while not os.path.exists({str(pinentry.path.parent / "prompts")!r}):
                time.sleep(0.01)
        """
        assert script(source) == ""
        assert running(pinentry.path) == []


def test_a_program_that_ends_is_told() -> None:
    """Since Python 3.12 no thread starts then; before, it asks."""
    source = """
        import atexit, secretly
        from secretly.testing import sandbox
        def late():
            with sandbox():
                try:
                    secretly.secret_sync("Example")
                except secretly.SecretlyError as error:
                    print(bool(error.hint))
        atexit.register(late)
    """
    assert script(source) == "True\n"


# -- variables for a child ---------------------------------------------------------


def test_a_child_gets_the_secrets() -> None:
    """This program's variables too. Its own environment doesn't change."""
    before = dict(os.environ)
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        with environment({"API_TOKEN": "Example", "SAME": "Example"}) as env:
            command = [sys.executable, "-c", "import os; print(os.environ['API_TOKEN'])"]
            done = subprocess.run(command, env=env, capture_output=True, check=True)
            assert done.stdout == b"canary-1\n"
            assert env == {**before, "API_TOKEN": "canary-1", "SAME": "canary-1"}
            assert "canary" not in repr(env)
            assert dict(os.environ) == before
        assert env == {}
        assert len(pinentry.prompts) == 1


def test_a_coroutine_lends_the_secrets_too() -> None:
    """With ``async with``; the block's error leaves an empty dictionary as well."""

    async def main() -> dict[str, str]:
        lent: dict[str, str] = {}
        with pytest.raises(LookupError):
            async with environment({"API_TOKEN": "Example"}, description="to greet") as lent:
                assert lent["API_TOKEN"] == "canary-1"
                raise LookupError
        return lent

    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert asyncio.run(main()) == {}
        assert pinentry.prompts[0]["SETDESC"].endswith("to greet")


def test_an_environment_asks_as_the_other_calls_do() -> None:
    """For consent, in time, once for each secret; one that is missing is an error."""
    keychain = MemoryKeychain()
    keychain.items["Example", "ada"] = secretly.Secret("canary-1")
    with sandbox(keychain=keychain) as here:
        asyncio.run(secretly.remember("Example", "canary-1"))
        assert here.stored_names.items()
        with environment({"A": "Example"}) as env:
            assert env["A"] == "canary-1"
        with pytest.raises(secretly.NotFound, match="Other"), environment({"B": "Other"}):
            pass
    with FakePinentry([False]) as pinentry, sandbox(pinentry, keychain):
        asyncio.run(secretly.remember("Example", "canary-1"))
        with (
            pytest.raises(secretly.NotConfirmed),
            environment({"A": "Example"}, confirm=True),
        ):
            pass
    with (
        FakePinentry([UNANSWERED]) as pinentry,
        sandbox(pinentry),
        pytest.raises(PromptTimeout),
        environment({"A": "Other"}, timeout=0.3),
    ):
        pass


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "A=B", "", "a b"])
def test_some_variables_never_get_a_secret(name: str) -> None:
    """Those that change how programs load, and names that no variable can have."""
    with pytest.raises(secretly.BadConfiguration):
        environment({name: "Example"})


@pytest.mark.parametrize("variables", ["API_TOKEN", ["API_TOKEN"], None, {5: "A"}])
def test_an_environment_takes_a_mapping(variables: Any) -> None:
    """Anything else is a TypeError with a hint."""
    with pytest.raises(TypeError) as caught:
        environment(variables)
    assert isinstance(caught.value, SecretlyError)
    assert caught.value.hint


def test_an_environment_is_for_one_block_at_a_time() -> None:
    """At its end, the variables of another block would go. A block that failed doesn't count."""
    with FakePinentry(["canary-1", None, "canary-3"]) as pinentry, sandbox(pinentry):
        lends = environment({"A": "Example"})
        with lends as first:
            with pytest.raises(SecretlyError, match="is in use") as caught, lends:
                pass
            assert caught.value.hint
            assert first["A"] == "canary-1"
        with pytest.raises(secretly.Cancelled), lends:
            pass
        with lends as again:
            assert (again["A"], first) == ("canary-3", {})
