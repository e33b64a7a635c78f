"""Command lines as click reads them."""

from __future__ import annotations

from ...config.invocation import Words
from ..options import Option, Options, unknown_option, with_value, without_value

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence


def read(tool: str, arguments: Sequence[str], before: Options, after: Options) -> Words:
    """Read the arguments of a group of commands: the first word is the command.

    :param before: the options of the group, which stand before that word.
    :param after: the options of the command, which stand anywhere after it.
    :raises Refused: for an unknown option, and for what click refuses.
    """
    rest = list(arguments)
    found: list[tuple[str, str | None]] = []
    while rest and _is_option(rest[0]):
        word = rest.pop(0)
        if word == "--":
            break
        found += _option(tool, word, rest, before)
    count, words = len(found), rest[:1]
    del rest[:1]
    while rest:
        word = rest.pop(0)
        if word == "--":
            return Words(found, words + rest, count)
        if _is_option(word):
            found += _option(tool, word, rest, after)
        else:
            words.append(word)
    return Words(found, words, count)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _option(
    tool: str, word: str, rest: list[str], options: Options
) -> list[tuple[str, str | None]]:
    """Read ``--option``, ``--option=value``, ``--option value``, or a cluster of short ones."""
    if not word.startswith("--"):
        return _short(tool, word, rest, options)
    name, equals, value = word.partition("=")
    option = options.get(name)
    if option is None:
        raise unknown_option(tool, name)
    if option.takes_value:
        return [(option.name, value if equals else _value(tool, option, rest))]
    if equals:
        raise with_value(tool, name)
    return [(option.name, None)]


def _short(tool: str, word: str, rest: list[str], options: Options) -> list[tuple[str, str | None]]:
    """Read ``-rx`` or ``-nrx``; an equals sign after the letter belongs to the value."""
    found: list[tuple[str, str | None]] = []
    for position, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None:
            raise unknown_option(tool, f"-{letter}")
        if option.takes_value:
            return [*found, (option.name, word[position:] or _value(tool, option, rest))]
        found.append((option.name, None))
    return found


def _value(tool: str, option: Option, rest: list[str]) -> str:
    """The argument after an option, whatever it looks like."""
    if not rest:
        raise without_value(tool, option.name, f"{option.name}=VALUE")
    return rest.pop(0)
