"""Arguments of the public calls: their types, times and the secret to store."""

from __future__ import annotations

import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from ..config import values
from ..errors import Refused, SecretlyError
from ..redacted import NotASecret, Secret, to_secret
from ..resolving import checking

if TYPE_CHECKING:
    from ..config.model import Remember

__all__ = [
    "BadArgument",
    "check_options",
    "check_text",
    "check_texts",
    "hidden",
    "in_seconds",
    "remembered",
    "storable",
]


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


def hidden(value: object) -> Secret:
    """Return a text as a secret, and an empty one for anything else."""
    return Secret(str.__str__(value) if isinstance(value, str) else "")


def storable(value: Secret, kind: type) -> Secret:
    """Return a secret that may be stored.

    :param value: what :func:`hidden` made of the argument.
    :param kind: the type of the argument.
    :raises BadArgument: if the argument was not a text.
    :raises Refused: if no command can use the secret.
    """
    check_text("value", kind)
    if fault := checking.find_fault(value):
        raise Refused(f"the secret {fault}", "store the whole secret itself")
    try:
        return to_secret(value, limit=None)
    except NotASecret as error:
        raise Refused(f"the secret {error}", "store a text that a command can get") from None


def check_text(name: str, kind: type) -> None:
    """Refuse an argument that is not a text. It may be a secret, so only its type comes here.

    :raises BadArgument: if *kind* is not a type of texts.
    """
    if not issubclass(kind, str):
        raise BadArgument(f"{name} takes a text, not {kind.__name__}", "pass a str")


def check_texts(**optional: object) -> None:
    """Refuse an argument that is neither a text nor None.

    :raises BadArgument: for the first such argument.
    """
    for name, value in optional.items():
        if value is not None:
            check_text(name, type(value))


def check_options(options: Any) -> None:
    """Refuse an option of the wrong type, before the user is asked.

    :param options: the ``CallOptions`` of a call.
    :raises BadArgument: for the first such option.
    """
    check_texts(username=options.username, prompt=options.prompt, description=options.description)
    kind = type(options.confirm)
    if kind not in (bool, NoneType):
        raise BadArgument(f"confirm takes True, False or None, not {kind.__name__}", "pass a bool")
    if options.verify is not None and not callable(options.verify):
        kind = type(options.verify)
        raise BadArgument(f"verify takes a function, not {kind.__name__}", "pass a function")


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
