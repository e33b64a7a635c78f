"""The policy files: read, checked key by key, and put together."""

from __future__ import annotations

import os

from .. import safefiles
from ..errors import BadConfiguration, Refused
from ..text import escape, shorten
from . import toml

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = ["ORDER", "read"]

#: The values of each key that has a fixed set of them, the strictest last.
ORDER: dict[str, tuple[object, ...]] = {
    "confirm": ("configured", "stored"),
    "no_confirm": (True, False),
    "require_reason": (False, True),
    "agents": ("as-me", "ask", "refuse"),
}

#: How much is logged, the most last, and the word that asks for a receipt without exception.
LOGGED, _REQUIRED = ("off", "on", "full"), "required"

_HINT = "fix it; docs/reference/policy has the keys and their values"


def read(paths: Sequence[str], system: str) -> dict[str, Any]:
    """Read the policy files, and return the fields of the policy that they make.

    :param paths: those that exist, the system's first.
    :param system: the path of the system's.
    :raises BadConfiguration: naming the file and the key.
    :raises Refused: if somebody else could change a file.
    """
    return _strictest([(path, _table(path, path == system)) for path in paths])


def _strictest(found: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for _, table in found:
        for key, value in table.items():
            if key in ORDER:
                both = (value, values.get(key, value))
                values[key] = max(both, key=ORDER[key].index)
            elif isinstance(value, tuple):
                values[key] = (*values.get(key, ()), *value)
            else:
                values.setdefault(key, value)  # the system's
    words = values.pop("log", ())
    if words:
        levels = ["on" if word == _REQUIRED else word for word in words]
        values["log"] = max(levels, key=LOGGED.index)
        values["needs_receipt"] = _REQUIRED in words
    careful = (path for path, table in found if table.get("agents", "as-me") != "as-me")
    return {**values, "paths": tuple(path for path, _ in found), "careful": tuple(careful)}


def _table(path: str, systems: bool) -> dict[str, Any]:
    """The checked values of a file."""
    try:
        data = safefiles.read_file(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    safefiles.refuse_if_others_can_write(path, "the policy")
    if systems:
        _refuse_if_not_roots(path)
    try:
        table = toml.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadConfiguration(
            f"the policy {escape(path)} is not valid TOML: {escape(str(error))}", "fix that line"
        ) from None
    return {key: _checked(path, key, value) for key, value in table.items()}


def _unreadable(path: str, error: OSError) -> BadConfiguration:
    return BadConfiguration(
        f"can't read the policy {escape(path)}: {error.strerror}",
        "it must be a plain file that you can read; without a policy, remove it",
    )


def _refuse_if_not_roots(path: str) -> None:
    for part in (path, os.path.dirname(path)):
        if os.stat(part).st_uid != 0:
            raise Refused(
                f"the policy {escape(path)} is not root's: {escape(part)} belongs to another user",
                f"sudo chown root {escape(part)}",
            )


def _checked(path: str, key: str, value: object) -> object:
    """Return the value of a key, if the key has such values.

    :raises BadConfiguration: if not.
    """
    if key in ORDER:
        allowed = ORDER[key]
        if type(value) is not type(allowed[0]) or value not in allowed:
            raise _bad(path, key, f"takes {' or '.join(map(_written, allowed))}")
        return value
    if key not in _READERS:
        known = ", ".join(sorted({*ORDER, *_READERS}))
        raise _bad(path, key, f"is not a known key (known: {known})")
    read, takes = _READERS[key]
    found = read(value)
    if found is None:
        raise _bad(path, key, f"takes {takes}")
    return found


def _bad(path: str, key: str, what: str) -> BadConfiguration:
    named = shorten(escape(key), 60)
    return BadConfiguration(f"the policy {escape(path)}: {named} {what}", _HINT)


def _written(value: object) -> str:
    """A value as TOML has it."""
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _full_path(value: object) -> str | None:
    good = isinstance(value, str) and os.path.isabs(value) and "\0" not in value
    return str(value) if good else None


def _log(value: object) -> tuple[str, ...] | None:
    """The words of the log: one, or both that can go together."""
    words: list[Any] = value if isinstance(value, list) else [value]
    if len(words) == 1 and words[0] in (*LOGGED, _REQUIRED):
        return tuple(words)
    return tuple(words) if sorted(map(str, words)) == ["full", _REQUIRED] else None


def _variables(value: object) -> tuple[str, ...] | None:
    """The variables, each a name that a shell can set: another one would mark nothing."""
    found = _names(value)
    names = [one.partition("=")[0] for one in found or ()]
    return found if all(name.isascii() and name.isidentifier() for name in names) else None


def _names(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        return None
    return None if any("/" in one.partition("=")[0] for one in value) else tuple(value)


#: The other keys: what reads a value, or returns None, and what it takes.
_READERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "log": (_log, '"off", "on", "full", "required" or ["full", "required"]'),
    "pinentry": (_full_path, 'the full path of a pinentry, such as "/usr/bin/pinentry-gnome3"'),
    "agent_variables": (_variables, 'a list of variables, such as ["MY_AGENT", "MY_MODE=agent"]'),
    "agent_programs": (_names, 'a list of the names of programs, such as ["my-agent"]'),
}
