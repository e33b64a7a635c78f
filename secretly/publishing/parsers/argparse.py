"""Command lines as Python's argparse reads them."""

from __future__ import annotations

from ...config.invocation import Words
from ...record import Record
from ..options import (
    Option,
    Options,
    invalid,
    misread,
    unknown_option,
    with_value,
    without_value,
)

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


class _Part(Record):
    """A part of a command line: an option with its value, or another word.

    :param option: the option's name; empty for another word.
    :param value: the option's value, or the word.
    :param start: the number of its first argument.
    :param end: the number of the argument after its last.
    """

    option: str
    value: str | None
    start: int
    end: int


def read(
    tool: str,
    arguments: Sequence[str],
    options: Options,
    subcommands: Mapping[str, Options] | None = None,
    *,
    files: bool = False,
) -> Words:
    """Read the arguments of one parser: options may stand between the other words.

    The options have the names by which the adapter knows them. Long ones may be abbreviated.

    :param subcommands: the options of each subcommand, for a tool with a second parser: only these
        may follow the subcommand, and *options* only precede it.
    :param files: whether the subcommand takes other words, so that ``--`` may end its options.
    :raises Refused: for an unknown option, for another subcommand, and for forms that versions of
        argparse read differently: a value after a cluster's equals sign (``-sr=x``), and most
        uses of ``--``.
    """
    found: list[tuple[str, str | None]] = []
    words: list[str] = []
    before = None
    ended = _end(tool, arguments, subcommands or {}, files=files)
    for part in _parts(tool, arguments[:ended], options, subcommands):
        if part.option:
            found.append((part.option, part.value))
        else:
            before = len(found) if before is None else before
            words.append(part.value or "")
    words += arguments[ended + 1 :]
    return Words(found, words, len(found) if before is None else before)


def _end(
    tool: str, arguments: Sequence[str], subcommands: Mapping[str, Options], *, files: bool
) -> int:
    """The number of the ``--`` that ends the options, or of the arguments without one.

    The outer of two parsers drops the one next to the subcommand, and the words after it are
    options again.
    """
    if "--" not in arguments:
        return len(arguments)
    end = arguments.index("--")
    rest = arguments[end + 1 :]
    adjacent = subcommands and (not end or arguments[end - 1] in subcommands)
    if not files or "--" in rest or (adjacent and any(word.startswith("-") for word in rest)):
        raise misread(tool, "--", "leave it out, and name files as ./-x")
    return end


def without_end(arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments without a ``--``: options may be added to them."""
    if "--" not in arguments:
        return tuple(arguments)
    end = arguments.index("--")
    files = (f"./{word}" if word.startswith("-") else word for word in arguments[end + 1 :])
    return (*arguments[:end], *files)


def without(
    tool: str,
    arguments: Sequence[str],
    options: Options,
    subcommands: Mapping[str, Options],
    names: Collection[str],
) -> list[str]:
    """The arguments without some long options and their values.

    :param names: the names by which the adapter knows the options.
    :raises Refused: as :func:`read` does.
    """
    left: list[str | None] = list(arguments)
    for part in _parts(tool, arguments, options, subcommands):
        if part.option in names:
            left[part.start : part.end] = [None] * (part.end - part.start)
    return [word for word in left if word is not None]


def _parts(
    tool: str,
    arguments: Sequence[str],
    options: Options,
    subcommands: Mapping[str, Options] | None,
) -> Iterator[_Part]:
    """The parts of a command line, in order."""
    position, known, within = 0, options, not subcommands
    while position < len(arguments):
        word = arguments[position]
        if not word.startswith("-") or word == "-":
            yield _Part("", word, position, position + 1)
            position += 1
            if subcommands and not within:
                if word not in subcommands:
                    there = f"write {' or '.join(subcommands)} there"
                    raise invalid(f"{tool} reads this as its subcommand", word, there)
                known, within = subcommands[word], True
            continue
        form = _long if word.startswith("--") else _short
        for part in form(tool, arguments, position, known):
            yield part
            position = max(position, part.end)


def _long(tool: str, arguments: Sequence[str], position: int, options: Options) -> Iterator[_Part]:
    """Read ``--option``, ``--option=value``, ``--option value`` and abbreviations."""
    word = arguments[position]
    name, equals, value = word.partition("=")
    if " " in name:  # argparse takes it for a file, unless it begins an option
        raise misread(tool, word, f"write {name.partition(' ')[0]} and its value as two words")
    exact = options.get(name)
    matching = [exact] if exact else options.beginning_with(name)
    if len(matching) != 1:
        raise unknown_option(tool, name)
    (option,) = matching
    if not option.takes_value:
        if equals:
            raise with_value(tool, name)
        yield _Part(option.name, None, position, position + 1)
    elif equals:
        yield _Part(option.name, value, position, position + 1)
    else:
        yield _with_next(tool, arguments, position, option)


def _short(tool: str, arguments: Sequence[str], position: int, options: Options) -> Iterator[_Part]:
    """Read a short option or a cluster: ``-rx``, ``-r=x``, ``-r x``, ``-srx``."""
    word = arguments[position]
    for place, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None:
            raise unknown_option(tool, word if place == 2 else f"-{letter}")
        if not option.takes_value:
            yield _Part(option.name, None, position, position + 1)
            continue
        value = word[place:]
        if value.startswith("=") and place > 2:
            raise misread(tool, word, f"write {option.names[0]} {value[1:]}")
        if value:
            yield _Part(option.name, value.removeprefix("="), position, position + 1)
        else:
            yield _with_next(tool, arguments, position, option)
        return


def _with_next(tool: str, arguments: Sequence[str], position: int, option: Option) -> _Part:
    """An option whose value is the next argument, which may not look like an option itself."""
    following = arguments[position + 1 : position + 2]
    if not following or (following[0].startswith("-") and following[0] != "-"):
        name = option.name
        raise without_value(tool, name, f"{name}{'=' * name.startswith('--')}VALUE")
    return _Part(option.name, following[0], position, position + 2)
