"""Wheels and source distributions for cases: metadata alone."""

from __future__ import annotations

import functools
import gzip
import io
import tarfile
import zipfile


def wheel(project: str = "demo", version: str = "1.0") -> str:
    """A wheel with metadata alone, as the text of a file."""
    data = io.BytesIO()
    stem = f"{project}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(f"{stem}.dist-info/METADATA", metadata)
        file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{stem}.dist-info/RECORD", "")
    return _text(data)


def sdist(project: str = "demo", version: str = "1.0") -> str:
    """A source distribution with metadata alone, as the text of a file."""
    data = io.BytesIO()
    text = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    with tarfile.open(fileobj=data, mode="w:gz") as file:
        for name in ("PKG-INFO", "README"):  # twine 7 refuses an archive of one file
            member = tarfile.TarInfo(f"{project}-{version}/{name}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text))
    return _text(data)


@functools.cache
def distribution(name: str, version: str, *, wheel: bool) -> tuple[str, str]:
    """The name of a wheel or a source distribution, and its bytes as text."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    file = io.BytesIO()
    if wheel:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{name}-{version}.dist-info/METADATA"), metadata)
        return f"{name}-{version}-py3-none-any.whl", _text(file)
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        member.size = len(metadata)
        tar.addfile(member, io.BytesIO(metadata))
    return f"{name}-{version}.tar.gz", _text(io.BytesIO(gzip.compress(file.getvalue(), mtime=0)))


def _text(file: io.BytesIO) -> str:
    return file.getvalue().decode("utf-8", "surrogateescape")
