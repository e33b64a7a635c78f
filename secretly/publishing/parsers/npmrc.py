"""Settings files as npm's own parser reads them (the package ini)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

#: The parts of a line: its key, and its value.
_LINE = re.compile(r"([^=]+)(?:=(.*))?")

_QUOTED = re.compile(r"\"(.*)\"|'(.*)'")


class Unreadable(Exception):
    """A line that secretly doesn't read as npm does. The text says which, without its value."""


def read(text: str, single: Collection[str] = ()) -> Mapping[str, str]:
    """The settings of a file; those of a list are separated by blank lines.

    A key without a value is ``true``.

    :param single: the keys that may not have a list.
    :raises Unreadable: for a section, and for what programs could read differently.
    """
    found: dict[str, str] = {}
    lists: set[str] = set()
    for number, line in enumerate(re.split(r"[\r\n]+", text), 1):
        stripped = line.strip(" \t")
        if not stripped or stripped[0] in ";#":
            continue
        match = _LINE.fullmatch(stripped)
        if match is None or stripped[0] == "[" or not stripped.replace("\t", " ").isprintable():
            raise Unreadable(f"its line {number} is not a setting")
        key, value = _plain(match[1], number), match[2]
        value = "true" if value is None else _plain(value, number)
        if key.endswith("[]") and len(key) > 2:
            key = key[:-2]
            if key in single:
                raise Unreadable(f"its line {number} makes a list of a setting with one value")
            lists.add(key)
        if key in lists and key in found:
            value = f"{found[key]}\n\n{value}"
        found[key] = value
    return found


def _plain(text: str, number: int) -> str:
    """A key or a value without its quotes, its escapes and its comment."""
    text = text.strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return _unescaped(text).strip(" \t")
    inner = quoted[2]
    try:
        read = json.loads(text if inner is None else inner)
    except ValueError:
        if inner is None:
            raise Unreadable(f"its line {number} has an odd text in quotes") from None
        return inner
    if not isinstance(read, str):
        return inner if inner is not None else text
    return read


def _unescaped(text: str) -> str:
    found, rest = "", iter(text)
    for letter in rest:
        if letter in ";#":
            break
        if letter == "\\":
            following = next(rest, "")
            found += following if following and following in "\\;#" else f"\\{following}"
        else:
            found += letter
    return found
