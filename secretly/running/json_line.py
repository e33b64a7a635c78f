"""Write a value as JSON in one line: the library's json takes longer to load than all the rest."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Json = str | int | None | Sequence["Json"] | Mapping[str, "Json"]


def to_json(value: Json) -> str:
    """Return a value as JSON, in ASCII and without a line end: see RFC 8259.

    >>> to_json({"name": "PyPI", "projects": None, "files": [1, "é"]})
    '{"name":"PyPI","projects":null,"files":[1,"\\\\u00e9"]}'
    """
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, dict):
        pairs = (f"{_quoted(name)}:{to_json(item)}" for name, item in value.items())
        return f"{{{','.join(pairs)}}}"
    return f"[{','.join(map(to_json, value))}]"


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000  # as two surrogates
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
