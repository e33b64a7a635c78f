"""The doubles: they do what they say, and their contract catches what breaks it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from secretly import NotFound, PinentryFailed, api, confirm, secret
from secretly.redacted import Secret
from secretly.testing import FakePinentry, KeychainContract, MemoryKeychain, sandbox


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


def test_it_is_a_process_that_speaks_assuan() -> None:
    """It greets, takes commands, and says goodbye."""
    with FakePinentry() as pinentry:
        said, status = talk(pinentry, b"OPTION no-grab", b"GETINFO flavor", b"BYE")
    assert said == GREETING + b"OK\nD gtk2\nOK\nOK closing connection\n"
    assert status == 0


def test_it_answers_each_prompt_in_turn_across_processes() -> None:
    """A text is typed, None cancels, True and False say yes and no; after the last it cancels."""
    with FakePinentry(["50%\n", None, True, False]) as pinentry:
        assert talk(pinentry, b"GETPIN")[0] == GREETING + b"D 50%25%0A\nOK\n"
        assert b"ERR 83886179 " in talk(pinentry, b"GETPIN")[0]
        said, _ = talk(pinentry, b"CONFIRM", b"CONFIRM", b"GETPIN")
        assert said.startswith(GREETING + b"OK\nERR 83886194 ")
        assert b"ERR 83886179 " in said.splitlines()[-1]


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


def test_a_long_text_comes_in_lines_that_the_protocol_allows() -> None:
    """A pinentry's lines have at most 1000 bytes."""
    with FakePinentry(["x" * 5000]) as pinentry:
        lines = talk(pinentry, b"GETPIN")[0].splitlines(keepends=True)
    assert max(map(len, lines)) <= 1000
    assert b"".join(line[2:-1] for line in lines if line.startswith(b"D ")) == b"x" * 5000


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


def test_other_commands_can_be_answered_otherwise() -> None:
    """``on`` has the actions for a command, or for the greeting."""
    on: dict[str, Any] = {"OPTION": [("raw", b"ERR 83886254 Unknown\n")], "greeting": [("exit", 3)]}
    with FakePinentry(on={"OPTION": on["OPTION"]}) as pinentry:
        assert talk(pinentry, b"OPTION x", b"BYE")[0].count(b"ERR 83886254") == 1
    with FakePinentry(on={"greeting": on["greeting"]}, flavor="curses") as pinentry:
        assert talk(pinentry, b"BYE") == (b"", 3)
        with sandbox(pinentry), pytest.raises(PinentryFailed):
            asyncio.run(secret("A"))


def test_it_leaves_nothing() -> None:
    """Its folder, which only the user can enter, is gone at the end."""
    with FakePinentry(["canary-1"]) as pinentry:
        folder = pinentry.path.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        talk(pinentry, b"GETPIN")
    assert not folder.exists()


# -- the sandbox -------------------------------------------------------------------


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
        assert here.index._path.is_relative_to(folder)
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


def test_a_sandbox_takes_a_configuration_and_variables() -> None:
    """The text of a configuration file holds, and so do the variables."""
    config = '[secrets.A]\nsource = "env://TOKEN"\n'
    with sandbox(config=config, environ={"TOKEN": "canary-1"}):
        assert asyncio.run(secret("A")) == "canary-1"
    with FakePinentry([True]) as pinentry, sandbox(pinentry):
        assert asyncio.run(confirm("Sure?")) is True


# -- the contract ------------------------------------------------------------------


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

    suite = Suite()
    failed = []
    for name in dir(KeychainContract):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError:
                failed.append(name)
    assert failed


def test_the_contract_must_be_given_a_keychain() -> None:
    """A suite that does not say what to test fails, rather than passing."""
    with pytest.raises(NotImplementedError):
        KeychainContract().test_what_is_kept_comes_back()
