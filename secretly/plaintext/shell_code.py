"""The lines of code in a shell's file, outside of here-documents and quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .lines import TextLine, read_lines

#: A line that goes on in the next one.
CONTINUES = re.compile(rb"(?:\\|&&|\|\|?)$")

#: A line that opens a block, and one that closes it.
OPENS = re.compile(
    rb"(?:\bthen|\bdo|\belse|\{|\(|\)|;;|\bbegin)$|^(?:if|for|while|function|switch)\b"
)
CLOSES = re.compile(rb"(?:fi|done|else|elif|esac|end|case)\b|\}|\)|;;")

_HERE = re.compile(rb"<<-?[ \t]*(['\"\\]?)([A-Za-z_][A-Za-z0-9_]*)")


def is_fish(data: bytes) -> bool:
    """Whether a file seems to be fish's: there a backslash counts in single quotes."""
    value = rb"^[ \t]*set[ \t]+(?:-{1,2}[a-zA-Z-]+[ \t]+)+[A-Za-z_]\w*[ \t]+[^\s#;&|]"
    return re.search(value, data, re.MULTILINE) is not None


def code_lines(data: bytes) -> Iterator[TextLine]:
    """The lines of a file that begin outside of here-documents and of quotes."""
    until, quote, fish = b"", 0, is_fish(data)
    for line in read_lines(data):
        if until:
            until = b"" if line.text.strip(b"\t ") == until else until
            continue
        if not quote:
            yield line
        quote = _quote_after(line.text, quote, fish)
        here = None if quote else _HERE.search(without_comment(line.text))
        until = here[2] if here and b"<<<" not in line.text else b""


def without_comment(text: bytes) -> bytes:
    """A line up to what may be a comment; in quotes it is none."""
    return re.split(rb"(?:^|\s)#", text, maxsplit=1)[0]


#: What is open after ``$'``: there a backslash counts, and a single quote ends it.
_ESCAPED = -1


def _quote_after(text: bytes, quote: int, fish: bool) -> int:
    """The quote that is open at the end of a line; 0: none."""
    single, double, backslash, comment, dollar = b"'\"\\#$"
    at, before = 0, b" "[0]
    while at < len(text):
        one = text[at]
        if one == backslash and (quote != single or fish):
            at += 1
        elif quote:
            quote = 0 if one == (single if quote == _ESCAPED else quote) else quote
        elif one in (single, double):
            quote = _ESCAPED if one == single and before == dollar and not fish else one
        elif one == comment and before in b" \t;":
            break
        before = one
        at += 1
    return quote
