"""The members of a zip archive, read with limits.

Programs disagree about odd zip archives: where the directory is, and how many members it has.
Refuse such archives. The standard library's ``zipfile`` reads a
directory of any size, and needs more than 64 MiB for one of 50,000 members.
"""

from __future__ import annotations

import os
import struct
import zlib

from ..record import Record
from .metadata import MOST, BadArchive
from .unpacking import MEMBERS, is_tar_header

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

__all__ = ["ZipMember", "read_member", "zip_members"]

#: The largest directory to read, in bytes.
_DIRECTORY = 16 << 20

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_FULL = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF_8 = 1, 0x800


class ZipMember(Record):
    """A member of a zip archive.

    :param raw: the bytes of its name.
    :param offset: the place of its header.
    """

    raw: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int

    @property
    def name(self) -> str:
        """The member's name, as Python's own reader decodes it."""
        coded = self.flags & _UTF_8 or self.raw.isascii()
        return self.raw.decode("utf-8" if coded else "cp437", "surrogateescape")


def zip_members(file: IO[bytes], mark: bytes) -> Iterator[ZipMember]:
    """The members that have *mark* in their name.

    :raises BadArchive: if the archive is damaged or odd, or has too many members.
    """
    start = file.read(512)
    if not start.startswith(b"PK\3\4") or is_tar_header(start):
        raise BadArchive("it is not a zip archive")
    count, directory = _directory(file)
    at = found = 0
    while at < len(directory):
        fields = directory[at : at + _ENTRY.size]
        if not fields.startswith(b"PK\1\2") or len(fields) < _ENTRY.size:
            raise BadArchive("its directory is damaged")
        _, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, _, offset = _ENTRY.unpack(
            fields
        )
        name, extra, comment = lengths
        at += _ENTRY.size
        raw, more = directory[at : at + name], directory[at + name : at + name + extra]
        at += name + extra + comment
        found += 1
        if mark in more:  # only some programs know this second name
            raise BadArchive("it has a member with two names")
        if mark in raw:
            if offset == _FULL:
                offset = _large_offset(more, packed, size)
            yield ZipMember(raw, flags, method, crc, packed, size, offset)
    if found != count or at != len(directory):
        raise BadArchive("its directory is damaged")


def read_member(file: IO[bytes], member: ZipMember) -> bytes:
    """The content of a member, of which at most one byte more than 4 MiB.

    :raises BadArchive: if the member is damaged, or can't be unpacked.
    """
    file.seek(member.offset)
    fields = file.read(_LOCAL.size)
    if not fields.startswith(b"PK\3\4") or len(fields) < _LOCAL.size:
        raise BadArchive("it is damaged")
    _, _, flags, method, *_, name, extra = _LOCAL.unpack(fields)
    if file.read(name) != member.raw or method != member.method:
        raise BadArchive("a member and its entry in the directory differ")
    if (flags | member.flags) & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise BadArchive("its metadata is encrypted, or packed in an unknown way")
    file.seek(extra, os.SEEK_CUR)
    data = file.read(min(member.packed, MOST + 1))
    if method == _DEFLATED:
        data = zlib.decompressobj(wbits=-15).decompress(data, MOST + 1)
    if len(data) <= MOST and (len(data) != member.size or zlib.crc32(data) != member.checksum):
        raise BadArchive("its metadata is damaged")
    return data


def _directory(file: IO[bytes]) -> tuple[int, bytes]:
    """The number of members, and the bytes that list them.

    :raises BadArchive: if programs could find different ones.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 65_535 - _END.size - _LOCATOR.size - _END_64.size, 0))
    tail = file.read()
    at = _end(tail)
    _, disk, first, here, count, length, start, _ = _END.unpack_from(tail, at)
    if disk or first or here != count:
        raise BadArchive("its end is damaged")
    before = tail[:at]
    end = size - len(tail) + at
    if before[-_LOCATOR.size :].startswith(b"PK\6\7"):
        end -= _LOCATOR.size + _END_64.size
        count, length, start = _large_end(before, end, (count, length, start))
    if start + length != end or length > _DIRECTORY or count > MEMBERS:
        raise BadArchive(f"its directory is damaged, or has more than {MEMBERS:,} members")
    file.seek(start)
    return count, file.read(length)


def _end(tail: bytes) -> int:
    """Return the place of an archive's last record. A comment may follow the record."""
    found = []
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        comment = int.from_bytes(tail[at + _END.size - 2 : at + _END.size], "little")
        if at + _END.size + comment == len(tail):
            found.append(at)
        at = tail.rfind(b"PK\5\6", 0, at)
    if len(found) != 1:
        raise BadArchive("it is not a zip archive, was cut short, or something follows it")
    return found[0]


def _large_end(before: bytes, end: int, small: tuple[int, int, int]) -> tuple[int, int, int]:
    """The number of members, length and start of a directory in the format of large archives.

    :param before: the bytes before the end of the directory, which end in two more records.
    :param end: where the first of these records must be.
    :param small: the same facts in the format of small archives.
    """
    _, _, where, _ = _LOCATOR.unpack(before[-_LOCATOR.size :])
    record = before[: -_LOCATOR.size][-_END_64.size :]
    if where != end or not record.startswith(b"PK\6\6") or len(record) < _END_64.size:
        raise BadArchive("its end is damaged")
    *_, here, count, length, start = _END_64.unpack(record)
    limits = 0xFFFF, _FULL, _FULL
    large = count, length, start
    if here != count or any(
        one not in (limit, other) for one, other, limit in zip(small, large, limits, strict=True)
    ):
        raise BadArchive("its end is damaged")
    return large


def _large_offset(extra: bytes, packed: int, size: int) -> int:
    """Return the place of a member that begins after the first 4 GiB."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        skipped = 8 * [size, packed].count(_FULL)
        if kind == 1 and length >= skipped + 8:
            return int(struct.unpack_from("<Q", extra, at + 4 + skipped)[0])
        at += 4 + length
    raise BadArchive("its directory is damaged")
