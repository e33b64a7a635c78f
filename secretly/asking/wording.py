"""The texts of prompts and of consent, in one place: tests take them from here.

Whatever comes from outside is escaped by whoever passes it in.
"""

from __future__ import annotations

#: The title of every dialog.
TITLE = "secretly"

NOT_ACCEPTED = "That was not accepted."
NOTHING_ENTERED = "Nothing was entered."
KEYCHAIN_LOCKED = "The keychain is locked."
KEYCHAIN_SILENT = "The keychain did not answer."


# -- a secret that the user types ------------------------------------------------


def secret_label(name: str, prefix: str | None = None) -> str:
    """The words before the entry field for a secret, or for a token with a prefix."""
    return f"API token for {name} ({prefix}…)" if prefix else f"Secret for {name}"


def username_label(name: str) -> str:
    """The words before the entry field for a user name."""
    return f"User name for {name}"


def not_accepted(name: str) -> str:
    """The error above a prompt after a stored secret was tried in vain."""
    return f"The stored secret for {name} was not accepted."


def not_a_token(name: str, prefix: str) -> str:
    """The error above a prompt after something else than a token was entered."""
    return f"That is no token: tokens for {name} start with '{prefix}'."


def store_question(name: str) -> str:
    """Whether to store what was typed."""
    return f"Keep {name} in the keychain, for the next time?"


# -- the use of a stored one -----------------------------------------------------


def confirm_use_text(name: str, where: str, purpose: str) -> str:
    """The question before a stored secret is used, and what it is for."""
    return f"Hand over {name} from {where}?\n\n{purpose}".strip()


def purpose(command: str, program: str) -> str:
    """What a secret is for: the command that gets it, and where its program is."""
    return f"for: {command}\nprogram: {program}"


def asks(program: str) -> str:
    """What a secret is for, where the library is told nothing else."""
    return f"{program} asks for it"


# -- a password manager's vault --------------------------------------------------

MASTER_PASSWORD = "Master password"
DATABASE_PASSWORD = "Database password"
ACCOUNT_PASSWORD = "Account password"
WRONG_PASSWORD = "That was not the right password."


def unlock_text(purpose: str) -> str:
    """Why a vault's password is needed: *purpose* says what is locked."""
    return f"{purpose}. secretly needs a secret from it."
