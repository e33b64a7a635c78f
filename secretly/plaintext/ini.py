"""INI files, as Python's ``configparser`` reads them: values are raw."""

from __future__ import annotations

import configparser
import functools
import re

from .finding import Cut, Parsed
from .lines import BOM, NoParse, read_lines

__all__ = ["check_size", "find_key", "parse", "parse_loosely"]


#: How long a file may be, in bytes: the time of some parsers grows with the square.
_MOST = 1 << 16

#: How long a line may be, in bytes.
_LONGEST = 1 << 13


def check_size(data: bytes) -> None:
    """Refuse a file that would take its parser very long.

    :raises NoParse: if it is too long.
    """
    if len(data) > _MOST:
        raise NoParse(f"it is longer than {_MOST >> 10} KiB")
    if any(len(line) > _LONGEST for line in data.split(b"\n")):
        raise NoParse(f"a line is longer than {_LONGEST >> 10} KiB")


def parse(data: bytes) -> Parsed:
    """The values by section and key; those of ``[DEFAULT]`` are only there.

    :raises NoParse: if a program that uses configparser would refuse the file.
    """
    return _parsed(data, strict=True)


def parse_loosely(data: bytes) -> Parsed:
    """The same for programs that accept keys without a value, as MySQL's client does.

    :raises NoParse: if a key is there twice: programs differ in which of them counts.
    """
    return _parsed(data, strict=False)


@functools.lru_cache(maxsize=2)
def _parsed(data: bytes, strict: bool) -> Parsed:
    # An ordinary section takes the place of [DEFAULT], whose keys would be in each section.
    parser = configparser.RawConfigParser(allow_no_value=not strict, default_section="\0")
    check_size(data)
    if data.startswith(BOM):
        raise NoParse("it starts with a byte order mark, which its programs refuse")
    try:
        parser.read_string(data.decode("utf-8"))
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except configparser.DuplicateOptionError as error:
        why = f"line {error.lineno} has a key that is there before"
    except configparser.Error as error:
        why = f"a line is not valid ({type(error).__name__})"
    else:
        return {
            (section, key): value if value is not None else ""
            for section in parser.sections()
            for key, value in parser.items(section)
        }
    del parser  # a traceback may show locals
    raise NoParse(why)


@functools.lru_cache(maxsize=2)
def _places(data: bytes) -> dict[tuple[str, str], tuple[int, Cut]]:
    """The first line of each key, by section and key."""
    current, places = "", dict[tuple[str, str], tuple[int, Cut]]()
    for line in read_lines(data):
        text = line.text.decode("utf-8", "replace")
        if header := re.match(r"\[(?P<name>.+)\]", text.strip()):
            current = header["name"]
        elif text.strip() and text.lstrip()[0] not in "#;":
            key = re.split("[=:]", text, maxsplit=1)[0].strip().lower()
            places.setdefault((current, key), (line.number, Cut(line.start, line.end)))
    return places


def find_key(data: bytes, section: str, key: str) -> tuple[int, Cut] | None:
    """Find the line of a key: its number, and the part of the file to cut; None: not found."""
    return _places(data).get((section, key.lower()))
