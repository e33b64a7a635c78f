"""How a source fails: each kind says which of its commands would mend it."""

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
    """The password manager's program is not there."""


class SignedOut(SourceFailed):
    """The password manager is there, and nobody is logged in to it."""


class Locked(SourceFailed):
    """The vault is locked, and was not unlocked."""


class Unasked(Locked):
    """It is locked, and nobody may be asked."""


class NoItem(SourceFailed):
    """There is no such item."""


class NoField(SourceFailed):
    """The item has no such field."""


class Ambiguous(SourceFailed):
    """Several items match."""


class Unreachable(SourceFailed):
    """The password manager needs the network, or another program, and does not get it."""
