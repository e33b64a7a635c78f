"""The error for a missing secret: it is not stored, or the keychain can't give it."""

from __future__ import annotations

from ..errors import KeychainLocked, KeychainUnavailable, NotFound, SecretlyError
from ..text import escape, shell_quote

__all__ = ["why_missing"]


def _sandboxed() -> tuple[str, str] | None:
    """What happened and what to do, if a sandbox keeps secretly from the keychain."""
    from ..processes import sandbox

    return sandbox.SANDBOXED if sandbox.blocks_sockets() else None


def why_missing(
    plain: str, unavailable: KeychainUnavailable | None, question: str, listed: bool
) -> SecretlyError:
    """The error for a secret that is missing, and that the user is not asked for.

    :param plain: its name.
    :param unavailable: why the keychain can't say whether it has the secret; None: it has not.
    :param question: the question whether another name was meant; empty if none is near.
    :param listed: whether the list of stored names has the secret.
    """
    name = escape(plain)
    if unavailable is None:
        fix = f"secretly set {shell_quote(plain)}"
        also = f". {question}" if question else ""
        return NotFound(f"no stored secret {name}{also}", f"store it: {fix}")
    if sandboxed := _sandboxed():
        return KeychainUnavailable(f"can't get {name}: {sandboxed[0]}", sandboxed[1])
    what, hint = f"can't get {name}", unavailable.hint
    if question:
        hint = f"{question} If not: {hint}"
    elif listed:
        locked = isinstance(unavailable, KeychainLocked)
        can = "be read now" if locked else "be reached from here"
        what = f"{name} is stored in the keychain, which can't {can}"
    return type(unavailable)(f"{what}: {unavailable}", hint)
