"""Command lines as cleo reads them, on which poetry is built.

poetry 2.1 and later have argparse read the options of every command first.
"""

from __future__ import annotations

from ...config.invocation import Words
from ..options import Option, Options, misread, unknown_option, without_value

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence


def read(tool: str, arguments: Sequence[str], common: Options, of_command: Options) -> Words:
    """Read the arguments: the first word is the command.

    :param common: the options of every command, which may stand anywhere.
    :param of_command: the options of this one.
    :raises Refused: for an unknown option, and for forms that the tool refuses, or that its
        versions read differently: ``--``, clusters, a value that begins with a dash.
    """
    found: list[tuple[str, str | None]] = []
    words: list[str] = []
    before = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            raise misread(tool, "--", "leave it out")
        if not word.startswith("-") or word == "-":
            before = len(found) if before is None else before
            words.append(word)
            continue
        option, value = _split(tool, word, common | of_command)
        if option.takes_value:
            is_common = common.get(option.name) is not None
            if value is None:
                _check_place(tool, word, is_common=is_common, started=bool(words))
                value = _value(tool, word, rest)
            if is_common and (not value or value.startswith("=")):
                raise misread(tool, word, f"write {option.name} VALUE")
        found.append((option.name, value))
    return Words(found, words, len(found) if before is None else before)


def _split(tool: str, word: str, options: Options) -> tuple[Option, str | None]:
    """The option, and the value that is in the same word."""
    option = options.get(word)
    if option is not None:
        return option, None
    if word.startswith("--"):
        name, _, value = word.partition("=")
    else:  # -rx: an equals sign would belong to the value
        name, value = word[:2], word[2:]
    option = options.get(name)
    if option is None:
        raise unknown_option(tool, name)
    if not option.takes_value:
        raise misread(tool, word, f"write {name} alone")
    return option, value


def _check_place(tool: str, word: str, *, is_common: bool, started: bool) -> None:
    if not (is_common or started):  # its value would be the command
        raise misread(tool, word, f"write {word} after the command")


def _value(tool: str, word: str, rest: list[str]) -> str:
    """The argument after an option, which may not look like an option itself."""
    if not rest or rest[0].startswith("-"):
        raise without_value(tool, word, f"{word} VALUE")
    return rest.pop(0)
