"""Wheels and source distributions: read the metadata and the hash of one."""

from __future__ import annotations

import errno
import os
import stat
import time
import zlib
from io import BufferedReader

from ..errors import Refused
from ..record import Record
from ..safefiles import hashing, is_settled
from ..text import escape, format_size, shorten
from .metadata import MOST, BadArchive, Candidates, Named, is_project_name, normalize_project
from .unpacking import TarReader, unpack
from .zips import read_member, zip_members

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _Found = TypeVar("_Found")

__all__ = [
    "READABLE",
    "Distribution",
    "Readings",
    "identity_of",
    "is_project_name",
    "normalize_project",
    "read_distribution",
    "read_file",
]

#: The endings of wheels and source distributions, whose metadata secretly reads.
READABLE = (".whl", ".tar.gz", ".zip")

#: The largest file to read, in bytes, and the smallest that is refused if it is mostly holes.
_LARGEST, _HOLLOW = 10 << 30, 1 << 20

#: The most holes to look for in a file.
_HOLES = 1000

#: Results of earlier readings: hash and names, by the facts that identify a file's content.
Readings = dict[tuple[object, ...], tuple[str, Named]]


class Distribution(Record):
    """A file that would be uploaded.

    :param path: the path in the command line.
    :param size: in bytes.
    :param sha256: the hash of its content, in hexadecimal.
    :param project: the project's name in its metadata; empty if secretly can't
        read metadata from such a file.
    :param version: the version in its metadata; empty likewise.
    :param identity: the device, the inode, and the times of the last changes.
    :param accompanies: the path of the file that this signature or attestation belongs to; empty
        for a distribution.
    """

    path: str
    size: int
    sha256: str
    project: str = ""
    version: str = ""
    identity: tuple[int, ...] = ()
    accompanies: str = ""


def read_distribution(
    path: str,
    folder: str = "",
    *,
    anywhere: bool = False,
    accompanies: str = "",
    readings: Readings | None = None,
) -> Distribution:
    """Read a file that would be uploaded.

    :param path: the path in the command line.
    :param folder: the folder that *path* is relative to.
    :param anywhere: whether the tool takes the first metadata file in the archive, in whatever
        folder it is.
    :param accompanies: the path of the distribution that this is a signature or an attestation of.
    :param readings: earlier results, so that an unchanged file is not read again.
    :raises Refused: if the file can't be read, or its content doesn't fit its name.
    """
    readings = {} if readings is None else readings
    # The ending decides how to read the file.
    more = (os.path.basename(path), anywhere, bool(accompanies))

    def read(file: BufferedReader) -> tuple[str, Named]:
        return _read(path, file, anywhere=anywhere, bare=bool(accompanies))

    facts, (digest, named) = read_file(path, folder, read, readings, more)
    identity = identity_of(facts)
    return Distribution(
        path, facts.st_size, digest, named.project, named.version, identity, accompanies
    )


def read_file(
    path: str,
    folder: str,
    read: Callable[[BufferedReader], _Found],
    readings: dict[tuple[object, ...], _Found] | None = None,
    more: tuple[object, ...] = (),
) -> tuple[os.stat_result, _Found]:
    """Read a plain file, which may not change meanwhile.

    :param folder: the folder that *path* is relative to.
    :param read: reads the file.
    :param readings: earlier results, so that an unchanged file is not read again.
    :param more: what else the result depends on.
    :raises Refused: if the file can't be read.
    """
    try:
        # O_NONBLOCK: to open a pipe would wait.
        descriptor = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Refused(f"{escape(path)} is not a plain file", "name the files to upload")
            key = (*identity_of(facts), facts.st_size, *more)
            if readings and key in readings:
                return facts, readings[key]
            _check_size(path, descriptor, facts.st_size)
            settled = is_settled(facts.st_ctime_ns, time.time_ns())
            found = read(file)
            if identity_of(facts) != identity_of(os.fstat(descriptor)):
                raise Refused(f"{escape(path)} was changed while it was read", "try again")
            if settled and readings is not None:
                readings[key] = found
            return facts, found
    except OSError as error:
        raise Refused(
            f"can't read {escape(path)}: {error.strerror}",
            "check its permissions, or leave the file out of the upload",
        ) from None


def identity_of(facts: os.stat_result) -> tuple[int, ...]:
    """The device, the inode, and the times of the last changes."""
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns


def _check_size(path: str, descriptor: int, size: int) -> None:
    """Refuse a file whose size doesn't show how much data it contains."""
    stored = _stored(descriptor, size)
    if size > _LARGEST or (size > _HOLLOW and stored < size // 2):
        raise Refused(
            f"{escape(path)} is too large, or a sparse file: {format_size(size)}, of which "
            f"{format_size(stored)} are stored",
            "build it again: python -m build",
        )


def _stored(descriptor: int, size: int) -> int:
    """Return how many bytes of a file are stored. Holes are not."""
    if not hasattr(os, "SEEK_DATA"):
        return size
    stored = at = 0
    try:
        for _ in range(_HOLES):
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            at = os.lseek(descriptor, start, os.SEEK_HOLE)
            stored += at - start
        return stored + size - at
    except OSError as error:  # ENXIO: no data follows. Others: this file system does not know
        return stored if error.errno == errno.ENXIO else size
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def _read(path: str, file: BufferedReader, *, anywhere: bool, bare: bool) -> tuple[str, Named]:
    """Return a file's hash, and the project and version from its metadata.

    :param bare: the file has no metadata.
    """
    if bare or not path.endswith(READABLE):
        return hashing.of_file(file, _size(file)), Named("", "")
    candidates = Candidates(wheel=path.endswith(".whl"), anywhere=anywhere)
    try:
        read = _read_tar if path.endswith(".tar.gz") else _read_zip
        return read(file, candidates), candidates.choose()
    except BadArchive as error:
        why = escape(shorten(str(error), 300))
    except zlib.error:
        why = "it is damaged"
    kind = "wheel" if path.endswith(".whl") else "source distribution"
    raise Refused(f"{escape(path)} is not a valid {kind}: {why}", "build it again: python -m build")


def _read_tar(file: BufferedReader, candidates: Candidates) -> str:
    digest = hashing.new(_size(file))
    reader = TarReader(unpack(file, digest.update))
    for member in reader.members(candidates.mark):
        if not member.is_folder:
            name = member.name.decode("utf-8", "surrogateescape")
            if candidates.wants(name):
                candidates.add(name, reader.read(member, MOST) if member.is_file else None)
    return str(digest.hexdigest())


def _read_zip(file: BufferedReader, candidates: Candidates) -> str:
    digest = hashing.of_file(file, _size(file))
    file.seek(0)
    for member in zip_members(file, candidates.mark):
        if candidates.wants(member.name):
            candidates.add(member.name, read_member(file, member))
    return digest


def _size(file: BufferedReader) -> int:
    return os.fstat(file.fileno()).st_size
