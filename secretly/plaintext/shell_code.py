"""Which lines of a shell's file are code, and not in a here-document or in quotes."""

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
    return re.search(rb"^[ \t]*set[ \t]+-{1,2}\w", data, re.MULTILINE) is not None


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
        here = None if quote else _HERE.search(_without_comment(line.text))
        until = here[2] if here and b"<<<" not in line.text else b""


def _without_comment(text: bytes) -> bytes:
    return re.split(rb"(?:^|\s)#", text, maxsplit=1)[0]


def _quote_after(text: bytes, quote: int, fish: bool) -> int:
    """The quote that is open at the end of a line; 0: none."""
    single, double, backslash, comment = b"'\"\\#"
    at, before = 0, b" "[0]
    while at < len(text):
        one = text[at]
        if one == backslash and (quote != single or fish):
            at += 1
        elif quote:
            quote = 0 if one == quote else quote
        elif one in (single, double):
            quote = one
        elif one == comment and before in b" \t;":
            break
        before = one
        at += 1
    return quote
