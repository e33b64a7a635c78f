"""The password managers' failures in one table, with programs that say what the real ones say.

``test_managers.py`` makes the real ones fail, where that is possible.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from command import SECRETLY, Home, quick
from conftest import Tried

from secretly import Secret, SecretlyError, SourceFailed, sources
from secretly.processes.output import Finished
from secretly.reference import parse
from secretly.sources import (
    Ambiguous,
    Items,
    Locked,
    NoField,
    NoItem,
    NotInstalled,
    Program,
    Run,
    SignedOut,
    Unreachable,
)
from secretly.testing import FakePinentry
from secretly.text import Environ


class Manager(NamedTuple):
    """A password manager and its program.

    :param path: the path of an item.
    :param begin: what the program does before it fails.
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
AWS_SM = Manager("aws-sm", "aws", "AWS Secrets Manager")
AWS_SSM = Manager("aws-ssm", "aws", "AWS Parameter Store")
BWS = Manager("bws", "bws", "Bitwarden Secrets Manager")
PROTON = Manager("protonpass", "pass-cli", "Proton Pass", "V/Example")
VAULT = Manager("vault-kv", "vault", "Vault", "secret/Example")
BAO = Manager("bao-kv", "bao", "OpenBao", "secret/Example")
RBW = Manager("rbw", "rbw", "rbw", begin='[ "$1" = unlocked ] && exit')
GOPASS = Manager("gopass", "gopass", "gopass")
DOCUMENTED = (BWS, PROTON, VAULT, BAO, RBW, GOPASS)
MANAGERS = (LPASS, PASS, KEEPASSXC, BW, OP_1, OP_2, AWS_SM, AWS_SSM, *DOCUMENTED)

#: How aws's errors begin.
CALLED = "An error occurred (%s) when calling the GetSecretValue operation:"

ERROR = "[ERROR] 2026/01/02 03:04:05 "

#: What the program says, by manager; the error that this is, and a part of the hint.
SAID = [
    (LPASS, "Error: Could not find decryption key. Perhaps you need to login with `lpass login`.",
     SignedOut, "lpass login"),
    (LPASS, "Error: Could not find session. Perhaps you need to login with `lpass login`.",
     SignedOut, "then lpass sync"),
    (LPASS, "Error: Unable to fetch blob. Either your session is invalid and you need to login",
     Unreachable, "lpass sync"),
    (LPASS, "Error: Could not find specified account(s).", NoItem, "lpass ls"),
    (LPASS, "Error: Multiple matches found.", Ambiguous, "lpass ls"),
    (LPASS, "Error: Couldn't resolve host name.", Unreachable, "lpass sync"),
    (LPASS, "Error: Unable to get password from askpass.", Locked, "lpass login"),
    (PASS, "Error: Example is not in the password store.", NoItem, "pass ls"),
    (PASS, "gpg: decryption failed: No secret key", Locked, "pass show Example"),
    (KEEPASSXC, "Could not find entry with path Example.", NoItem,
     "keepassxc-cli ls -R -f DATABASE"),
    (KEEPASSXC, "Error while reading the database: Not a KeePass database.", NoItem,
     "check its path"),
    (KEEPASSXC, "Error while reading the database: Invalid credentials were provided",
     Locked, "keepassxc-cli ls DATABASE"),
    (BW, "You are not logged in.", SignedOut, "bw login"),
    (BW, "Vault is locked.", Locked, "bw unlock"),
    (BW, "Not found.", NoItem, "bw sync, or bw list items"),
    (BW, "More than one result was found.", Ambiguous, "bw list items --search"),
    (BW, "FetchError: request to https://x failed, reason: getaddrinfo ENOTFOUND x",
     Unreachable, "bw sync"),
    (AWS_SM, f"{CALLED % 'ResourceNotFoundException'} can't find the specified secret.", NoItem,
     "aws secretsmanager list-secrets"),
    (AWS_SSM, f"{CALLED % 'ParameterNotFound'} Parameter Example not found.", NoItem,
     "aws ssm describe-parameters"),
    (AWS_SSM, f"{CALLED % 'ValidationException'} 1 validation error detected", NoItem,
     "aws ssm describe-parameters"),
    (AWS_SM, f"{CALLED % 'AccessDeniedException'} User is not authorized to perform: x",
     SourceFailed, "aws sts get-caller-identity"),
    (AWS_SM, "Unable to locate credentials. You can configure credentials by", SignedOut,
     "aws configure"),
    (AWS_SM, "The config profile (nope) could not be found", SignedOut, "aws configure"),
    (AWS_SM, "Error loading SSO Token: Token for x does not exist", SignedOut, "aws sso login"),
    (AWS_SM, f"{CALLED % 'ExpiredTokenException'} The token has expired", SignedOut,
     "aws sso login"),
    (AWS_SM, "You must specify a region. You can also configure your region", Unreachable,
     "aws configure get region"),
    (AWS_SM, 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"', Unreachable,
     "check the region"),
    (BWS, "Error: Missing access token", SignedOut, "BWS_ACCESS_TOKEN"),
    (BWS, "Error: [404 Not Found] Resource not found.", NoItem, "bws secret list"),
    (PROTON, "Error: This operation requires an authenticated client", SignedOut,
     "pass-cli login"),
    (PROTON, "Error: Item not found", NoItem, "pass-cli item list"),
    (VAULT, "No value found at secret/data/Example", NoItem, "vault kv list"),
    (VAULT, "Code: 403. Errors:\n\n* permission denied", SourceFailed, "vault token lookup"),
    (VAULT, "Code: 400. Errors:\n\n* missing client token", SignedOut, "vault login"),
    (BAO, "dial tcp 127.0.0.1:8200: connect: connection refused", Unreachable, "bao status"),
    (RBW, "rbw get: couldn't find entry for 'Example': no entry found", NoItem, "rbw sync"),
    (RBW, "rbw get: couldn't find entry for 'Example': multiple entries found: a@Example, Example",
     Ambiguous, "rbw list --fields"),
    (RBW, "rbw get: failed to find email address in config", SignedOut, "rbw config set email"),
    (RBW, "rbw unlock: failed to log in to bitwarden instance", SignedOut, "rbw login"),
    (RBW, "rbw unlock: failed to unlock database: incorrect password", Locked, "rbw unlock"),
    (GOPASS, "Error: failed to retrieve secret \"Example\": entry is not in the password store",
     NoItem, "gopass ls"),
    (GOPASS, "Decryption failed: exit status 2\n\nError: failed to decrypt", Locked,
     "gopass show Example"),
    (GOPASS, "Error: password-store is not initialized. Try 'gopass init'", SignedOut,
     "gopass setup"),
    (GOPASS, "Error: flag provided but not defined: -unsafe.", SourceFailed, "gopass version"),
    *((op, f"{ERROR}{said}", kind, hint) for op in (OP_1, OP_2) for said, kind, hint in [
        ("You are not currently signed in. Please run `op signin --help` for instructions",
         Locked, "op signin"),
        ("No accounts configured for use with 1Password CLI.", SignedOut, "op account add"),
        ('"Example" isn\'t an item. Specify the item with its UUID, name, or domain.',
         NoItem, "op item list"),
        ('More than one item matches "Example".', Ambiguous, "op item list"),
        ("dial tcp: lookup my.1password.example: no such host", Unreachable, "op item list"),
    ]),
]  # fmt: skip


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        (found.folder / "db.kdbx").touch()
        yield found


def failure(home: Home, manager: Manager, script: str, *options: str) -> SecretlyError:
    """The error when the program does that. The command shows it, and nothing is run.

    :param script: empty: the program is not installed.
    :param options: of the command.
    """
    folders = [str(home.programs)]
    if script:
        home.program(manager.program, f"#!/bin/sh\n{manager.begin}\n{script}\n")
        folders += ["/usr/bin", "/bin"]
    path = manager.path.replace("db.kdbx", f"{home.folder}/db.kdbx")
    words = ("run", *options, f"-eX={manager.scheme}://{path}", "/bin/echo", "ran")
    with FakePinentry(["canary-master"] * 6) as fake:
        environ = {"PATH": ":".join(folders), **fake.environ}
        done = home.run(*words, environ=environ)
        assert "--no-input" not in options or fake.lines == []
        person = None if "--no-input" in options else 2.0 if "2s" in options else 60.0
        run = Run(Environ({**home.environ, **environ}), person)
        with pytest.raises(SecretlyError) as caught:
            asyncio.run(Items(run).get(parse(f"{manager.scheme}://{path}")))
    assert (done.status, done.stdout) == (125, ""), done
    assert "canary" not in done.stderr
    what, hint = done.stderr.splitlines()
    assert what == f"secretly: {caught.value}"
    assert hint.strip() == caught.value.hint
    assert manager.title in what
    assert "Example" in what
    return caught.value


def names(manager: Manager) -> str:
    """A test's name."""
    return f"{manager.title} {'1' if manager is OP_1 else ''}".strip()


def asked(manager: Manager) -> tuple[str, ...]:
    """KeePassXC's program says nothing before it has a password."""
    return () if manager is KEEPASSXC else ("--no-input",)


@pytest.mark.parametrize(("manager", "said", "kind", "hint"), SAID)
def test_a_managers_failure_is_an_error_with_a_hint(
    manager: Manager, said: str, kind: type[SourceFailed], hint: str, tried: Tried
) -> None:
    """Each failure is an error of its kind, which shows nothing that the program said."""
    program = sources.find(manager.scheme).program  # type: ignore[attr-defined]
    started = time.monotonic()
    with pytest.raises(SourceFailed) as caught:
        program.read(Finished(1, b"canary-1", f"{said} canary-1".encode()), "Example")
    took, error = time.monotonic() - started, caught.value
    assert type(error) is kind
    assert hint in error.hint
    assert manager.title in str(error)
    assert "canary" not in f"{error}{error.hint}"
    what = str(error).removeprefix(f"{manager.title}: ").partition(" (")[0]
    what = what.partition("Example")[0].strip()
    tried("a password manager", f"{names(manager)}: {said.removeprefix(ERROR)[:40]}", what, took)


#: The first of each manager's failures, and those of a locked vault.
SHOWN = [
    row
    for number, row in enumerate(SAID)
    if row[2] is Locked or row[0] not in [before[0] for before in SAID[:number]]
]


@pytest.mark.process
@pytest.mark.parametrize(("manager", "said", "kind", "hint"), SHOWN)
def test_the_command_shows_a_managers_failure(
    home: Home, manager: Manager, said: str, kind: type[SourceFailed], hint: str
) -> None:
    """The command shows the error and its hint, and runs nothing."""
    script = f"cat >&2 <<'END'\n{said} canary-1\nEND\nexit 1"
    error = failure(home, manager, script, *asked(manager))
    assert isinstance(error, kind)
    assert hint in error.hint


@pytest.mark.process
def test_an_error_names_the_item_once(home: Home) -> None:
    """An item whose name is part of the manager's, as ``Pass`` of LastPass, is named too."""
    home.program("lpass", "#!/bin/sh\necho 'Error: Could not find decryption key.' >&2; exit 1\n")
    done = home.run("run", "--no-input", "-eX=lpass://Pass", "true")
    assert done.stderr.splitlines()[0].endswith(" (lpass://Pass)")
    home.program("lpass", "#!/bin/sh\necho 'Error: Could not find specified' >&2; exit 1\n")
    done = home.run("run", "--no-input", "-eX=lpass://Pass", "true")
    assert done.stderr.splitlines()[0].endswith(" Pass")


@pytest.mark.process
def test_a_failure_is_seen_where_children_are_ignored(home: Home) -> None:
    """secretly's parent ignores SIGCHLD: secretly still doesn't use what a failed manager wrote."""
    home.program("lpass", "#!/bin/sh\necho canary-half; exit 1\n")
    start = "import os, signal as s, sys; s.signal(s.SIGCHLD, s.SIG_IGN); os.execvp(*sys.argv[1:])"
    start = start.replace("*sys.argv[1:]", "sys.argv[1], sys.argv[1:]")
    argv = [sys.executable, "-c", start, *SECRETLY]
    done = home.run_any([*argv, "run", "--no-input", "-eX=lpass://Pass", "echo", "ran"])
    assert (done.status, done.stdout) == (125, "")
    assert "failed with status 1" in done.stderr


@pytest.mark.process
@pytest.mark.usefixtures("children_ignored")
def test_a_lost_status_is_a_failure(home: Home) -> None:
    """In a program that ignores SIGCHLD, a manager that failed looks like one that did not."""
    home.program("lpass", "#!/bin/sh\necho canary-half; exit 1\n")
    run, program = Run(Environ(home.environ), 60.0), Program("LastPass", "lpass")

    async def answer() -> Secret:
        return Secret("canary-master")

    for call in (program.call(run), program.asked(run, prompt=b"Password", answer=answer)):
        with pytest.raises(SourceFailed, match="ignores SIGCHLD") as caught:
            asyncio.run(call)
        assert "canary" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.process
@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_a_missing_program_is_named(home: Home, manager: Manager) -> None:
    """The error names the program and the item, and the hint says what to install."""
    error = failure(home, manager, "")
    assert isinstance(error, NotInstalled)
    assert manager.program in str(error)
    assert manager.program in error.hint


# The deadline is the same for each manager; KeePassXC's program has a terminal of its own.
@pytest.mark.process
@pytest.mark.parametrize("manager", (LPASS, KEEPASSXC), ids=names)
def test_a_manager_that_hangs_is_ended(home: Home, manager: Manager) -> None:
    """The program is ended at the deadline, with the processes that it has started."""
    error = failure(home, manager, "(sleep 61; :); :", "--prompt-timeout", "2s")
    assert isinstance(error, Unreachable)
    assert "2 s" in str(error)
    assert manager.program in error.hint


@pytest.mark.process
@pytest.mark.parametrize("manager", MANAGERS, ids=names)
@pytest.mark.parametrize("data", ["\\377", "a\\0"], ids=["not UTF-8", "NUL"])
def test_other_output_than_text_is_refused(home: Home, manager: Manager, data: str) -> None:
    """Output that is not UTF-8 text, or has a NUL byte, is an error that shows none of it."""
    error = failure(home, manager, f"printf 'canary-1{data}'")
    assert type(error) is SourceFailed
    assert manager.program in error.hint


@pytest.mark.process
@pytest.mark.parametrize("manager", MANAGERS, ids=names)
def test_an_unknown_failure_has_its_status(home: Home, manager: Manager) -> None:
    """An unknown failure is an error with the exit status, and names the program to run."""
    error = failure(home, manager, "echo canary-1; echo canary-2 >&2; exit 71")
    assert type(error) is SourceFailed
    assert "71" in str(error)
    assert manager.program in error.hint


#: An item with a user name and no password, as each program prints it.
WITHOUT = {
    LPASS: """echo '[{"name": "Example", "username": "ada", "password": ""}]'""",
    PASS: r"printf '\nusername: ada\n'",
    KEEPASSXC: "case $* in *Password*) echo 'ERROR: unknown attribute Password.' >&2; exit 1;; "
    "ls*) echo Example;; *) echo ada;; esac",
    BW: """echo '[{"name": "Example", "login": {"username": "ada"}}]'""",
    OP_1: """echo '{"details": {"fields": [{"name": "username", "value": "ada"}]}}'""",
    OP_2: """echo '{"fields": [{"id": "username", "value": "ada"}]}'""",
    PROTON: "case $* in */username) echo ada;; *) echo 'no such field' >&2; exit 1;; esac",
    VAULT: """echo '{"data": {"username": "ada"}}'""",
    RBW: """echo '{"id": "1", "name": "Example", "data": {"username": "ada"}}'""",
    GOPASS: r"printf '\nusername: ada\n'",
}


@pytest.mark.process
@pytest.mark.parametrize("manager", WITHOUT, ids=names)  # AWS's have the whole text instead
def test_a_missing_field_is_an_error(home: Home, manager: Manager) -> None:
    """The error names the missing field, and the hint the fields that the item has."""
    error = failure(home, manager, WITHOUT[manager])
    assert isinstance(error, NoField)
    assert "'password'" in str(error)
    assert "username" in error.hint


def test_every_manager_is_in_the_table() -> None:
    """Each source with a program has a row for its missing program, and the other failures."""
    with_program = {s for s in sources.SCHEMES if hasattr(sources.find(s), "program")}
    assert {manager.scheme for manager in MANAGERS} == with_program
