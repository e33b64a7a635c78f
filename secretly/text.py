"""Make text from outside harmless before the user, a pinentry or a traceback shows it."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = [
    "READ_LIMIT",
    "Environ",
    "escape",
    "format_command",
    "format_size",
    "format_time",
    "from_json",
    "shell_quote",
    "shorten",
]

#: How many bytes secretly reads at most from a file, a pipe or a program, unless it says otherwise
#: where it reads.
READ_LIMIT = 1 << 20

#: Characters that print nothing or reorder what is around them, beyond those that
#: ``str.isprintable`` already calls unprintable (Unicode's Cc, Cf, Cs, Co, Cn, Zl, Zp, Zs).
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"

#: The characters that a shell does not interpret, as well as letters and digits.
_SAFE = dict.fromkeys(map(ord, "@%+=:,./-_"), "x")


def _is_visible(character: str) -> bool:
    """Whether a character prints something; the ranges are Unicode's variation selectors."""
    return character.isprintable() and not (
        character in _INVISIBLE
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # stands for a byte that is not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def escape(text: str, keep: str = "") -> str:
    r"""Return *text* with control, bidi and invisible characters as escapes.

    pinentry-tty writes ESC, OSC and bidi characters to the terminal as they come, and the user
    of a dialog that reads backwards consents to something else.

    :param keep: characters to leave as they are (``"\n"`` in a text of several lines).

    >>> escape("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _is_visible(c) else _escaped(c) for c in text)


def shorten(text: str, limit: int) -> str:
    """Return *text* in at most *limit* characters, its middle replaced by an ellipsis.

    >>> shorten("twine upload dist/demo-1.0.tar.gz", 20)
    'twine uplo….0.tar.gz'
    """
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return text[: limit - 1 - tail] + "…" + text[len(text) - tail :]


def format_command(command: Sequence[str], limit: int = 120) -> str:
    """Return a command line as you would type it: quoted, harmless and short.

    :param limit: how many characters it may have.

    >>> format_command(["twine", "upload", "my file.whl"])
    "twine upload 'my file.whl'"
    """
    return shorten(escape(" ".join(_quoted(os.fspath(part)) for part in command)), limit)


def shell_quote(word: str) -> str:
    """Return a word for a command that you may paste: harmless, and one word to a shell.

    >>> shell_quote("my file")
    "'my file'"
    """
    return _quoted(escape(word))


def _quoted(word: str) -> str:
    if word and word.isascii() and word.translate(_SAFE).isalnum():
        return word
    import shlex

    return shlex.quote(word)


class Environ(dict[str, str]):
    """Environment variables, whose values a traceback with captured locals does not show.

    >>> Environ({"TOKEN": "canary-1"})
    <environment of 1 variables>
    """

    def __repr__(self) -> str:
        return f"<environment of {len(self)} variables>"


def format_size(count: int) -> str:
    """Return a number of bytes in a short form, in units of 1000 as in file managers.

    >>> format_size(1_234_567)
    '1.2 MB'
    """
    if count < 1000:
        return f"{count} bytes"
    number, unit = count / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if number < 999.95:
            break
        number, unit = number / 1000, larger
    return f"{number:.1f} {unit}"


def format_time(moment: float) -> str:
    """Return a time in the local time zone; with the day, if that is not today.

    :param moment: the time, in seconds since 1970.
    """
    try:
        then = time.localtime(moment)
    except (OverflowError, OSError, ValueError):  # no calendar has that year
        return "never" if moment > 0 else "long ago"
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


_scanner: Any = None


def _json_scanner() -> Any:
    """The scanner of the library's json, which reads as :func:`json.loads` has it."""
    global _scanner
    if _scanner is None:

        class Usual:
            strict, object_hook, object_pairs_hook = True, None, None
            parse_float, parse_int, parse_constant = float, int, float

        _scanner = __import__("_json").make_scanner(Usual)
    return _scanner


def from_json(text: str) -> Any:
    """Read JSON with the scanner of the library's json.

    The rest of json takes longer to load than most of what secretly does before a question.

    :raises ValueError: if *text* is not valid JSON.
    :raises RecursionError: if it is nested too deeply.

    >>> from_json(' {"names": ["PyPI"], "count": 1} ')
    {'names': ['PyPI'], 'count': 1}
    """
    try:
        scan = _json_scanner()
    except (ImportError, AttributeError):  # a Python without it
        import json

        return json.loads(text)
    text = text.strip(" \t\n\r")
    try:
        found, end = scan(text, 0)
    except (StopIteration, SystemError):  # 3.11 has no error of its own before json is loaded
        end = -1
    if end != len(text):
        raise ValueError("this is not valid JSON")
    return found
