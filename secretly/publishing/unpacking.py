"""The members of a ``.tar.gz``, read once and with limits.

Programs disagree about odd headers: one skips as a file's content what another reads as
members. Refuse archives that programs could read differently, so that no tool sees a member that
secretly didn't see. The standard library's ``tarfile`` keeps all members in memory, reads an
extended header of any size, and takes much longer for many small members.
"""

from __future__ import annotations

import zlib

from ..record import Record
from .metadata import BadArchive

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

__all__ = ["MEMBERS", "Member", "TarReader", "is_tar_header", "unpack"]

#: The most that an archive may unpack to, in bytes, and the most members that it may have.
UNPACKED, MEMBERS = 1 << 30, 50_000

#: The most bytes in one extended header, and in all together, where each header counts
#: as 100 bytes more.
_EXTENDED, _ALL_EXTENDED, _EACH = 1 << 20, 32 << 20, 100

#: How many bytes are read, and unpacked, at a time.
_READ, _CHUNK = 1 << 16, 1 << 18

#: The most digits that the length of a record in an extended header has.
_RECORD_DIGITS = 7

_BLOCK = 512
_ZEROS, _ZERO_BLOCK = bytes(_CHUNK), bytes(_BLOCK)
_BLANK = b" " * 8  # in place of the checksum, while computing it

#: The kinds of members: files, folders, headers that describe the next members, and all that are
#: members.
_FILES, _FOLDER, _EXTENDS = (b"0", b"\0", b"7"), b"5", (b"x", b"g")
_MEMBERS = frozenset((*_FILES, _FOLDER, b"1", b"2", b"3", b"4", b"6"))


def unpack(file: IO[bytes], seen: Callable[[bytes], object]) -> Iterator[bytes]:
    """The content of a gzip file, in chunks.

    :param seen: called with each chunk of the compressed file.
    :raises BadArchive: if the file is damaged, or unpacks to more than 1 GiB.
    """
    unpacked = members = 0
    inflate = None
    while data := file.read(_READ):
        seen(data)
        while data:
            if inflate is None:
                if members and not (data := data.lstrip(b"\0")):  # Python and gzip skip zeros
                    break
                members += 1
                inflate = zlib.decompressobj(wbits=31)
            chunk = inflate.decompress(data, _CHUNK)
            unpacked += len(chunk)
            if unpacked > UNPACKED or members > MEMBERS:
                raise BadArchive(f"it unpacks to more than {UNPACKED >> 30} GiB")
            yield chunk
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            inflate = None if inflate.eof else inflate
    if inflate is not None:
        raise BadArchive("it ends too early")


class Member(Record):
    """A member of a tar archive.

    :param name: as in the archive.
    :param size: in bytes.
    :param kind: the byte for the kind of member.
    """

    name: bytes
    size: int
    kind: bytes

    @property
    def is_file(self) -> bool:
        """Whether the member is a file with its own content."""
        return self.kind in _FILES

    @property
    def is_folder(self) -> bool:
        """Whether the member is a folder."""
        return self.kind == _FOLDER


class TarReader:
    """The members of a tar archive, in their order.

    :param chunks: the archive.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._data, self._at = b"", 0
        self._left = 0  # bytes of the current member, up to the end of its last block
        self._extended = 0
        self._declared = b""  # the size that an extended header gives the next member

    def members(self, mark: bytes) -> Iterator[Member]:
        """Each member with *mark* in its name; :meth:`read` gives its content.

        :raises BadArchive: if the archive is damaged or odd, or has too many members.
        """
        count, named = 0, b""
        while block := self._next_block():
            kind, size = block[156:157], _size(block)
            if kind not in _MEMBERS:
                if named:
                    raise BadArchive("it has an odd header")
                named = self._extension(kind, size)
                continue
            count += 1
            if count > MEMBERS:
                raise BadArchive(f"it has more than {MEMBERS:,} members")
            name = named or _name(block)
            named = b""
            # Only some programs expect content here.
            if size and (kind not in _FILES or name.endswith(b"/")):
                raise BadArchive("it has an odd header")
            if self._declared not in (b"", b"%d" % size):  # programs disagree which one counts
                raise BadArchive("it has an odd extended header")
            self._declared = b""
            self._left = size + -size % _BLOCK
            if mark in name:
                yield Member(name, size, kind)
            if self._left:
                self._skip(self._left)
        self._expect_nothing()

    def read(self, member: Member, limit: int) -> bytes:
        """The content of the current member, of which at most one byte more than *limit*."""
        count = min(member.size, limit + 1)
        self._left -= count
        return self._take(count)

    def _next_block(self) -> bytes:
        """The next header; empty at the end."""
        at = self._at
        block = self._data[at : at + _BLOCK]
        if len(block) == _BLOCK:
            self._at = at + _BLOCK
        elif block or self._more():
            block = self._take(_BLOCK)
        return b"" if block == _ZERO_BLOCK else block

    def _extension(self, kind: bytes, size: int) -> bytes:
        """Read an extended header, and return the name that it gives the next member."""
        self._extended += _EACH + size
        if size > _EXTENDED or self._extended > _ALL_EXTENDED:
            raise BadArchive("its extended headers are too large")
        data = self._take(size + -size % _BLOCK)[:size]
        if kind == b"L":
            return data.partition(b"\0")[0]
        if kind == b"K":
            return b""
        if kind not in _EXTENDS:
            raise BadArchive("it has a member of an unknown kind")
        found = _records(data)
        if found and kind == b"g":  # some programs apply it to all members
            raise BadArchive("it has an odd extended header")
        self._declared = found.get(b"size", self._declared)
        return found.get(b"path", b"")

    def _expect_nothing(self) -> None:
        """Read the rest of the archive, which must be empty."""
        rest = self._data[self._at :]
        while rest or (rest := self._more()):
            if rest != _ZEROS[: len(rest)]:
                raise BadArchive("something follows its end")
            rest = b""

    def _more(self) -> bytes:
        """The next chunk, which is then the current one; empty at the end."""
        self._data, self._at = next(filter(None, self._chunks), b""), 0
        return self._data

    def _take(self, count: int) -> bytes:
        if self._at + count <= len(self._data):
            self._at += count
            return self._data[self._at - count : self._at]
        parts = []
        while count:
            part = self._data[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            parts.append(part)
            if count and not self._more():
                raise BadArchive("it ends too early")
        return b"".join(parts)

    def _skip(self, count: int) -> None:
        while count > (here := len(self._data) - self._at):
            count -= here
            if not self._more():
                raise BadArchive("it ends too early")
        self._at += count


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a member in a tar archive, by their checksum."""
    found = _octal(block[148:156])
    # Adler-32 is the quickest way to a sum of bytes. It gives that sum plus 1, modulo 65521.
    total = zlib.adler32(_BLANK.join((block[:148], block[156:]))) & 0xFFFF
    return found is not None and total == (found + 1) % 65521


def _size(block: bytes) -> int:
    """The size in a header, in bytes."""
    size = _octal(block[124:136])
    if size is None or not is_tar_header(block):
        raise BadArchive("it is not a tar archive, or is damaged")
    return size


def _octal(field: bytes) -> int | None:
    """The number in a header's field, with blanks around it: 0 without digits, None if odd."""
    digits = field.lstrip(b" ").rstrip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if digits.isdigit() and not {*b"89"} & {*digits} else None


def _name(block: bytes) -> bytes:
    """The name in a header."""
    name = block[:100].partition(b"\0")[0]
    if block[345:346] == b"\0":
        return name
    if block[257:263] != b"ustar\0":  # some programs take what is there for a part of the name
        raise BadArchive("it has an odd header")
    return block[345:500].partition(b"\0")[0] + b"/" + name


def _hides_record(value: bytes) -> bool:
    """Whether some programs read a record of its own in the value of another one."""
    if b"\n" not in value:
        return False
    import re

    return re.search(rb"\n\d+ [^=\n]+=", value) is not None


def _records(data: bytes) -> dict[bytes, bytes]:
    """The name and the size in an extended header, as far as it has them."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        length, blank, _ = data[at : at + _RECORD_DIGITS + 1].partition(b" ")
        key, equals, _ = data[at + len(length) + 1 :].partition(b"=")
        begin = at + len(length) + len(key) + 2
        good = length.isdigit() and not length.startswith(b"0") and blank and equals
        end = at + int(length) if good else 0
        if not key or b"\n" in key or end <= begin or data[end - 1 : end] != b"\n":
            raise BadArchive("it has an odd extended header")
        value = data[begin : end - 1]
        if key.startswith(b"GNU.sparse") or _hides_record(value):
            raise BadArchive("it has an odd extended header")
        if key in (b"path", b"size") and found.setdefault(key, value) != value:
            raise BadArchive("it has an odd extended header")
        at = end
    return found
