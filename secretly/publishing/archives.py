"""Wheels and source distributions: read the metadata and the hash of one."""

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

#: The endings of the files that package indexes accept, or once did, as in twine.
ENDINGS = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".exe")

#: The most metadata to read, in bytes: it may contain a README.
_METADATA = 4 << 20

#: The most that a source distribution may unpack to, in bytes.
_UNPACKED = 1 << 30

# The metadata in a wheel, and in a source distribution.
_WHEEL = re.compile(r"[^/]+\.dist-info/METADATA")
_SOURCE = re.compile(r"[^/]+/PKG-INFO")

_BROKEN = (
    EOFError,
    lzma.LZMAError,
    IndexError,  # no metadata
    OSError,
    RuntimeError,  # encrypted, or a compression that this Python does not know
    ValueError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Distribution(NamedTuple):
    """A file that would be uploaded.

    :param path: the path as it was named.
    :param size: in bytes.
    :param sha256: the hash of its content, in hexadecimal.
    :param project: the project's name in its metadata; empty for a kind of file whose metadata
        secretly does not read.
    :param version: the version in its metadata; empty likewise.
    :param identity: the device, the inode, and the times of the last changes.
    """

    path: str
    size: int
    sha256: str
    project: str = ""
    version: str = ""
    identity: tuple[int, ...] = ()


def normalize_project(name: str) -> str:
    """A project's name as the index compares it (PEP 503).

    >>> normalize_project("My.Proj_1")
    'my-proj-1'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def is_project_name(name: str) -> bool:
    """Whether *name* is a valid name for a project, by the rule of the core metadata."""
    return re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", name) is not None


def read_distribution(path: str, folder: str = "") -> Distribution:
    """Read a file that would be uploaded.

    :param path: the path as it was named.
    :param folder: the folder that *path* is relative to.
    :raises Refused: if the file can't be read, or is not what its name says.
    """
    try:
        # O_NONBLOCK: to open a pipe would wait.
        descriptor = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Refused(f"{escape(path)} is not a plain file", "name the files to upload")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            identity = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns)
            return Distribution(path, facts.st_size, digest, *_release_of(path, file), identity)
    except OSError as error:
        raise Refused(
            f"can't read {escape(path)}: {error.strerror}",
            "check its permissions, or leave the file out of the upload",
        ) from None


def _release_of(path: str, file: IO[bytes]) -> tuple[str, str]:
    """The project and the version in the metadata."""
    from packaging.metadata import parse_email

    if not path.endswith((".whl", ".zip", ".tar.gz")):
        return "", ""
    try:
        data = _source(file) if path.endswith(".tar.gz") else _zipped(path, file)
        found, _ = parse_email(data)
    except _BROKEN:
        raise _wrong(path, "the archive is broken, or its metadata is") from None
    project, version = found.get("name", ""), found.get("version", "")
    if not is_project_name(project) or not version:
        raise _wrong(path, "its metadata has no project and version")
    return project, version


def _wrong(path: str, what: str) -> Refused:
    kind = "wheel" if path.endswith(".whl") else "source distribution"
    return Refused(
        f"{escape(path)} is not a valid {kind}: {what}", "build it again: python -m build"
    )


def _zipped(path: str, file: IO[bytes]) -> bytes:
    wanted = _WHEEL if path.endswith(".whl") else _SOURCE
    with zipfile.ZipFile(file) as archive:
        (name,) = filter(wanted.fullmatch, archive.namelist())
        for other in archive.namelist() if wanted is _WHEEL else ():
            # Of several files that look like metadata, twine reads the one with the shortest path.
            if "METADATA" in other and other.count("/") < 2 and other != name:
                with archive.open(other) as member:
                    if b"Metadata-Version" in _limited(member):
                        raise ValueError
        with archive.open(name) as member:
            return _limited(member)


def _source(file: IO[bytes]) -> bytes:
    found: list[bytes] = []
    unpacked = 0
    # Not tarfile's own "r|gz": it reads only the first of several gzip members, and is slow on
    # repetitive data.
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
                if member is None or found:  # of two, the tool may read either
                    raise ValueError
                found.append(_limited(member))
    return found[0]


def _limited(member: IO[bytes]) -> bytes:
    data = member.read(_METADATA + 1)
    if len(data) > _METADATA:
        raise ValueError
    return data
