"""Candidates: the names and places that a secret may come from, decided without looking."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from secretly.cli import dry_run
from secretly.config.model import Configuration, Entry
from secretly.errors import BadReference, KeychainUnavailable
from secretly.keeping import name_changes
from secretly.keeping.stored_names import NameTable, StoredName
from secretly.redacted import Secret
from secretly.reference import Reference, parse
from secretly.resolving.candidates import (
    CONFIGURATION,
    KEYCHAIN,
    MEMORY,
    TYPED,
    Candidate,
    ResolvedSecret,
    Username,
    find_candidates,
    own_username,
    username_for,
)
from secretly.resolving.confirming import decide_confirmation
from secretly.resolving.obtain import obtain_all
from secretly.resolving.request import SecretRequest, login_name
from secretly.resolving.storing import store_secret
from secretly.testing import FakePinentry, sandbox

ENTRIES = {
    "PyPI": Entry("PyPI", username="__token__", prefix="pypi-"),
    "Vault": Entry("Vault", parse("op://Private/Vault#key")),
    "Named": Entry("Named", parse("op://Private/Named"), username="me"),
    "PyPI/vaulted": Entry("PyPI/vaulted", parse("env://TOKEN")),
}
STORED = {"OpenAI": StoredName("OpenAI", "given", True, "2026-01-01")}


def candidates(reference: str, **more: object) -> tuple[Candidate, ...]:
    """The candidates for a request, with these entries and this list."""
    request = SecretRequest(parse(reference), **more)  # type: ignore[arg-type]
    return find_candidates(request, Configuration(secrets=ENTRIES), STORED.get, {})


def places(reference: str, **more: object) -> list[tuple[str, str]]:
    """The origin and the name of each candidate."""
    return [(one.origin, one.name) for one in candidates(reference, **more)]


BOTH = [(MEMORY, "OpenAI"), (KEYCHAIN, "OpenAI")]
OF_INDEX = [(MEMORY, "PyPI"), (KEYCHAIN, "PyPI"), (TYPED, "PyPI")]


@pytest.mark.parametrize(
    ("reference", "more", "expected"),
    [
        ("OpenAI", {}, [*BOTH, (TYPED, "OpenAI")]),
        ("OpenAI#password", {}, [*BOTH, (TYPED, "OpenAI")]),
        ("OpenAI", {"ignore_stored": True}, [(TYPED, "OpenAI")]),
        ("OpenAI#username", {}, [(CONFIGURATION, "OpenAI"), (TYPED, "OpenAI")]),
        ("Other#username", {}, [(TYPED, "Other")]),
        (
            "PyPI",
            {"names": ("PyPI/demo",)},
            [(MEMORY, "PyPI/demo"), (KEYCHAIN, "PyPI/demo"), *OF_INDEX],
        ),
        ("PyPI", {"names": ("PyPI/vaulted",)}, [("env", "PyPI/vaulted")]),
        ("Vault", {}, [("op", "Vault")]),
        ("Vault", {"ignore_stored": True}, [(TYPED, "Vault")]),
        (
            "Vault",
            {"names": ("Vault/x",)},
            [(MEMORY, "Vault/x"), (KEYCHAIN, "Vault/x"), ("op", "Vault")],
        ),
        ("env://TOKEN", {}, [("env", "env://TOKEN")]),
        ("env://TOKEN", {"ignore_stored": True}, [(TYPED, "env://TOKEN")]),
    ],
)
def test_the_order_of_the_candidates(
    reference: str, more: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    """Memory comes before the keychain; a source is the last, and otherwise the user is."""
    assert places(reference, **more) == expected


def test_the_field_of_a_reference_replaces_the_configured_one() -> None:
    """``NAME`` reads the field that the source names, ``NAME#field`` another one."""
    assert [str(candidates(text)[0].source) for text in ("Vault", "Vault#otp")] == [
        "op://Private/Vault#key",
        "op://Private/Vault#otp",
    ]


def test_a_configured_user_name_needs_no_look_up() -> None:
    """The candidate has it, though the secret itself comes from a source."""
    (one,) = candidates("Named#username")
    assert (one.origin, one.value) == ("op", "me")


def test_a_stored_secret_has_no_other_fields() -> None:
    """The error names the field; the prompt for a secret that is ignored never raises it."""
    with pytest.raises(BadReference, match="otp") as caught:
        candidates("OpenAI#otp")
    assert caught.value.hint
    assert places("OpenAI#otp", ignore_stored=True) == [(TYPED, "OpenAI")]


@pytest.mark.parametrize(
    ("given", "entry", "stored", "expected"),
    [
        ("call", Entry("A", username="conf"), STORED["OpenAI"], Username("call", True)),
        (None, Entry("A", username="conf"), STORED["OpenAI"], Username("conf", True)),
        (None, Entry("A"), STORED["OpenAI"], Username("given", True)),
        (None, Entry("A"), StoredName("A", "me", False, "2026"), Username("me", False)),
        (None, Entry("A"), None, Username(login_name(), False)),
    ],
)
def test_which_user_name_a_secret_has(
    given: str | None, entry: Entry, stored: StoredName | None, expected: Username
) -> None:
    """The caller's, else the configured, else the one it was stored with, else the login name."""
    assert username_for(given, entry, stored) == expected


@pytest.mark.parametrize(
    ("candidate", "of_source", "expected"),
    [
        (Candidate(KEYCHAIN, "A", Entry("A"), Username("me", True)), None, "me"),
        (Candidate(KEYCHAIN, "A", Entry("A"), Username("login", False)), None, None),
        (Candidate("op", "A", Entry("A", username="conf")), "item's", "conf"),
        (Candidate("op", "A", Entry("A")), "item's", "item's"),
        (Candidate("op", "A", Entry("A")), None, None),
    ],
)
def test_which_user_name_belongs_to_a_secret(
    candidate: Candidate, of_source: str | None, expected: str | None
) -> None:
    """The login name, under which a secret without a user name is stored, is not the secret's."""
    assert own_username(candidate, of_source) == expected


def test_a_name_that_has_its_user_name_is_not_looked_up_in_the_list() -> None:
    """So a run that needs no list never reads it."""

    def unreadable(name: str) -> StoredName | None:
        raise AssertionError(name)

    for request in (
        SecretRequest(parse("PyPI")),
        SecretRequest(parse("OpenAI"), username="me"),
        SecretRequest(parse("Vault")),
        SecretRequest(parse("env://TOKEN")),
    ):
        assert find_candidates(request, Configuration(secrets=ENTRIES), unreadable, {})


# -- the list of stored names ----------------------------------------------------


@pytest.mark.process
def test_a_run_reads_the_list_once() -> None:
    """Ten secrets with narrower names, looked up again at each prompt: the list is read once."""
    names = [f"Name{number}" for number in range(10)]
    with FakePinentry([f"canary-{name}" for name in names]) as pinentry, sandbox(pinentry) as here:
        name_changes.add(here.stored_names, "Another", "user", True)
        time.sleep(0.2)  # a list that has just changed might change again without a trace
        read, tables = here.stored_names.read, list[NameTable]()

        def noted() -> NameTable:
            tables.append(read())
            return tables[-1]

        here.stored_names.read = noted  # type: ignore[method-assign]
        requests = [SecretRequest(parse(name), names=(f"{name}/x",)) for name in names]
        found = asyncio.run(obtain_all(requests, here))
        assert [one.secret for one in found] == [f"canary-{name}" for name in names]
        assert len(tables) == 1


@pytest.mark.process
def test_a_corrupt_list_is_noted_once() -> None:
    """Each secret then has the login name, and the user types it."""

    def broken() -> NameTable:
        raise KeychainUnavailable("the list is corrupt", "delete it")

    notes: list[str] = []
    with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry) as here:
        here = here._replace(note=notes.append)
        here.stored_names.read = broken  # type: ignore[method-assign]
        found = asyncio.run(obtain_all([SecretRequest(parse(name)) for name in "AB"], here))
        assert [one.secret for one in found] == ["canary-1", "canary-2"]
        assert notes == ["the list is corrupt"]


@pytest.mark.process
def test_a_list_whose_lines_are_wrong_is_noted_once() -> None:
    """It may look right until a name of it is wanted."""
    notes: list[str] = []
    with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry) as here:
        here = here._replace(note=notes.append)
        name_changes.add(here.stored_names, "Another", "user", True)
        path = Path(here.stored_names.path)
        path.write_text(path.read_text() + "A\tuser\tperhaps\tnow\tx\n")
        found = asyncio.run(obtain_all([SecretRequest(parse(name)) for name in "AB"], here))
        assert [one.secret for one in found] == ["canary-1", "canary-2"]
        assert len(notes) == 1
        assert str(path) in notes[0]


# -- confirming ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("publishes", "confirm", "configured", "origin", "needed", "waived"),
    [
        (False, None, None, KEYCHAIN, False, ""),
        (True, None, None, KEYCHAIN, True, ""),
        (True, False, None, KEYCHAIN, False, "--no-confirm"),
        (False, False, True, MEMORY, False, ""),
        (False, None, True, "op", True, ""),
        (True, None, False, "op", False, "confirm = false"),
        (True, True, False, KEYCHAIN, True, ""),
        (False, True, False, "op", True, ""),
        (False, True, None, KEYCHAIN, True, ""),
        (False, False, True, KEYCHAIN, False, ""),
        (True, True, True, TYPED, False, ""),
        (True, True, True, CONFIGURATION, False, ""),
    ],
)
def test_whether_a_use_is_confirmed(
    publishes: bool,
    confirm: bool | None,
    configured: bool | None,
    origin: str,
    needed: bool,
    waived: str,
) -> None:
    """It says what waived a confirmation that a publishing command would have needed."""
    request = SecretRequest(parse("A"), confirm=confirm, publishes=publishes)
    candidate = Candidate(origin, "A", Entry("A", confirm=configured))
    decision = decide_confirmation(request, ResolvedSecret(Secret("canary-1"), None, candidate))
    assert decision.needed is needed
    assert decision.waived_by.startswith(waived)
    assert bool(decision.waived_by) == bool(waived)


def test_variables_in_a_configured_source_come_from_the_environment() -> None:
    """secretly replaces a source's variables only when it needs this secret."""
    entry = Entry("Db", parse("op://$STAGE/db#key"))
    configuration = Configuration(secrets={"Db": entry, **ENTRIES})

    def source(text: str, environ: dict[str, str]) -> str:
        request = SecretRequest(parse(text))
        (found,) = find_candidates(request, configuration, STORED.get, environ)
        return str(found.source)

    assert source("Db", {"STAGE": "dev"}) == "op://dev/db#key"
    assert source("Db#username", {"STAGE": "dev"}) == "op://dev/db#username"
    assert source("Vault", {}) == "op://Private/Vault#key"
    with pytest.raises(BadReference, match="STAGE"):
        source("Db", {})


class Counting(dict[str, Entry]):
    """Tables of secrets that count how often each is looked up."""

    def __init__(self, **tables: Entry) -> None:
        super().__init__(tables)
        self.asked: Counter[str] = Counter()

    def __getitem__(self, name: str) -> Entry:
        self.asked[name] += 1
        return super().__getitem__(name)


def test_a_dry_run_asks_for_an_entry_once_a_request() -> None:
    """For the place of the secret, its limits and its user name."""
    tables = Counting(Example=Entry("Example", username="ada"))
    with sandbox() as here:
        origins = dry_run._Origins(here._replace(configuration=Configuration(tables)))
        for _ in range(2):
            request = SecretRequest(Reference("", "Example"))
            assert origins.describe(request).startswith("Example from ")
            assert origins.expected(request).entry.username == "ada"
            assert origins.candidates(request)
    assert tables.asked == {"Example": 1}


@pytest.mark.process
@pytest.mark.parametrize("username", [None, "eve"])
def test_storing_what_was_typed_asks_for_an_entry_once_a_request(username: str | None) -> None:
    """For the prompt, the user name, sealing, and what is stored for another user."""
    tables = Counting(Example=Entry("Example", username="ada"), Other=Entry("Other"))
    with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry) as here:
        asyncio.run(store_secret(Entry("Example"), "canary-0", Username("bob", True), here))
        here = here._replace(configuration=here.configuration._replace(secrets=tables))
        requests = [
            SecretRequest(parse(name), remember=True, ignore_stored=True, username=username)
            for name in tables
        ]
        assert [one.origin for one in asyncio.run(obtain_all(requests, here))] == [TYPED, TYPED]
        stored = {"bob", "eve"} if username else {"ada"}  # without a name, it takes bob's place
        assert set(here.stored_names.usernames("Example")) == stored
    assert tables.asked == {"Example": 1, "Other": 1}
