"""Test a program that uses secretly, with the fixtures that secretly gives to pytest."""

import pytest

import secretly
from secretly.testing import FakePinentry, MemoryKeychain


def greeting() -> str:
    """The program to test."""
    token = secretly.secret_sync("Example", username="ada", remember=True)
    return f"hello, {len(token)} characters"


@pytest.mark.secretly("canary-1")
@pytest.mark.usefixtures("secretly_sandbox")
def test_a_typed_secret_is_stored(
    secretly_pinentry: FakePinentry, secretly_keychain: MemoryKeychain
) -> None:
    """The user types the secret once."""
    assert greeting() == "hello, 8 characters"
    assert greeting() == "hello, 8 characters"
    assert len(secretly_pinentry.prompts) == 1
    assert secretly_keychain.items == {("Example", "ada"): "canary-1"}


@pytest.mark.usefixtures("secretly_sandbox")
def test_a_user_who_cancels() -> None:
    """Without an answer, the user cancels."""
    with pytest.raises(secretly.Cancelled):
        greeting()
