"""Wheels and source distributions: what one is, by its own metadata and its bytes."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from typing import IO, NamedTuple

from ..errors import Refused
from ..text import escape

__all__ = ["ENDINGS", "Distribution", "is_project_name", "normalize_project", "read_distribution"]

#: How the names of the files end that package indexes take, or took, as twine has them.
ENDINGS = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".exe")

#: The longest metadata that is read, in bytes: a README may be in it.
_LIMIT = 4 << 20

#: The most that a source distribution may unpack to, in bytes.
_UNPACKED = 1 << 30

# Where the metadata is: the formats of wheels, and of source distributions.
_WHEEL = re.compile(r"[^/]+\.dist-info/METADATA")
_SOURCE = re.compile(r"[^/]+/PKG-INFO")

_BROKEN = (
    EOFError,
    lzma.LZMAError,
    IndexError,  # none there
    OSError,
    RuntimeError,  # an encrypted one, or a compression that this Python has not
    ValueError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Distribution(NamedTuple):
    """A file that would be uploaded.

    :param path: as it was named.
    :param size: in bytes.
    :param sha256: of its content, in hexadecimal.
    :param project: the project's name as its metadata has it; empty for a kind of file
        whose metadata is not read.
    :param version: the release's version, likewise.
    :param identity: which file it is, and when it was last changed.
    """

    path: str
    size: int
    sha256: str
    project: str = ""
    version: str = ""
    identity: tuple[int, ...] = ()


def normalize_project(name: str) -> str:
    """A project's name as the index compares it (PEP 503).

    >>> normalised("My.Proj_1")
    'my-proj-1'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def is_project_name(name: str) -> bool:
    """Whether that may be a project's name: the core metadata's rule for it."""
    return re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", name) is not None


def read_distribution(path: str, folder: str = "") -> Distribution:
    """Look at a file that would be uploaded.

    :param path: as it was named.
    :param folder: what that is relative to.
    :raises Refused: if it cannot be read, or is not what its name says.
    """
    try:
        # A pipe would be waited for.
        descriptor = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Refused(f"{escape(path)} is no file", "name the files to upload")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            identity = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns)
            return Distribution(path, facts.st_size, digest, *_release_of(path, file), identity)
    except OSError as error:
        raise Refused(
            f"{escape(path)} cannot be read: {error.strerror}", "it would be uploaded"
        ) from None


def _release_of(path: str, file: IO[bytes]) -> tuple[str, str]:
    """The project and the version that the metadata names."""
    from packaging.metadata import parse_email

    if not path.endswith((".whl", ".zip", ".tar.gz")):
        return "", ""
    try:
        data = _source(file) if path.endswith(".tar.gz") else _zipped(path, file)
        found, _ = parse_email(data)
    except _BROKEN:
        raise _wrong(path, "cannot be read as one") from None
    project, version = found.get("name", ""), found.get("version", "")
    if not is_project_name(project) or not version:
        raise _wrong(path, "its metadata names no project and version")
    return project, version


def _wrong(path: str, what: str) -> Refused:
    kind = "wheel" if path.endswith(".whl") else "source distribution"
    return Refused(f"{escape(path)} is no {kind}: {what}", "build it again: python -m build")


def _zipped(path: str, file: IO[bytes]) -> bytes:
    wanted = _WHEEL if path.endswith(".whl") else _SOURCE
    with zipfile.ZipFile(file) as archive:
        (name,) = filter(wanted.fullmatch, archive.namelist())
        for other in archive.namelist() if wanted is _WHEEL else ():
            # twine takes the least deep one of what looks like metadata.
            if "METADATA" in other and other.count("/") < 2 and other != name:
                with archive.open(other) as member:
                    if b"Metadata-Version" in _limited(member):
                        raise ValueError
        with archive.open(name) as member:
            return _limited(member)


def _source(file: IO[bytes]) -> bytes:
    found: list[bytes] = []
    unpacked = 0
    # Not tarfile's own "r|gz": it reads one part of several, and is slow where much is the same.
    with (
        gzip.GzipFile(fileobj=file, mode="rb") as data,
        tarfile.open(fileobj=data, mode="r|") as archive,
    ):
        for entry in archive:
            unpacked += entry.size
            if unpacked > _UNPACKED:
                raise ValueError
            if _SOURCE.fullmatch(entry.name.removeprefix("./")):
                member = archive.extractfile(entry)
                if member is None or found:  # which one the tool reads cannot be told
                    raise ValueError
                found.append(_limited(member))
    return found[0]


def _limited(member: IO[bytes]) -> bytes:
    data = member.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise ValueError
    return data
