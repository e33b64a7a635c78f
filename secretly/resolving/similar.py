"""Names that are similar to a name. Loaded only if a secret was not found."""

from __future__ import annotations

from ..config.model import Configuration, Tables
from ..errors import BadReference
from ..reference import parse
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    others = configured_names(configuration)
    if name in others:
        others = set()
    return sorted(other for other in stored | others if _similar(name, other))


def did_you_mean(name: str, stored: Iterable[str], configuration: Configuration) -> str:
    """Return the question whether a similar name was meant; empty if none is. It is escaped.

    The parameters are those of :func:`similar_names`.
    """
    names = similar_names(name, stored, configuration)
    return f"Did you mean {' or '.join(map(escape, names))}?" if names else ""


def configured_names(configuration: Configuration) -> set[str]:
    """Return the names that the configuration, or a known command, has."""
    names = set(configuration.secrets)
    for variable, text in _references(configuration):
        if text.isidentifier():  # as most of them are
            names.add(text)
        else:
            names.update(_name_in(text, variable))
    return names


def _references(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """The variables for secrets that known commands have, with their references.

    A row that this run doesn't need is not made into a command: that takes longer than the rest of
    a prompt does. The user's own rows were checked when the configuration was loaded.
    """
    commands = configuration.commands
    if not isinstance(commands, Tables):
        for row in commands.values():
            yield from row.secrets.items()
            for profile in row.profiles.values():
                yield from profile.secrets.items()
        return
    for table in commands.unread():
        for part in (table, *table.get("profiles", {}).values()):
            yield from part.get("secrets", {}).items()


def _name_in(text: str, variable: str) -> Iterator[str]:
    """The name that a reference is; nothing for others."""
    try:
        reference = parse(text, variable=variable)
    except BadReference:  # a publishing tool's index names its secret
        return
    # In braces, references are parts of a longer text.
    if not (reference.scheme or "{{" in text):
        yield reference.path


def _similar(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    if one == other:
        return True
    if min(len(one), len(other)) < _LONG_ENOUGH or abs(len(one) - len(other)) > 1:
        return False
    for _ in range(2):  # take off what both begin with, then what both end with
        pairs = zip(one, other, strict=False)
        same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
        one, other = one[same:][::-1], other[same:][::-1]
    if any(map(str.isdigit, one + other)):
        return False
    return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])
