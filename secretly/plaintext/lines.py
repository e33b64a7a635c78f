"""Files as lines of bytes, and values as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..redacted import Secret

__all__ = ["BOM", "NoParse", "TextLine", "decoded", "read_lines"]

BOM = b"\xef\xbb\xbf"


class NoParse(ValueError):
    """A file can't be read as its programs do. Says why, without a value."""


class TextLine(NamedTuple):
    """A line of a file.

    :param number: 1 for the first.
    :param start: the offset of its first byte.
    :param end: the offset after its line end.
    :param text: its bytes, without the line end.
    """

    number: int
    start: int
    end: int
    text: bytes

    def __repr__(self) -> str:
        return f"<line {self.number}>"


def read_lines(data: bytes) -> Iterator[TextLine]:
    """The lines of a file. Only LF, and CR LF, end one: other programs disagree about the rest."""
    at = 0
    for number, whole in enumerate(data.split(b"\n"), 1):
        end = at + len(whole) + 1
        if whole or end <= len(data):
            yield TextLine(number, at, min(end, len(data)), whole.removesuffix(b"\r"))
        at = end


def decoded(value: bytes) -> Secret:
    """A value as text.

    :raises NoParse: if it is not UTF-8, or has a NUL byte.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise NoParse("a value is not UTF-8 text")
    return Secret(text)
