"""The README's promise: what happens to a stored secret before you agree, and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import Ended, Home, quick

from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

UPLOAD = ("twine", "upload", "dist/demo-1.0-py3-none-any.whl")
OTHER = ("-e", "API_KEY=PyPI", "call")
ANY = ("-e", "API_KEY=Example", "call")

PROMISE = (
    "With a stored token, an upload starts only after you confirm it, and so does any other "
    "command that gets a PyPI token. Such a command gets a token that ends in an hour. Other "
    "secrets go to the command that you start with `secretly run` without a question, unless "
    "you want one: `--confirm`."
)


@pytest.fixture(name="home", params=["the keychain", "a password manager"])
def _home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """A home with a stored token, a wheel, and programs that note when they start."""
    with quick() as found:
        tokens.wheel(found.folder / "dist")
        for name in ("twine", "call"):
            found.program(name, f'#!/bin/sh\necho {name} >>"$HOME/started"\n')
        if request.param == "the keychain":
            found.keep_in_a_file()
            found.run("set", "PyPI", "--stdin", stdin=tokens.TOKEN)
        else:
            manager = found.program(
                "manager", f'#!/bin/sh\necho manager >>"$HOME/started"\necho {tokens.TOKEN}\n'
            )
            found.configure(f"[secrets.PyPI]\ncommand = [{json.dumps(str(manager))}]\n")
        yield found


def started(home: Home) -> list[str]:
    """Return the programs that have started, in their order, and forget them."""
    path = home.folder / "started"
    text = path.read_text() if path.exists() else ""
    path.write_text("")
    return [name for name in text.split() if name != "manager"]


def run(home: Home, *words: str, answers: list[bool]) -> tuple[Ended, int]:
    """Run a command with these answers to the prompts; return its end and the number of prompts."""
    with FakePinentry(answers) as fake:
        return home.run("run", *words, environ=fake.environ), len(fake.prompts)


def test_an_upload_starts_only_after_you_agree(home: Home) -> None:
    """After a No nothing starts. After a Yes the tool starts."""
    done, prompts = run(home, *UPLOAD, answers=[False])
    assert (done.status, prompts, started(home)) == (130, 1, [])
    done, prompts = run(home, *UPLOAD, answers=[True])
    assert (done.status, prompts, started(home)) == (0, 1, ["twine"])


def test_any_other_command_starts_without_a_question(home: Home) -> None:
    """With ``--confirm`` it starts only after you agree. So it does if it gets a PyPI token."""
    for answer, status, programs in ((False, 130, []), (True, 0, ["call"])):
        done, prompts = run(home, *OTHER, answers=[answer])
        assert (done.status, prompts, started(home)) == (status, 1, programs)
    home.configure(home.config.read_text().replace("[secrets.PyPI]\n", "[secrets.Example]\n"))
    if manager := list(home.programs.glob("manager")):
        manager[0].write_text("#!/bin/sh\necho canary-1\n")
    else:
        home.run("set", "Example", "--stdin", stdin="canary-1")
    done, prompts = run(home, *ANY, answers=[])
    assert (done.status, prompts, started(home)) == (0, 0, ["call"])
    for answer, status, programs in ((False, 130, []), (True, 0, ["call"])):
        done, prompts = run(home, "--confirm", *ANY, answers=[answer])
        assert (done.status, prompts, started(home)) == (status, 1, programs)


def test_the_token_is_read_before_you_are_asked(home: Home) -> None:
    """A token for another project is refused without a question, and nothing starts."""
    other = tokens.token("pypi.example", [1, ["other"]])
    if manager := list(home.programs.glob("manager")):
        manager[0].write_text(f"#!/bin/sh\necho {other}\n")
    else:
        home.run("set", "PyPI", "--stdin", "--replace", stdin=other)
    done, prompts = run(home, *UPLOAD, answers=[True])
    assert (done.status, prompts, started(home)) == (125, 0, [])
    assert "demo" in done.stderr


def test_the_readme_promises_this() -> None:
    """If the README's promise changes, these tests must change with it."""
    text = " ".join((Path(__file__).parents[1] / "README.md").read_text("utf-8").split())
    assert PROMISE in text
