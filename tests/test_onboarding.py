"""A colleague starts with your env file: ``check -f`` and ``set --missing -f``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Home, quick
from tokens import TOKEN

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

ENV = """
URL=https://api.example.org/
API_KEY=secretly://Example
DB_URL=postgres://{{ secretly://DB#username }}:{{ secretly://DB | url }}@localhost/main
TOKEN=secretly://PyPI
AGAIN=secretly://Example
"""

#: A program of 1Password's that says when it runs.
OP = "#!/bin/sh\n: >{ran}\nexit 1\n"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        env_file(found, ENV)
        yield found


def env_file(home: Home, text: str) -> Path:
    path = home.folder / ".env"
    path.write_text(text)
    path.chmod(0o600)
    return path


def checked(home: Home, *options: str) -> tuple[int, dict[tuple[str, str], tuple[str, str]]]:
    """The status of a check, and the state and the place of each reference."""
    done = home.run("check", "-f", ".env", "--json", *options)
    assert done.stderr == ""
    rows = json.loads(done.stdout)["references"]
    assert json.loads(done.stdout)["good"] is (done.status == 0)
    found = {(one["variable"], one["reference"]): (one["state"], one["origin"]) for one in rows}
    assert len(found) == len(rows)
    return done.status, found


def shown(prompt: dict[str, str], verb: str) -> str:
    return unescape(prompt.get(verb, "").encode()).decode()


# -- check -----------------------------------------------------------------------


def test_each_reference_has_a_line_and_what_is_missing_fails(home: Home) -> None:
    """The last line has the call that asks for them; no plain variable is listed."""
    assert home.run("set", "Example", "--stdin", stdin="canary-1").status == 0
    done = home.run("check", "-f", ".env")
    assert (done.status, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "ok  API_KEY: Example is in the keychain",
        "!!  DB_URL: DB#username is not stored",
        "      store it: secretly set DB --username U",
        "!!  DB_URL: DB is not stored",
        "      store it: secretly set DB",
        "!!  TOKEN: PyPI is not stored",
        "      store it: secretly set PyPI",
        "ok  AGAIN: Example is in the keychain",
        "    to store what is missing: secretly set --missing -f .env",
    ]


def test_no_manager_is_asked_without_deep(home: Home) -> None:
    """A program that is not installed is a secret that is missing."""
    ran = home.folder / "ran"
    env_file(home, "A=op://Work/Example\nB={{ op://Work/Other }}-\nC=lpass://Example\n")
    home.program("op", OP.format(ran=ran))
    home.environ["PATH"] = str(home.programs)
    status, found = checked(home)
    assert (status, ran.exists()) == (1, False)
    assert found == {
        ("A", "op://Work/Example"): ("unknown", "op"),
        ("B", "op://Work/Other"): ("unknown", "op"),
        ("C", "lpass://Example"): ("missing", "lpass"),
    }
    env_file(home, "A=op://Work/Example\n")
    assert checked(home) == (0, {("A", "op://Work/Example"): ("unknown", "op")})
    assert checked(home, "--deep", "--no-input")[1] == {
        ("A", "op://Work/Example"): ("missing", "op")
    }
    assert ran.exists()


def test_what_is_on_this_computer_is_read(home: Home) -> None:
    """Variables and files; and the references of the configuration."""
    secret = home.folder / "secret"
    secret.write_text("canary-1")
    secret.chmod(0o600)
    lines = ["A=env://VALUE", "B=env://NOPE", "C=file://~/secret", "D=file://~/nope"]
    env_file(home, "\n".join([*lines, "E=secretly://S", "F=secretly://S#username", ""]))
    home.configure(
        home.config.read_text() + "[secrets.S]\nsource = 'env://VALUE'\nusername = 'u'\n"
    )
    home.environ["VALUE"] = "canary-2"
    status, found = checked(home)
    assert status == 1
    assert [(*pair, found[pair][0]) for pair in found] == [
        ("A", "env://VALUE", "there"),
        ("B", "env://NOPE", "missing"),
        ("C", "file://~/secret", "there"),
        ("D", "file://~/nope", "missing"),
        ("E", "S", "there"),
        ("F", "S#username", "there"),
    ]
    secret.chmod(0o644)
    assert checked(home)[1]["C", "file://~/secret"] == ("missing", "file")


def test_deep_looks_into_the_keychain(home: Home) -> None:
    """An item that another program deleted is on the list, and no more."""
    env_file(home, "API_KEY=secretly://Example\n")
    home.run("set", "Example", "--stdin", stdin="canary-1")
    assert checked(home, "--deep") == (0, {("API_KEY", "Example"): ("there", "keychain")})
    (home.folder / "keychain.json").unlink()
    assert checked(home)[0] == 0
    assert checked(home, "--deep") == (1, {("API_KEY", "Example"): ("missing", "keychain")})
    silent = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = home.run("check", "-f", ".env", "--deep", environ=silent)
    assert (done.status, done.stdout[:4]) == (0, "    "), done  # unknown


def test_a_file_that_run_refuses_is_refused(home: Home) -> None:
    """With the same text; ``--literal`` passes a text on."""
    env_file(home, "A=doppler://x\nB=https://api.example.org\n")
    done = home.run("check", "-f", ".env")
    assert (done.status, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    done = home.run("check", "-f", ".env", "--literal", "A")
    assert (done.status, done.stdout, done.stderr) == (0, "", "secretly: no references in .env\n")
    assert home.run("check", "-f", "nope").status == 1
    assert home.run("check").status == 2


# -- set --missing -----------------------------------------------------------------


def test_what_is_missing_is_asked_for_and_stored_as_run_looks_it_up(home: Home) -> None:
    """Each name once, with the user name that a variable gets, and the configured one."""
    with FakePinentry(["canary-1", "canary-1", "ada", "canary-2", "canary-2", TOKEN]) as fake:
        done = home.run("set", "--missing", "-f", ".env", environ=fake.environ)
        prompts = fake.prompts
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"stored {name} in the keychain" for name in ("Example", "DB", "PyPI")
    ]
    labels = [shown(prompt, "SETPROMPT").removesuffix(":") for prompt in prompts]
    assert [label for label in labels if "again" not in label] == [
        wording.secret_label("Example"),
        wording.username_label("DB"),
        wording.secret_label("DB"),
        wording.secret_label("PyPI", "pypi-"),
    ]
    assert shown(prompts[0], "SETDESC").splitlines()[:2] == [
        "1 of 3",
        wording.missing_purpose("Example", "API_KEY, AGAIN"),
    ]
    command = ("sh", "-c", "echo $API_KEY $DB_URL $AGAIN ${#TOKEN}")
    done = home.run("run", "--no-input", "--no-confirm", "-f", ".env", *command)
    db = "postgres://ada:canary-2@localhost/main"
    *values, length = done.stdout.split()
    assert (values, int(length) > len(TOKEN)) == (["canary-1", db, "canary-1"], True), done
    assert home.run("get", "PyPI#username").stdout == "__token__\n"
    done = home.run("set", "--missing", "-f", ".env", environ={"PINENTRY": "/nowhere"})
    assert (done.status, done.stdout) == (0, "nothing is missing\n")
    assert home.run("check", "-f", ".env").status == 0


def test_what_is_in_the_keychain_but_not_on_the_list_is_not_asked_for(home: Home) -> None:
    """``run`` would find it."""
    env_file(home, "API_KEY=secretly://Example\n")
    home.run("set", "Example", "--stdin", stdin="canary-1")
    (home.folder / ".local/state/secretly/kept.tsv").unlink()
    assert checked(home)[0] == 1
    done = home.run("set", "--missing", "-f", ".env", "--no-input")
    assert (done.status, done.stdout) == (0, "nothing is missing\n")


def test_what_is_missing_elsewhere_is_said(home: Home) -> None:
    """It can't be stored in the keychain, so the status is 1."""
    home.run("set", "DB", "--stdin", stdin="canary-1")
    env_file(home, "A=env://NOPE\nU=secretly://DB#username\nAPI_KEY=secretly://Example\n")
    with FakePinentry(["canary-1"] * 2) as fake:
        done = home.run("set", "--missing", "-f", ".env", environ=fake.environ)
    assert (done.status, done.stdout) == (1, "stored Example in the keychain\n")
    assert done.stderr.splitlines() == [
        "secretly: still missing: DB is stored without a user name: secretly set DB --username U",
        "secretly: still missing: the variable NOPE is not set in the environment: "
        "export NOPE first",
    ]


def test_what_is_stored_and_wrong_is_said(home: Home) -> None:
    """An item that another program changed can't be used, and is not replaced unasked."""
    env_file(home, "TOKEN=secretly://PyPI\n")
    assert home.run("set", "PyPI", "--stdin", stdin=TOKEN).status == 0
    kept = home.folder / "keychain.json"
    kept.write_text(kept.read_text().replace(TOKEN, "canary-1"))
    (home.folder / ".local/state/secretly/kept.tsv").unlink()
    done = home.run("set", "--missing", "-f", ".env", environ={"PINENTRY": "/nowhere"})
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("secretly: still missing: the stored secret for PyPI does not")
    status, found = checked(home, "--deep")
    assert (status, found["TOKEN", "PyPI"]) == (1, ("missing", "keychain"))


def test_a_keychain_that_stores_nothing_is_an_error(home: Home) -> None:
    """Before the user types."""
    silent = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    with FakePinentry(["canary-1"]) as fake:
        done = home.run("set", "--missing", "-f", ".env", environ=fake.environ | silent)
        assert fake.prompts == []
    assert (done.status, done.stdout, len(done.stderr.splitlines())) == (1, "", 2), done


@pytest.mark.parametrize("options", [[], ["--replace"]])
def test_a_secret_of_another_user_name_is_replaced_if_the_user_agrees(
    home: Home, options: list[str]
) -> None:
    """The configuration came to name another user: ``run`` looks the secret up under that one."""
    env_file(home, "API_KEY=secretly://Example\n")
    home.run("set", "Example", "--stdin", "--username", "ada", stdin="canary-1")
    home.configure(home.config.read_text() + "[secrets.Example]\nusername = 'eve'\n")
    assert checked(home)[0] == 1
    answers = [*([] if options else [True]), "canary-2", "canary-2"]
    with FakePinentry(answers) as fake:
        done = home.run("set", "--missing", "-f", ".env", *options, environ=fake.environ)
        assert len(fake.prompts) == len(answers)
    assert (done.status, done.stderr) == (0, "")
    assert home.run("get", "Example").stdout == "canary-2\n"
    assert home.run("get", "Example#username").stdout == "eve\n"


def test_a_cancel_says_what_was_stored_before(home: Home) -> None:
    """What was stored stays; the next call asks for the rest."""
    with FakePinentry(["canary-1", "canary-1", None]) as fake:
        done = home.run("set", "--missing", "-f", ".env", environ=fake.environ)
    assert (done.status, done.stdout) == (130, "stored Example in the keychain\n")
    assert done.stderr.splitlines()[1] == "  stored before that: Example"
    assert home.run("get", "Example").stdout == "canary-1\n"


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("set --missing", 2),
        ("set --missing -f .env Example", 2),
        ("set --missing -f .env --stdin", 2),
        ("set --missing -f .env --username u", 2),
        ("set -f .env Example", 2),
        ("set --literal X Example", 2),
        ("set", 2),
        ("set --missing -f .env --no-input", 1),
        ("set --missing -f nope", 1),
    ],
)
def test_a_wrong_call_is_two_lines(home: Home, call: str, status: int) -> None:
    """Nothing is asked, and nothing is stored."""
    done = home.run(*call.split(), environ={"PINENTRY": "/nowhere"})
    assert (done.status, done.stdout, len(done.stderr.splitlines())) == (status, "", 2), done
