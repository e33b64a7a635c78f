"""Errors for a secret that was found and can't be used, with the way to replace it."""

from __future__ import annotations

from ..errors import Refused
from ..text import escape, shell_quote
from .candidates import Candidate

__all__ = ["why_not_followed", "why_not_opened", "why_unusable"]


def why_unusable(candidate: Candidate, fault: str, how: str = "") -> Refused:
    """The error for a value that has a fault.

    :param fault: what is wrong with it, as the end of a sentence.
    :param how: the end of the command that stores another one.
    """
    return Refused(f"{_called(candidate)} {fault}", _where(candidate, how))


def why_not_followed(candidate: Candidate, scheme: str, fault: str, readable: bool) -> Refused:
    """The error for a value that is itself a reference.

    :param readable: whether secretly reads what such references name.
    """
    hint = "secretly can't read that store: put the secret itself there"
    if readable:
        hint = "secretly follows no reference that it reads: use that reference in its place"
    return Refused(f"{_called(candidate)} {fault}, of {escape(scheme)}://", hint)


def why_not_opened(candidate: Candidate, fault: str) -> Refused:
    """The error for a sealed secret that secretly doesn't open: only its own are opened."""
    hint = "open it there (age -d), or store the secret itself: secretly set --sealed NAME"
    if candidate.source is None:
        hint = _where(candidate)
    return Refused(f"{_called(candidate)} {fault}", hint)


def _called(candidate: Candidate) -> str:
    kind = "secret" if candidate.source else "stored secret"
    return f"the {kind} for {escape(candidate.name)}"


def _where(candidate: Candidate, how: str = "") -> str:
    """How to replace a secret: where it comes from, or in the keychain.

    :param how: the end of the command that stores it.
    """
    source = candidate.source
    if source is None:
        return f"replace it: secretly set {shell_quote(candidate.name)}{how}"
    if source.scheme == "command":
        return "change what the configured command prints"
    return f"change it in {escape(str(source))}"
