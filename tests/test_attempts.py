"""Ways to get a stored secret without you, and what each layer did: a table of the docs.

pytest -m real tests/test_attempts.py --attempts docs/explanation/attempts.csv
"""

from __future__ import annotations

import contextlib
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import Ended, Home, Warm
from sandboxes import under_policy

from secretly.testing import FakePinentry

#: What an attempt comes to.
GOT, ASKED, REFUSED = "gets it", "asks you", "refused"

_SHOW = ("sh", "-c", 'echo "$A"')
_LIBRARY = "import secretly; print(secretly.secret_sync('Name', confirm=False))"
_KEYRING = "import keyring; print(keyring.get_password('Name', 'ada'))"


class Attempt(NamedTuple):
    """A way to get the secret.

    :param what: the way, as the table has it.
    :param words: what is run; ``{home}`` is the home folder.
    :param outcomes: what comes of it without a policy, with one, and by an agent.
    :param environ: variables of the attempt.
    """

    what: str
    words: tuple[str, ...]
    outcomes: tuple[str, str, str]
    environ: Mapping[str, str] = {}


_EACH = (GOT, ASKED, ASKED)
_PIPED = (GOT, ASKED, REFUSED)

ATTEMPTS = [
    Attempt("``secretly get`` into a pipe", ("get", "Name"), _PIPED),
    Attempt("``secretly get -n`` into a pipe", ("get", "-n", "Name"), _PIPED),
    Attempt("``secretly get keyring://…``", ("get", "keyring://Name/ada"), _PIPED),
    Attempt("``secretly get secretly://…``", ("get", "secretly://Name"), _PIPED),
    Attempt("``secretly get env://…``", ("get", "env://TOKEN"), _PIPED),
    Attempt("``secretly get file://…``", ("get", "file://{home}/token"), _PIPED),
    Attempt("``secretly run -e``", ("run", "-e", "A=Name", *_SHOW), _EACH),
    Attempt("``--quiet``", ("run", "-q", "-e", "A=Name", *_SHOW), _EACH),
    Attempt("``--no-confirm``", ("run", "--no-confirm", "-e", "A=Name", *_SHOW), _PIPED),
    Attempt(
        "``--no-input``", ("run", "--no-input", "-e", "A=Name", *_SHOW), (GOT, REFUSED, REFUSED)
    ),
    Attempt(
        "``SECRETLY_NO_INPUT=1``",
        ("run", "-e", "A=Name", *_SHOW),
        (GOT, REFUSED, REFUSED),
        {
            "SECRETLY_NO_INPUT": "1",
        },
    ),
    Attempt("``--remember``", ("run", "--remember=1h", "-e", "A=Name", *_SHOW), _EACH),
    Attempt(
        "a reason that says you agreed",
        (
            "run",
            "--reason",
            "the user said yes",
            "-e",
            "A=Name",
            *_SHOW,
        ),
        _EACH,
    ),
    Attempt("``file://`` in the call", ("run", "-e", "A=file://{home}/token", *_SHOW), _EACH),
    Attempt("``env://`` in the call", ("run", "-e", "A=env://TOKEN", *_SHOW), _EACH),
    Attempt(
        "a text with a reference in it", ("run", "-e", "A=x{{ secretly://Name }}", *_SHOW), _EACH
    ),
    Attempt("an env file", ("run", "-f", "{home}/env", *_SHOW), _EACH),
    Attempt(
        "``--resolve-env``",
        ("run", "--resolve-env", *_SHOW),
        _EACH,
        {
            "A": "keyring://Name/ada",
        },
    ),
    Attempt(
        "a configuration with ``confirm = false``",
        ("run", "-e", "A=Name", *_SHOW),
        _EACH,
        {
            "SECRETLY_CONFIG": "{home}/mine.toml",
        },
    ),
    Attempt(
        "a profile of that configuration",
        ("run", "-p", "mine", "show"),
        _EACH,
        {
            "SECRETLY_CONFIG": "{home}/mine.toml",
        },
    ),
    Attempt(
        "``HOME`` with a policy in it",
        ("run", "-e", "A=Name", *_SHOW),
        _EACH,
        {
            "HOME": "{home}/mine",
        },
    ),
    Attempt(
        "``XDG_CONFIG_HOME`` with a policy in it",
        ("run", "-e", "A=Name", *_SHOW),
        _EACH,
        {
            "XDG_CONFIG_HOME": "{home}/mine/.config",
            "SECRETLY_CONFIG": "{home}/mine.toml",
        },
    ),
    Attempt(
        "``PINENTRY`` that says Yes",
        ("run", "--confirm", "-e", "A=Name", *_SHOW),
        _EACH,
        {
            "PINENTRY": "{yes}",
        },
    ),
    Attempt(
        "``gpg-agent.conf`` that names it",
        ("run", "--confirm", "-e", "A=Name", *_SHOW),
        _EACH,
        {
            "GNUPGHOME": "{home}/mine",
        },
    ),
    Attempt(
        "``PATH`` with a gpgconf that names it",
        (
            "run",
            "--confirm",
            "-e",
            "A=Name",
            *_SHOW,
        ),
        _EACH,
        {"PATH": "{home}/mine:{path}"},
    ),
    Attempt("a program with the library", ("PYTHON", _LIBRARY), _EACH),
    Attempt("a program with keyring", ("PYTHON", _KEYRING), (GOT, GOT, GOT)),
]


class Governed(Home):
    """A home whose commands run under a policy.

    :ivar words: the words that start a command.
    """

    words: Sequence[str] = ()

    def start(self, argv: Sequence[str], **more: Any) -> Any:
        return super().start([*self.words, *argv], **more)


@pytest.fixture(scope="module")
def yes() -> Iterator[FakePinentry]:
    """A pinentry of the caller's that always agrees."""
    with FakePinentry([True] * 400) as fake:
        yield fake


@pytest.fixture(scope="module")
def no() -> Iterator[FakePinentry]:
    """The policy's pinentry, where the user answers No."""
    with FakePinentry([False] * 400) as fake:
        yield fake


@pytest.fixture(scope="module")
def here(yes: FakePinentry) -> Iterator[Governed]:
    """A home with a stored secret, and all that a program prepares to get it."""
    folder = Path(tempfile.mkdtemp(prefix="secretly-")).resolve()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Governed(folder)
        made.reach("unshare", "mount", "sh")
        made.keep_in_a_file()
        done = made.run("set", "Name", "--username", "ada", "--stdin", stdin="canary-1")
        assert done.status == 0, done.stderr
        made.program("show", '#!/bin/sh\necho "$A"\n')
        mine = folder / "mine"
        (mine / ".config/secretly").mkdir(parents=True, mode=0o755)
        (mine / ".config/secretly/policy.toml").write_text('agents = "as-me"\n')
        (mine / "gpg-agent.conf").write_text(f"pinentry-program {yes.path}\n")
        (mine / "gpgconf").write_text(f"#!/bin/sh\necho pinentry:x:{yes.path}\n")
        (mine / "gpgconf").chmod(0o755)
        (folder / "env").write_text("A=secretly://Name\n")
        (folder / "token").write_text("canary-3")
        (folder / "token").chmod(0o600)
        (folder / "mine.toml").write_text(
            f"{made.config.read_text()}\n[secrets.Name]\nconfirm = false\n"
            '[commands.show.profiles.mine]\nsecrets = { A = "Name" }\n'
        )
        yield made


class Layers:
    """Processes of each layer that run secretly, and the pinentry that the user answers."""

    def __init__(self, here: Governed, yes: FakePinentry, no: FakePinentry) -> None:
        self.here, self.yes, self.no = here, yes, no
        self.number = 0

    def environ(self, attempt: Attempt) -> dict[str, str]:
        """The variables of an attempt, with a runtime folder of its own: a No counts a minute."""
        self.number += 1
        runtime = self.here.folder / f"run{self.number}"
        runtime.mkdir(mode=0o700)
        names = {"home": str(self.here.folder), "yes": str(self.yes.path)}
        names["path"] = self.here.environ["PATH"]
        given = {name: value.format(**names) for name, value in attempt.environ.items()}
        own = {"TOKEN": "canary-2", "DISPLAY": f":{self.number}", "XDG_RUNTIME_DIR": str(runtime)}
        return {**self.here.environ, **own, **given}

    def outcome(self, attempt: Attempt, warm: Warm, **marks: str) -> str:
        """Try it, and say what came of it."""
        environ, before = {**self.environ(attempt), **marks}, len(self.no.prompts)
        words = [
            word.format(home=self.here.folder) if "{home}" in word else word
            for word in attempt.words
        ]
        if words[0] == "PYTHON":
            done = self.here.run_any([sys.executable, "-c", words[1]], environ=environ)
        else:
            done = warm.run(*words, environ=environ, cwd=self.here.folder)
        return _outcome(done, len(self.no.prompts) > before)


def _outcome(done: Ended, asked: bool) -> str:
    if "canary" in done.stdout:
        return GOT
    if asked:
        return ASKED
    assert done.status, done
    return REFUSED


@pytest.mark.real
@pytest.mark.outside
def test_each_attempt_comes_to_what_the_table_says(
    here: Governed, yes: FakePinentry, no: FakePinentry, request: pytest.FixtureRequest
) -> None:
    """Without a policy, with ``confirm = "stored"``, and where an agent is recognized."""
    layers = Layers(here, yes, no)
    policies = ("", f'confirm = "stored"\npinentry = "{no.path}"\n', f'pinentry = "{no.path}"\n')
    found: dict[str, list[str]] = {one.what: [] for one in ATTEMPTS}
    for policy, marks in zip(policies, ({}, {}, {"AI_AGENT": "tester"}), strict=True):
        here.words = under_policy(here, policy)
        with Warm(here) as warm:
            for attempt in ATTEMPTS:
                found[attempt.what].append(layers.outcome(attempt, warm, **marks))
        here.words = ()
    wanted = {one.what: list(one.outcomes) for one in ATTEMPTS}
    assert {what: one for what, one in found.items() if one != wanted[what]} == {}
    if file := request.config.getoption("attempts"):
        with open(file, "w", encoding="utf-8", newline="") as opened:
            rows = ((what, *outcomes) for what, outcomes in found.items())
            csv.writer(opened, lineterminator="\n").writerows(rows)


def test_the_page_has_each_attempt() -> None:
    """With its outcomes."""
    table = Path(__file__).parent.parent / "docs/explanation/attempts.csv"
    with table.open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [
            (one.what, *one.outcomes) for one in ATTEMPTS
        ]
