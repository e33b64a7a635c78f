"""A PyPI token for a command whose upload secretly can't see: it ends in an hour."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping

import pytest
import tokens
from command import Ended, Home, quick

from secretly.asking import upload_wording
from secretly.config.model import Entry
from secretly.errors import BadToken, Refused
from secretly.publishing import pypi_token
from secretly.redacted import Secret
from secretly.running.delivery import TokenLimits
from secretly.running.limits import LIFETIME
from secretly.testing import FakePinentry

ENTRY = Entry("PyPI", prefix="pypi-")
TOKEN = Secret(tokens.TOKEN)
ANY, DEMO = TokenLimits("make"), TokenLimits("nox", ("demo",))


# -- what the limits are ---------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "projects"),
    [(ANY, None), (DEMO, {"demo"}), (TokenLimits("x", ("a", "b")), {"a", "b"})],
)
def test_a_token_ends_in_an_hour(limits: TokenLimits, projects: set[str] | None) -> None:
    """It is for the named projects, if any are named."""
    now = time.time()
    got = pypi_token.token_scope(limits.narrowed(TOKEN, ENTRY, now))
    assert (got.expires, got.projects) == (int(now + LIFETIME), projects)


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        (Secret("canary-1"), ENTRY),
        (Secret("canary-pypi-x"), Entry("Other")),
        (TOKEN, Entry("PyPI", narrow=False)),
    ],
    ids=["no token", "no token either", "switched off"],
)
def test_other_secrets_stay_as_they_are(value: Secret, entry: Entry) -> None:
    """Nothing is shown, checked or changed. A project that is named counts in any case."""
    for limits in (ANY, DEMO) if entry.narrow else (ANY,):
        assert limits.describe(value, entry) == ""
        limits.inspect(value, entry)
        assert limits.narrowed(value, entry, 0) is value


def test_what_is_typed_is_described_by_the_configured_prefix() -> None:
    """Before something is typed, only the configuration can say that a token is expected."""
    hour = upload_wording.limits_line(None, 60, certain=True)
    assert ANY.describe(None, ENTRY) == hour == "token: 60 minutes, not limited to a project"
    assert ANY.describe(None, Entry("Other")) == ""
    assert ANY.describe(TOKEN, Entry("Other")) == hour


def test_a_recipe_is_described_with_its_project() -> None:
    """The dialog names the project, the limits, and what secretly can't see."""
    assert DEMO.describe(TOKEN, ENTRY).splitlines() == [
        "project: demo",
        "token: this project only, 60 minutes",
        f"note: {upload_wording.UNSEEN}",
    ]


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (f"{tokens.TOKEN}x!", BadToken, "narrow = false"),
        (f"https://u:{tokens.TOKEN}@pypi.example", BadToken, "narrow = false"),
        (tokens.token("pypi.example", [1, ["other"]]), Refused, "is not for the project demo"),
        (tokens.token("pypi.example", [0, 1, 0]), Refused, "has expired"),
    ],
)
def test_a_token_that_can_not_be_limited_is_refused(
    value: str, error: type[Exception], said: str
) -> None:
    """The error says what to do."""
    with pytest.raises(error) as raised:
        DEMO.inspect(Secret(value), ENTRY)
    assert said in f"{raised.value}\n{raised.value.hint}"  # type: ignore[attr-defined]


# -- in a run --------------------------------------------------------------------

#: Says whether the token is the stored one, its projects, and whether it ends.
SHOW = f"""#!{sys.executable} -I
import os, sys
sys.path[:0] = {sys.path!r}
from secretly.publishing.pypi_token import token_scope
value = os.environ.get("TWINE_PASSWORD", os.environ.get("TOKEN_FOR_IT", ""))
if not value.startswith("pypi-"):
    print(value)
    raise SystemExit
found = token_scope(value)
names = sorted(found.projects) if found.projects else "any project"
user = os.environ.get("TWINE_USERNAME")
print("stored" if value == {tokens.TOKEN!r} else "narrowed", names, bool(found.expires), user)
"""

ANY_COMMAND = ("-e", "TOKEN_FOR_IT=PyPI", "show")
RECIPE = ("--as", "twine", "--project", "Demo", "show", "-s", "release")


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        found.program("show", SHOW)
        assert found.run("set", "PyPI", "--stdin", stdin=tokens.TOKEN).status == 0
        yield found


def run(
    here: Home, *words: str, answers: list[bool], environ: Mapping[str, str] | None = None
) -> tuple[Ended, list[dict[str, object]]]:
    """Run a command; return its end and the prompts."""
    with FakePinentry(answers) as fake:
        done = here.run("run", *words, environ={**fake.environ, **(environ or {})})
        return done, list(fake.prompts)


@pytest.mark.process
def test_any_command_gets_a_token_for_an_hour_after_a_yes(here: Home) -> None:
    """The dialog says how long it is good; a line says how to copy the stored one."""
    done, prompts = run(here, *ANY_COMMAND, answers=[True])
    assert (done.status, done.stdout) == (0, "narrowed any project True None\n")
    assert "token: 60 minutes, not limited to a project" in str(prompts)
    until = done.stderr.partition(" ends at ")[2].partition(", not")[0]
    assert done.stderr == f"secretly: {upload_wording.gets_limited_token('show', 'PyPI', until)}\n"
    done, _ = run(here, *ANY_COMMAND, answers=[False])
    assert (done.status, done.stdout) == (130, "")


@pytest.mark.process
def test_a_recipe_gets_a_token_for_its_project(here: Home) -> None:
    """It has the variables of the tool, and a token for that project."""
    done, prompts = run(here, *RECIPE, answers=[True])
    assert (done.status, done.stdout) == (0, "narrowed ['demo'] True __token__\n")
    assert "show -s release" in str(prompts)
    assert upload_wording.UNSEEN in str(prompts)
    until = done.stderr.partition(" until ")[2].strip()
    assert done.stderr == f"secretly: {upload_wording.gets_token('show', 'demo', until)}\n"
    done, _ = run(here, *RECIPE, answers=[False])
    assert (done.status, done.stdout) == (130, "")


@pytest.mark.process
def test_a_project_that_is_named_limits_the_token_in_any_case(here: Home) -> None:
    """``narrow = false`` is for calls that name none."""
    here.configure(f"{here.config.read_text()}\n[secrets.PyPI]\nnarrow = false\n")
    done, _ = run(here, *RECIPE, answers=[True])
    assert (done.status, done.stdout) == (0, "narrowed ['demo'] True __token__\n")


@pytest.mark.process
def test_the_projects_own_token_comes_first(here: Home) -> None:
    """``PyPI/demo`` is tried before ``PyPI``, as for an upload."""
    own = tokens.token("pypi.example", [1, ["demo"]], identifier="canary-own")
    assert here.run("set", "PyPI/demo", "--stdin", stdin=own).status == 0
    _, prompts = run(here, *RECIPE, answers=[True])
    assert "Use PyPI/demo from" in str(prompts)


@pytest.mark.process
@pytest.mark.parametrize(
    ("configured", "options", "said"),
    [
        ("narrow = false", (), "stored any project False None\n"),
        ("confirm = false", (), "narrowed any project True None\n"),
        ("", ("--no-confirm",), "narrowed any project True None\n"),
    ],
)
def test_the_ways_out(here: Home, configured: str, options: tuple[str, ...], said: str) -> None:
    """``narrow = false`` hands over the stored token; the question has switches of its own."""
    here.configure(f"{here.config.read_text()}\n[secrets.PyPI]\n{configured}\n")
    done, prompts = run(here, *options, *ANY_COMMAND, answers=[])
    assert (done.status, done.stdout, prompts) == (0, said, [])


@pytest.mark.process
def test_get_returns_what_is_stored(here: Home) -> None:
    """Only ``run`` narrows."""
    assert here.run("get", "PyPI").stdout == f"{tokens.TOKEN}\n"


@pytest.mark.process
def test_a_typed_token_is_limited_too(here: Home) -> None:
    """The prompt for it says so; what is stored is the token itself."""
    here.run("forget", "PyPI")
    with FakePinentry([tokens.TOKEN]) as fake:
        done = here.run("run", "--remember", *ANY_COMMAND, environ=fake.environ)
        assert "token: 60 minutes" in str(fake.prompts)
    assert done.stdout == "narrowed any project True None\n"
    assert here.run("get", "PyPI").stdout == f"{tokens.TOKEN}\n"


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--project", "demo", "show"), "--project needs the publishing tool"),
        (("--as", "gh", "--project", "demo", "show"), "--project needs the publishing tool"),
        (("--as", "twine", "--project", "a b", "show"), "is not a valid name of a project"),
    ],
)
def test_mistakes(here: Home, words: tuple[str, ...], said: str) -> None:
    """Nothing is run."""
    done = here.run("run", *words)
    assert (done.status, done.stdout) == (125, "")
    assert said in done.stderr


@pytest.mark.process
def test_a_dry_run_shows_the_limits(here: Home) -> None:
    """As the dialog has them."""
    lines = here.run("run", "--dry-run", *RECIPE).stdout.splitlines()
    assert lines[-3:] == DEMO.describe(TOKEN, ENTRY).splitlines()
