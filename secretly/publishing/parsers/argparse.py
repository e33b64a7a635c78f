"""Command lines as Python's argparse reads them."""

from __future__ import annotations

from collections.abc import Sequence

from ...config.command_line import Words
from ..options import Options, misread, unknown_option


def read(tool: str, arguments: Sequence[str], options: Options) -> Words:
    """Read the arguments of one parser: options may stand between the other words.

    The options have the names by which the adapter knows them. Long ones may be abbreviated.

    :raises Refused: for an unknown option, and for forms that versions of argparse read
        differently: ``--``, and a value after a cluster's equals sign (``-sr=x``).
    """
    found: list[tuple[str, str | None]] = []
    words: list[str] = []
    before = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            raise misread(tool, "--", "leave it out, and name files as ./-x")
        if not word.startswith("-") or word == "-" or _is_word(word):
            before = len(found) if before is None else before
            words.append(word)
        elif word.startswith("--"):
            found.append(_long(tool, word, rest, options))
        else:
            found += _short(tool, word, rest, options)
    return Words(found, words, len(found) if before is None else before)


def _is_word(word: str) -> bool:
    """argparse takes a word that looks like an option, but has a blank, for an argument."""
    return " " in word and "=" not in word.partition(" ")[0]


def _long(tool: str, word: str, rest: list[str], options: Options) -> tuple[str, str | None]:
    """Read ``--option``, ``--option=value``, ``--option value`` and abbreviations."""
    name, equals, value = word.partition("=")
    exact = options.get(name)
    matching = [exact] if exact else options.beginning_with(name)
    if len(matching) != 1:
        raise unknown_option(tool, name)
    (option,) = matching
    if not option.takes_value:
        if equals:
            raise misread(tool, word, f"write {name}")
        return option.name, None
    return option.name, value if equals else _value(tool, name, rest)


def _short(tool: str, word: str, rest: list[str], options: Options) -> list[tuple[str, str | None]]:
    """Read a short option or a cluster: ``-rx``, ``-r=x``, ``-r x``, ``-srx``."""
    found: list[tuple[str, str | None]] = []
    for position, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None:
            raise unknown_option(tool, word if position == 2 else f"-{letter}")
        if not option.takes_value:
            found.append((option.name, None))
            continue
        value = word[position:]
        if value.startswith("=") and position > 2:
            raise misread(tool, word, f"write {option.names[0]} {value[1:]}")
        if not value and position == len(word):
            value = _value(tool, f"-{letter}", rest)
        return [*found, (option.name, value.removeprefix("="))]
    return found


def _value(tool: str, option: str, rest: list[str]) -> str:
    """The argument after an option, which may not look like an option itself."""
    if not rest or (rest[0].startswith("-") and rest[0] != "-"):
        raise misread(tool, option, f"give its value: {option}=VALUE")
    return rest.pop(0)
