"""The doubles do what they promise, and the contract tests catch what breaks the contract."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ptys import DEADLINE, wait_until

from secretly import NotFound, PinentryFailed, SourceFailed, api, confirm, secret
from secretly.redacted import Secret
from secretly.sources import NoItem, Program, Run, Source, operand
from secretly.testing import FakePinentry, KeychainContract, MemoryKeychain, SourceContract, sandbox
from secretly.text import Environ


def talk(pinentry: FakePinentry, *lines: bytes, seconds: float = 10) -> tuple[bytes, int]:
    """Send lines to a fake pinentry, as any program can; return its answers and exit status."""
    done = subprocess.run(
        [pinentry.path],
        input=b"".join(line + b"\n" for line in lines),
        stdout=subprocess.PIPE,
        timeout=seconds,
        check=False,
    )
    return done.stdout, done.returncode


GREETING = b"OK Pleased to meet you\n"


# -- the pinentry ------------------------------------------------------------------


@pytest.mark.process
def test_a_fake_pinentry_is_a_process_that_speaks_assuan() -> None:
    """A fake pinentry greets, takes commands, and says goodbye."""
    with FakePinentry() as pinentry:
        said, status = talk(pinentry, b"OPTION no-grab", b"GETINFO flavor", b"BYE")
    assert said == GREETING + b"OK\nD gtk2\nOK\nOK closing connection\n"
    assert status == 0


@pytest.mark.process
def test_answers_come_in_turn_across_processes() -> None:
    """A text is typed, None cancels, True and False are Yes and No; later prompts are cancelled."""
    with FakePinentry(["50%\n", None, True, False]) as pinentry:
        assert talk(pinentry, b"GETPIN")[0] == GREETING + b"D 50%25%0A\nOK\n"
        assert b"ERR 83886179 " in talk(pinentry, b"GETPIN")[0]
        said, _ = talk(pinentry, b"CONFIRM", b"CONFIRM", b"GETPIN")
        assert said.startswith(GREETING + b"OK\nERR 83886194 ")
        assert b"ERR 83886179 " in said.splitlines()[-1]


@pytest.mark.process
def test_prompts_and_lines_are_recorded() -> None:
    """``prompts`` has the texts of each prompt, and ``lines`` every line that was received."""
    with FakePinentry(["canary-1"]) as pinentry:
        assert pinentry.prompts == []
        assert pinentry.lines == []
        talk(pinentry, b"SETDESC what for%0A\xc3\xa9", b"SETPROMPT A:", b"GETPIN", b"BYE")
        (prompt,) = pinentry.prompts
        assert prompt == {"SETDESC": "what for%0Aé", "SETPROMPT": "A:", "GETPIN": ""}
        assert pinentry.lines[0] == b"SETDESC what for%0A\xc3\xa9"
        assert pinentry.lines[-1] == b"BYE"


@pytest.mark.process
def test_a_long_text_is_sent_in_short_lines() -> None:
    """A line has at most the 1,000 bytes that the Assuan protocol allows."""
    with FakePinentry(["x" * 5000]) as pinentry:
        lines = talk(pinentry, b"GETPIN")[0].splitlines(keepends=True)
    assert max(map(len, lines)) <= 1000
    assert b"".join(line[2:-1] for line in lines if line.startswith(b"D ")) == b"x" * 5000


@pytest.mark.process
def test_actions_write_wait_exit_and_die() -> None:
    """The actions write bytes, slowly too, wait, exit, and end the process by a signal."""
    script: list[Any] = [
        [("raw", b"# as it is\n"), ("exit", 7)],
        [("drip", b"OK drip\n"), ("kill", signal.SIGKILL)],
        [("wait", 0.2), ("raw", b"OK\n")],
    ]
    with FakePinentry(script) as pinentry:
        assert talk(pinentry, b"GETPIN") == (GREETING + b"# as it is\n", 7)
        assert talk(pinentry, b"GETPIN") == (GREETING + b"OK drip\n", -signal.SIGKILL)
        started = time.monotonic()
        assert talk(pinentry, b"GETPIN")[0] == GREETING + b"OK\n"
        assert time.monotonic() - started > 0.2


def ignores_signals(pid: int) -> bool:
    """Whether a process ignores SIGTERM. Without ``/proc``, give it a moment and say yes."""
    if not os.path.exists("/proc/self/status"):
        time.sleep(0.5)
        return True
    _, _, after = Path(f"/proc/{pid}/status").read_text().partition("SigIgn:")
    return bool(int(after.split()[0], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.process
@pytest.mark.parametrize("stubborn", [False, True])
def test_a_hanging_pinentry_ends_by_a_signal(stubborn: bool) -> None:
    """A hanging pinentry stays until a signal ends it; a stubborn one obeys KILL only."""
    with FakePinentry([[("raw", b"# now\n"), ("hang", stubborn)]]) as pinentry:
        process = subprocess.Popen(
            [pinentry.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"GETPIN\n")
            while b"now" not in process.stdout.readline():
                pass
            if stubborn:
                wait_until(lambda: ignores_signals(process.pid))
            process.terminate()
            if stubborn:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.3)
            else:
                assert process.wait(DEADLINE) == -signal.SIGTERM
        finally:
            process.kill()
            process.wait(5)
            process.stdin.close()
            process.stdout.close()


@pytest.mark.process
def test_on_replaces_the_answer_to_a_command() -> None:
    """``on`` has the actions for a command or for the greeting."""
    on: dict[str, Any] = {"OPTION": [("raw", b"ERR 83886254 Unknown\n")], "greeting": [("exit", 3)]}
    with FakePinentry(on={"OPTION": on["OPTION"]}) as pinentry:
        assert talk(pinentry, b"OPTION x", b"BYE")[0].count(b"ERR 83886254") == 1
    with FakePinentry(on={"greeting": on["greeting"]}, flavor="curses") as pinentry:
        assert talk(pinentry, b"BYE") == (b"", 3)
        with sandbox(pinentry), pytest.raises(PinentryFailed):
            asyncio.run(secret("A"))


@pytest.mark.process
def test_a_fake_pinentry_leaves_no_files() -> None:
    """Its folder, which only the user can enter, is deleted at the end."""
    with FakePinentry(["canary-1"]) as pinentry:
        folder = pinentry.path.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        talk(pinentry, b"GETPIN")
    assert not folder.exists()


# -- the sandbox -------------------------------------------------------------------


@pytest.mark.process
def test_a_sandbox_uses_nothing_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home, configuration, keychain and list are its own. Afterwards all is as before."""
    before = api.context
    monkeypatch.setenv("SECRETLY_NO_INPUT", "0")
    monkeypatch.setenv("TOKEN", "canary-of-this-users")
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry) as here:
        assert here.environ["HOME"] != os.environ.get("HOME")
        assert "TOKEN" not in here.environ
        assert api.context() is here
        asyncio.run(secret("A", remember=True))
        folder = Path(here.environ["HOME"])
        assert Path(here.stored_names.path).is_relative_to(folder)
    assert api.context is before
    assert not folder.exists()


def test_a_sandbox_is_left_after_an_error() -> None:
    """A sandbox ends after an error too, so the next test starts as usual."""
    before = api.context
    with pytest.raises(ZeroDivisionError), sandbox():
        raise ZeroDivisionError
    assert api.context is before


def test_a_sandbox_without_a_pinentry_never_asks() -> None:
    """Without a pinentry a sandbox never asks, not on the terminal either."""
    with sandbox(), pytest.raises(NotFound):
        asyncio.run(secret("A"))


@pytest.mark.process
def test_a_sandbox_takes_a_configuration_and_variables() -> None:
    """The configuration and the variables that a sandbox is given are used."""
    config = '[secrets.A]\nsource = "env://TOKEN"\n'
    with sandbox(config=config, environ={"TOKEN": "canary-1"}):
        assert asyncio.run(secret("A")) == "canary-1"
    with FakePinentry([True]) as pinentry, sandbox(pinentry):
        assert asyncio.run(confirm("Sure?")) is True


# -- the contracts -----------------------------------------------------------------


def failing(suite: Any) -> set[str]:
    """Return the names of a suite's tests that fail, without ``test_``."""
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except Exception:
                failed.add(name.removeprefix("test_"))
    return failed


class Deaf(MemoryKeychain):
    """A keychain that stores nothing."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Lose the secret."""


class Cutting(MemoryKeychain):
    """A keychain that cuts long secrets."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Store the first part."""
        await super().set(service, username, value[:2047], prompt_timeout)


class Stripping(MemoryKeychain):
    """One that strips white space."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Store the rest."""
        await super().set(service, username, value.strip(), prompt_timeout)


class Careless(MemoryKeychain):
    """A keychain that ignores the user name."""

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the first secret of that name."""
        return next((v for (name, _), v in self.items.items() if name == service), None)


class Stubborn(MemoryKeychain):
    """A keychain that never replaces a secret."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Store the secret if the name is new."""
        self.items.setdefault((service, username), Secret(value))


class Clinging(MemoryKeychain):
    """A keychain that deletes nothing, and claims it did."""

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Claim it."""
        return (service, username) in self.items


class Nameless(MemoryKeychain):
    """One without a name."""

    async def describe(self) -> str:
        """Return an empty name."""
        return ""


@pytest.mark.parametrize(
    "wrong", [Deaf, Cutting, Stripping, Careless, Stubborn, Clinging, Nameless]
)
def test_the_contract_catches_a_keychain_that_breaks_it(wrong: type[MemoryKeychain]) -> None:
    """A keychain that loses, cuts, strips, confuses or never deletes secrets fails the suite."""

    class Suite(KeychainContract):
        def keychain(self) -> Any:
            return wrong()

    assert failing(Suite())


def test_the_contract_needs_a_keychain() -> None:
    """A suite that has nothing to test fails."""
    with pytest.raises(NotImplementedError):
        KeychainContract().test_a_stored_secret_comes_back()


class Right:
    """A source that keeps the contract."""

    title = "the right one"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the one item."""
        if path != "it":
            raise NoItem(f"{self.title}: can't find {path!a}", "list the items")
        return {
            "password": SourceContract.PASSWORD,
            "username": SourceContract.USERNAME or "",
        }


class Nameless(Right):
    """One without a name."""

    title = ""


class Cutting(Right):
    """One that strips white space."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the rest."""
        found = await super().fetch(path, fields, run)
        return {name: value.strip() for name, value in found.items()}


class Anonymous(Right):
    """A source that returns no user name unless it is wanted."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the wanted fields."""
        found = dict(await super().fetch(path, fields, run))
        return found if "username" in fields else {"password": found["password"]}


class Inventing(Right):
    """A source that invents every wanted field."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the same for each field."""
        return {**await super().fetch("it", fields, run), **dict.fromkeys(fields, "canary")}


class Telling(Right):
    """A source whose error shows a secret."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Show it."""
        if path != "it":
            raise NoItem(f"{self.title} has no {path!a}, only {SourceContract.PASSWORD!a}", "see")
        return await super().fetch(path, fields, run)


class Holding(Right):
    """A source whose error has a secret in a variable of its frame: tracebacks may show those."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Hold the secret."""
        held = str(SourceContract.PASSWORD)
        if path != "it":
            raise NoItem(f"{self.title} has no {path!a}", "look")
        return {**await super().fetch(path, fields, run), "password": held}


class Helpless(Right):
    """A source whose errors have no hint."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Raise less."""
        try:
            return await super().fetch(path, fields, run)
        except NoItem as error:
            raise NoItem(str(error)) from None


class Vague(Right):
    """A source whose errors have the wrong type."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Raise less."""
        try:
            return await super().fetch(path, fields, run)
        except NoItem as error:
            raise SourceFailed(str(error), error.hint) from None


class Raw(Right):
    """A source whose errors show the path unescaped."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Show the path."""
        if path != "it":
            raise NoItem(f"{self.title}: can't find {path}", "look")
        return await super().fetch(path, fields, run)


class Helping(Right):
    """A source that returns its help text as a secret."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the help text."""
        if path.startswith("-"):
            return {"password": "usage:"}
        return await super().fetch(path, fields, run)


class Forgetful(Right):
    """A source that works once in a run."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Work once."""
        if "used" in run.kept:
            raise SourceFailed("it was used up", "buy another")
        run.keep("used", "")
        return await super().fetch(path, fields, run)


class Foreign(Right):
    """A source that awaits asyncio's own: neither the command nor Twisted can."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Wait a little."""
        await asyncio.sleep(0.001)
        return await super().fetch(path, fields, run)


class Native(Right):
    """A source that awaits Twisted's own: an asyncio program can't."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Wait a little."""
        from twisted.internet import reactor, task

        await task.deferLater(reactor, 0.001)
        return await super().fetch(path, fields, run)


MISSING = "a_missing_item_is_an_error"


@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        (Right, set()),
        (Nameless, {"it_has_a_title"}),
        (Cutting, {"the_password_comes_back"}),
        (Anonymous, {"the_user_name_comes_with_it"}),
        (
            Inventing,
            {MISSING, "a_missing_field_is_an_error", "a_name_is_never_an_option"},
        ),
        (Telling, {MISSING}),
        (Holding, {MISSING}),
        (Helpless, {MISSING}),
        (Vague, {MISSING}),
        (Raw, {MISSING}),
        (Helping, {"a_name_is_never_an_option"}),
        (Forgetful, {"it_can_be_asked_again"}),
        (Foreign, {"the_command_can_wait_for_it"}),
        (Native, {"the_password_comes_back", "it_can_be_asked_again"}),
    ],
)
def test_the_contract_catches_a_source_that_breaks_it(kind: type[Right], caught: set[str]) -> None:
    """A source that breaks the contract fails the test for that part of it."""

    class Suite(SourceContract):
        def source(self) -> Source:
            return kind()

        def run(self) -> Run:
            return Run(Environ())

        def item(self) -> str:
            return "it"

        def missing(self) -> str:
            return "missing"

    failed = failing(Suite())
    assert caught <= failed
    assert failed == (caught if kind in (Right, Foreign) else failed)


class Calling(Right):
    """A source that runs a program, and keeps the contract."""

    program = Program("the right one", "right")

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the program's output."""
        found = await self.call(run, operand(path))
        return {"password": found} if path == "it" else {}

    async def call(self, run: Run, path: str) -> str:
        """Call the program."""
        return await self.program.call(run, path, item=path)


class Repeating(Calling):
    """A source whose error repeats the program's output."""

    async def call(self, run: Run, path: str) -> str:
        """Repeat the output."""
        done = subprocess.run(["right"], env=dict(run.environ), capture_output=True, check=False)
        if done.returncode:
            raise SourceFailed(f"the right one: {done.stderr!a}", "see")
        return await super().call(run, path)


class Replacing(Calling):
    """A source that replaces bytes that are not text."""

    async def call(self, run: Run, path: str) -> str:
        """Replace them."""
        found = subprocess.run(["right"], env=dict(run.environ), capture_output=True, check=False)
        return found.stdout.decode("utf-8", "replace")


class Trusting(Calling):
    """A source that expects well-formed output."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the parsed output."""
        return {"password": str(json.loads(await self.call(run, path))["password"])}


class Waiting(Calling):
    """A source that waits without a deadline, and never runs the program."""

    async def call(self, run: Run, path: str) -> str:
        """Wait."""
        await asyncio.sleep(0.1)
        return "canary"


PROGRAM_TESTS = (
    "a_missing_program_is_named",
    "a_program_that_hangs_is_ended",
    "a_cancelled_wait_ends_the_program",
    "a_failing_programs_output_is_not_shown",
    "other_output_than_text_is_refused",
    "unexpected_output_is_an_error_or_a_secret",
)


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        (Calling, ()),
        (Repeating, ("a_failing_programs_output_is_not_shown",)),
        (Replacing, ("other_output_than_text_is_refused",)),
        (Trusting, ("unexpected_output_is_an_error_or_a_secret",)),
        (Waiting, ("a_missing_program_is_named", "a_program_that_hangs_is_ended")),
    ],
)
def test_the_contract_tries_failing_programs(kind: type[Calling], caught: Sequence[str]) -> None:
    """The contract replaces the program by ones that fail, hang, and write no text."""

    class Suite(SourceContract):
        PROGRAM = "right"

        def source(self) -> Source:
            return kind()

        def item(self) -> str:
            return "it"

    for name in caught or PROGRAM_TESTS:
        test = getattr(Suite(), f"test_{name}")
        if caught:
            with pytest.raises((AssertionError, ValueError, TypeError, LookupError)):
                test()
        else:
            test()
    if kind is Calling:
        tried = {name for name in dir(SourceContract) if name.startswith("test_")}
        assert {f"test_{name}" for name in PROGRAM_TESTS} < tried


def test_the_contract_needs_a_source() -> None:
    """A suite that has nothing to test fails."""
    for name in ("source", "item", "missing"):
        with pytest.raises(NotImplementedError):
            getattr(SourceContract(), name)()
    with pytest.raises(NotImplementedError):
        SourceContract().test_the_password_comes_back()
