"""The user name of an upload: decided in one place, and asked for where nothing knows it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest
import tokens
from test_resolve import Watched, errors, obtained, prepared

from secretly.asking import upload_wording, wording
from secretly.config.model import Entry
from secretly.keeping import name_changes
from secretly.publishing.destination import Destination
from secretly.redacted import Secret
from secretly.reference import Reference
from secretly.resolving.candidates import Candidate, ResolvedSecret
from secretly.resolving.request import SecretRequest
from secretly.running.locating import is_unknown, token_locations
from secretly.running.usernames import asks_username, sent_username, upload_username

CORP = Destination("corp", "corp", "https://corp.example/")
PYPI = Destination("pypi", "PyPI")
SHIPPED = Entry("PyPI", username="__token__", prefix="pypi-")


class Case(NamedTuple):
    """What is known of the user name, and which one is sent."""

    sent: str
    destination: Destination = CORP
    configured: str | None = None
    own: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        Case("__token__"),
        Case("own", own="own"),
        Case("configured", configured="configured", own="own"),
        Case("ada", CORP._replace(username="ada"), "configured", "own"),
        Case("", CORP._replace(username=""), "configured", "own"),
        Case("__token__", PYPI, own="me@example.org"),
        Case("mine", PYPI, configured="mine", own="own"),
        Case("ada", PYPI._replace(username="ada")),
    ],
)
def test_the_user_name_is_decided_in_one_order(case: Case) -> None:
    """What the bare tool would send comes first: an empty name counts as well."""
    entry = SHIPPED if case.destination.pypis else Entry("corp")
    assert upload_username(case.destination, entry, case.configured, case.own) == case.sent


@pytest.mark.parametrize(
    ("configured", "own", "inherited", "publishes", "sent"),
    [
        ("configured", "own", "inherited", True, "configured"),
        (None, "own", "inherited", True, "own"),
        (None, None, "inherited", True, "inherited"),
        (None, None, None, True, "__token__"),
        (None, None, None, False, None),
    ],
)
def test_without_a_known_index_the_users_own_choice_is_sent(
    configured: str | None, own: str | None, inherited: str | None, publishes: bool, sent: str
) -> None:
    """PyPI's name is sent by an upload alone: another command knows best."""
    entry = Entry("corp", username=configured)
    result = ResolvedSecret(Secret("canary"), own, Candidate("keychain", "corp", entry))
    request = SecretRequest(Reference("", "corp"), publishes=publishes)
    environ = {"OTHER": "", "CORP_USER": inherited} if inherited else {}
    assert sent_username(("OTHER", "CORP_USER"), request, result, environ) == sent


def test_an_empty_user_name_is_shown_as_one() -> None:
    """A line that ends after its colon would look cut off."""
    assert upload_wording.user_line("") == "user: (empty)"
    assert upload_wording.user_line("ada") == "user: ada"


@pytest.mark.parametrize(
    ("destination", "asks"),
    [(CORP, True), (CORP._replace(username="ada"), False), (PYPI, False)],
)
def test_a_user_name_is_asked_for_where_nothing_knows_it(
    destination: Destination, asks: bool
) -> None:
    """PyPI needs none, and a tool may know it."""
    assert asks_username(destination, SHIPPED if destination.pypis else Entry("corp")) == asks
    assert not asks_username(CORP, Entry("corp", username="ada"))


@pytest.mark.process
def test_a_typed_password_is_stored_with_the_user_name_that_is_typed_next() -> None:
    """Before it is stored: so the next upload sends the same name."""
    with prepared("canary-typed", "ada") as (pinentry, here, _):
        found = obtained("corp", here, token_prefix="pypi-", remember=True)
        assert (found.secret, found.username) == ("canary-typed", "ada")
        assert [prompt["SETPROMPT"] for prompt in pinentry.prompts] == [
            f"{wording.secret_label('corp')}:",
            f"{wording.username_label('corp')}:",
        ]
        assert here.keychain.items == {("corp", "ada"): "canary-typed"}  # type: ignore[attr-defined]
        again = obtained("corp", here, token_prefix="pypi-")
        assert (again.origin, again.username) == ("keychain", "ada")


@pytest.mark.process
def test_an_empty_user_name_is_asked_for_again() -> None:
    """The second prompt says what is wrong."""
    with prepared("canary-typed", "", "ada") as (pinentry, here, _):
        assert obtained("corp", here, token_prefix="pypi-").username == "ada"
        assert errors(pinentry) == [None, None, wording.NOTHING_ENTERED]


@pytest.mark.process
def test_a_token_is_not_asked_for_its_user_name() -> None:
    """Nor is a secret whose user name is configured."""
    config = '[secrets.named]\nusername = "ada"\n'
    with prepared("pypi-canary", "canary-typed", config=config) as (pinentry, here, _):
        assert obtained("corp", here, token_prefix="pypi-").username is None
        assert obtained("named", here, token_prefix="pypi-").username == "ada"
        assert len(pinentry.prompts) == 2


@pytest.mark.process
def test_a_token_names_the_index_that_made_it() -> None:
    """A stored token, and one for a project, count; secrets, sources and broken tokens don't."""
    keychain = Watched(Other="canary-1")
    config = '[secrets.Broken]\nprefix = "pypi-"\n[secrets.Managed]\nsource = "env://MANAGED"\n'
    config += 'prefix = "pypi-"\n'
    environ = {"MANAGED": tokens.token("managed.example")}
    with prepared(keychain=keychain, config=config, environ=environ) as (_, here, _n):
        name_changes.add(here.stored_names, "Managed", "__token__", True)
        for name, text in (
            ("PyPI", tokens.token("pypi.example")),
            ("TestPyPI/demo", tokens.token("test.pypi.example")),
            ("Broken", "pypi-canary"),
        ):
            keychain.items[name, "__token__"] = Secret(text)
            name_changes.add(here.stored_names, name, "__token__", True)
        assert asyncio.run(token_locations(here)) == {
            "pypi.example": "PyPI",
            "test.pypi.example": "TestPyPI",
        }
        assert "Other" not in keychain.asked


@pytest.mark.parametrize(
    ("destination", "unknown"),
    [
        (Destination("", "upload.pypi.example", "https://upload.pypi.example/legacy/"), True),
        (Destination("", "corp.example:8443", "https://corp.example:8443/"), True),
        (Destination("", "known.example", "https://known.example/"), False),
        (Destination("", "PyPI", "https://upload.pypi.example/legacy/"), False),
        (CORP, True),
        (PYPI, False),
    ],
)
@pytest.mark.process
def test_tokens_are_looked_at_for_an_unknown_index_alone(
    destination: Destination, unknown: bool
) -> None:
    """An index with a secret of its own needs no other one."""
    config = '[secrets."known.example"]\nusername = "ada"\n'
    with prepared(config=config) as (_, here, _notes):
        assert is_unknown(destination, here) == unknown
        name_changes.add(here.stored_names, destination.secret, "ada", True)
        assert not is_unknown(destination, here)
