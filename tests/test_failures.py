"""What each password manager may fail by, in one table: the programs say what the real ones do.

Where a real one can be brought to it, ``test_managers.py`` does that too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from command import Home, home
from conftest import Tried

from secretly import sources
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process


class Manager(NamedTuple):
    """A password manager, and its program.

    :param path: the path of an item.
    :param begin: what its program does before it fails.
    """

    scheme: str
    program: str
    title: str
    path: str = "Example"
    begin: str = ""


LPASS = Manager("lpass", "lpass", "LastPass")
PASS = Manager("pass", "pass", "pass")
KEEPASSXC = Manager("keepassxc", "keepassxc-cli", "KeePassXC", "db.kdbx/Example")
BW = Manager("bw", "bw", "Bitwarden")
OP_1 = Manager("op", "op", "1Password", "V/Example", '[ "$1" = --version ] && echo 1.12.9 && exit')
OP_2 = Manager("op", "op", "1Password", "V/Example", '[ "$1" = --version ] && echo 2.30.3 && exit')
MANAGERS = (LPASS, PASS, KEEPASSXC, BW, OP_1, OP_2)

ERROR = "[ERROR] 2026/01/02 03:04:05 "

#: What the program says, by manager and failure; what is said then, and what would mend it.
SAID = [
    (LPASS, "Error: Could not find decryption key. Perhaps you need to login with `lpass login`.",
     "nobody is logged in", "lpass login"),
    (LPASS, "Error: Could not find session. Perhaps you need to login with `lpass login`.",
     "nobody is logged in", "then lpass sync"),
    (LPASS, "Error: Unable to fetch blob. Either your session is invalid and you need to login",
     "its vault is not on this machine yet", "lpass sync"),
    (LPASS, "Error: Could not find specified account(s).", "there is no item", "lpass ls"),
    (LPASS, "Error: Multiple matches found.", "several items match", "lpass ls"),
    (LPASS, "Error: Couldn't resolve host name.", "cannot be reached", "lpass sync"),
    (LPASS, "Error: Unable to get password from askpass.", "nobody may be asked", "lpass login"),
    (PASS, "Error: Example is not in the password store.", "there is no item", "pass ls"),
    (PASS, "gpg: decryption failed: No secret key", "nobody may be asked", "pass show Example"),
    (KEEPASSXC, "Could not find entry with path Example.", "there is no entry",
     "keepassxc-cli ls -R -f DATABASE"),
    (KEEPASSXC, "Error while reading the database: Not a KeePass database.", "cannot be opened",
     "check its path"),
    (KEEPASSXC, "Error while reading the database: Invalid credentials were provided",
     "that was not its password", "keepassxc-cli ls DATABASE"),
    (BW, "You are not logged in.", "nobody is logged in", "bw login"),
    (BW, "Vault is locked.", "nobody may be asked", "bw unlock"),
    (BW, "Not found.", "there is no item", "bw sync, or bw list items"),
    (BW, "More than one result was found.", "several items match", "bw list items --search"),
    (BW, "FetchError: request to https://x failed, reason: getaddrinfo ENOTFOUND x",
     "cannot be reached", "bw sync"),
    *((op, f"{ERROR}{said}", what, mend) for op in (OP_1, OP_2) for said, what, mend in [
        ("You are not currently signed in. Please run `op signin --help` for instructions",
         "nobody may be asked", "op signin"),
        ("No accounts configured for use with 1Password CLI.", "no account is set up",
         "op account add"),
        ('"Example" isn\'t an item. Specify the item with its UUID, name, or domain.',
         "there is no item", "op item list"),
        ('More than one item matches "Example".', "several items match", "op item list"),
        ("dial tcp: lookup my.1password.example: no such host", "cannot be reached",
         "op item list"),
    ]),
]  # fmt: skip


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home() as found:
        (found.folder / "db.kdbx").touch()
        yield found


def failure(home: Home, manager: Manager, script: str, *options: str) -> tuple[str, str]:
    """The two lines of the failure when the program does that: nothing was run, nor shown.

    :param script: empty: there is no such program.
    """
    folders = [str(home.programs)]
    if script:
        home.program(manager.program, f"#!/bin/sh\n{manager.begin}\n{script}\n")
        folders += ["/usr/bin", "/bin"]
    path = manager.path.replace("db.kdbx", f"{home.folder}/db.kdbx")
    words = ("run", *options, f"-eX={manager.scheme}://{path}", "/bin/echo", "ran")
    with FakePinentry(["canary-master"] * 3) as fake:
        done = home.run(*words, environ={"PATH": ":".join(folders), **fake.environ})
        assert "--no-input" not in options or fake.lines == []
    assert (done.status, done.stdout) == (125, ""), done
    assert "canary" not in done.stderr
    what, hint = done.stderr.splitlines()
    assert what.startswith("secretly: ")
    assert manager.title in what
    assert "Example" in what
    return what, hint


def names(manager: Manager) -> str:
    """A test's name."""
    return f"{manager.title} {'1' if manager is OP_1 else ''}".strip()


def asked(manager: Manager) -> tuple[str, ...]:
    """KeePassXC's program needs a password before it says anything."""
    return () if manager is KEEPASSXC else ("--no-input",)


@pytest.mark.parametrize(("manager", "said", "what", "mend"), SAID)
def test_what_a_manager_says_is_said_with_what_would_mend_it(
    home: Home, manager: Manager, said: str, what: str, mend: str, tried: Tried
) -> None:
    """With its name and the item's, and no word of its own."""
    script = f"cat >&2 <<'END'\n{said} canary-1\nEND\nexit 1"
    started = time.monotonic()
    line, hint = failure(home, manager, script, *asked(manager))
    took = time.monotonic() - started
    assert what in line
    assert mend in hint
    tried("a password manager", f"{names(manager)}: {said.removeprefix(ERROR)[:40]}", what, took)


def test_an_item_is_named_though_its_name_is_part_of_a_word(home: Home) -> None:
    """As ``Pass`` is of LastPass; once, where it is named already."""
    home.program("lpass", "#!/bin/sh\necho 'Error: Could not find decryption key.' >&2; exit 1\n")
    done = home.run("run", "--no-input", "-eX=lpass://Pass", "true")
    assert "LastPass: nobody is logged in (lpass://Pass)\n" in done.stderr
    home.program("lpass", "#!/bin/sh\necho 'Error: Could not find specified' >&2; exit 1\n")
    done = home.run("run", "--no-input", "-eX=lpass://Pass", "true")
    assert "LastPass: there is no item Pass\n" in done.stderr


@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_a_manager_that_is_not_there(home: Home, manager: Manager) -> None:
    """Its program is named, for which item it is needed, and what to do."""
    what, hint = failure(home, manager, "")
    assert f"{manager.title}'s program {manager.program} is not installed" in what
    assert f"install it, so that {manager.program} is on PATH" in hint


@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_a_manager_that_hangs(home: Home, manager: Manager) -> None:
    """It is ended with what it has started."""
    what, hint = failure(home, manager, "(sleep 61; :); :", "--prompt-timeout", "1s")
    assert "did not answer within 1 s" in what
    assert manager.program in hint


@pytest.mark.parametrize("manager", MANAGERS, ids=names)
@pytest.mark.parametrize(("data", "wrong"), [("\\377", "is not UTF-8"), ("a\\0", "has a NUL")])
def test_a_manager_that_writes_no_text(home: Home, manager: Manager, data: str, wrong: str) -> None:
    """None of it is shown."""
    what, hint = failure(home, manager, f"printf 'canary-1{data}'")
    assert wrong in what
    assert manager.program in hint


@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_a_manager_that_fails_otherwise(home: Home, manager: Manager) -> None:
    """The program is named, by which more can be seen."""
    what, hint = failure(home, manager, "echo canary-1; echo canary-2 >&2; exit 71")
    assert "failed with status 71" in what
    assert manager.program in hint


#: An item as each prints it, with a user name and no password.
WITHOUT = {
    LPASS: """echo '[{"name": "Example", "username": "ada", "password": ""}]'""",
    PASS: r"printf '\nusername: ada\n'",
    KEEPASSXC: "case $* in *Password*) echo 'ERROR: unknown attribute Password.' >&2; exit 1;; "
    "ls*) echo Example;; *) echo ada;; esac",
    BW: """echo '[{"name": "Example", "login": {"username": "ada"}}]'""",
    OP_1: """echo '{"details": {"fields": [{"name": "username", "value": "ada"}]}}'""",
    OP_2: """echo '{"fields": [{"id": "username", "value": "ada"}]}'""",
}


@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_an_item_without_that_field(home: Home, manager: Manager) -> None:
    """The fields that it has are named."""
    what, hint = failure(home, manager, WITHOUT[manager])
    assert "Example has no field 'password'" in what
    assert "username" in hint


def test_every_manager_is_in_the_table() -> None:
    """Each that has a program."""
    with_program = {s for s in sources.SCHEMES if hasattr(sources.find(s), "program")}
    assert {manager.scheme for manager in MANAGERS} == with_program
