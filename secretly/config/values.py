"""Durations and names of variables, as options and configuration have them."""

from __future__ import annotations

from ..errors import BadConfiguration
from ..text import escape

_UNITS = {"s": 1, "m": 60, "h": 3600}

#: The longest time limit, in seconds: 20 days. poll(2) counts milliseconds, in 31 bits.
LONGEST = 20 * 86400.0

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
    number, unit = text[:-1], text[-1:]
    valid = number.isascii() and number.isdigit() and len(number) <= 6 and unit in _UNITS
    if not valid or int(number) == 0:
        raise BadConfiguration(f"'{escape(text)}' is not a valid duration", "try 60s, 15m or 2h")
    return float(int(number) * _UNITS[unit])


def duration_text(seconds: float) -> str:
    """Write a duration as :func:`duration` reads it.

    >>> duration_text(900.0)
    '15m'
    """
    whole = int(seconds)
    unit = next(unit for unit in ("h", "m", "s") if whole % _UNITS[unit] == 0)
    return f"{whole // _UNITS[unit]}{unit}"


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


def time_limit(text: str) -> float:
    """Read a duration that limits a wait, in seconds.

    :raises BadConfiguration: if *text* is not a valid duration, or it is too long.
    """
    seconds = duration(text)
    if seconds > LONGEST:
        raise BadConfiguration(f"'{escape(text)}' is longer than 20 days", "try 60s, 15m or 2h")
    return seconds
