"""Names that are similar to a name. Loaded only if a secret was not found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from ..config.model import Configuration
from ..errors import BadReference
from ..reference import parse
from ..text import escape

__all__ = ["configured_names", "did_you_mean", "similar_names"]

#: Names that differ by a letter count from this length on: most short names do.
_LONG_ENOUGH = 4


def similar_names(name: str, stored: Iterable[str], configuration: Configuration) -> list[str]:
    """Return stored and configured names that differ from *name* only by case or one letter.

    Two configured names differ on purpose, and so do two names that differ by a digit (``Key1``,
    ``Key2``).

    :param stored: the names on the list of stored names.
    """
    stored = set(stored)
    if name in stored:
        return []
    others = stored
    if name not in _configured(configuration):  # reads rows until one has the name
        others = stored | configured_names(configuration)
    return sorted(other for other in others if _similar(name, other))


def did_you_mean(name: str, stored: Iterable[str], configuration: Configuration) -> str:
    """Return the question whether a similar name was meant; empty if none is. It is escaped.

    The parameters are those of :func:`similar_names`.
    """
    names = similar_names(name, stored, configuration)
    return f"Did you mean {' or '.join(map(escape, names))}?" if names else ""


def configured_names(configuration: Configuration) -> set[str]:
    """Return the names that the configuration, or a known command, has."""
    return set(_configured(configuration))


def _configured(configuration: Configuration) -> Iterator[str]:
    """The names, of which some may come twice. Rows are read as they are needed."""
    yield from configuration.secrets
    for row in configuration.commands.values():
        for table in (row.secrets, *(profile.secrets for profile in row.profiles.values())):
            for variable, text in table.items():
                yield from _name_in(text, variable)


def _name_in(text: str, variable: str) -> Iterator[str]:
    """The name that a reference is; nothing for others."""
    if text.isidentifier():  # as most of them are
        yield text
        return
    with contextlib.suppress(BadReference):  # a publishing tool's index names its secret
        reference = parse(text, variable=variable)
        # In braces, references are parts of a longer text.
        if not (reference.scheme or "{{" in text):
            yield reference.path


def _similar(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    if one == other:
        return True
    if min(len(one), len(other)) < _LONG_ENOUGH:
        return False
    for _ in range(2):  # take off what both begin with, then what both end with
        pairs = zip(one, other, strict=False)
        same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
        one, other = one[same:][::-1], other[same:][::-1]
    if any(map(str.isdigit, one + other)):
        return False
    return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])
