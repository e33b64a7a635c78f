"""Durations and names of variables, as options, configuration and library read them."""

from __future__ import annotations

import re

from ..errors import BadConfiguration
from ..text import escape

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    import datetime


_UNITS = {"s": 1, "m": 60, "h": 3600}

#: Variables that change how programs load or what they run, and the prefixes of others.
STEERING = frozenset(
    "PATH IFS ENV SHELLOPTS PROMPT_COMMAND NODE_OPTIONS GIT_SSH GIT_SSH_COMMAND RUBYOPT "
    "RUBYLIB".split()
)
STEERING_PREFIXES = ("LD_", "DYLD_", "PYTHON", "BASH", "PERL5")


def duration(text: str) -> float:
    """Read a duration such as ``60s``, ``15m`` or ``2h``, in seconds.

    :raises BadConfiguration: if *text* is not a valid duration, or it is zero.

    >>> duration("15m")
    900.0
    """
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    if not found or int(found[1]) == 0:
        raise BadConfiguration(f"'{escape(text)}' is not a valid duration", "try 60s, 15m or 2h")
    return float(int(found[1]) * _UNITS[found[2]])


def is_variable(name: str) -> bool:
    """Whether *name* is a valid name for an environment variable."""
    return name.isascii() and name.isidentifier()


def steers(name: str) -> bool:
    """Whether a variable changes how programs load or what they run."""
    return name.upper() in STEERING or name.upper().startswith(STEERING_PREFIXES)


def check_variable(name: str) -> str:
    """Return *name* if a secret may go into the environment variable of that name.

    :raises BadConfiguration: if *name* is not a valid name, or the variable changes how
        programs load (``PATH``, ``LD_*``, ``PYTHON*``…).
    """
    if not is_variable(name):
        raise BadConfiguration(
            f"'{escape(name)}' is not a valid name for an environment variable",
            "use letters, digits and underscores",
        )
    if steers(name):
        raise BadConfiguration(
            f"can't put a secret into {name}: it changes how programs load",
            "choose another variable",
        )
    return name


def in_seconds(value: float | datetime.timedelta | None, default: float) -> float:
    """Return a time limit in seconds.

    :param value: seconds, a timedelta, or None for the default.
    """
    if value is None:
        return default
    return value.total_seconds() if hasattr(value, "total_seconds") else float(value)
