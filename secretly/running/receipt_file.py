"""The file of receipts: a line is added whole, and old lines go after a while."""

from __future__ import annotations

import errno
import os

from ..safefiles import shared

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Json = str | int | None | Sequence["Json"] | Mapping[str, "Json"]

__all__ = ["PATIENCE", "ReceiptFile", "to_json"]

#: How long, in bytes, the file may get, and how many older files there are next to it.
_LIMIT, _OLDER = 1 << 20, 3

#: How long, in seconds, another process may have the file locked. It adds a line, or reads.
PATIENCE = 1.0

#: How often the file may be replaced while this process opens it.
_ATTEMPTS = 20


class ReceiptFile:
    """The receipts in a folder.

    :param folder: the folder; it is made when the first line is written.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "receipts.jsonl")

    @property
    def paths(self) -> list[str]:
        """The file, then the older ones; some may not exist."""
        return [self.path, *(f"{self.path}.{number}" for number in range(1, _OLDER + 1))]

    def append(self, line: str) -> None:
        """Add a line with one write: it is there whole, or not at all.

        :raises OSError: if it can't be written.
        """
        data = line.encode("ascii") + b"\n"
        for _ in range(_ATTEMPTS):
            descriptor = shared.open_own(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                shared.lock(descriptor, PATIENCE)
                if self._added(descriptor, data):
                    return
            finally:
                os.close(descriptor)
        raise OSError(errno.EBUSY, "other processes keep replacing it")

    def _added(self, descriptor: int, data: bytes) -> bool:
        """Add a line to the open file; return False if the file is not the current one any more."""
        try:
            if not os.path.samestat(os.fstat(descriptor), os.lstat(self.path)):
                return False
        except FileNotFoundError:
            return False
        size = os.fstat(descriptor).st_size
        if size and size + len(data) > _LIMIT:
            self._rotate()
            return False
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a power failure cut the last one
            data = b"\n" + data
        if os.write(descriptor, data) < len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return True

    def _rotate(self) -> None:
        """Move each file to the next older name. The oldest one goes."""
        paths = self.paths
        for older, newer in zip(paths[:0:-1], paths[-2::-1], strict=True):
            if os.path.lexists(newer):
                os.replace(newer, older)


def to_json(value: Json) -> str:
    """Return a value as JSON, in ASCII and without a line end: see RFC 8259.

    The library's json takes longer to load than all the rest.

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
