"""What the error says of a secret that is missing, or that can't be used."""

from __future__ import annotations

import pytest

from secretly.config.model import Entry
from secretly.errors import KeychainLocked, KeychainUnavailable, NotFound, SecretlyError
from secretly.redacted import to_secret
from secretly.reference import Reference
from secretly.resolving.candidates import Candidate
from secretly.resolving.checking import check_whole
from secretly.resolving.missing import why_missing

LOCKED = KeychainLocked("it is locked", "unlock it")
AWAY = KeychainUnavailable("no bus", "start one")
MEANT = "Did you mean 'PyPI'?"


@pytest.mark.parametrize(
    ("unavailable", "question", "listed", "kind", "texts"),
    [
        (None, "", False, NotFound, ("no stored secret PyPi", "store it: secretly set PyPi")),
        (None, MEANT, True, NotFound, (f"PyPi. {MEANT}", "store it")),
        (AWAY, "", False, KeychainUnavailable, ("can't get PyPi: no bus", "start one")),
        (AWAY, MEANT, True, KeychainUnavailable, ("PyPi: no bus", f"{MEANT} If not: start one")),
        (AWAY, "", True, KeychainUnavailable, ("can't be reached from here: no bus", "start one")),
        (LOCKED, "", True, KeychainLocked, ("can't be read now: it is locked", "unlock it")),
    ],
)
def test_the_error_says_what_is_known_of_the_secret(
    unavailable: KeychainUnavailable | None,
    question: str,
    listed: bool,
    kind: type[SecretlyError],
    texts: tuple[str, str],
) -> None:
    found = why_missing("PyPi", unavailable, question, listed)
    assert type(found) is kind
    assert texts[0] in str(found)
    assert texts[1] in str(found.hint)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (None, "replace it: secretly set Key --stdin < FILE"),
        (Reference("command", "Key"), "change what the configured command prints"),
        (Reference("op", "Vault/Key"), "change it in op://Vault/Key"),
    ],
)
def test_the_error_says_where_a_value_can_be_replaced(source: Reference | None, hint: str) -> None:
    """Here the value is the first line of a key of several lines."""
    candidate = Candidate("the store", "Key", Entry("Key"), source=source)
    with pytest.raises(SecretlyError) as caught:
        check_whole(candidate, to_secret("-----BEGIN PRIVATE KEY-----"))
    assert caught.value.hint == hint
