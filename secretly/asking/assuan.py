"""The Assuan dialogue with a pinentry, as bytes: no process, no reading, no waiting.

The rules of the protocol are from the libassuan manual ("Server responses") and from watching six
pinentries.
"""

from __future__ import annotations

from .. import text as display
from ..errors import PinentryFailed
from ..record import Record
from ..text import READ_LIMIT

__all__ = ["Answer", "Data", "Reader", "command", "escape", "fits", "unescape"]

#: The longest line, in bytes with its LF. libassuan's ``ASSUAN_LINELENGTH`` is 1002 with CR and
#: LF, and a pinentry that is sent a line of 1002 bytes ends without a word.
LINE_LIMIT = 1000

# libgpg-error's codes: the low 16 bits. The other bits name the source of the error.
CANCELED = 99
FULLY_CANCELED = 198
TIMEOUT = 62
NOT_CONFIRMED = 114
WINDOW_TOO_SMALL = 301
#: No particular error. An ``ERR`` without a number counts as this one.
GENERAL = 1

#: The errors that mean that the user answered No or cancelled.
DECLINED = frozenset({CANCELED, FULLY_CANCELED, NOT_CONFIRMED})

_ELLIPSIS = "…".encode()

#: How many status keywords of an answer are collected, and the digits of an error code.
_STATUS_LIMIT, _CODE_DIGITS = 16, 10


def escape(data: bytes) -> bytes:
    r"""Percent-escape what would end or change an Assuan line.

    >>> escape(b"50%\n")
    b'50%25%0A'
    """
    return data.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def unescape(data: bytes) -> bytes:
    """Decode the percent-escapes of an Assuan ``D`` line.

    A ``%`` that does not begin an escape is kept.

    >>> unescape(b"100%25")
    b'100%'
    """
    head, *rest = data.split(b"%")
    parts = [head]
    for part in rest:
        try:
            if part[:2].isalnum() and len(part) > 1:
                parts.append(bytes([int(part[:2], 16)]) + part[2:])
                continue
        except ValueError:
            pass
        parts.append(b"%" + part)
    return b"".join(parts)


def command(verb: str, text: str = "", keep: str = "") -> bytes:
    r"""Return the line that sends *verb* with *text*, at most 1000 bytes with its LF.

    A text that is too long is cut at the end of a character, and ends in an ellipsis. Control
    and bidi characters become visible escapes.

    :param keep: characters to send as they are (``"\n"`` in a description).

    >>> command("SETDESC", "two\nlines", keep="\n")
    b'SETDESC two%0Alines\n'
    """
    line = verb.encode("ascii")
    if not text:
        return line + b"\n"
    pieces = [escape(c.encode()) for c in display.escape(text, keep)]
    room = _room(verb)
    if sum(map(len, pieces)) > room:
        room -= len(_ELLIPSIS)
        kept = 0
        while room >= len(pieces[kept]):
            room -= len(pieces[kept])
            kept += 1
        pieces[kept:] = [_ELLIPSIS]
    return line + b" " + b"".join(pieces) + b"\n"


def _room(verb: str) -> int:
    return LINE_LIMIT - len(verb) - 2


def fits(verb: str, text: str, keep: str = "") -> bool:
    """Return whether :func:`command` would send all of *text*."""
    return len(escape(display.escape(text, keep).encode())) <= _room(verb)


class Data(bytearray):
    """The data of ``D`` lines. Its repr shows nothing of it, as tracebacks may show locals."""

    def __repr__(self) -> str:
        return "<assuan.Data>"


class Answer(Record):
    """A pinentry's answer to one command.

    :param code: 0 for ``OK``, else the low 16 bits of the ``ERR`` code.
    :param data: the data of the ``D`` lines, decoded; None without any.
    :param status: the keywords of the ``S`` lines.
    :param inquiry: the keyword of an ``INQUIRE``, which must be answered first.
    """

    code: int = 0
    data: bytearray | None = None
    status: tuple[str, ...] = ()
    inquiry: str = ""

    def __repr__(self) -> str:
        return f"Answer(code={self.code}, status={self.status}, inquiry={self.inquiry!r})"


class Reader:
    """Reads answers from bytes that come in chunks of any size.

    The parameters of an ``INQUIRE`` (QUALITY, CHECKPIN) carry what the user is typing. They are
    dropped unread.
    """

    def __init__(self) -> None:
        self._partial = bytearray()
        self._data: bytearray | None = None
        self._status: list[str] = []

    def __repr__(self) -> str:
        return "<assuan.Reader>"

    def feed(self, chunk: bytes) -> list[Answer]:
        """Return the answers that *chunk* completes.

        :raises PinentryFailed: for a line that no pinentry may send.
        """
        self._partial += chunk
        # Tracebacks may show locals: no frame that holds bytes of an answer is in one.
        chunk = b""
        try:
            return self._answers()
        except PinentryFailed as error:
            raise error.with_traceback(None) from None

    def _answers(self) -> list[Answer]:
        answers = []
        while (end := self._partial.find(b"\n")) >= 0:
            line = bytes(self._partial[:end])
            self._partial[: end + 1] = bytes(end + 1)
            del self._partial[: end + 1]
            answer = self._line(line)
            if answer is not None:
                answers.append(answer)
        if len(self._partial) > LINE_LIMIT + 2:
            raise self._nonsense("a line without an end")
        return answers

    def _line(self, line: bytes) -> Answer | None:
        if len(line) > LINE_LIMIT + 2:
            raise self._nonsense("a line that is too long")
        keyword, _, rest = line.removesuffix(b"\r").partition(b" ")
        if keyword == b"OK":
            return self._finish(0)
        if keyword == b"ERR":
            return self._finish(self._error_code(rest))
        if keyword == b"D":
            self._collect(unescape(rest))
        elif keyword == b"S":
            self._status.append(rest.partition(b" ")[0].decode("ascii", "replace"))
            del self._status[_STATUS_LIMIT:]
        elif keyword == b"INQUIRE":
            return Answer(inquiry=rest.partition(b" ")[0].decode("ascii", "replace"))
        elif keyword != b"END" and line and not line.startswith(b"#"):
            raise self._nonsense("a line that is not an answer")
        return None

    def _collect(self, data: bytes) -> None:
        if self._data is None:
            self._data = Data()
        self._data += data
        if len(self._data) > READ_LIMIT:
            raise self._nonsense(f"more than {READ_LIMIT >> 20} MiB of data")

    def _finish(self, code: int) -> Answer:
        answer = Answer(code, self._data, tuple(self._status))
        self._data, self._status = None, []
        return answer

    @staticmethod
    def _error_code(rest: bytes) -> int:
        number = rest.partition(b" ")[0]
        if not number.isdigit() or len(number) > _CODE_DIGITS:
            return GENERAL
        return int(number) & 0xFFFF or GENERAL

    def _nonsense(self, what: str) -> PinentryFailed:
        self._partial.clear()
        self._data = None
        return PinentryFailed(
            f"the pinentry sent {what}",
            "run 'secretly doctor': it shows the pinentry and how to choose another",
        )
