"""Wheels and source distributions: what one is, by its own metadata and its bytes."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import need_package
from hypothesis import given
from hypothesis import strategies as st
from tokens import wheel

from secretly.errors import Refused
from secretly.publishing import unpacking
from secretly.publishing.archives import (
    Distribution,
    is_project_name,
    normalize_project,
    read_distribution,
)
from secretly.publishing.tool import ENDINGS

#: An error names the file.
NAMED = r"\.(whl|zip|tar\.gz) "

#: The members of an archive, each a name and its content.
Members = Sequence[tuple[str, bytes]]


def metadata(project: str = "demo", version: str = "1.0") -> bytes:
    """The core metadata of a release."""
    return f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    """A zip archive of these members."""
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def tarred(path: Path, *members: tuple[str, bytes], mode: str = "w:gz") -> Path:
    """A tar archive of these members."""
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return path


def identity(path: Path) -> tuple[str, str]:
    """The project and the version that a file is of."""
    found = read_distribution(str(path))
    return found.project, found.version


# -- what it is ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-1.0-py3-none-any.whl", "other-9.9-py3-none-any.whl"])
def test_a_wheels_metadata_says_what_it_is(tmp_path: Path, name: str) -> None:
    """Not its name, which anybody can change."""
    assert identity(wheel(tmp_path, "demo", "1.0", name)) == ("demo", "1.0")


@pytest.mark.parametrize("name", ["demo-1.0.tar.gz", "other-9.9.tar.gz", "x.tar.gz"])
def test_a_source_distributions_metadata_says_what_it_is(tmp_path: Path, name: str) -> None:
    """PKG-INFO in the one folder that it has; others deeper in it do not count."""
    path = tarred(
        tmp_path / name,
        ("demo-1.0/vendored/other-2.0/PKG-INFO", metadata("other", "2.0")),
        ("demo-1.0/demo.py", b"pass\n"),
        ("demo-1.0/demo.egg-info/PKG-INFO", metadata("other", "3.0")),
        ("demo-1.0/PKG-INFO", metadata()),
    )
    assert identity(path) == ("demo", "1.0")


def test_a_source_distribution_may_be_a_zip(tmp_path: Path) -> None:
    """As they once were; a wheel's metadata in it does not count."""
    path = zipped(
        tmp_path / "other-9.9.zip",
        ("demo-1.0/sub/PKG-INFO", metadata("other")),
        ("other-9.9.dist-info/METADATA", metadata("other")),
        ("demo-1.0/PKG-INFO", metadata()),
    )
    assert identity(path) == ("demo", "1.0")


@pytest.mark.parametrize("project", ["My.Demo_Thing", "a", "0", "A-b--c"])
def test_the_name_is_returned_as_the_metadata_spells_it(tmp_path: Path, project: str) -> None:
    """What it is compared as is another matter."""
    assert identity(wheel(tmp_path, project, "1!2.0rc1+local.5")) == (project, "1!2.0rc1+local.5")


def test_text_after_the_metadatas_head_does_not_count(tmp_path: Path) -> None:
    """A README that speaks of names is not the metadata."""
    text = metadata() + "\nName: other\nVersion: 2.0\n\nÄ\ud7ff".encode()
    assert identity(tarred(tmp_path / "x.tar.gz", ("a/PKG-INFO", text))) == ("demo", "1.0")


@pytest.mark.parametrize("ending", [".egg", ".exe", ".tar.bz2"])
def test_the_project_of_an_old_kind_of_file_is_unknown(tmp_path: Path, ending: str) -> None:
    """No index takes them any more: they are named by their bytes alone."""
    path = tmp_path / f"demo-1.0{ending}"
    path.write_bytes(b"whatever")
    found = read_distribution(str(path))
    assert (found.path, found.size) == (str(path), 8)
    assert found.sha256 == hashlib.sha256(b"whatever").hexdigest()
    assert (found.project, found.version) == ("", "")


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_size_and_hash_are_those_of_the_bytes(tmp_path: Path, size: int) -> None:
    """Size and hash cover the whole file, not only its metadata."""
    path = zipped(tmp_path / "x.whl", ("noise", os.urandom(size)), (INFO, metadata()))
    data = path.read_bytes()
    found = read_distribution(str(path))
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (found.project, found.version) == ("demo", "1.0")


def test_a_file_is_named_as_it_was_named(tmp_path: Path) -> None:
    """Relative to a folder, or wherever it is."""
    path = wheel(tmp_path / "dist")
    found = read_distribution(f"dist/{path.name}", str(tmp_path))
    assert found.path == f"dist/{path.name}"
    assert found == read_distribution(str(path), "/nonexistent")._replace(path=found.path)


def test_a_link_counts_as_its_target(tmp_path: Path) -> None:
    """The tools follow it, too."""
    path = wheel(tmp_path)
    link = tmp_path / "link.whl"
    link.symlink_to(path)
    assert read_distribution(str(link))._replace(path=str(path)) == read_distribution(str(path))


def test_a_copy_of_a_file_is_another_file(tmp_path: Path) -> None:
    """So that one which was put in its place is noticed; reading it changes nothing."""
    path = wheel(tmp_path)
    before = read_distribution(str(path))
    assert read_distribution(str(path)) == before
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)
    after = read_distribution(str(path))
    assert after.sha256 == before.sha256
    assert after != before


@pytest.mark.real
@pytest.mark.parametrize("backend", ["flit_core.buildapi", "hatchling.build"])
def test_what_a_build_backend_makes_is_read(tmp_path: Path, backend: str) -> None:
    """A wheel and a source distribution, made by the real one."""
    need_package(backend)
    (tmp_path / "my_demo.py").write_text('"""A demonstration."""\n')
    (tmp_path / "README.md").write_text("Name: other\n\nVersion: 9\n" * 1000)
    (tmp_path / "pyproject.toml").write_text(
        f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\n'
        '[project]\nname = "My.Demo"\nversion = "1.0rc1"\ndescription = "A demonstration"\n'
        'readme = "README.md"\n[tool.flit.module]\nname = "my_demo"\n'
        '[tool.hatch.build.targets.wheel]\ninclude = ["my_demo.py"]\n'
    )
    code = (
        f"import {backend} as b; import os; os.mkdir('dist');"
        "b.build_sdist('dist'); b.build_wheel('dist')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=30)
    made = [read_distribution(str(path)) for path in (tmp_path / "dist").iterdir()]
    assert len(made) == 2
    for found in made:
        assert (normalize_project(found.project), found.version) == ("my-demo", "1.0rc1")


# -- what it is not --------------------------------------------------------------


def encrypted(path: Path) -> Path:
    """A wheel whose members say that they are encrypted."""
    data = bytearray(wheel(path.parent, name=path.name).read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flags of each member
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


def unknown_compression(path: Path) -> Path:
    """A wheel with an unknown kind of compression."""
    data = bytearray(wheel(path.parent, name=path.name).read_bytes())
    for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = data.find(mark)
        while at >= 0:
            struct.pack_into("<H", data, at + offset, 99)
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", [".whl", ".zip", ".tar.gz"])
@pytest.mark.parametrize("data", [b"", b"PK", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0", b"x" * 4096])
def test_other_bytes_are_refused(tmp_path: Path, ending: str, data: bytes) -> None:
    """An upload that broke off when the file was made, or another file by mistake."""
    path = tmp_path / f"demo-1.0{ending}"
    path.write_bytes(data)
    with pytest.raises(Refused, match=NAMED) as caught:
        read_distribution(str(path))
    assert path.name in str(caught.value)
    assert caught.value.hint


def test_two_metadata_files_in_a_source_distribution_are_refused(tmp_path: Path) -> None:
    """One program reads the first, another the last: which project it is cannot be told."""
    twice = tarred(
        tmp_path / "demo-1.0.tar.gz",
        ("demo-1.0/PKG-INFO", metadata()),
        ("demo-1.0/PKG-INFO", metadata("other")),
    )
    with pytest.raises(Refused):
        identity(twice)


def test_two_metadata_files_in_separate_gzip_members_are_refused(tmp_path: Path) -> None:
    """What is packed by gzip may be followed by more of it: twine reads that, too."""
    members = ("demo-1.0/demo.py", b""), ("demo-1.0/PKG-INFO", metadata())
    path = tarred(tmp_path / "demo-1.0.tar.gz", *members)
    more = tarred(tmp_path / "more.tar.gz", ("demo-1.0/PKG-INFO", metadata("other")))
    first = gzip.decompress(path.read_bytes())[:1536]  # without what ends an archive
    path.write_bytes(gzip.compress(first) + more.read_bytes())
    twine = need_package("twine.sdist")
    assert twine.SDist(str(path)).read() == metadata("other")
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


def test_a_wheel_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    """Wherever."""
    data = wheel(tmp_path).read_bytes()
    path = tmp_path / "short.whl"
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(Refused, match=r"short\.whl"):
            read_distribution(str(path))


def test_a_source_distribution_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    """If its metadata is not whole any more."""
    noise = os.urandom(100_000)
    members = ("a/noise", noise), ("a/PKG-INFO", metadata())
    data = tarred(tmp_path / "x.tar.gz", *members).read_bytes()
    path = tmp_path / "short.tar.gz"
    for length in range(0, len(data) // 2, 2003):
        path.write_bytes(data[:length])
        with pytest.raises(Refused, match=r"short\.tar\.gz"):
            read_distribution(str(path))


def damaged(path: Path) -> Path:
    """A wheel whose metadata is packed by LZMA, and broken."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("demo-1.0.dist-info/METADATA", metadata() + os.urandom(3000))
    data = bytearray(path.read_bytes())
    at = data.index(b"METADATA") + len("METADATA") + 4  # behind them are LZMA's properties
    data[at] = 255
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("make", [encrypted, unknown_compression, damaged])
def test_a_wheel_that_cannot_be_unpacked_is_refused(tmp_path: Path, make: object) -> None:
    """No index could read it either."""
    assert callable(make)
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(make(tmp_path / "odd.whl")))


def test_members_that_do_not_match_their_checksum_are_refused(tmp_path: Path) -> None:
    """The bytes are not those that were built."""
    path = wheel(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"Name: demo", b"Name: evil"))
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


INFO = "demo-1.0.dist-info/METADATA"


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("demo.py", b"")],
        [("METADATA", metadata())],
        [("a/demo-1.0.dist-info/METADATA", metadata())],
        [("demo-1.0.dist-info/METADATA.txt", metadata())],
        [("demo-1.0.dist-info/metadata", metadata())],
        [("demo-1.0/PKG-INFO", metadata())],
        [(INFO, metadata()), ("other-1.0.dist-info/METADATA", metadata("other"))],
    ],
)
def test_a_wheel_has_its_metadata_in_one_place(tmp_path: Path, members: Members) -> None:
    """With two it could be shown as one project and be uploaded as another."""
    with pytest.raises(Refused, match=r"x\.whl"):
        read_distribution(str(zipped(tmp_path / "x.whl", *members)))


@pytest.mark.parametrize("name", ["METADATA", "AMETADATA", "a/METADATA", "a/METADATA.txt"])
@pytest.mark.parametrize("first", [True, False])
def test_a_wheel_has_no_other_metadata_that_twine_would_take(
    tmp_path: Path, name: str, first: bool
) -> None:
    """twine takes the first file by depth and name that contains 'Metadata-Version'."""
    members = [(INFO, metadata()), (name, metadata("other"))]
    path = zipped(tmp_path / "demo-1.0-py3-none-any.whl", *(members[::-1] if first else members))
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a/b/METADATA", metadata("other")),
        ("x/METADATA", metadata("other")),
        ("a/METADATA", b"of something else"),
        ("demo/_vendor/other-2.0.dist-info/METADATA", metadata("other")),
        ("METADATA.py", b""),
        ("x/metadata", metadata("other")),
    ],
)
def test_a_wheel_may_contain_what_twine_ignores(tmp_path: Path, name: str, data: bytes) -> None:
    """Many have tables or templates of that name."""
    path = zipped(tmp_path / "demo-1.0-py3-none-any.whl", (name, data), (INFO, metadata()))
    assert identity(path) == ("demo", "1.0")
    twine = need_package("twine.wheel")
    assert twine.Wheel(str(path)).read() == metadata()


def test_other_metadata_is_what_twine_takes(tmp_path: Path) -> None:
    """So what would be shown would not be what is uploaded."""
    path = zipped(
        tmp_path / "demo-1.0-py3-none-any.whl", (INFO, metadata()), ("METADATA", metadata("other"))
    )
    twine = need_package("twine.wheel")
    assert twine.Wheel(str(path)).read() == metadata("other")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_metadata_files_in_a_wheel_are_refused(tmp_path: Path) -> None:
    """Of two members of one name one tool reads the first, another the last."""
    members = (INFO, metadata()), (INFO, metadata("other"))
    with pytest.raises(Refused, match=r"x\.whl"):
        read_distribution(str(zipped(tmp_path / "x.whl", *members)))


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("demo.py", b"")],
        [("PKG-INFO", metadata())],
        [("a/b/PKG-INFO", metadata())],
        [("demo-1.0/METADATA", metadata())],
        [("../demo-1.0/PKG-INFO", metadata())],
    ],
)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_source_distribution_has_its_metadata_in_its_folder(
    tmp_path: Path, members: Members, ending: str
) -> None:
    """And nowhere else."""
    make = tarred if ending == ".tar.gz" else zipped
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(make(tmp_path / f"x{ending}", *members)))


def test_metadata_in_the_current_folder_does_not_count(tmp_path: Path) -> None:
    """A source distribution has its files in a folder."""
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(tarred(tmp_path / "x.tar.gz", ("./PKG-INFO", metadata()))))


def test_a_zip_with_two_folders_is_refused(tmp_path: Path) -> None:
    """Which of the two would it be?"""
    members = ("a/PKG-INFO", metadata()), ("b/PKG-INFO", metadata("other"))
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(zipped(tmp_path / "x.zip", *members)))


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE])
def test_a_folder_or_link_is_not_metadata(tmp_path: Path, kind: bytes) -> None:
    """A folder, a link or a pipe of that name."""
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        entry = tarfile.TarInfo("a/PKG-INFO")
        entry.type, entry.linkname = kind, "/etc/hostname"
        file.addfile(entry)
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_a_source_distribution_is_packed_as_its_name_says(tmp_path: Path, mode: str) -> None:
    """The indexes take no other."""
    path = tarred(tmp_path / "x.tar.gz", ("a/PKG-INFO", metadata()), mode=mode)
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n" + metadata(),
        b"Metadata-Version: 2.1\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\n",
        b"Metadata-Version: 2.1\nName:\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nVersion:\n",
        b"Metadata-Version: 2.1\nName: demo\nName: other\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nVersion: 2.0\n",
        metadata("../demo"),
        metadata("demo other"),
        metadata("-demo"),
        metadata("demo."),
        metadata("d\x1b[2Jemo"),
        metadata("d\u00e9mo"),
        metadata("\u202edemo"),
        metadata("\U0001d41d"),
        "Name: demö\nVersion: 1.0\n".encode("latin-1"),
        b"\xff\xfe" * 100,
        b"\0" * 1000,
    ],
)
@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_metadata_names_one_project_and_one_version(
    tmp_path: Path, ending: str, text: bytes
) -> None:
    """The name must be valid, or the token could not be narrowed to it."""
    if ending == ".whl":
        path = zipped(tmp_path / "x.whl", (INFO, text))
    else:
        path = tarred(tmp_path / "x.tar.gz", ("a/PKG-INFO", text))
    with pytest.raises(Refused, match=NAMED):
        read_distribution(str(path))


@pytest.mark.parametrize(("size", "good"), [(4 << 20, True), ((4 << 20) + 1, False)])
@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_metadata_without_end_is_refused(
    tmp_path: Path, size: int, good: bool, ending: str
) -> None:
    """A small file may unpack to one that fills the memory: 4 MiB are plenty."""
    text = metadata() + b"\n"
    text += b"x" * (size - len(text))
    if ending == ".whl":
        path = tmp_path / "x.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(INFO, text)
    else:
        path = tarred(tmp_path / "x.tar.gz", ("a/PKG-INFO", text))
    if good:
        assert identity(path) == ("demo", "1.0")
    else:
        with pytest.raises(Refused, match=NAMED):
            read_distribution(str(path))


def swollen(path: Path, size: int) -> Path:
    """A small source distribution with a file of zeros of that size before its metadata."""
    entry, info = tarfile.TarInfo("a/zeros"), tarfile.TarInfo("a/PKG-INFO")
    entry.size, info.size = size, len(metadata())
    same = gzip.compress(bytes(1 << 24))
    end = bytes(size % (1 << 24) + -size % 512) + info.tobuf() + metadata().ljust(512, b"\0")
    parts = [gzip.compress(entry.tobuf()), *[same] * (size >> 24), gzip.compress(end + bytes(1024))]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(("more", "good"), [(0, True), (1, False)])
def test_a_source_distribution_that_swells_is_refused(
    tmp_path: Path, more: int, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a megabyte may unpack to terabytes: 1 GiB is plenty, and 64 MiB here."""
    assert unpacking.UNPACKED == 1 << 30
    monkeypatch.setattr(unpacking, "UNPACKED", 1 << 26)
    # Two headers, the metadata's block, and two blocks that end the archive.
    path = swollen(tmp_path / "a-1.tar.gz", (1 << 26) - 5 * 512 + more)
    assert path.stat().st_size < 1 << 18
    if good:
        assert identity(path) == ("demo", "1.0")
    else:
        with pytest.raises(Refused, match=NAMED):
            read_distribution(str(path))


# -- what is not a file -------------------------------------------------------------


@pytest.mark.process
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """To open it would wait for a writer."""
    path = tmp_path / "x.whl"
    os.mkfifo(path)
    code = f"from secretly.publishing import archives; archives.read_distribution({str(path)!r})"
    done = subprocess.run(  # it must not wait
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )
    assert re.search(r"Refused: .*/x\.whl ", done.stderr)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """However it is called."""
    path = tmp_path / "x.whl"
    path.mkdir()
    with pytest.raises(Refused, match=r"x\.whl"):
        read_distribution(str(path))


def test_a_device_is_refused() -> None:
    """It might never end."""
    with pytest.raises(Refused, match="/dev/zero"):
        read_distribution("/dev/zero")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.whl", "No such file"),
        ("dangling.whl", "No such file"),
        ("round.whl", "symbolic links"),
        ("x" * 300 + ".whl", "name too long"),
        ("file/x.whl", "Not a directory"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_reason(tmp_path: Path, name: str, why: str) -> None:
    """In the system's own words."""
    (tmp_path / "dangling.whl").symlink_to("missing.whl")
    (tmp_path / "round.whl").symlink_to("round.whl")
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=rf"(?i): .*{why}"):
        read_distribution(name, str(tmp_path))


def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    """The tool could not read it either."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = wheel(tmp_path)
    path.chmod(0)
    with pytest.raises(Refused, match="Permission denied"):
        read_distribution(str(path))


def test_an_odd_name_is_shown_by_its_escapes(tmp_path: Path) -> None:
    """The user reads the error on a terminal."""
    name = "d\x1b[2J\u202e\udcff.whl"
    path = os.path.join(str(tmp_path), name)
    for _ in range(2):  # missing, then empty
        with pytest.raises(Refused) as caught:
            read_distribution(name, str(tmp_path))
        assert r"d\x1b[2J\u202e\xff.whl" in str(caught.value)
        assert str(caught.value).isprintable()
        with open(path, "wb"):
            pass


# -- whatever comes --------------------------------------------------------------


def outcome(data: bytes, ending: str) -> Distribution | None:
    """What these bytes are as a file with that ending; None if they are refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"x{ending}")
        with open(path, "wb") as file:
            file.write(data)
        try:
            return read_distribution(path)
        except Refused as error:
            assert str(error).isprintable()
            assert error.hint
            return None


@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"PK\3\4", b"PK\5\6" + b"\0" * 18, b"\x1f\x8b\x08\0"]),
    st.sampled_from(ENDINGS),
)
def test_any_bytes_are_read_or_refused(data: bytes, start: bytes, ending: str) -> None:
    """Never an error of another kind; by a name that may be shown and normalised."""
    found = outcome(start + data, ending)
    if found is not None:
        assert found.sha256 == hashlib.sha256(start + data).hexdigest()
        assert not found.project or is_project_name(found.project)


def archive(ending: str) -> bytes:
    """A valid one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{ending}")
        if ending == ".whl":
            wheel(path.parent, name=path.name)
        elif ending == ".zip":
            zipped(path, ("a/x", b"x" * 100), ("a/PKG-INFO", metadata()))
        else:
            tarred(path, ("a/x", b"x" * 100), ("a/PKG-INFO", metadata()))
        return path.read_bytes()


VALID = {ending: archive(ending) for ending in (".whl", ".zip", ".tar.gz")}


@given(st.data(), st.sampled_from(sorted(VALID)))
def test_a_changed_archive_is_read_or_refused(choice: st.DataObject, ending: str) -> None:
    """Bytes that were changed, put in or taken out, as bad memory or bad people do."""
    data = bytearray(VALID[ending])
    for _ in range(choice.draw(st.integers(1, 4))):
        at = choice.draw(st.integers(0, max(0, len(data) - 1)))
        length = choice.draw(st.integers(0, 4))
        data[at : at + length] = choice.draw(st.binary(max_size=4))
    found = outcome(bytes(data), ending)
    if found is not None:
        assert is_project_name(found.project)
        assert found.version


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from([".whl", ".tar.gz"]),
)
def test_a_name_from_any_metadata_is_a_valid_project_name(
    project: str, version: str, ending: str
) -> None:
    """No other is ever given on, nor a version that was not there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{ending}")
        text = metadata(project, version)
        if ending == ".whl":
            zipped(path, (INFO, text))
        else:
            tarred(path, ("a/PKG-INFO", text))
        try:
            found = read_distribution(str(path))
        except Refused:
            return
    assert found.project in project
    assert found.project.isascii()
    assert is_project_name(found.project)
    assert found.version in version


# -- names -----------------------------------------------------------------------


@given(st.text(st.sampled_from("aB1-_."), min_size=1))
def test_normalizing_a_name_twice_changes_nothing(name: str) -> None:
    """Only lower case and single hyphens are left."""
    once = normalize_project(name)
    assert normalize_project(once) == once
    assert not set("B_.") & set(once)
    assert "--" not in once


@given(st.text(st.sampled_from("aB1-_.")) | st.text())
def test_names_are_compared_and_allowed_as_in_packaging(name: str) -> None:
    """The rules are PEP 503's and the core metadata's."""
    utils = importlib.import_module("packaging.utils")
    assert normalize_project(name) == utils.canonicalize_name(name)
    try:
        utils.canonicalize_name(name, validate=True)
    except utils.InvalidName:
        assert not is_project_name(name)
    else:
        assert is_project_name(name) or not name.isascii()


@pytest.mark.parametrize("name", ["", "-", "a-", ".a", "a b", "a/b", "a\n", "\u017f", "a\0"])
def test_an_invalid_name_is_not_a_project_name(name: str) -> None:
    """Not even a letter that equals an ASCII one if case is ignored."""
    assert not is_project_name(name)
