"""The options of publishing tools, and the errors that all parsers of command lines share."""

from __future__ import annotations

from ..errors import Refused
from ..record import Record
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator


class Option(Record):
    """An option of a tool.

    :param name: the name by which the adapter knows it: its first long name, without the rest.
    :param names: all its names.
    :param takes_value: whether it takes one value.
    """

    name: str
    names: tuple[str, ...]
    takes_value: bool = False


class Options:
    """The options that a tool, or one of its subcommands, has.

    :param text: the options, separated by blanks: ``-r/--repository= --verbose``. The names of one
        option are separated by slashes; one that takes a value ends with an equals sign.
    """

    def __init__(self, text: str) -> None:
        self._by_name: dict[str, Option] = {}
        for word in text.split():
            names = tuple(word.removesuffix("=").split("/"))
            long = next((name for name in names if name.startswith("--")), names[0])
            for name in names:
                self._by_name[name] = Option(long, names, word.endswith("="))

    def __iter__(self) -> Iterator[Option]:
        return iter(dict.fromkeys(self._by_name.values()))

    def __or__(self, other: Options) -> Options:
        both = Options("")
        both._by_name = {**self._by_name, **other._by_name}
        return both

    def get(self, name: str) -> Option | None:
        """The option with exactly that name."""
        return self._by_name.get(name)

    def beginning_with(self, start: str) -> list[Option]:
        """The long options with a name that begins with *start*, each once."""
        names = (name for name in self._by_name if name.startswith("--"))
        return [*dict.fromkeys(self._by_name[name] for name in names if name.startswith(start))]


def unknown_option(tool: str, option: str) -> Refused:
    """The error for an option that the adapter doesn't know."""
    return Refused(
        f"unknown option of {tool}: {escape(option.partition('=')[0])}",
        "secretly can't determine what it does to the upload: leave it out",
    )


def misread(tool: str, word: str, instead: str) -> Refused:
    """The error for a form that versions of the tool may read differently.

    :param instead: the words to use instead.
    """
    return Refused(f"versions of {tool} may read {escape(word)} differently", instead)


def invalid(why: str, word: str, instead: str) -> Refused:
    """The error for what every version of the tool refuses.

    :param why: what is wrong with the word: ``flit publish takes no files``.
    :param instead: the words to use instead.
    """
    return Refused(f"{why}: {escape(word)}", instead)


def without_value(tool: str, option: str, instead: str) -> Refused:
    """The error for an option whose value is missing.

    :param instead: the option with its value.
    """
    return invalid(f"option of {tool} without its value", option, f"give its value: {instead}")


def with_value(tool: str, option: str) -> Refused:
    """The error for an option with a value that takes none."""
    return invalid(f"option of {tool} that takes no value", option, f"write {option} alone")
