"""Ways of delivery: the environment, and one that is made here to show that another one fits."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Home, home

from secretly import Secret, api
from secretly.cli.console import user_context
from secretly.errors import BadConfiguration
from secretly.record import Record
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest, login_name
from secretly.running.delivery import Environment
from secretly.running.launch import Launch, execute
from secretly.running.obtaining import obtain_values
from secretly.running.planning import PlanInput, plan_delivery
from secretly.running.preparing import prepare
from secretly.testing import MemoryKeychain, sandbox


class Descriptor(Record):
    """An open pipe that has the value; its path replaces a word of the command line.

    :param word: the word, for example ``{password}``.
    """

    word: str
    variables: tuple[str, ...] = ()

    def check(self) -> None:
        """Any word may be replaced."""

    def describe(self) -> str:
        """The word itself."""
        return self.word

    def apply(self, launch: Launch, value: str) -> Launch:
        """The launch with the path in place of the word, and the pipe left open for it."""
        reading, writing = os.pipe()
        with open(writing, "wb") as file:
            file.write(value.encode())
        os.set_inheritable(reading, True)
        words = [f"/dev/fd/{reading}" if part == self.word else part for part in launch.argv]
        return launch._replace(argv=words)


def run(reference: str, argv: list[str]) -> None:
    """Become a command that gets one secret by a pipe, another in its environment."""
    context = user_context()
    given = PlanInput(
        argv[0],
        argv,
        SecretRequest(Reference("", ""), confirm=False),
        explicit={Descriptor("{password}"): reference, Environment("OTHER"): "env://OTHER"},
    )
    prepared = prepare(plan_delivery(given), given, context)
    execute(asyncio.run(obtain_values(prepared, context, print)))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home() as found:
        yield found


@pytest.mark.process
def test_a_second_way_of_delivery_fits(home: Home) -> None:
    """A real command reads the secret from a descriptor; it is nowhere in its environment."""
    secret = home.folder / "secret"
    secret.write_text("canary-in-a-pipe")
    secret.chmod(0o600)
    tool = ["/bin/sh", "-c", 'cat "$0"; echo; env', "{password}"]
    done = subprocess.run(
        [sys.executable, __file__, f"file://{secret}", *tool],
        env={**home.environ, "OTHER": "canary-2", "PYTHONPATH": str(Path(__file__).parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("{password}: ")
    assert lines.count("canary-in-a-pipe") == 1
    assert "OTHER=canary-2" in lines
    assert done.stdout.count("canary-in-a-pipe") == 1


def test_a_second_way_of_delivery_is_short() -> None:
    """The class and what asks for it are less than forty lines, and change no module."""
    lines = "".join(map(inspect.getsource, (Descriptor, run))).splitlines()
    assert 20 < len(lines) < 40


def test_a_variable_is_set_and_nothing_else_changes() -> None:
    """Its name is what the plan sees of it, and what --dry-run prints."""
    way = Environment("TOK\x1bEN")
    before = Launch("/bin/tool", ["tool"], {"A": "x"})
    assert way.apply(before, "canary-1") == before._replace(
        environ={"A": "x", "TOK\x1bEN": "canary-1"}
    )
    assert way.variables == ("TOK\x1bEN",)
    assert way.describe() == "TOK\\x1bEN"


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "1A", ""])
def test_a_variable_that_takes_no_secret_is_refused(name: str) -> None:
    """It changes how programs load, or isn't a name."""
    with pytest.raises(BadConfiguration) as caught:
        Environment(name).check()
    assert caught.value.hint


def calls_for(count: int) -> int:
    """How many calls of Python functions it takes to obtain so many stored secrets for a run."""
    names = [f"Example-{number}" for number in range(count)]
    keychain, calls = MemoryKeychain(), 0
    keychain.items |= {(name, login_name()): Secret("canary-1") for name in names}
    request = SecretRequest(Reference("", ""), confirm=False)
    explicit = {Environment(f"X{number}"): name for number, name in enumerate(names)}
    given = PlanInput("/bin/true", ["true"], request, explicit=explicit)

    def count_calls(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    with sandbox(keychain=keychain):
        context = api.context()
        prepared = prepare(plan_delivery(given), given, context)
        before = sys.getprofile()
        sys.setprofile(count_calls)
        try:
            launch = asyncio.run(obtain_values(prepared, context, lambda line: None))
        finally:
            sys.setprofile(before)
    assert [one.name for one in launch.handed] == names
    assert [one.places for one in launch.handed] == [(f"X{number}",) for number in range(count)]
    return calls


def test_many_secrets_take_as_long_as_so_many() -> None:
    """Four times as many secrets take four times as many calls, not sixteen times."""
    assert calls_for(400) < 5 * calls_for(100)
