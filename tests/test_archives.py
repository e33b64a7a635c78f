"""Archives that tools read differently, and the limits for reading any archive."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import os
import re
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path

import pytest
from command import wait_until
from conftest import need_package
from hypothesis import given
from hypothesis import strategies as st
from test_distributions import INFO, Members, identity, metadata, tarred, zipped
from tokens import wheel

from secretly.errors import Refused
from secretly.publishing.archives import Readings, read_distribution, read_file
from secretly.publishing.unpacking import TarReader, unpack
from secretly.publishing.zips import zip_members
from secretly.safefiles import is_settled

#: The metadata of a project that is not shown.
OTHER = metadata("other", "6.6")

PKG = "demo-1.0/PKG-INFO"

refused = pytest.raises(Refused, match=r"\.(whl|zip|tar\.gz) ")


# -- names that tools understand differently -------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "./PKG-INFO",
        "./demo-1.0/PKG-INFO",
        "demo-1.0/./PKG-INFO",
        "demo-1.0//PKG-INFO",
        "/demo-1.0/PKG-INFO",
        "/PKG-INFO",
        "../demo-1.0/PKG-INFO",
        "demo-1.0/../other/PKG-INFO",
        "demo-1.0\\PKG-INFO",
        "x\\demo-1.0/PKG-INFO",
        "demo-1.0/PKG-INFO/.",
        "demo-1.0/tests//PKG-INFO",
    ],
)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_source_distributions_metadata_has_a_name_in_normal_form(
    tmp_path: Path, name: str, ending: str
) -> None:
    """A metadata file whose name isn't in normal form is refused: only some tools normalize it."""
    make = tarred if ending == ".tar.gz" else zipped
    for number, members in enumerate(itertools.permutations([(name, metadata()), (PKG, OTHER)])):
        with refused:
            read_distribution(str(make(tmp_path / f"{number}{ending}", *members)))


@pytest.mark.parametrize(
    "name",
    [
        "./demo-1.0.dist-info/METADATA",
        "/demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info//METADATA",
        "demo-1.0.dist-info/./METADATA",
        "demo-1.0.dist-info/METADATA/",
        "x/../demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info\\METADATA",
        "x\\other-1.0.dist-info/METADATA",
    ],
)
def test_a_wheels_metadata_has_a_name_in_normal_form(tmp_path: Path, name: str) -> None:
    """hatch finds metadata with a backslash in its name, and poetry normalizes the name."""
    with refused:
        read_distribution(str(zipped(tmp_path / "x.whl", (name, OTHER), (INFO, metadata()))))


def test_other_names_need_not_be_in_normal_form(tmp_path: Path) -> None:
    """Members that no tool reads as metadata may have any name."""
    odd = [("./README", b""), ("demo-1.0//x", b""), ("demo-1.0/a\\b", b""), ("/PKG-INFO.txt", b"")]
    assert identity(tarred(tmp_path / "x.tar.gz", (PKG, metadata()), *odd)) == ("demo", "1.0")
    assert identity(zipped(tmp_path / "x.whl", (INFO, metadata()), *odd)) == ("demo", "1.0")


# -- a second metadata file ------------------------------------------------------

#: Members that archives of real projects have next to their metadata: names and contents.
NORMAL_SOURCES: dict[str, Members] = {
    "setuptools": [
        ("demo-1.0/demo.egg-info/PKG-INFO", metadata()),
        ("demo-1.0/demo/_vendor/other-6.6.dist-info/METADATA", OTHER),
        ("demo-1.0/demo/tests/indexes/other.egg-info/PKG-INFO", OTHER),
    ],
    "pip": [
        ("demo-1.0/src/demo.egg-info/PKG-INFO", metadata("Demo")),
        ("demo-1.0/tests/data/src/other/other.egg-info/PKG-INFO", b"broken"),
        ("demo-1.0/tests/data/packages/other.egg-info/PKG-INFO", OTHER),
    ],
    "numpy": [("demo-1.0/vendored-meson/meson/test cases/PKG-INFO", OTHER)],
    "a template": [("demo-1.0/PKG-INFO.in", OTHER), ("demo-1.0/tests-PKG-INFO", OTHER)],
    "twice the same": [("demo-1.0/PKG-INFO", metadata("Demo"))],
    "old metadata first": [("demo-1.0/OLD-PKG-INFO", b"Name: other\nVersion: 6.6\n")],
}

NORMAL_WHEELS: dict[str, Members] = {
    "setuptools": [
        (f"demo/_vendor/other_{n}-6.6.dist-info/METADATA", metadata(f"other{n}")) for n in range(12)
    ],
    "pip": [("demo/_vendor/other-6.6.dist-info/METADATA", OTHER)],
    "test data": [("tests/METADATA", OTHER), ("demos/METADATA.txt", OTHER)],
    "twice the same": [(INFO, metadata("Demo"))],
    "no metadata": [("METADATA", b"of something else"), ("a/METADATA", b"")],
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", NORMAL_SOURCES)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_source_distribution_may_have_what_real_ones_have(
    tmp_path: Path, kind: str, ending: str
) -> None:
    """Copies, vendored packages and test data are fine: tools don't choose them, or they agree."""
    make = tarred if ending == ".tar.gz" else zipped
    members = [(PKG, metadata()), *NORMAL_SOURCES[kind]]
    assert identity(make(tmp_path / f"x{ending}", *members)) == ("demo", "1.0")
    if kind != "old metadata first":
        assert identity(make(tmp_path / f"y{ending}", *members[::-1])) in (
            ("demo", "1.0"),
            ("Demo", "1.0"),
        )


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", NORMAL_WHEELS)
def test_a_wheel_may_have_what_real_ones_have(tmp_path: Path, kind: str) -> None:
    """A wheel may have vendored packages and test data before or after its own metadata."""
    members = [*NORMAL_WHEELS[kind], (INFO, metadata())]
    for number, order in enumerate((members, members[::-1])):
        project, version = identity(zipped(tmp_path / f"{number}.whl", *order))
        assert (project.lower(), version) == ("demo", "1.0")


@pytest.mark.parametrize(
    "name",
    ["PKG-INFO", "A-PKG-INFO", "demo-1.0/A-PKG-INFO", "PKG-INFO-x", "other/PKG-INFO", "z/PKG-INFO"],
)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_second_metadata_file_that_a_tool_could_choose_is_refused(
    tmp_path: Path, name: str, ending: str
) -> None:
    """twine 5 sorts by depth and name, hatch takes the first folder, pdm a bare file."""
    make = tarred if ending == ".tar.gz" else zipped
    for number, members in enumerate(itertools.permutations([(name, OTHER), (PKG, metadata())])):
        with refused:
            read_distribution(str(make(tmp_path / f"{number}{ending}", *members)))
    same = make(tmp_path / f"same{ending}", (name, metadata("DEMO")), (PKG, metadata()))
    assert identity(same)[1] == "1.0"


def test_another_version_is_another_release(tmp_path: Path) -> None:
    """A second metadata file with another version is refused, even if the project is the same."""
    with refused:
        identity(
            tarred(tmp_path / "x.tar.gz", ("PKG-INFO", metadata("demo", "2")), (PKG, metadata()))
        )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("name", ["PKG-INFO", "a/PKG-INFO", "demo-1.0/A-PKG-INFO"])
def test_a_link_that_a_tool_could_choose_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    """secretly refuses a metadata file that is a link, because a tool would follow the link."""
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for member, data in ((PKG, metadata()), ("demo-1.0/x", OTHER)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo(name)
        link.type, link.linkname = kind, "demo-1.0/x"
        file.addfile(link)
    with refused:
        identity(path)


def test_a_tool_may_take_the_first_metadata_file_anywhere(tmp_path: Path) -> None:
    """pdm does so in a wheel and maturin in a source distribution, so both files must agree."""
    vendored = ("demo/_vendor/other-6.6.dist-info/METADATA", OTHER)
    nested = ("demo-1.0/A.egg-info/PKG-INFO", OTHER)
    for ending, make, member, own in (
        (".whl", zipped, vendored, (INFO, metadata())),
        (".tar.gz", tarred, nested, (PKG, metadata())),
    ):
        first, last = (
            make(tmp_path / f"1{ending}", member, own),
            make(tmp_path / f"2{ending}", own, member),
        )
        assert read_distribution(str(first)).project == "demo"
        assert read_distribution(str(last), anywhere=True).project == "demo"
        with refused:
            read_distribution(str(first), anywhere=True)


def test_the_choice_is_twines(tmp_path: Path) -> None:
    """twine takes the same member for the metadata as secretly does."""
    sdist, wheels = need_package("twine.sdist"), need_package("twine.wheel")
    for number, members in enumerate(list(NORMAL_SOURCES.values())[:3]):
        path = tarred(tmp_path / f"{number}.tar.gz", *members, (PKG, metadata()))
        assert sdist.SDist(str(path)).read() == metadata()
    for number, members in enumerate(list(NORMAL_WHEELS.values())[:3]):
        path = zipped(tmp_path / f"{number}.whl", *members, (INFO, metadata()))
        assert wheels.Wheel(str(path)).read() == metadata()


@pytest.mark.parametrize(
    "text",
    [
        b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\rName: other\n",
        b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\ngarbage\nSummary: x\n",
        b"From me\nMetadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nName : other\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nNAME: other\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\n more\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n more\n",
        b"Name: demo\nVersion: 1.0\n",
    ],
)
def test_metadata_that_parsers_read_differently_is_refused(tmp_path: Path, text: bytes) -> None:
    """Parsers disagree about carriage returns, odd lines and repeated fields in metadata."""
    with refused:
        identity(zipped(tmp_path / "x.whl", (INFO, text)))


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    """Metadata may have CR LF line ends, and fields that continue on the next line."""
    text = metadata().replace(b"\n", b"\r\n") + b"Summary: a\r\n b\r\n\r\nName: other\r\n"
    assert identity(zipped(tmp_path / "x.whl", (INFO, text))) == ("demo", "1.0")


# -- archives that programs read differently -------------------------------------


def header(name: str, data: bytes = b"", **fields: object) -> bytes:
    """The bytes of a member of a tar archive: its header and its content."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def changed_header(block: bytes, at: int, data: bytes) -> bytes:
    """A header in which some bytes are changed and the checksum is correct."""
    block = block[:at] + data + block[at + len(data) :]
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


def extended(kind: bytes, *records: tuple[str, str]) -> bytes:
    """The bytes of an extended header."""
    data = b""
    for key, value in records:
        text = f" {key}={value}\n".encode()
        size = len(text) + 1
        while len(str(size)) + len(text) != size:
            size += 1
        data += str(size).encode() + text
    return header("x", data, type=kind)


GOOD = header(PKG, metadata())
NESTED = header("demo-1.0/data", header("other/PKG-INFO", OTHER))

#: Tar archives with oddities that programs read differently, each without its end.
ODD_TARS = {
    "a size in an extended header": extended(b"x", ("size", "1024")) + header("demo-1.0/x") + GOOD,
    "a size for all members": extended(b"g", ("size", str(len(metadata())))) + GOOD,
    "two sizes": extended(b"x", ("size", "512"), ("size", "0")) + header("demo-1.0/x") + GOOD,
    "a sparse file": extended(b"x", ("GNU.sparse.size", "1")) + header("demo-1.0/x") + GOOD,
    "an old sparse file": header("demo-1.0/x", type=b"S") + GOOD,
    "a name for all members": extended(b"g", ("path", "other/PKG-INFO")) + GOOD,
    "two names": extended(b"x", ("path", "a"), ("path", "b")) + GOOD,
    "a name twice": extended(b"x", ("path", PKG)) + header("x", b"a\0", type=b"L") + GOOD,
    "a folder with content": header("demo-1.0", bytes(512), type=b"5") + GOOD,
    "a link with content": header("demo-1.0/x", bytes(512), type=b"2") + GOOD,
    "a file that ends like a folder": header("demo-1.0/x/", bytes(512)) + GOOD,
    "an unknown kind": header("demo-1.0/x", type=b"Z") + GOOD,
    "a size with an underscore": changed_header(GOOD, 124, b"000000000_0\0") + GOOD,
    "a size with something behind": changed_header(GOOD, 124, b"0000000\x001234") + GOOD,
    "a binary size": changed_header(GOOD, 124, b"\x80" + bytes(10) + b"\1") + GOOD,
    "a prefix in GNU's format": changed_header(
        changed_header(GOOD, 257, b"ustar  \0"), 345, b"other"
    ),
    "a wrong checksum": GOOD + b"x" + header("demo-1.0/x")[1:],
    "a broken extended header": header("x", b"999 path=x\n", type=b"x") + GOOD,
    "something after its end": GOOD + bytes(1024) + header("other/PKG-INFO", OTHER),
    "half a member": GOOD + header("demo-1.0/x", bytes(2048))[:-600],
}


def packed(path: Path, data: bytes) -> Path:
    """Write a gzip file."""
    path.write_bytes(gzip.compress(data))
    return path


@pytest.mark.parametrize("kind", ODD_TARS)
def test_an_odd_tar_archive_is_refused(tmp_path: Path, kind: str) -> None:
    """A program may read members in bytes that another program skips as a file's content."""
    assert identity(packed(tmp_path / "good.tar.gz", GOOD + NESTED)) == ("demo", "1.0")
    with refused:
        identity(packed(tmp_path / "x.tar.gz", ODD_TARS[kind] + bytes(1024)))


def test_a_size_may_be_there_twice(tmp_path: Path) -> None:
    """npm repeats the size of a file with a long name in its extended header."""
    size = str(len(metadata()))
    data = extended(b"x", ("path", PKG), ("size", size)) + header("short", metadata())
    assert identity(packed(tmp_path / "x.tar.gz", data + bytes(1024))) == ("demo", "1.0")


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_usual_kind_of_tar_archive_is_read(tmp_path: Path, style: int) -> None:
    """Long names, links, folders, comments and fractional times are usual, so they are accepted."""
    path = tmp_path / "x.tar.gz"
    headers = {"comment": "0123abc"} if style == tarfile.PAX_FORMAT else {}
    with tarfile.open(path, "w:gz", format=style, pax_headers=headers) as file:
        for name in ("demo-1.0", "demo-1.0/" + "/".join(["folder" * 8] * 3)):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            file.addfile(entry)
        link = tarfile.TarInfo("demo-1.0/link")
        link.type, link.linkname = tarfile.SYMTYPE, "x"
        file.addfile(link)
        entry = tarfile.TarInfo(PKG)
        entry.size, entry.mtime = len(metadata()), 1.5
        file.addfile(entry, io.BytesIO(metadata()))
    assert identity(path) == ("demo", "1.0")


@given(
    st.lists(
        st.tuples(
            st.text("ab/é", min_size=1, max_size=300).map(lambda name: name.strip("/") or "a"),
            st.binary(max_size=2000),
        ),
        max_size=8,
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 3000),
)
def test_members_are_those_that_tarfile_reads(members: Members, style: int, step: int) -> None:
    """TarReader gives each member's name and content, however the archive's bytes are split."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=style) as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 0.5
            file.addfile(entry, io.BytesIO(content))
    whole = data.getvalue()
    reader = TarReader(whole[at : at + step] for at in range(0, len(whole), step))
    found = [(member.name.decode(), reader.read(member, 4000)) for member in reader.members(b"")]
    assert found == list(members)


@given(st.lists(st.binary(max_size=100_000), max_size=3), st.integers(0, 3))
def test_gzip_files_are_read_as_by_gzip(parts: Sequence[bytes], zeros: int) -> None:
    """Several gzip streams in a row, and zeros at the end, are read as gzip reads them."""
    data = b"".join(map(gzip.compress, parts)) + (bytes(zeros) if parts else b"")
    seen: list[bytes] = []
    found = b"".join(unpack(io.BufferedReader(io.BytesIO(data)), seen.append))  # type: ignore[arg-type]
    assert found == b"".join(parts)
    assert b"".join(seen) == data


def test_a_gzip_file_with_something_behind_is_refused(tmp_path: Path) -> None:
    """Some programs ignore bytes after the end of a gzip file, and some don't."""
    path = tarred(tmp_path / "x.tar.gz", (PKG, metadata()))
    path.write_bytes(path.read_bytes() + b"more")
    with refused:
        identity(path)


def ended(data: bytes, comment: int = 0, **fields: int) -> bytes:
    """A zip archive with changed values in the record at its end."""
    at = data.rindex(b"PK\5\6")
    values = list(struct.unpack_from("<4H2LH", data, at + 4))
    for name, value in fields.items():
        values[["disk", "first", "here", "count", "length", "start", "comment"].index(name)] = value
    return data[:at] + b"PK\5\6" + struct.pack("<4H2LH", *values) + data[at + 22 :]


def odd_zips() -> dict[str, Callable[[bytes, bytes], bytes]]:
    """Functions that make an odd zip archive from two archives."""
    return {
        "something before it": lambda own, other: b"#!/bin/sh\n" + own,
        "another archive before it": lambda own, other: other + own,
        "something after it": lambda own, other: own + b"x",
        "another archive in its comment": lambda own, other: ended(own, comment=len(other)) + other,
        "fewer members than it has": lambda own, other: ended(own, here=2, count=2),
        "a directory elsewhere": lambda own, other: ended(own, start=0),
        "no directory": lambda own, other: ended(own, length=0),
        "a second disk": lambda own, other: ended(own, disk=1),
        "another name before the member": lambda own, other: own.replace(b"demo-", b"DEMO-", 1),
        "a tar archive's header": lambda own, other: (
            changed_header(own[:512].ljust(512, b"\0"), 500, b"x") + own[512:]
        ),
    }


@pytest.mark.parametrize("kind", odd_zips())
@pytest.mark.parametrize("ending", [".whl", ".zip"])
def test_an_odd_zip_archive_is_refused(tmp_path: Path, kind: str, ending: str) -> None:
    """Programs disagree about where the directory of such a zip archive is, or what it lists."""
    if kind == "another name before the member" and ending == ".zip":
        pytest.skip("the same as for a wheel")
    name = INFO if ending == ".whl" else PKG
    padding = ("a", bytes(600)), ("b", b"")
    path = tmp_path / f"x{ending}"
    own = zipped(tmp_path / "own", *padding, (name, metadata())).read_bytes()
    other = zipped(tmp_path / "other", *padding, (name, OTHER)).read_bytes()
    path.write_bytes(own)
    assert identity(path) == ("demo", "1.0")
    path.write_bytes(odd_zips()[kind](own, other))
    with refused:
        identity(path)


def test_a_member_with_a_second_name_is_refused(tmp_path: Path) -> None:
    """Only some programs know the field that gives a member of a zip archive a second name."""
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(INFO, metadata())
        info = zipfile.ZipInfo("demo/x")
        name = b"METADATA"
        extra = struct.pack("<BL", 1, zlib.crc32(b"demo/x")) + name
        info.extra = struct.pack("<2H", 0x7075, len(extra)) + extra
        file.writestr(info, OTHER)
    with refused:
        identity(path)


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    """Python ends a member's name at a NUL byte, so secretly refuses such a name."""
    path = zipped(tmp_path / "x.whl", (INFO, OTHER), (f"{INFO}?", metadata()))
    path.write_bytes(path.read_bytes().replace(b"METADATA?", b"METADATA\0"))
    with refused:
        identity(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_usual_zip_archives_are_read(tmp_path: Path, method: int) -> None:
    """A zip archive may have a comment, or have been written to a pipe."""
    path = tmp_path / "x.whl"
    data = io.BytesIO()
    data.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(data, "w", method) as file:
        file.comment = b"made by hand"
        file.writestr("demo/é.py", b"")
        file.writestr(INFO, metadata() + b"\n" + b"text" * 1000)
    path.write_bytes(data.getvalue())
    assert identity(path) == ("demo", "1.0")


def large(own: bytes, **other: int) -> bytes:
    """Add the records of large archives to a zip archive, with *other* values in these records."""
    at = own.rindex(b"PK\5\6")
    count, length, start = struct.unpack_from("<H2L", own, at + 10)
    facts = {"count": count, "length": length, "start": start, "where": at, **other}
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, facts["count"], facts["count"],
        facts["length"], facts["start"],
    )  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, facts["where"], 1)
    return own[:at] + record + locator + own[at:]


def test_the_records_of_large_archives_are_read(tmp_path: Path) -> None:
    """secretly refuses an archive whose records for large archives contradict the usual record."""
    path = zipped(tmp_path / "x.whl", (INFO, metadata()))
    own = path.read_bytes()
    full = {"here": 0xFFFF, "count": 0xFFFF, "length": 0xFFFFFFFF, "start": 0xFFFFFFFF}
    for good in (large(own), ended(large(own), **full)):
        path.write_bytes(good)
        assert identity(path) == ("demo", "1.0")
    for odd in (large(own, where=1), large(own, start=0), large(own, count=2)):
        path.write_bytes(odd)
        with refused:
            identity(path)


def far(own: bytes, *fields: tuple[int, bytes], sizes: bool = False) -> bytes:
    """Name the place of an archive's only member in extra fields, as for one after 4 GiB.

    :param fields: the kinds and contents of the extra fields.
    :param sizes: name the sizes of the member there too.
    """
    at, end = own.rindex(b"PK\1\2"), own.rindex(b"PK\5\6")
    entry = bytearray(own[at:end])
    extra = b"".join(struct.pack("<2H", kind, len(data)) + data for kind, data in fields)
    if sizes:
        entry[20:28] = b"\xff" * 8
    entry[30:32], entry[42:46] = struct.pack("<H", len(extra)), b"\xff" * 4
    return ended(own[:at] + bytes(entry) + extra + own[end:], length=len(entry) + len(extra))


def test_the_place_of_a_far_member_is_read(tmp_path: Path) -> None:
    """A member after the first 4 GiB has its place in an extra field, after its large sizes."""
    path = zipped(tmp_path / "x.whl", (INFO, metadata()))
    own, place, other = path.read_bytes(), bytes(8), (0x5455, b"12345")
    for good in (far(own, (1, place)), far(own, other, (1, place))):
        path.write_bytes(good)
        assert identity(path) == ("demo", "1.0")
    sizes = struct.pack("<2Q", len(metadata()), len(metadata()))
    path.write_bytes(far(own, (1, sizes + place), sizes=True))
    [member] = zip_members(io.BytesIO(path.read_bytes()), b"METADATA")
    assert member.offset == 0
    for odd in (
        far(own),
        far(own, other),
        far(own, (1, place[1:])),
        far(own, (1, b"\1" + place[1:])),
    ):
        path.write_bytes(odd)
        with refused:
            identity(path)


# -- how much is read ------------------------------------------------------------


def repeated(path: Path, start: bytes, piece: bytes, count: int, end: bytes = b"") -> Path:
    """Make a gzip file of *count* equal pieces between two others, quickly."""
    with open(path, "wb") as file:
        file.write(gzip.compress(start))
        same = gzip.compress(piece)
        for _ in range(count):
            file.write(same)
        file.write(gzip.compress(end + bytes(1024)))
    return path


MIB = bytes(1 << 20)


def one_large_file(path: Path) -> Path:
    """A source distribution with a file of 300 MiB."""
    entry = tarfile.TarInfo("demo-1.0/zeros")
    entry.size = 300 << 20
    return repeated(path / "large.tar.gz", entry.tobuf(), MIB, 300, GOOD)


def large_extended_header(path: Path) -> Path:
    """A source distribution with an extended header of 1.5 GB."""
    entry = tarfile.TarInfo("x")
    entry.size, entry.type = 1500 << 20, b"x"
    return repeated(path / "header.tar.gz", entry.tobuf(), MIB, 1500, GOOD)


def many_extended_headers(path: Path) -> Path:
    """A source distribution with 100,000 extended headers."""
    start = extended(b"x", ("path", PKG)) + header("x", metadata())
    piece = extended(b"x", *[("a", "x" * 120)] * 3) * 1000
    return repeated(path / "headers.tar.gz", start, piece, 100)


def many_members(path: Path) -> Path:
    """A source distribution with 400,000 empty files."""
    return repeated(path / "members.tar.gz", GOOD, header("demo-1.0/x") * 1000, 400)


def much_metadata(path: Path) -> Path:
    """A source distribution with 49 more metadata files of 4 MiB each."""
    text = OTHER + b"\n" + bytes((4 << 20) - len(OTHER) - 1)
    return repeated(path / "metadata.tar.gz", GOOD, header("demo-1.0/PKG-INFO-x", text), 49)


def many_fields(path: Path) -> Path:
    """A wheel whose metadata has four million lines."""
    data = metadata() + b"a:\n" * (4 << 18)
    return zipped(path / "fields.whl", (INFO, data))


def many_zipped_members(path: Path, count: int = 50_000) -> Path:
    """A wheel with 50,000 members, or *count* members."""
    name = path / f"{count}.whl"
    own = zipped(name, *[("demo/" + "x" * 100, b"")], (INFO, metadata())).read_bytes()
    at = own.index(b"PK\1\2")
    end = own.rindex(b"PK\5\6")
    first = own[at : own.index(b"PK\1\2", at + 1)]
    directory = first * (count - 1) + own[at + len(first) : end]
    size = len(directory)
    if count < 0xFFFF:
        name.write_bytes(
            own[:at] + directory + ended(own, here=count, count=count, length=size)[end:]
        )
    return name


#: Functions that make a small file that unpacks to a lot, and whether secretly reads the file.
SWOLLEN: dict[Callable[[Path], Path], bool] = {
    one_large_file: True,
    large_extended_header: False,
    many_extended_headers: False,
    many_members: False,
    much_metadata: True,
    many_fields: True,
    many_zipped_members: True,
}

#: Prints what came of an archive, and how much memory reading it took, in bytes.
MEASURED = """
import re, resource, sys
from secretly.errors import Refused
from secretly.publishing.archives import read_distribution
def peak():
    # On Linux, ru_maxrss counts what the parent had before this program took its place.
    if sys.platform == "linux":
        with open("/proc/self/status") as file:
            return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_distribution(sys.argv[1])
before = peak()
try:
    print(read_distribution(sys.argv[2]).project)
except Refused:
    print("refused")
print(peak() - before)
"""


@pytest.mark.process
@pytest.mark.outside
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", SWOLLEN)
def test_no_archive_takes_more_than_64_mib(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Reading an archive takes at most 64 MiB of memory, whatever the archive unpacks to."""
    path = make(tmp_path)
    code = [sys.executable, "-c", MEASURED, str(wheel(tmp_path)), str(path)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=300, check=True)
    said, peak = done.stdout.split()
    assert said == ("demo" if SWOLLEN[make] else "refused")
    assert int(peak) < 64 << 20


@pytest.mark.parametrize(("count", "good"), [(50_000, True), (50_001, False)])
def test_an_archive_has_50000_members_at_most(tmp_path: Path, count: int, good: bool) -> None:
    """An archive with more than 50,000 members is refused. A large project has a tenth of that."""
    empty = header("demo-1.0/x") * 1000
    start, rest = GOOD, header("demo-1.0/x") * (count - 1 - 49_000)
    for path in (
        repeated(tmp_path / "x.tar.gz", start, empty, 49, rest),
        many_zipped_members(tmp_path, count),
    ):
        with contextlib.nullcontext() if good else refused:
            assert identity(path) == ("demo", "1.0")


def test_an_archive_has_50_candidates_at_most(tmp_path: Path) -> None:
    """An archive with more than 50 metadata files is refused. A real one has one or two."""
    for count, good in ((49, True), (50, False)):
        more = [("demo-1.0/PKG-INFO-x", OTHER)] * count
        with contextlib.nullcontext() if good else refused:
            identity(tarred(tmp_path / f"{count}.tar.gz", (PKG, metadata()), *more))


@pytest.mark.parametrize("name", ["demo.egg", "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"])
def test_a_file_that_is_mostly_holes_is_refused(tmp_path: Path, name: str) -> None:
    """The size of a file that is mostly holes would not say how long the upload takes."""
    path = tmp_path / name
    with open(path, "wb") as file:
        file.seek(5 << 30)
        file.write(wheel(tmp_path / "made").read_bytes())
    if os.stat(path).st_blocks * 512 >= 5 << 30:
        pytest.skip("this file system stores holes")
    with pytest.raises(Refused, match=re.escape(name)) as caught:
        read_distribution(str(path))
    assert "5.4 GB" in str(caught.value)


def test_a_small_or_half_full_file_may_have_holes(tmp_path: Path) -> None:
    """A small file may have holes, because copying a file can make some."""
    path = tmp_path / "demo.egg"
    for data, size in ((b"x", 1 << 20), (os.urandom(1 << 21), 1 << 22)):
        path.write_bytes(data)
        os.truncate(path, size)
        assert read_distribution(str(path)).size == size


def test_where_holes_cannot_be_asked_about_a_file_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every system has SEEK_DATA."""
    monkeypatch.delattr(os, "SEEK_DATA", raising=False)
    path = wheel(tmp_path)
    assert read_distribution(str(path)).size == path.stat().st_size


# -- files that have not changed -------------------------------------------------


def aged(path: Path) -> Path:
    """Wait until a later change of the file would get another time, and return the file."""
    facts = path.stat()
    wait_until(lambda: is_settled(facts.st_ctime_ns, time.time_ns()))
    return path


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path) -> None:
    """secretly reads a file only once, however often the command line names it."""
    path = aged(wheel(tmp_path))
    readings: Readings = {}
    before = read_distribution(str(path), readings=readings)
    (key,) = readings
    readings[key] = ("0" * 64, readings[key][1])  # shows whether the second look uses this hash
    after = read_distribution(str(path), readings=readings)
    assert after == before._replace(sha256="0" * 64)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """The bytes that were shown may not be those that the tool sends."""
    path = wheel(tmp_path)

    def change(file: BufferedReader) -> bytes:
        os.utime(path, (1, 1))
        return file.read()

    with pytest.raises(Refused, match="was changed while it was read"):
        read_file(str(path), "", change)


@pytest.mark.parametrize("change", ["rewritten", "replaced", "touched"])
def test_a_file_with_other_times_is_read_again(tmp_path: Path, change: str) -> None:
    """A file with a changed time is read again, even if its bytes are the same."""
    path = aged(wheel(tmp_path))
    readings: Readings = {}
    before = read_distribution(str(path), readings=readings)
    if change == "touched":
        os.utime(path)
    elif change == "rewritten":
        path.write_bytes(path.read_bytes())
    else:
        copy = tmp_path / "copy"
        copy.write_bytes(path.read_bytes())
        os.replace(copy, path)
    after = read_distribution(str(aged(path)), readings=readings)
    assert len(readings) == 2
    assert (after.sha256, after == before) == (before.sha256, False)


@pytest.mark.parametrize(
    ("changed", "later", "settled"),
    [
        (1_000_000_001, 49_000_000, False),
        (1_000_000_001, 51_000_000, True),
        (1_000_000_000, 1_999_000_000, False),  # a file system without fractions
        (1_000_000_000, 2_001_000_000, True),
        (1_000_000_001, -(10**12), False),  # a clock that was set
    ],
)
def test_a_file_that_is_too_new_is_read_again(changed: int, later: int, settled: bool) -> None:
    """A file that has just changed is read again: its next change may leave its times the same."""
    assert is_settled(changed, changed + later) is settled
