"""Tests of a program that uses secretly: no person, no keychain, nothing of yours."""

import asyncio

import pytest

import secretly
from secretly.testing import FakePinentry, KeychainContract, MemoryKeychain, sandbox


async def greeting() -> str:
    """The program."""
    token = await secretly.secret("Example", remember=True, description="to greet")
    return f"hello, {len(token)} characters"


def test_it_asks_and_keeps() -> None:
    """What is typed is used, and kept for the next time."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert asyncio.run(greeting()) == "hello, 8 characters"
        assert asyncio.run(greeting()) == "hello, 8 characters"
        assert len(pinentry.prompts) == 1


def test_what_it_says() -> None:
    """The prompt says what the secret is for."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        asyncio.run(greeting())
        [prompt] = pinentry.prompts
    assert prompt["SETDESC"] == "to greet"
    assert prompt["SETPROMPT"] == "Secret for Example:"


def test_a_person_who_cancels() -> None:
    """Cancelling is an error of its own."""
    with FakePinentry([None]) as pinentry, sandbox(pinentry), pytest.raises(secretly.Cancelled):
        asyncio.run(greeting())


def test_a_pinentry_that_dies() -> None:
    """So is a pinentry that is killed (9) while it asks."""
    with (
        FakePinentry([[("kill", 9)]]) as pinentry,
        sandbox(pinentry),
        pytest.raises(secretly.PinentryFailed),
    ):
        asyncio.run(greeting())


def test_a_locked_keychain_and_nobody_there() -> None:
    """Without a fake pinentry nobody is there."""
    keychain = MemoryKeychain(locked=True)
    with sandbox(keychain=keychain), pytest.raises(secretly.KeychainLocked) as caught:
        asyncio.run(greeting())
    assert caught.value.hint


class TestMyKeychain(KeychainContract):
    """A keychain of your own, or a double of one, has to do what every one must."""

    def keychain(self) -> MemoryKeychain:
        """Return an empty one."""
        return MemoryKeychain()
