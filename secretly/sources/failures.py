"""Failures of a source: one error for each case, with a hint that names the command to run."""

from __future__ import annotations

from ..errors import SourceFailed

__all__ = [
    "Ambiguous",
    "Locked",
    "NoField",
    "NoItem",
    "NotInstalled",
    "SignedOut",
    "Unasked",
    "Unreachable",
]


class NotInstalled(SourceFailed):
    """The password manager's program is not installed."""


class SignedOut(SourceFailed):
    """The user is not logged in to the password manager."""


class Locked(SourceFailed):
    """The vault is locked and was not unlocked."""


class Unasked(Locked):
    """The vault is locked, and secretly may not ask the user to unlock it, or can't."""


class NoItem(SourceFailed):
    """The item does not exist."""


class NoField(SourceFailed):
    """The item does not have this field."""


class Ambiguous(SourceFailed):
    """Several items match."""


class Unreachable(SourceFailed):
    """The password manager can't reach the network or another program that it needs."""
