"""The texts of prompts about sealed secrets; :mod:`.wording` has all others.

The functions escape nothing: the caller escapes what comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from .wording import TITLE

PASSPHRASE, NEW_PASSPHRASE = "Passphrase", "New passphrase"
#: Several secrets, whose names are in the question above.
THEM = "them"

WRONG_PASSPHRASE = "That was not the passphrase of your identity."


def listed(names: Sequence[str]) -> str:
    """Return names in a sentence."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def open_text(names: Sequence[str], purpose: str) -> str:
    """Return the question before sealed secrets are opened: the passphrase is the answer."""
    return f"Use {listed(names)}, sealed in your keychain, for this?\n\n{purpose}".strip()


def new_passphrase_text(what: str) -> str:
    """Return what a new passphrase is for."""
    return f"{what}\nNothing can recover this passphrase. Four random words are a good one."


FEW_CHARACTERS, ONLY_DIGITS = "It has few different characters.", "It has only digits."


def characters(count: int) -> str:
    """Return what is weak about a short passphrase."""
    return f"It has {count} characters."


def weak_passphrase(why: str) -> str:
    """Return the error above the prompt after a weak passphrase."""
    return (
        f"That passphrase is weak. {why} Take four random words, or enter the weak one again to use"
        " it all the same."
    )


CREATE = f"{TITLE} identity create makes the identity that opens your sealed secrets."
CHANGE_PASSPHRASE = f"{TITLE} identity passphrase gives your identity another passphrase."
RESTORE = f"{TITLE} identity create finds the recipient of the identity that is there."


def replace_text(count: int) -> str:
    """Return what ``secretly identity replace`` does."""
    secrets = "1 sealed secret" if count == 1 else f"{count} sealed secrets"
    return f"{TITLE} identity replace makes a new identity, and seals {secrets} for it."


def seal_text(name: str) -> str:
    """Return what ``secretly seal`` does, and why it asks."""
    return f"{TITLE} seal seals {name}, and opens it again to check that you can."


def unseal_text(name: str) -> str:
    """Return what ``secretly unseal`` does."""
    return f"{TITLE} unseal stores {name} unsealed: your other programs can then read it."
