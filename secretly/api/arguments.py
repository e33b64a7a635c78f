"""Arguments of the public calls: how long a call may take, and how long to remember a secret."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from ..config import values
from ..errors import SecretlyError

if TYPE_CHECKING:
    from ..config.model import Remember

__all__ = ["BadArgument", "in_seconds", "remembered"]


class BadArgument(SecretlyError, TypeError, ValueError):
    """An argument of the library that has no meaning. Internal: callers see its bases."""


def in_seconds(value: float | datetime.timedelta | None, default: float) -> float:
    """Return a time limit in seconds.

    :param value: seconds, a timedelta, or None for the default.
    :raises BadArgument: if *value* is not a time, or out of range.
    """
    if value is None:
        return default
    seconds = _number(value)
    if seconds is None or not 0 < seconds <= values.LONGEST:
        raise BadArgument(
            f"timeout takes more than 0 and at most {values.LONGEST:.0f} seconds, "
            f"not {_shown(value)}",
            "pass a number of seconds, a timedelta, or None for the default",
        )
    return seconds


def remembered(value: bool | str | datetime.timedelta | None) -> Remember | None:
    """Return a caller's value for ``remember``, with a timedelta in seconds.

    :raises BadArgument: if the value is not valid.
    """
    if value is None or isinstance(value, bool) or value == "ask":
        return value  # type: ignore[return-value]
    seconds = _number(value) if hasattr(value, "total_seconds") else None
    if seconds is None or seconds <= 0:
        raise BadArgument(
            f"remember takes True, False, 'ask' or a timedelta above 0, not {_shown(value)}",
            "to remember it for a while: datetime.timedelta(minutes=15)",
        )
    return seconds


def _number(value: Any) -> float | None:
    """The seconds of a number or a timedelta; None for anything else."""
    if hasattr(value, "total_seconds"):
        return float(value.total_seconds())
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


def _shown(value: object) -> str:
    """Show an argument in a message, but not a text, which may be a secret in the wrong place."""
    return f"a {type(value).__name__}" if isinstance(value, (str, bytes)) else repr(value)[:40]
