"""Checks of a PyPI token before its use."""

from __future__ import annotations

import time

from ..config.model import Entry
from ..errors import BadToken, Refused
from ..redacted import Secret
from ..text import escape, format_time, shell_quote
from . import pypi_token

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["SKEW", "check_scope", "read_scope", "refuse_expired"]

#: How many seconds before now a narrowed token starts, for an index whose clock is slow.
SKEW = 60


def read_scope(value: Secret, entry: Entry) -> pypi_token.TokenScope:
    """Read what a token allows.

    :param entry: the configuration of the secret.
    :raises BadToken: if the token is malformed.
    """
    try:
        return pypi_token.token_scope(value)
    except BadToken as error:
        raise BadToken(f"{escape(entry.name)}: {error}", error.hint) from None


def check_scope(token: pypi_token.TokenScope, entry: Entry, projects: Collection[str]) -> None:
    """Refuse a token that is not for these projects, or not good now.

    :param projects: normalized names.
    :raises Refused: with what to do.
    """
    name = escape(entry.name)
    if lacking := token.lacks(projects):
        raise Refused(
            f"the token for {name} is not for the project {lacking[0]}",
            "secretly set " + shell_quote(f"{entry.name.partition('/')[0]}/{lacking[0]}"),
        )
    now = time.time()
    refuse_expired(token, entry.name, now)
    if token.not_before is not None and token.not_before > now:
        raise Refused(
            f"the token for {name} is not good before {format_time(token.not_before)}",
            "check this machine's clock",
        )


def refuse_expired(token: pypi_token.TokenScope, name: str, now: float) -> None:
    """Refuse a token that has expired.

    :param name: the name of the secret.
    :param now: the time, in seconds since 1970.
    """
    if token.expires is not None and token.expires <= now:
        raise Refused(
            f"the token for {escape(name)} has expired",
            f"make a new one, then run: secretly set {shell_quote(name)}",
        )
