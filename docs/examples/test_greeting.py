"""Test a program that uses secretly, without your keychain and without asking you."""

import asyncio

import pytest

import secretly
from secretly.testing import FakePinentry, KeychainContract, MemoryKeychain, sandbox


async def greeting() -> str:
    """The program to test."""
    token = await secretly.secret("Example", remember=True, description="to greet")
    return f"hello, {len(token)} characters"


def test_a_typed_secret_is_used_and_stored() -> None:
    """The second call takes the secret from the keychain and shows no prompt."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert asyncio.run(greeting()) == "hello, 8 characters"
        assert asyncio.run(greeting()) == "hello, 8 characters"
        assert len(pinentry.prompts) == 1


def test_the_prompt_says_what_the_secret_is_for() -> None:
    """The pinentry gets the description and the label."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        asyncio.run(greeting())
        [prompt] = pinentry.prompts
    assert prompt["SETDESC"].endswith("to greet")
    assert prompt["SETPROMPT"] == "Secret for Example:"


def test_cancelling_raises_an_error() -> None:
    """If the user cancels, the program gets Cancelled."""
    with FakePinentry([None]) as pinentry, sandbox(pinentry), pytest.raises(secretly.Cancelled):
        asyncio.run(greeting())


def test_a_killed_pinentry_raises_an_error() -> None:
    """If signal 9 kills the pinentry while it asks, the program gets PinentryFailed."""
    with (
        FakePinentry([[("kill", 9)]]) as pinentry,
        sandbox(pinentry),
        pytest.raises(secretly.PinentryFailed),
    ):
        asyncio.run(greeting())


def test_a_locked_keychain_raises_an_error_with_a_hint() -> None:
    """Without a fake pinentry the sandbox can't ask the user to unlock the keychain."""
    keychain = MemoryKeychain(locked=True)
    with sandbox(keychain=keychain), pytest.raises(secretly.KeychainLocked) as caught:
        asyncio.run(greeting())
    assert caught.value.hint


class TestMyKeychain(KeychainContract):
    """Your own keychain, or your double of one, must pass the contract tests."""

    def keychain(self) -> MemoryKeychain:
        """Return an empty keychain."""
        return MemoryKeychain()
