"""``.env`` files: lines of ``NAME=value``."""

from __future__ import annotations

from .. import safefiles
from ..errors import Refused
from ..record import Record
from ..reference import without_secrets
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["EnvFile", "read_env_files"]

#: The characters of a name, and those that a plain line's value may have: none of them is a quote,
#: an escape, a comment's start or a kind of blank that only Unicode has.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_NAME = frozenset(f"{_LETTERS}_.")
_QUOTES = frozenset("\"'")
_VALUE = frozenset(f"{_LETTERS}_.+-/:,;=@%^&*()[]<>?!|~$")


class EnvFile(Record):
    """The contents of ``.env`` files.

    :param values: the variables, and their values as they are written: plain texts, references,
        and texts with references in braces.
    """

    values: dict[str, str]

    def __repr__(self) -> str:
        return f"<env file of {len(self.values)} variables>"


def read_env_files(paths: Sequence[str]) -> EnvFile:
    """Read ``.env`` files; if two set the same variable, the later one counts.

    The syntax is python-dotenv's; ``${OTHER}`` is left as it is.

    :raises Refused: for a file that can't be read or isn't a ``.env`` file, and for one that
        other users could change: it decides where secrets go.
    """
    found: dict[str, str] = {}
    for path in paths:
        values = _values(path)
        # A variable has its place where it was last set: that is the order of the prompts.
        found = {name: found[name] for name in found if name not in values} | values
    return EnvFile(found)


def _values(path: str) -> dict[str, str]:
    shown = escape(without_secrets(path))
    why, text = "", ""
    try:
        text = safefiles.read_file(path).decode("utf-8-sig")
        why = "it contains a NUL byte" if "\0" in text else ""
    except OSError as error:
        raise Refused(
            f"can't read the env file {shown}: {error.strerror}", "check its name"
        ) from None
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    if why:
        raise Refused(f"can't read the env file {shown}: {why}", "it should be lines of NAME=value")
    safefiles.refuse_if_others_can_write(path, "the env file")
    values = {}
    plain = _plain_lines(text)
    for name, value, number in _lines(text) if plain is None else plain:
        if value is None or not _is_name(name):
            raise Refused(
                f"can't read line {number} of the env file {shown}",
                "each line has to be NAME=value, or a comment; quote a value of several lines",
            )
        values[name] = value
    return values


def _is_name(name: str) -> bool:
    return _NAME.issuperset(name) and name[:1] not in ("", ".") and not name[:1].isdigit()


def _plain_lines(text: str) -> list[tuple[str, str | None, int]] | None:
    """The lines, if each is empty, a comment on its own, or a plain ``NAME=value``; else None.

    Most files have no other lines, and python-dotenv takes longer to load than a start does.
    """
    found: list[tuple[str, str | None, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or (line.startswith("#") and line.isascii() and line.isprintable()):
            continue
        name, equals, text = line.removeprefix("export ").partition("=")
        value = _plain_value(text) if equals and _is_name(name) else None
        if value is None:
            return None
        found.append((name, value, number))
    return found


def _plain_value(text: str) -> str | None:
    """The value of a line, if nothing in it needs a closer look; else None."""
    quote, inside = text[:1], text[1:-1]
    if quote in _QUOTES and quote and len(text) > 1 and text[-1] == quote:
        good = inside.isascii() and inside.isprintable() and _QUOTES.isdisjoint(inside)
        return inside if good and "\\" not in inside else None
    return text if _VALUE.issuperset(text) else None


def _lines(text: str) -> Iterator[tuple[str, str | None, int]]:
    """The name, the value and the number of each line, as python-dotenv reads them."""
    from io import StringIO

    from dotenv.parser import parse_stream

    # As python-dotenv opens a file: each end of a line is read as a newline, in quotes as well.
    for line in parse_stream(StringIO(text, newline=None)):
        if line.key is not None or line.error:  # not a comment
            yield line.key or "", line.value, line.original.line
