"""The profile of a known command that a call uses."""

from __future__ import annotations

from ..errors import Refused, SecretlyError
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .invocation import Invocation
    from .model import Command, Profile

__all__ = ["NoProfile", "chosen_profile"]


class NoProfile(SecretlyError):
    """The chosen profile does not exist."""


def chosen_profile(call: Invocation | None, name: str | None) -> Profile | None:
    """The profile with that name, or the command's default profile.

    :raises NoProfile: if the command has no such profile.
    :raises Refused: if the call needs a secret, and its command has profiles but no default.
    """
    if name is not None:
        return _named(call, name)
    if call is None or not call.row.profiles or not call.needs_secret:
        return None
    row = call.row
    if row.default is None:
        raise Refused(
            f"{escape(row.name)} has several profiles, and you chose none: {_names(row)}",
            f"choose one: secretly run -p {escape(sorted(row.profiles)[0])} …",
        )
    return row.profiles[row.default]


def _named(call: Invocation | None, name: str) -> Profile:
    if call is None:
        raise NoProfile(
            f"this command has no profile '{escape(name)}'",
            "only commands in the configuration have profiles: leave out -p",
        )
    row = call.row
    if name not in row.profiles:
        raise NoProfile(
            f"{escape(row.name)} has no profile '{escape(name)}'", f"its profiles: {_names(row)}"
        )
    return row.profiles[name]


def _names(row: Command) -> str:
    return escape(", ".join(sorted(row.profiles)) or "none")
