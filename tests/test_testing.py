"""The doubles: they do what they say, and their contract catches what breaks it."""

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

from secretly import NotFound, PinentryFailed, SourceFailed, api, confirm, secret
from secretly.redacted import Environ, Secret
from secretly.sources import NoItem, Program, Run, Source, operand
from secretly.testing import FakePinentry, KeychainContract, MemoryKeychain, SourceContract, sandbox


def talk(pinentry: FakePinentry, *lines: bytes, seconds: float = 10) -> tuple[bytes, int]:
    """Send lines to a fake pinentry, as any program could; return its answers and its status."""
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
def test_it_is_a_process_that_speaks_assuan() -> None:
    """It greets, takes commands, and says goodbye."""
    with FakePinentry() as pinentry:
        said, status = talk(pinentry, b"OPTION no-grab", b"GETINFO flavor", b"BYE")
    assert said == GREETING + b"OK\nD gtk2\nOK\nOK closing connection\n"
    assert status == 0


@pytest.mark.process
def test_it_answers_each_prompt_in_turn_across_processes() -> None:
    """A text is typed, None cancels, True and False say yes and no; after the last it cancels."""
    with FakePinentry(["50%\n", None, True, False]) as pinentry:
        assert talk(pinentry, b"GETPIN")[0] == GREETING + b"D 50%25%0A\nOK\n"
        assert b"ERR 83886179 " in talk(pinentry, b"GETPIN")[0]
        said, _ = talk(pinentry, b"CONFIRM", b"CONFIRM", b"GETPIN")
        assert said.startswith(GREETING + b"OK\nERR 83886194 ")
        assert b"ERR 83886179 " in said.splitlines()[-1]


@pytest.mark.process
def test_it_tells_what_it_was_shown() -> None:
    """Each prompt has the texts that it was shown with; every line is there as it came."""
    with FakePinentry(["canary-1"]) as pinentry:
        assert pinentry.prompts == []
        assert pinentry.lines == []
        talk(pinentry, b"SETDESC what for%0A\xc3\xa9", b"SETPROMPT A:", b"GETPIN", b"BYE")
        (prompt,) = pinentry.prompts
        assert prompt == {"SETDESC": "what for%0Aé", "SETPROMPT": "A:", "GETPIN": ""}
        assert pinentry.lines[0] == b"SETDESC what for%0A\xc3\xa9"
        assert pinentry.lines[-1] == b"BYE"


@pytest.mark.process
def test_a_long_text_comes_in_lines_that_the_protocol_allows() -> None:
    """A pinentry's lines have at most 1000 bytes."""
    with FakePinentry(["x" * 5000]) as pinentry:
        lines = talk(pinentry, b"GETPIN")[0].splitlines(keepends=True)
    assert max(map(len, lines)) <= 1000
    assert b"".join(line[2:-1] for line in lines if line.startswith(b"D ")) == b"x" * 5000


@pytest.mark.process
def test_its_actions() -> None:
    """It writes what it is told, slowly if told, waits, exits, and dies."""
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


@pytest.mark.process
@pytest.mark.parametrize("stubborn", [False, True])
def test_it_hangs(stubborn: bool) -> None:
    """It stays until it is ended; one that is told to heeds only KILL."""
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
            time.sleep(0.05)  # to the action after that line
            process.terminate()
            if stubborn:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.3)
            else:
                assert process.wait(5) == -signal.SIGTERM
        finally:
            process.kill()
            process.wait(5)
            process.stdin.close()
            process.stdout.close()


@pytest.mark.process
def test_other_commands_can_be_answered_otherwise() -> None:
    """``on`` has the actions for a command, or for the greeting."""
    on: dict[str, Any] = {"OPTION": [("raw", b"ERR 83886254 Unknown\n")], "greeting": [("exit", 3)]}
    with FakePinentry(on={"OPTION": on["OPTION"]}) as pinentry:
        assert talk(pinentry, b"OPTION x", b"BYE")[0].count(b"ERR 83886254") == 1
    with FakePinentry(on={"greeting": on["greeting"]}, flavor="curses") as pinentry:
        assert talk(pinentry, b"BYE") == (b"", 3)
        with sandbox(pinentry), pytest.raises(PinentryFailed):
            asyncio.run(secret("A"))


@pytest.mark.process
def test_it_leaves_nothing() -> None:
    """Its folder, which only the user can enter, is gone at the end."""
    with FakePinentry(["canary-1"]) as pinentry:
        folder = pinentry.path.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        talk(pinentry, b"GETPIN")
    assert not folder.exists()


# -- the sandbox -------------------------------------------------------------------


@pytest.mark.process
def test_a_sandbox_has_nothing_of_this_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home, configuration, keychain and list are its own; afterwards all is as before."""
    before = api.context
    monkeypatch.setenv("SECRETLY_NO_INPUT", "0")
    monkeypatch.setenv("TOKEN", "canary-of-this-users")
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry) as here:
        assert here.environ["HOME"] != os.environ.get("HOME")
        assert "TOKEN" not in here.environ
        assert api.context() is here
        asyncio.run(secret("A", remember=True))
        folder = Path(here.environ["HOME"])
        assert Path(here.stored_names._path).is_relative_to(folder)
    assert api.context is before
    assert not folder.exists()


def test_a_sandbox_is_left_after_an_error() -> None:
    """An error in a test leaves the next one as it was."""
    before = api.context
    with pytest.raises(ZeroDivisionError), sandbox():
        raise ZeroDivisionError
    assert api.context is before


def test_without_a_pinentry_nobody_is_there() -> None:
    """A sandbox without a pinentry asks nobody: not at this terminal either."""
    with sandbox(), pytest.raises(NotFound):
        asyncio.run(secret("A"))


@pytest.mark.process
def test_a_sandbox_takes_a_configuration_and_variables() -> None:
    """The text of a configuration file holds, and so do the variables."""
    config = '[secrets.A]\nsource = "env://TOKEN"\n'
    with sandbox(config=config, environ={"TOKEN": "canary-1"}):
        assert asyncio.run(secret("A")) == "canary-1"
    with FakePinentry([True]) as pinentry, sandbox(pinentry):
        assert asyncio.run(confirm("Sure?")) is True


# -- the contracts -----------------------------------------------------------------


def failing(suite: Any) -> set[str]:
    """The tests of a suite that fail, by an assertion or by another error, without `test_`."""
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except Exception:
                failed.add(name.removeprefix("test_"))
    return failed


class Deaf(MemoryKeychain):
    """It keeps nothing."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Lose it."""


class Cutting(MemoryKeychain):
    """It cuts what is long."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Keep the start of it."""
        await super().set(service, username, value[:2047], person)


class Stripping(MemoryKeychain):
    """It strips white space."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Keep what is left."""
        await super().set(service, username, value.strip(), person)


class Careless(MemoryKeychain):
    """It looks at the name only."""

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Return the first of that name."""
        return next((v for (name, _), v in self.items.items() if name == service), None)


class Stubborn(MemoryKeychain):
    """It keeps the first one."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Keep it if it is new."""
        self.items.setdefault((service, username), Secret(value))


class Clinging(MemoryKeychain):
    """It deletes nothing, and says that it did."""

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        """Say so."""
        return (service, username) in self.items


class Nameless(MemoryKeychain):
    """It does not say what it is."""

    async def describe(self) -> str:
        """Return nothing."""
        return ""


@pytest.mark.parametrize(
    "wrong", [Deaf, Cutting, Stripping, Careless, Stubborn, Clinging, Nameless]
)
def test_the_contract_catches_a_keychain_that_breaks_it(wrong: type[MemoryKeychain]) -> None:
    """Whoever loses, cuts, strips, mixes up, or clings to secrets fails the suite."""

    class Suite(KeychainContract):
        def keychain(self) -> Any:
            return wrong()

    assert failing(Suite())


def test_the_contract_must_be_given_a_keychain() -> None:
    """A suite that does not say what to test fails, rather than passing."""
    with pytest.raises(NotImplementedError):
        KeychainContract().test_what_is_kept_comes_back()


class Right:
    """A source that does what it must."""

    title = "the right one"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it keeps."""
        if path != "it":
            raise NoItem(f"{self.title}: there is no {path!a}", "look at what there is")
        return {
            "password": SourceContract.PASSWORD,
            "username": SourceContract.USERNAME or "",
        }


class Nameless(Right):
    """It does not say what it is."""

    title = ""


class Cutting(Right):
    """It strips white space."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what is left."""
        found = await super().fetch(path, fields, run)
        return {name: value.strip() for name, value in found.items()}


class Anonymous(Right):
    """It gives no user name unless it was asked for."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what was asked for."""
        found = dict(await super().fetch(path, fields, run))
        return found if "username" in fields else {"password": found["password"]}


class Inventing(Right):
    """It has whatever is asked for."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the same for all."""
        return {**await super().fetch("it", fields, run), **dict.fromkeys(fields, "canary")}


class Telling(Right):
    """Its error tells what it has."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Say it."""
        if path != "it":
            raise NoItem(f"{self.title} has no {path!a}, only {SourceContract.PASSWORD!a}", "see")
        return await super().fetch(path, fields, run)


class Holding(Right):
    """Its error has what it has in a variable of its frame, which a traceback may show."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Hold it."""
        held = str(SourceContract.PASSWORD)
        if path != "it":
            raise NoItem(f"{self.title} has no {path!a}", "look")
        return {**await super().fetch(path, fields, run), "password": held}


class Helpless(Right):
    """Its errors do not say what to do."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Say less."""
        try:
            return await super().fetch(path, fields, run)
        except NoItem as error:
            raise NoItem(str(error)) from None


class Vague(Right):
    """Its errors do not say which kind they are."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Say less."""
        try:
            return await super().fetch(path, fields, run)
        except NoItem as error:
            raise SourceFailed(str(error), error.hint) from None


class Raw(Right):
    """It writes what it was given as it came."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Look, and say it."""
        if path != "it":
            raise NoItem(f"{self.title}: there is no {path}", "look")
        return await super().fetch(path, fields, run)


class Helping(Right):
    """It gives its help for a secret."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Help."""
        if path.startswith("-"):
            return {"password": "usage:"}
        return await super().fetch(path, fields, run)


class Forgetful(Right):
    """It works once in a run."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Work once."""
        if "used" in run.kept:
            raise SourceFailed("it was used up", "buy another")
        run.keep("used", "")
        return await super().fetch(path, fields, run)


class Foreign(Right):
    """It waits for what is asyncio's: the command, which Twisted drives, never gets it."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Wait a little."""
        await asyncio.sleep(0.001)
        return await super().fetch(path, fields, run)


class Native(Right):
    """It waits for what is Twisted's: a program of asyncio's never gets it."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Wait a little."""
        from twisted.internet import reactor, task

        await task.deferLater(reactor, 0.001)
        return await super().fetch(path, fields, run)


MISSING = "a_missing_item_is_said_to_be_missing"


@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        (Right, set()),
        (Nameless, {"it_has_a_title"}),
        (Cutting, {"the_password_comes_back"}),
        (Anonymous, {"the_user_name_comes_with_it"}),
        (
            Inventing,
            {MISSING, "a_missing_field_is_said_to_be_missing", "a_name_is_never_an_option"},
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
    """Whoever cuts, tells, guesses or is vague fails the test that is about it."""

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
    """A source that runs a program, and does what it must."""

    program = Program("the right one", "right")

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it writes."""
        found = await self.call(run, operand(path))
        return {"password": found} if path == "it" else {}

    async def call(self, run: Run, path: str) -> str:
        """Call it."""
        return await self.program.call(run, path, item=path)


class Repeating(Calling):
    """It says what the program said."""

    async def call(self, run: Run, path: str) -> str:
        """Repeat it."""
        done = subprocess.run(["right"], env=dict(run.environ), capture_output=True, check=False)
        if done.returncode:
            raise SourceFailed(f"the right one: {done.stderr!a}", "see")
        return await super().call(run, path)


class Replacing(Calling):
    """It makes text of whatever there is."""

    async def call(self, run: Run, path: str) -> str:
        """Read on."""
        found = subprocess.run(["right"], env=dict(run.environ), capture_output=True, check=False)
        return found.stdout.decode("utf-8", "replace")


class Trusting(Calling):
    """It expects what it wrote to be well-formed."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it reads."""
        return {"password": str(json.loads(await self.call(run, path))["password"])}


class Waiting(Calling):
    """It waits without looking at the time, and forgets to call."""

    async def call(self, run: Run, path: str) -> str:
        """Take its time."""
        await asyncio.sleep(0.1)
        return "canary"


PROGRAM_TESTS = (
    "a_program_that_is_not_there",
    "a_program_that_hangs_is_ended",
    "a_cancelled_wait_ends_the_program",
    "what_a_failing_program_says_is_not_shown",
    "what_is_no_text_is_refused",
    "garbage_is_an_error_of_ours_or_a_secret",
)


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        (Calling, ()),
        (Repeating, ("what_a_failing_program_says_is_not_shown",)),
        (Replacing, ("what_is_no_text_is_refused",)),
        (Trusting, ("garbage_is_an_error_of_ours_or_a_secret",)),
        (Waiting, ("a_program_that_is_not_there", "a_program_that_hangs_is_ended")),
    ],
)
def test_the_contract_tries_a_sources_program(kind: type[Calling], caught: Sequence[str]) -> None:
    """With others of its name that fail, hang, and write what is no text."""

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


def test_the_contract_must_be_given_a_source() -> None:
    """A suite that does not say what to test fails, rather than passing."""
    for name in ("source", "item", "missing"):
        with pytest.raises(NotImplementedError):
            getattr(SourceContract(), name)()
    with pytest.raises(NotImplementedError):
        SourceContract().test_the_password_comes_back()
