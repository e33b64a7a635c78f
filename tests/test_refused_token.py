"""A token that the index refused: the next run for the same files offers to replace it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tokens
from command import Home, quick

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.config.model import Configuration, Entry
from secretly.keeping import name_changes
from secretly.keeping.stored_names import StoredNames
from secretly.publishing.archives import Distribution
from secretly.redacted import Secret
from secretly.reference import parse
from secretly.resolving.candidates import KEYCHAIN, Candidate, ResolvedSecret
from secretly.resolving.confirming import confirm_use
from secretly.resolving.request import Context, SecretRequest
from secretly.running.last_use import LastUse
from secretly.running.receipt_file import ReceiptFile
from secretly.running.receipts import utc
from secretly.testing import FakePinentry, MemoryKeychain

# -- the receipts ------------------------------------------------------------------

A, B = Distribution("a.whl", 1, "a" * 64), Distribution("b.whl", 1, "b" * 64)

#: A receipt of an upload of both, two minutes ago.
RECEIPT: dict[str, Any] = {
    "outcome": "handed over",
    "secrets": [{"name": "PyPI", "from": "keychain"}],
    "command": "twine upload",
    "folder": "/project",
    "files": [{"path": one.path, "sha256": one.sha256} for one in (A, B)],
}


@pytest.fixture(name="context")
def _context(tmp_path: Path) -> Context:
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    names = StoredNames(tmp_path / "names")
    return Context(Configuration(), environ, MemoryKeychain(), names)


def noted(context: Context, *lines: str | dict[str, Any], minutes: float = 2) -> None:
    """Add receipts."""
    file = ReceiptFile(f"{context.environ['XDG_STATE_HOME']}/secretly")
    moment = utc(time.time() - 60 * minutes - 1)
    for line in lines:
        file.append(line if isinstance(line, str) else json.dumps({"time": moment, **line}))


def ago(context: Context, *files: Distribution, name: str = "PyPI") -> int | None:
    """How many minutes ago these files had the secret."""
    return LastUse(context, "twine upload", "/project", files).minutes_ago(name)


def test_the_same_files_had_the_secret_a_while_ago(context: Context) -> None:
    """Wherever they are; not other files, and not other secrets."""
    noted(context, RECEIPT, {"outcome": "refused", "secrets": [], "command": "", "folder": ""})
    assert ago(context, A, B) == ago(context, B, A) == 2
    assert ago(context, A) is ago(context, A, B, name="TestPyPI") is ago(context) is None


def test_the_minutes_are_counted_over_midnight(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload half a minute after it, and one at 23:58 before."""
    monkeypatch.setattr(time, "time", lambda: 86400 * 20_000 + 30.5)
    noted(context, RECEIPT)
    assert ago(context, A, B) == 2


@pytest.mark.parametrize(
    ("minutes", "more"),
    [
        (61, {}),
        (-2, {}),
        (2, {"outcome": "no"}),
        (2, {"outcome": "refused"}),
        (2, {"secrets": []}),
        (2, {"files": RECEIPT["files"][:1]}),
        (2, {"time": 5}),
        (2, {"secrets": ["PyPI"]}),
        (2, {"files": None}),
    ],
)
def test_another_use_does_not_count(context: Context, minutes: float, more: dict[str, Any]) -> None:
    """One too long ago or in the future, one that was refused, other files, no receipt at all."""
    noted(context, {**RECEIPT, **more}, minutes=minutes)
    assert ago(context, A, B) is None


def test_files_that_are_built_first_are_known_by_their_folder(context: Context) -> None:
    """And by the command."""
    built = {key: value for key, value in RECEIPT.items() if key != "files"}
    noted(context, built)
    assert ago(context) == 2
    assert ago(context, A, B) is None
    assert LastUse(context, "flit publish", "/project", ()).minutes_ago("PyPI") is None
    assert LastUse(context, "twine upload", "/other", ()).minutes_ago("PyPI") is None


def test_a_secret_that_was_stored_since_is_another_one(context: Context) -> None:
    """One that was stored before is the same."""
    noted(context, RECEIPT, minutes=-0.5)
    name_changes.add(context.stored_names, "PyPI", "__token__", True)
    noted(context, RECEIPT)
    assert ago(context, A, B) is None


def test_only_the_end_of_the_file_is_read(context: Context) -> None:
    """A line that is cut there is not read, and one that no program of secretly's wrote."""
    noted(context, RECEIPT, "handed over" + A.sha256 + B.sha256)
    assert ago(context, A, B) == 2
    noted(context, "x" * 40000, "y" * 40000)
    assert ago(context, A, B) is None


# -- the dialog --------------------------------------------------------------------

OLD, NEW = tokens.token(), tokens.token(identifier="canary-newer-token")


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home with a twine that the index refuses, a wheel, and a token in a keychain's file."""
    with quick() as found:
        found.program("twine", "#!/bin/sh\necho 403 Forbidden; exit 1\n")
        tokens.wheel(found.folder / "dist")
        found.keep_in_a_file()
        assert found.run("set", "PyPI", "--stdin", stdin=OLD).status == 0
        yield found


UPLOAD = ("twine", "upload", "dist/*")


def lines(prompt: dict[str, str]) -> list[str]:
    """The lines that a prompt shows."""
    return unescape(prompt["SETDESC"].encode()).decode().splitlines()


OFFER = wording.may_replace(wording.used_before("PyPI", 0))


@pytest.mark.process
def test_the_next_dialog_offers_to_replace_the_token(home: Home) -> None:
    """What is typed then is stored, and goes to the tool; a Yes uses the stored one again."""
    home.program("twine", '#!/bin/sh\necho "${#TWINE_PASSWORD} 403 Forbidden"; exit 1\n')
    with FakePinentry([True, True, wording.ANOTHER, NEW]) as fake:
        used = [home.run("run", *UPLOAD, environ=fake.environ) for _ in range(3)]
        assert [done.status for done in used] == [1, 1, 1], used
        first, second, third, typed = fake.prompts
    assert OFFER not in lines(first)
    assert first["SETPROMPT"] == wording.type_yes("")
    assert OFFER in lines(second) and OFFER in lines(third)
    assert second["SETPROMPT"] == wording.type_yes(wording.ANOTHER)
    assert typed["SETERROR"] == wording.replaces("PyPI")
    assert used[0].stdout == used[1].stdout != used[2].stdout
    assert home.run("get", "PyPI").stdout.strip() == NEW


@pytest.mark.process
def test_what_is_typed_is_checked_and_a_no_keeps_the_stored_one(home: Home) -> None:
    """A text that is not a token is asked for again; cancelling runs nothing."""
    with FakePinentry([True, wording.ANOTHER, "canary-no-token", None, False]) as fake:
        used = [home.run("run", *UPLOAD, environ=fake.environ) for _ in range(3)]
        assert [done.status for done in used] == [1, 130, 130], used
    assert home.run("get", "PyPI").stdout.strip() == OLD


@pytest.mark.process
def test_without_a_dialog_a_line_says_what_to_do(home: Home) -> None:
    """It names the command, or the source; -q hides it."""
    assert home.run("run", "--no-confirm", *UPLOAD).stderr.count("refused") == 0
    done = home.run("run", "--no-confirm", *UPLOAD)
    assert f"{wording.used_before('PyPI', 0)}: secretly set PyPI\n" in done.stderr
    assert "refused" not in home.run("run", "-q", "--no-confirm", *UPLOAD).stderr
    home.configure('[secrets.PyPI]\nsource = "env://TOKEN"\n')
    done = home.run("run", "--no-confirm", *UPLOAD, environ={"TOKEN": OLD})
    assert f"{wording.used_before('PyPI', 0)}, replace it in env://\n" in done.stderr
    with FakePinentry([True]) as fake:  # there is nothing to store
        done = home.run("run", *UPLOAD, environ={"TOKEN": OLD, **fake.environ})
        assert fake.prompts[0]["SETPROMPT"] == wording.type_yes("")
    assert "replace it in env://\n" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(("length", "offered"), [(700, True), (900, False)])
def test_a_dialog_without_room_leaves_the_offer_to_a_line(
    context: Context, length: int, offered: bool
) -> None:
    """The rest of the question is never left out for it."""
    told: list[str] = []
    purpose = "\n".join("x" * 50 for _ in range(length // 51))
    request = SecretRequest(
        parse("PyPI"), purpose=purpose, publishes=True, used_before=lambda name: 5
    )
    entry = Entry("PyPI")
    found = ResolvedSecret(Secret(OLD), None, Candidate(KEYCHAIN, "PyPI", entry))
    with FakePinentry([True]) as fake:
        here = context._replace(environ={**os.environ, **fake.environ}, note=told.append)
        asyncio.run(confirm_use(request, found, here))
        shown = fake.prompts[0]
    assert purpose in "\n".join(lines(shown))
    assert (shown["SETPROMPT"] == wording.type_yes(wording.ANOTHER)) == offered
    assert bool(told) != offered
