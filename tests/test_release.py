"""Test what a publishing command would upload: the files, the index and the token."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import shlex
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import tokens
from agreement.cases import configuration
from command import wait_until
from conftest import need_package
from hypothesis import given
from hypothesis import strategies as st
from test_distributions import metadata, tarred, zipped
from test_publishing import NO_ENVIRONMENT, project, tool
from tokens import KEY, TOKEN, Warehouse, token, wheel

from secretly.asking import assuan, upload_wording
from secretly.config.command_line import recognize
from secretly.config.model import Configuration, Entry
from secretly.errors import BadToken, Refused
from secretly.publishing.archives import Distribution, Readings
from secretly.publishing.changes import changed
from secretly.publishing.destination import Destination
from secretly.publishing.examine import lifetime
from secretly.publishing.pypi_token import token_scope
from secretly.publishing.release import Release
from secretly.publishing.upload import upload_of
from secretly.redacted import Secret
from secretly.safefiles import is_settled
from secretly.text import escape, format_time


@pytest.fixture(scope="session")
def shipped() -> Configuration:
    """Return the shipped configuration."""
    return configuration()


class Workdir:
    """The folder of a project, which is also the working folder."""

    def __init__(self, folder: Path, shipped: Configuration) -> None:
        self.folder, self.shipped = folder, shipped

    def examine(
        self, line: str, environ: Mapping[str, str] | None = None, expires: float | None = None
    ) -> Release:
        """Return the release that a command line would upload, with this lifetime of the token."""
        environ = {"HOME": "/nonexistent", **(environ or {})}
        found = recognize(shlex.split(line), self.shipped)
        assert found is not None
        call = found._replace(row=found.row._replace(expires=expires))
        upload = upload_of(call, environ)
        assert upload is not None
        return upload.release

    def files(self, line: str, environ: Mapping[str, str] | None = None) -> list[str]:
        """Return the paths of the files that a command line would upload."""
        return sorted(file.path for file in self.examine(line, environ).files)

    def projects(self, line: str) -> list[str] | None:
        """Return the projects that a command line would upload to."""
        return self.examine(line).projects

    def wheel(self, name: str = "demo", version: str = "1.0", folder: str = "dist") -> str:
        """Make a wheel, and return its path."""
        return os.path.relpath(wheel(self.folder / folder, name, version), self.folder)

    def sdist(self, name: str = "demo", version: str = "1.0", folder: str = "dist") -> str:
        """Make a source distribution, and return its path."""
        stem = f"{name}-{version}"
        path = self.write(f"{folder}/{stem}.tar.gz")
        members = (f"{stem}/PKG-INFO", metadata(name, version)), (f"{stem}/{name}.py", b"")
        return os.path.relpath(tarred(path, *members), self.folder)

    def write(self, name: str, text: str = "") -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def workdir(tmp_path: Path, shipped: Configuration, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    """Make a project's folder, and work there."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Workdir(folder, shipped)


# -- which files: twine ----------------------------------------------------------

NOTE = upload_wording.note_line("")
WHEEL, SDIST = "dist/demo-1.0-py3-none-any.whl", "dist/demo-1.0.tar.gz"


@pytest.mark.parametrize(
    "line",
    [
        "twine upload 'dist/*'",
        "twine upload 'di?t/demo-1.0*'",
        "twine upload 'dist/*.whl' 'dist/*.gz'",
        f"twine upload {WHEEL} {SDIST}",
        f"twine upload {WHEEL} {WHEEL} {SDIST} 'dist/*'",
        f"twine upload --skip-existing {WHEEL} {SDIST} dist/other.asc",
        f"twine --no-color upload -r testpypi -c 'no file' {WHEEL} {SDIST} --verbose",
        f"twine upload -u me -p canary-1 --cert dist/x.whl {WHEEL} {SDIST}",
        f"twine upload --sign --identity=me --sign-with gpg2 {WHEEL} {SDIST}",
        f"python3.11 -Im twine upload {WHEEL} {SDIST}",
        f"uvx twine upload {WHEEL} {SDIST}",
        "twine upload '[d]ist/*'",
    ],
)
def test_twine_uploads_the_named_files(workdir: Workdir, line: str) -> None:
    """twine uploads each named file once, and neither values of options nor unrelated files."""
    workdir.wheel()
    workdir.sdist()
    for name in ("other.asc", "demo-1.0.tar.gz.publish.attestation"):
        workdir.write(f"dist/{name}")
    assert [path.replace("//", "/") for path in workdir.files(line)] == [WHEEL, SDIST]


def test_a_file_may_be_named_like_an_option_or_a_pattern(workdir: Workdir) -> None:
    """Words after ``--`` are files, and the name of an existing file is not a pattern.

    twine's outer parser drops a ``--`` that follows the subcommand.
    """
    for name in ("-r", "[d]emo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl"):
        wheel(workdir.folder, name=name)
    os.rename("-r", "--x.whl")
    assert workdir.files("twine upload --verbose -- --x.whl") == ["--x.whl"]
    with pytest.raises(Refused, match="--"):
        workdir.files("twine upload -- --x.whl")
    odd = "[d]emo-1.0-py3-none-any.whl"
    assert workdir.files(f"twine upload '{odd}'") == [odd]


def test_a_file_may_be_in_any_folder(workdir: Workdir, tmp_path: Path) -> None:
    """A path may lead to a parent folder or be absolute."""
    path = wheel(tmp_path / "elsewhere")
    for name in (f"../elsewhere/{path.name}", str(path)):
        assert workdir.files(f"twine upload {name}") == [name]
    assert workdir.files("twine upload '../*/*.whl'") == [f"../elsewhere/{path.name}"]


def test_old_kinds_of_files_are_seen(workdir: Workdir) -> None:
    """secretly can't read metadata from old kinds of files, so the project is unknown."""
    workdir.wheel()
    assert workdir.projects("twine upload 'dist/*'") == ["demo"]
    for ending in (".egg", ".exe", ".tar.bz2"):
        workdir.write(f"dist/demo-1.0{ending}")
    assert len(workdir.files("twine upload 'dist/*'")) == 4
    assert workdir.projects("twine upload 'dist/*'") is None


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        ("twine upload 'dist/*'", ".egg"),
        ("twine upload 'dist/*'", ".exe"),
        ("twine upload 'dist/*'", ".tar.bz2"),
        ("pdm publish --no-build", ".tar.bz2"),
        ("maturin upload dist/demo-1.0.egg", ".egg"),
        ("maturin upload dist/demo-1.0.tgz", ".tgz"),
    ],
)
def test_a_file_that_is_not_read_is_shown_as_such(workdir: Workdir, line: str, ending: str) -> None:
    """The dialog says that a file's project is unknown, and that the token isn't limited to one."""
    workdir.write("pyproject.toml", PROJECT)
    if "maturin" not in line:
        workdir.wheel()
    name = f"demo-1.0{ending}"
    workdir.write(f"dist/{name}", "other")
    found = workdir.examine(line)
    assert found.projects is None
    text = found.consent(PROGRAM, ARGV).text("__token__")
    assert upload_wording.note_line(upload_wording.unread(name, 1)) in unwrapped(text)
    assert f"dist/{name} (5 bytes, sha256 " in text
    token = found.narrowed(Secret(TOKEN), time.time())
    assert token_scope(token).projects is None


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        ("twine upload 'dist/[!R]*'", "dist/old"),
        ("twine upload 'dist/*'", "dist/README.md"),
        ("twine upload dist", "dist"),
        ("twine upload dist/README.md", "dist/README.md"),
        (f"twine upload {WHEEL} dist/README.md", "dist/README.md"),
        ("twine upload 'dist/R*'", "dist/README.md"),
        (f"twine upload {WHEEL} dist/old", "dist/old"),
        (f"maturin upload {WHEEL} dist/README.md", "dist/README.md"),
        (f"maturin upload {WHEEL} dist/old", "dist/old"),
        ("pdm publish --no-build", "dist/README.md"),
    ],
)
def test_what_the_tool_would_refuse_is_refused(workdir: Workdir, line: str, odd: str) -> None:
    """secretly refuses a file that stops the tool, perhaps after it has uploaded other files."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.wheel("other", "0.9", folder="dist/old")
    workdir.write("dist/README.md")
    with pytest.raises(Refused, match=f"^{re.escape(odd)} ") as caught:
        workdir.examine(line)
    assert "dist/*.whl" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        f"uv publish {WHEEL} dist/README.md dist/old",
        "uv publish 'dist/*'",
        "uv publish",
        f"hatch publish {WHEEL} dist/README.md",
        "hatch publish dist",
        "poetry publish",
    ],
)
def test_what_the_tool_ignores_is_ignored(workdir: Workdir, line: str) -> None:
    """A folder among the arguments isn't uploaded, even if there are files in it."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.wheel("other", "0.9", folder="dist/old")
    workdir.write("dist/README.md")
    assert workdir.files(line) == [WHEEL]


@pytest.mark.parametrize("line", ["maturin upload 'dist/*'", "hatch publish 'dist/*'"])
def test_a_pattern_that_the_tool_does_not_expand_names_no_file(workdir: Workdir, line: str) -> None:
    """Only the shell, twine and uv expand patterns, so other tools find no file of such a name."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    with pytest.raises(Refused, match="no file"):
        workdir.examine(line)


def test_uv_takes_each_word_for_a_pattern(workdir: Workdir) -> None:
    """uv expands a pattern even if a file has that name. twine takes the file."""
    odd, plain = "[d]emo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl"
    for name in (odd, plain):
        wheel(workdir.folder, name=name)
    assert workdir.files(f"uv publish '{odd}'") == [plain]
    assert workdir.files(f"twine upload '{odd}'") == [odd]


def test_uvs_patterns_find_what_is_in_hidden_folders(workdir: Workdir) -> None:
    """Their ``*`` and ``?`` mean a dot at the beginning too. A shell, and twine, leave it out."""
    shown = workdir.wheel("a", folder="packages/a/dist")
    hidden = workdir.wheel("hidden", folder="packages/.x/dist")
    for pattern, expected in (("*", [hidden, shown]), ("?x", [hidden]), ("[.]x", [hidden])):
        assert workdir.files(f"uv publish 'packages/{pattern}/dist/*.whl'") == expected
    assert workdir.files("twine upload 'packages/*/dist/*.whl'") == [shown]


@pytest.mark.parametrize("line", ["uv publish", "uv publish 'dist/*'"])
def test_what_uv_takes_for_no_release_is_ignored(workdir: Workdir, line: str) -> None:
    """Such as the ``._`` files of macOS on foreign disks, a folder, and a link to nowhere."""
    for name in ("demo", "demo-1.0", "._demo-1.0-py3-none-any", "demo-1.0-py3-none"):
        wheel(workdir.folder / "dist", name=f"{name}.whl")
    for name in ("demo", ".demo-1.0", "_demo-1.0"):
        workdir.write(f"dist/{name}.tar.gz")
    (workdir.folder / "dist/demo-2.0-py3-none-any.whl").mkdir()
    (workdir.folder / "dist/demo-2.0.tar.gz").symlink_to("nowhere")
    with pytest.raises(Refused, match="no file to upload"):
        workdir.examine(line)
    workdir.wheel()
    built = "dist/demo-1.0-1-py3-none-any.whl"
    wheel(workdir.folder / "dist", name=os.path.basename(built))
    assert workdir.files(line) == [built, WHEEL]


@pytest.mark.parametrize("ending", ["zip", "tgz", "tar.bz2", "tar.zst", "tar"])
def test_a_file_at_which_uv_stops_is_refused(workdir: Workdir, ending: str) -> None:
    """uv takes it for a source distribution, and has uploaded the files before it by then."""
    workdir.wheel()
    workdir.write(f"dist/notes.{ending}")
    workdir.write(f"dist/notes-old.{ending}")
    for line in ("uv publish", "uv publish 'dist/*'"):
        assert workdir.files(line) == [WHEEL]
    workdir.write(f"dist/demo-1.0.{ending}")
    for line in ("uv publish", "uv publish 'dist/*'"):
        with pytest.raises(Refused, match="uv would stop there"):
            workdir.examine(line)
    assert workdir.files("uv publish 'dist/*.whl'") == [WHEEL]
    assert workdir.files("hatch publish") == [WHEEL]


# -- which files: signatures and attestations -----------------------------------------

SIGNATURE, ATTESTATION = f"{WHEEL}.asc", f"{WHEEL}.publish.attestation"


@pytest.mark.parametrize(
    ("line", "also"),
    [
        ("twine upload 'dist/*'", [SIGNATURE]),
        (f"twine upload {WHEEL}", []),
        (f"twine upload {WHEEL} {SIGNATURE}", [SIGNATURE]),
        (f"twine upload {WHEEL} {ATTESTATION}", []),
        ("twine upload --attestations 'dist/*'", [SIGNATURE, ATTESTATION]),
        ("twine upload --att 'dist/*'", [SIGNATURE, ATTESTATION]),
        ("uv publish", [ATTESTATION]),
        ("uv publish 'dist/*'", [ATTESTATION]),
        (f"uv publish {WHEEL}", []),
        ("uv publish --no-attestations", []),
        ("hatch publish", []),
        ("poetry publish", []),
    ],
)
def test_signatures_and_attestations_are_shown(
    workdir: Workdir, line: str, also: list[str]
) -> None:
    """The dialog shows the signatures and attestations that the tool collects for its files."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    for name in (SIGNATURE, ATTESTATION, "dist/other.whl.asc"):
        workdir.write(name, "{}")
    url = "https://packages.example/"
    variables = {"TWINE_REPOSITORY_URL": url, "UV_PUBLISH_URL": url}
    found = workdir.examine(line, variables)
    assert sorted(file.path for file in found.files) == sorted([WHEEL, *also])
    assert found.projects == ["demo"]
    assert {file.accompanies for file in found.files} == {"", *([WHEEL] if also else [])}
    described = "\n".join(found.described("__token__"))
    assert all(f"\n{name}" in described for name in also)


def test_pdm_uploads_the_signatures_in_its_folder(workdir: Workdir) -> None:
    """pdm uploads the signatures in its folder, and refuses an attestation."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.write(SIGNATURE)
    assert workdir.files("pdm publish --no-build") == [WHEEL, SIGNATURE]
    workdir.write(ATTESTATION)
    with pytest.raises(Refused, match=re.escape(ATTESTATION)):
        workdir.examine("pdm publish --no-build")


def test_uvs_variable_leaves_attestations_out(workdir: Workdir) -> None:
    """UV_PUBLISH_NO_ATTESTATIONS has the same effect as uv's option."""
    workdir.wheel()
    workdir.write(ATTESTATION)
    assert workdir.files("uv publish", {"UV_PUBLISH_NO_ATTESTATIONS": "true"}) == [WHEEL]
    with pytest.raises(Refused):
        workdir.examine("uv publish", {"UV_PUBLISH_NO_ATTESTATIONS": "false"})


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        ("uv publish", "--no-attestations"),
        ("twine upload --attestations 'dist/*'", "--attestations"),
        ("twine upload --attestations -r testpypi 'dist/*'", "--attestations"),
    ],
)
def test_attestations_for_pypi_are_refused(workdir: Workdir, line: str, way_out: str) -> None:
    """PyPI accepts attestations from trusted publishing only."""
    workdir.wheel()
    workdir.write(ATTESTATION)
    with pytest.raises(Refused) as caught:
        workdir.examine(line)
    assert way_out in caught.value.hint


def test_attestations_with_an_api_token_are_refused(workdir: Workdir) -> None:
    """With the index as a URL, an API token is refused with attestations, but a password passes."""
    workdir.wheel()
    workdir.write(ATTESTATION)
    found = workdir.examine("uv publish", {"UV_PUBLISH_URL": "https://upload.pypi.example/legacy/"})
    found.inspect(Secret("canary-password"), Entry("pypi.example"))
    with pytest.raises(Refused) as caught:
        found.inspect(Secret(TOKEN), Entry("pypi.example"))
    assert "--no-attestations" in caught.value.hint


@pytest.mark.parametrize("name", [SIGNATURE, ATTESTATION])
def test_a_changed_signature_or_attestation_is_named(workdir: Workdir, name: str) -> None:
    """secretly notices a changed signature or attestation, because they are uploaded too."""
    workdir.wheel()
    workdir.write(name)
    line = "twine upload --attestations --repository-url https://packages.example/ 'dist/*'"
    before = workdir.examine(line)
    workdir.write(name, "another")
    assert changed(before, workdir.examine(line)).startswith(f"{name} ")


def test_a_second_look_reads_no_unchanged_file_again(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing a large file takes a while, so secretly doesn't read an unchanged file again."""
    facts = (workdir.folder / workdir.wheel()).stat()
    wait_until(lambda: is_settled(facts.st_ctime_ns, time.time_ns()))
    call = recognize(["uv", "publish"], workdir.shipped)
    assert call is not None
    readings: Readings = {}
    upload = upload_of(call, {"HOME": "/nonexistent"}, readings)
    assert upload is not None
    assert upload.release.files
    upload.recheck()
    (key,) = readings
    readings[key] = ("0" * 64, readings[key][1])  # a later look must use this
    with pytest.raises(Refused, match=re.escape(WHEEL)):
        upload.recheck()


# -- which files: the others -----------------------------------------------------

PROJECT = '[project]\nname = "demo"\nversion = "1.0"\n'


@pytest.mark.parametrize("tool", ["uv", "hatch", "poetry", "pdm"])
def test_without_named_files_those_in_dist_are_uploaded(workdir: Workdir, tool: str) -> None:
    """Only package files, and only from the folder itself."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.sdist()
    if tool != "pdm":
        workdir.wheel("deep", folder="dist/sub")
        workdir.write("dist/README.md")
    options = " --no-build" if tool == "pdm" else ""
    assert workdir.files(f"{tool} publish{options}") == [WHEEL, SDIST]


@pytest.mark.parametrize("line", ["hatch publish", "hatch publish dist", "pdm publish --no-build"])
def test_hidden_files_are_seen_if_the_tool_uploads_them(workdir: Workdir, line: str) -> None:
    """hatch and pdm upload every file in the folder, so secretly must show hidden files too."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    wheel(workdir.folder / "dist", "other", "6.6", ".other-6.6-py3-none-any.whl")
    assert workdir.files(line) == ["dist/.other-6.6-py3-none-any.whl", WHEEL]
    assert workdir.projects(line) == ["demo", "other"]


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("uv publish --directory sub", {}),
        ("uv --directory=sub publish", {}),
        ("uv publish", {"UV_WORKING_DIR": "sub"}),
        ("uv publish --directory sub", {"UV_WORKING_DIR": "nowhere"}),
        ("poetry -C sub publish", {}),
        ("poetry publish --project sub", {}),
        ("pdm publish --no-build -p sub", {}),
        ("pdm publish --no-build", {"PDM_PROJECT": "sub"}),
    ],
)
def test_the_project_may_be_in_another_folder(
    workdir: Workdir, line: str, environ: Mapping[str, str]
) -> None:
    """The tool's own option or variable names the project's folder."""
    workdir.wheel("wrong", "2.0")
    workdir.write("pyproject.toml", '[project]\nname = "wrong"\n')
    workdir.write("sub/pyproject.toml", PROJECT)
    workdir.wheel(folder="sub/dist")
    assert workdir.examine(line, environ).projects == ["demo"]


def test_a_named_file_is_relative_to_the_tools_folder(workdir: Workdir) -> None:
    """uv changes to its folder before it looks for the file."""
    workdir.wheel(folder="sub/dist")
    assert workdir.files(f"uv publish --directory sub {WHEEL}") == [WHEEL]
    with pytest.raises(Refused, match=re.escape(WHEEL)):
        workdir.files(f"uv publish {WHEEL}")


@pytest.mark.parametrize("line", ["hatch publish", "poetry publish", "pdm publish --no-build"])
def test_other_tools_upload_from_the_projects_folder(
    workdir: Workdir, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's folder is the nearest folder with a pyproject.toml."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.wheel("wrong", folder="src/demo/dist")
    monkeypatch.chdir(workdir.folder / "src" / "demo")
    assert workdir.projects(line) == ["demo"]


def test_uv_uploads_from_the_working_folder(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv doesn't search the parent folders for a project."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    workdir.wheel("other", folder="src/dist")
    monkeypatch.chdir(workdir.folder / "src")
    assert workdir.projects("uv publish") == ["other"]


@pytest.mark.parametrize(
    "line",
    [
        "poetry publish --dist-dir out",
        "poetry publish --dist-dir=out",
        "pdm publish --no-build -d out",
        "pdm publish --no-build --dest=out",
        "pdm publish --no-b --des out",
        "hatch publish out",
        "uv publish 'out/*'",
        "maturin upload out/demo-1.0-py3-none-any.whl",
    ],
)
def test_the_files_may_be_in_another_folder(workdir: Workdir, line: str) -> None:
    """An option or the arguments name the folder of the files."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel("wrong")
    workdir.wheel(folder="out")
    assert workdir.files(line) == ["out/demo-1.0-py3-none-any.whl"]


def test_poetry_uploads_the_newest_version_of_its_own_project(workdir: Workdir) -> None:
    """PEP 440 decides which version is newest, not the alphabet or the clock."""
    workdir.write("pyproject.toml", '[tool.poetry]\nname = "My.Demo"\n')
    for version in ("1.10", "1.9", "1.10rc1"):
        workdir.wheel("my_demo", version)
        workdir.sdist("my_demo", version)
    workdir.wheel("other", "9.0")
    workdir.wheel("my_demo_extra", "9.0")
    workdir.write("dist/my_demo-unversioned.tar.gz", "x")
    workdir.write("dist/my_demo.whl", "x")
    assert workdir.files("poetry publish") == [
        "dist/my_demo-1.10-py3-none-any.whl",
        "dist/my_demo-1.10.tar.gz",
    ]
    workdir.write("pyproject.toml", '[project]\nname = "third"\n[tool.poetry]\nname = "My.Demo"\n')
    with pytest.raises(Refused, match="disagree which one"):
        workdir.files("poetry publish")


# -- which files: what the real tools do -----------------------------------------


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse() as index:
        yield index


#: Each tool's arguments, and its variables for URL, user name and password.
REAL: dict[str, tuple[str, tuple[str, str, str]]] = {
    "twine": (
        "upload --non-interactive dist/*",
        ("TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD"),
    ),
    "uv": ("publish", ("UV_PUBLISH_URL", "UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD")),
    "uv directory": (
        "publish --directory sub",
        ("UV_PUBLISH_URL", "UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD"),
    ),
    "hatch": ("publish", ("HATCH_INDEX_REPO", "HATCH_INDEX_USER", "HATCH_INDEX_AUTH")),
    "poetry": (
        "publish -r local",
        (
            "POETRY_REPOSITORIES_LOCAL_URL",
            "POETRY_HTTP_BASIC_LOCAL_USERNAME",
            "POETRY_HTTP_BASIC_LOCAL_PASSWORD",
        ),
    ),
    "poetry dist-dir": (
        "publish -r local --dist-dir sub/dist",
        (
            "POETRY_REPOSITORIES_LOCAL_URL",
            "POETRY_HTTP_BASIC_LOCAL_USERNAME",
            "POETRY_HTTP_BASIC_LOCAL_PASSWORD",
        ),
    ),
    "pdm": (
        "publish --no-b",
        ("PDM_PUBLISH_REPO", "PDM_PUBLISH_USERNAME", "PDM_PUBLISH_PASSWORD"),
    ),
    "maturin": (
        f"upload {SDIST} {WHEEL}",
        ("MATURIN_REPOSITORY_URL", "MATURIN_USERNAME", "MATURIN_PASSWORD"),
    ),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_the_real_tool_uploads_the_shown_files(
    workdir: Workdir, index: Warehouse, name: str
) -> None:
    """secretly shows exactly the files that the real tool uploads."""
    program = tool(name.split()[0])
    project(workdir.folder)
    workdir.sdist()
    workdir.wheel("demo", "0.9")
    workdir.wheel("other", "2.0")
    workdir.wheel("demo", "3.0", folder="sub/dist")
    if name in ("uv", "hatch", "poetry"):
        workdir.wheel("deep", folder="dist/sub")
    if name == "hatch":
        wheel(workdir.folder / "dist", "hidden", name=".hidden-1.0-py3-none-any.whl")
    arguments, variables = REAL[name]
    given = dict(zip(variables, (index.url, "__token__", index.token()), strict=True))
    home = {"HOME": str(workdir.folder / "home"), "PATH": os.defpath}
    planned = workdir.examine(f"{shlex.quote(program)} {arguments}", {**given, **home})
    environ = {**given, **home, **NO_ENVIRONMENT}
    done = subprocess.run(
        [program, *arguments.split()], env=environ, capture_output=True, timeout=60
    )
    if name == "pdm" and done.returncode:
        pytest.skip("the pdm that is installed does not publish")
    assert done.returncode == 0, done
    uploaded = sorted((upload.file, upload.project) for upload in index.uploads)
    assert uploaded == sorted((os.path.basename(f.path), f.project) for f in planned.files)
    assert index.statuses == [200] * len(planned.files)
    assert planned.destination.shown == index.host


#: Archives in which a real tool reads another project than the one in the usual place.
MISTAKEN: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "hatch current folder": ("tar", [("./PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")]),
    "hatch backslash": (
        "whl",
        [("x\\y.dist-info/METADATA", "other"), ("demo-1.0.dist-info/METADATA", "demo")],
    ),
    "hatch other folder": ("tar", [("other/PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")]),
    "hatch twice": ("tar", [("demo-1.0/PKG-INFO", "demo"), ("demo-1.0/PKG-INFO", "other")]),
    "maturin two slashes": (
        "tar",
        [("demo-1.0//PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")],
    ),
    "maturin current folder": (
        "tar",
        [("demo-1.0/./PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")],
    ),
    "maturin root": ("tar", [("/demo-1.0/PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")]),
    "maturin deeper": (
        "tar",
        [("demo-1.0/A.egg-info/PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")],
    ),
    "twine no folder": (
        "whl",
        [("METADATA", "other"), ("demo-1.0.dist-info/METADATA", "demo")],
    ),
    "pdm root": ("tar", [("/demo-1.0/PKG-INFO", "other"), ("demo-1.0/PKG-INFO", "demo")]),
    "pdm no folder": ("tar", [("demo-1.0/PKG-INFO", "demo"), ("PKG-INFO", "other")]),
    "pdm current folder": (
        "whl",
        [("./demo-1.0.dist-info/METADATA", "other"), ("demo-1.0.dist-info/METADATA", "demo")],
    ),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", MISTAKEN)
def test_what_the_real_tool_takes_for_another_project_is_refused(
    workdir: Workdir, index: Warehouse, name: str
) -> None:
    """Without secretly, the real tool uploads these archives to the project ``other``."""
    command = name.split()[0]
    program = tool(command)
    kind, members = MISTAKEN[name]
    path = workdir.folder / (WHEEL if kind == "whl" else SDIST)
    workdir.write("pyproject.toml", PROJECT)
    path.parent.mkdir()
    make = zipped if kind == "whl" else tarred
    make(path, *[(member, metadata(project)) for member, project in members])
    file = os.path.relpath(path)
    words = {"hatch": f"publish {file}", "pdm": "publish --no-build"}.get(command, f"upload {file}")
    given = dict(zip(REAL[command][1], (index.url, "__token__", index.token()), strict=True))
    environ = {**given, "HOME": str(workdir.folder / "home"), "PATH": os.defpath}
    done = subprocess.run(
        [program, *words.split()],
        env={**environ, **NO_ENVIRONMENT},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert [upload.project for upload in index.uploads] == ["other"]
    with pytest.raises(Refused, match=re.escape(file)):
        workdir.examine(f"{shlex.quote(program)} {words}", environ)


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", ["A-PKG-INFO", "PKG-INFO-x", "PKG-INFO"])
def test_what_twine_5_takes_for_another_project_is_refused(workdir: Workdir, name: str) -> None:
    """twine 5 reads source distributions with pkginfo, which takes the shortest path."""
    path = workdir.folder / SDIST
    path.parent.mkdir()
    tarred(path, ("demo-1.0/PKG-INFO", metadata("demo")), (name, metadata("other")))
    assert need_package("pkginfo").SDist(str(path)).name == "other"
    with pytest.raises(Refused, match=re.escape(SDIST)):
        workdir.examine(f"twine upload {SDIST}", {})


# -- tools that build first ------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "flit publish",
        "flit -f pyproject.toml publish --format wheel",
        "poetry publish --build",
        "poetry publish --build --dist-dir out",
        "pdm publish",
        "pdm publish -d out",
        "maturin publish",
        "maturin publish --no-sdist -i python3.12 -m Cargo.toml",
    ],
)
def test_a_release_that_is_built_first_has_no_files_yet(workdir: Workdir, line: str) -> None:
    """Files in ``dist`` may be of another release. The token is valid for 60 minutes."""
    workdir.write("pyproject.toml", '[project]\nname = "My.Demo"\nversion = "2.0"\n')
    workdir.wheel("old", "1.0")
    planned = workdir.examine(line)
    assert (planned.builds, planned.files, planned.expires) == (True, (), 3600)
    assert (planned.projects, planned.version) == (["my-demo"], "2.0")
    text = planned.consent("/usr/bin/tool", ["tool", "publish"]).text("__token__")
    assert upload_wording.upload_line("my-demo 2.0") + "\n" in text
    assert upload_wording.note_line(upload_wording.BUILDS_FIRST) + "\n" in text
    assert "sha256" not in text


DYNAMIC = "[project]\nname='demo'\ndynamic=['version']\n"


@pytest.mark.parametrize(
    ("line", "text", "project", "version"),
    [
        ("flit publish", "[project]\nname='My.Demo'\ndynamic=['version']", "my-demo", ""),
        ("flit publish", "[tool.flit.metadata]\nmodule = 'my_demo'", "my-demo", ""),
        (
            "flit publish",
            "[tool.flit.metadata]\nmodule = 'm'\ndist-name = 'my_demo'",
            "my-demo",
            "",
        ),
        ("poetry publish --build", "[tool.poetry]\nname='my_demo'\nversion='1'", "my-demo", "1"),
        (
            "poetry publish --build",
            "[tool.poetry]\nname='demo'\nversion='0'\n[tool.poetry-dynamic-versioning]\nenable=true",
            "demo",
            "",
        ),
        ("flit publish", f"{DYNAMIC}[tool.poetry]\nname='a'\nversion='9'", "demo", ""),
        ("pdm publish", f"{DYNAMIC}[tool.poetry]\nname='a'\nversion='9'", "demo", ""),
        ("maturin publish", f"{DYNAMIC}[tool.poetry]\nname='a'\nversion='9'", "demo", ""),
        (
            "flit publish",
            "[tool.poetry]\nname='a'\nversion='9'\n[tool.flit.metadata]\nmodule='demo'",
            "demo",
            "",
        ),
    ],
)
def test_before_a_build_the_settings_name_the_project(
    workdir: Workdir, line: str, text: str, project: str, version: str
) -> None:
    """A version that the build determines is not yet known. Another tool's settings don't count."""
    workdir.write("pyproject.toml", text)
    planned = workdir.examine(line)
    assert (planned.projects, planned.version) == ([project], version)
    shown = planned.described("__token__")[0]
    assert shown == upload_wording.upload_line(
        f"{project} {version or upload_wording.UNKNOWN_VERSION}"
    )


@pytest.mark.parametrize(
    "line",
    ["maturin publish -m sub/Cargo.toml", "maturin publish --manifest-path=sub/Cargo.toml"],
)
def test_maturins_manifest_names_the_project(workdir: Workdir, line: str) -> None:
    """Cargo.toml names the project, unless a pyproject.toml in the same folder does."""
    workdir.write("Cargo.toml", '[package]\nname = "wrong"\n')
    workdir.write("sub/Cargo.toml", '[package]\nname = "my_crate"\nversion = "0.3.0"\n')
    planned = workdir.examine(line)
    assert (planned.projects, planned.version) == (["my-crate"], "0.3.0")
    workdir.write("sub/Cargo.toml", '[package]\nname = "c"\nversion.workspace = true\n')
    assert (workdir.examine(line).projects, workdir.examine(line).version) == (["c"], "")
    parents = workdir.write("pyproject.toml", '[project]\nname = "whole"\nversion = "9"\n')
    planned = workdir.examine(line)  # maturin takes a parent's, but not out of any workspace
    assert (planned.projects, planned.version) == (None, "")
    workdir.write("sub/pyproject.toml", '[project]\nname = "My-Package"\n')
    assert workdir.projects(line) == ["my-package"]
    parents.write_text("[tool.maturin]\nmanifest-path = 'sub/Cargo.toml'\n")
    assert workdir.projects("maturin publish") == ["c"]


@pytest.mark.parametrize(
    "line", ["flit -f sub/other.toml publish", "flit --ini=sub/other.toml publish"]
)
def test_flits_project_is_in_the_named_file(workdir: Workdir, line: str) -> None:
    """flit's file may have any name, and be next to a pyproject.toml of another project."""
    workdir.write("pyproject.toml", '[project]\nname = "wrong"\n')
    workdir.write("sub/pyproject.toml", '[project]\nname = "wrong"\n')
    workdir.write("sub/other.toml", PROJECT)
    assert workdir.projects(line) == ["demo"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "project = 1",
        "[project]",
        "[project]\nname = 1",
        "[project]\nname = ''",
        "[project]\nname = 'a b'\nversion = '1'",
        "[project]\nname = '\u202edemo'",
        "[tool]\nflit = 1\npoetry = []",
        "[tool.flit]\nmetadata = 1",
    ],
)
def test_without_a_name_in_the_settings_the_project_is_unknown(workdir: Workdir, text: str) -> None:
    """For an unknown project, the token only gets an expiry, and the dialog says so."""
    workdir.write("pyproject.toml", text)
    planned = workdir.examine("flit publish")
    assert planned.projects is None
    assert planned.described("__token__")[0] == upload_wording.upload_line("")


def test_settings_that_cannot_be_read_are_refused(workdir: Workdir) -> None:
    """secretly needs the settings to learn the project's name."""
    workdir.write("pyproject.toml", "[")
    with pytest.raises(Refused, match=r"pyproject\.toml"):
        workdir.examine("flit publish")


# -- projects and versions -------------------------------------------------------


def test_the_metadata_names_the_projects(workdir: Workdir) -> None:
    """Each project is normalized and named once, whatever its files are called."""
    wheel(workdir.folder / "dist", "My.Demo", "1.0", "a-1.0-py3-none-any.whl")
    wheel(workdir.folder / "dist", "my_demo", "1.0", "b-1.0-py3-none-any.whl")
    wheel(workdir.folder / "dist", "Another", "1.0", "c-1.0-py3-none-any.whl")
    assert workdir.projects("twine upload 'dist/*'") == ["another", "my-demo"]


def test_the_dialog_names_each_project_with_its_versions(workdir: Workdir) -> None:
    """It also notes that there are several."""
    workdir.wheel("demo", "1.0")
    assert workdir.examine("uv publish").described("__token__")[:3] == [
        upload_wording.upload_line("demo 1.0"),
        upload_wording.index_line("PyPI"),
        upload_wording.user_line("__token__"),
    ]
    workdir.wheel("Demo", "1.1")
    workdir.wheel("other", "2.0")
    assert workdir.examine("uv publish").described("__token__")[:5] == [
        upload_wording.upload_line("demo 1.0 and 1.1, other 2.0"),
        upload_wording.index_line("PyPI"),
        upload_wording.user_line("__token__"),
        upload_wording.limits_line(2, 15, certain=True),
        upload_wording.note_line(upload_wording.SEVERAL_VERSIONS),
    ]


def test_two_projects_may_have_a_version_each(workdir: Workdir) -> None:
    """Different versions of different projects are normal, so the dialog has no note."""
    workdir.wheel("demo", "1.0")
    workdir.sdist("demo", "1.0")
    workdir.wheel("other", "2.0")
    assert NOTE not in "".join(workdir.examine("uv publish").described("__token__"))


@pytest.mark.parametrize(
    ("version", "note"),
    [
        ("1.0.dev3", upload_wording.development_version("1.0.dev3")),
        ("1.0+local.dev3", None),
        ("1.0rc1", None),
        ("1!2.0.post1", None),
        ("banana", upload_wording.odd_version("banana")),
        ("1.0 ; x", upload_wording.odd_version("1.0 ; x")),
        ("1" * 9000, upload_wording.odd_version(f"{'1' * 20}…{'1' * 19}")),
    ],
)
def test_an_odd_version_is_noted(workdir: Workdir, version: str, note: str | None) -> None:
    """The dialog notes an odd version, because an upload can't be undone."""
    wheel(workdir.folder / "dist", "demo", version, "demo-1.0-py3-none-any.whl")
    described = workdir.examine("uv publish --publish-url https://example.org/").described(
        "__token__"
    )
    notes = [line for line in described if line.startswith(NOTE)]
    assert notes == ([upload_wording.note_line(note)] if note else [])


def test_an_odd_version_is_noted_before_building_too(workdir: Workdir) -> None:
    """If the settings give the version."""
    workdir.write("pyproject.toml", '[project]\nname = "demo"\nversion = "1.0.dev1"\n')
    described = workdir.examine("flit publish").described("__token__")
    assert described[4:5] + described[6:7] == [
        upload_wording.note_line(upload_wording.BUILDS_FIRST),
        upload_wording.note_line(upload_wording.development_version("1.0.dev1")),
    ]


# -- refusals --------------------------------------------------------------------


@pytest.mark.parametrize("line", ["hatch publish", "poetry publish"])
def test_files_that_the_tool_ignores_do_not_count(workdir: Workdir, line: str) -> None:
    """An old egg in ``dist`` doesn't matter to a tool that ignores eggs."""
    workdir.write("pyproject.toml", '[project]\nname = "demo"\n')
    wanted = [workdir.wheel()]
    workdir.write("dist/demo-1.0-py3.11.egg")
    assert workdir.files(line) == wanted
    assert workdir.projects(line) == ["demo"]


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("hatch -p other publish", {}),
        ("hatch --project=other publish", {}),
        ("hatch publish", {"HATCH_PROJECT": "other"}),
    ],
)
def test_an_unknown_project_folder_is_refused(
    workdir: Workdir, line: str, environ: Mapping[str, str]
) -> None:
    """A project's name doesn't say where its folder is."""
    workdir.wheel()
    with pytest.raises(Refused) as caught:
        workdir.files(line, environ)
    assert caught.value.hint


@pytest.mark.parametrize("line", ["hatch publish -p index", "hatch publish -p index -r main"])
def test_hatchs_publisher_option_does_not_name_a_project(workdir: Workdir, line: str) -> None:
    """After the subcommand, ``-p`` names a publisher instead of a project."""
    workdir.wheel()
    assert workdir.files(line) == [WHEEL]


@pytest.mark.parametrize(
    ("line", "environ", "steered"),
    [
        ("uv run --directory o twine upload x", {}, "uv run with --directory"),
        ("uv --project o run twine upload x", {}, "uv run with --project"),
        ("uv run --env-file .env twine upload x", {}, "uv run with --env-file"),
        ("uv run twine upload x", {"UV_WORKING_DIR": "o"}, "uv run with UV_WORKING_DIR"),
        ("uv run twine upload x", {"UV_ENV_FILE": "o"}, "uv run with UV_ENV_FILE"),
        ("uvx --directory o twine upload x", {}, "uvx with --directory"),
        ("uv tool run twine upload x", {"UV_ENV_FILE": "o"}, "uv tool run with UV_ENV_FILE"),
        ("poetry -C o run twine upload x", {}, "poetry run with -C"),
        ("poetry -P o run twine upload x", {}, "poetry run with -P"),
        ("pdm run -p o twine upload x", {}, "pdm run with -p"),
        ("hatch -p o run twine upload x", {}, "hatch run with -p"),
    ],
)
def test_a_launcher_that_works_elsewhere_is_refused(
    workdir: Workdir, line: str, environ: Mapping[str, str], steered: str
) -> None:
    """secretly can't determine what a launcher uploads from another folder or environment."""
    workdir.wheel()
    with pytest.raises(Refused, match=rf"{steered}(\n|$)") as caught:
        workdir.examine(line.replace(" x", f" {WHEEL}"), environ)
    assert caught.value.hint


@pytest.mark.parametrize("launcher", ["uv run", "poetry run", "pdm run", "hatch run"])
def test_the_dialog_names_the_launcher(workdir: Workdir, launcher: str) -> None:
    """With a launcher, the project may replace the program and its variables."""
    workdir.wheel()
    planned = workdir.examine(f"{launcher} twine upload {WHEEL}")
    note = upload_wording.note_line(upload_wording.launcher_note(launcher, "twine"))
    assert note in planned.described("__token__")
    assert note in unwrapped(planned.consent(PROGRAM, ARGV).text("__token__")).split("\n")
    assert not any(
        line.startswith(NOTE)
        for line in workdir.examine(f"twine upload {WHEEL}").described("__token__")
    )


def test_the_dialog_warns_of_http(workdir: Workdir) -> None:
    """The dialog warns of plain HTTP, but not of HTTPS or an index on this machine."""
    workdir.wheel()
    note = upload_wording.note_line(upload_wording.PLAIN_HTTP)
    for url, told in (("http://a.example/", 1), ("https://a.example/", 0), ("http://[::1]/", 0)):
        planned = workdir.examine(f"uv publish --publish-url {url}")
        assert (
            unwrapped(planned.consent(PROGRAM, ARGV).text("__token__")).split("\n").count(note)
            == told
        )


def test_a_deleted_working_folder_is_refused(
    workdir: Workdir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted folder has nothing to upload."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(Refused, match="folder") as caught:
        workdir.files("twine upload dist/x.whl")
    assert caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "twine upload",
        "twine upload -r testpypi",
        "twine upload 'dist/*'",
        f"twine upload {WHEEL}",
        f"twine upload {WHEEL} README.md",
        "uv publish",
        "uv publish nothing.whl",
        "hatch publish",
        "hatch publish empty",
        "poetry publish",
        "poetry publish --dist-dir empty",
        "pdm publish --no-build",
        "maturin upload",
        "maturin upload target/wheels/x.whl",
    ],
)
def test_an_upload_without_files_is_refused(workdir: Workdir, line: str) -> None:
    """If there is nothing to upload, the error comes before any prompt."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.write("README.md")
    (workdir.folder / "empty").mkdir()
    with pytest.raises(Refused, match="no file") as caught:
        workdir.examine(line)
    assert caught.value.hint


def test_hatch_skips_a_missing_file(workdir: Workdir) -> None:
    """What the dialog shows is what hatch finds; if that is nothing, secretly refuses."""
    workdir.wheel("demo", "1.0")
    found = workdir.examine(f"hatch publish {WHEEL} dist/demo-1.0.tar.gz gone")
    assert [file.path for file in found.files] == [WHEEL]
    with pytest.raises(Refused, match=r"found no file to upload: gone"):
        workdir.examine("hatch publish gone")


def test_one_missing_file_is_refused_by_its_name(workdir: Workdir) -> None:
    """The error names the missing file, escaped and short."""
    workdir.wheel()
    for name, shown in (("dist/gone.whl", "dist/gone.whl"), ("\x1b[2J.whl", r"\x1b[2J.whl")):
        with pytest.raises(Refused) as caught:
            workdir.examine(f"twine upload {WHEEL} {shlex.quote(name)}")
        assert str(caught.value).endswith(f": {shown}")
    with pytest.raises(Refused) as caught:
        workdir.examine(f"twine upload {'x' * 500}.whl")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("pattern", ["**", "dist/**", "**/*.whl", "dist/**/*"])
def test_a_pattern_over_folders_is_refused(workdir: Workdir, pattern: str) -> None:
    """``**`` means ``*`` to twine, and any number of folders to uv."""
    workdir.wheel()
    workdir.wheel("deep", folder="dist/sub")
    for command in ("twine upload", "uv publish"):
        with pytest.raises(Refused, match=re.escape(pattern)) as caught:
            workdir.examine(f"{command} '{pattern}'")
        assert caught.value.hint


def test_a_broken_file_is_refused(workdir: Workdir) -> None:
    """The error about a broken file comes before any program gets the token."""
    workdir.write(WHEEL, "half of it")
    for line in ("uv publish", "twine upload 'dist/*'"):
        with pytest.raises(Refused, match=re.escape(WHEEL)):
            workdir.examine(line)


def test_a_folder_that_cannot_be_read_is_refused(workdir: Workdir) -> None:
    """secretly must list the files in the folder before the tool uploads them."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (workdir.folder / "dist").mkdir(mode=0)
    with pytest.raises(Refused, match=r"dist/?: Permission denied"):
        workdir.examine("uv publish")


def test_a_local_version_is_refused_only_for_pypi(workdir: Workdir) -> None:
    """PyPI would reject a local version after the upload, but other indexes accept one."""
    workdir.wheel("demo", "1.0+cu12")
    for line, name in (
        ("twine upload 'dist/*'", "PyPI"),
        ("uv publish", "PyPI"),
        ("twine upload -r testpypi 'dist/*'", "TestPyPI"),
        ("hatch publish -r test", "TestPyPI"),
    ):
        with pytest.raises(Refused, match=rf"^{name} .*1\.0\+cu12(\n|$)"):
            workdir.examine(line)
    for line in (
        "twine upload --repository-url https://example.org/ 'dist/*'",
        "uv publish --publish-url https://example.org/",
        "twine upload -r testpypi --repository-url http://127.0.0.1/ 'dist/*'",
    ):
        assert workdir.projects(line) == ["demo"]


def test_an_empty_user_name_is_refused_only_for_pypi(workdir: Workdir) -> None:
    """uv and maturin would send it, and PyPI would reject the upload."""
    workdir.wheel("demo", "1.0")
    for line, option in (
        ("uv publish", "--publish-url"),
        ("maturin upload dist/demo-1.0-py3-none-any.whl", "--repository-url"),
    ):
        with pytest.raises(Refused, match="would send an empty user name, and PyPI takes"):
            workdir.examine(f"{line} -u=")
        found = workdir.examine(f"{line} -u= {option} http://127.0.0.1/")
        assert found.destination.username == ""


def test_a_local_version_is_refused_if_settings_say_where_pypi_is(
    workdir: Workdir,
) -> None:
    """With another URL the index is still PyPI, which rejects local versions."""
    workdir.write(".pypirc", "[pypi]\nrepository = https://upload.pypi.example/legacy/\n")
    workdir.wheel("demo", "1.0+cu12")
    with pytest.raises(Refused, match=r"^PyPI .*1\.0\+"):
        workdir.examine("twine upload 'dist/*'", {"HOME": str(workdir.folder)})
    workdir.write("pyproject.toml", '[project]\nname = "demo"\nversion = "1.0+local"\n')
    with pytest.raises(Refused, match=r"^PyPI .*1\.0\+"):
        workdir.examine("flit publish")


# -- the lifetime of the token ---------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expires", "seconds"),
    [
        ("uv publish", None, 900),
        ("pdm publish --no-build", None, 900),
        ("pdm publish", None, 3600),
        ("poetry publish --build", None, 3600),
        ("uv publish", 60, 60),
        ("pdm publish", 60, 60),
        ("uv publish", 7200, 3600),
        ("uv publish", 0, 3600),
        ("pdm publish", 0, 3600),
    ],
)
def test_a_token_is_valid_for_15_minutes(
    workdir: Workdir, line: str, expires: float | None, seconds: float
) -> None:
    """If the tool builds first, an hour is the default. It is the longest, too."""
    workdir.write("pyproject.toml", PROJECT)
    workdir.wheel()
    assert workdir.examine(line, expires=expires).expires == seconds


def padded(path: Path, size: int) -> None:
    """Make a wheel of that size."""
    headers = 2 * len("zeros") + 30 + 46
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("zeros", bytes(size - path.stat().st_size - headers))


@pytest.mark.parametrize(
    ("sizes", "expires", "seconds"),
    [
        ([4_000_000, 4_000_000], 10, 16),
        ([4_000_000, 4_000_000], 20, 20),
        ([4_000_000, 4_000_000], 0, 3600),
        ([4_000_000], 1, 8),
    ],
)
def test_large_files_get_a_longer_token(
    workdir: Workdir, sizes: Sequence[int], expires: float | None, seconds: float
) -> None:
    """The token lasts at least twice as long as an upload at 1 MB/s."""
    for number, size in enumerate(sizes):
        padded(workdir.folder / workdir.wheel("demo", f"{number}.0"), size)
    planned = workdir.examine("uv publish", expires=expires)
    assert [file.size for file in planned.files] == sizes
    assert planned.expires == seconds


@pytest.mark.parametrize(("size", "seconds"), [(460_000_000, 920), (5 << 30, 3600)])
def test_a_large_file_makes_a_token_valid_for_an_hour_at_most(size: int, seconds: int) -> None:
    """A token is valid for an hour at most, whatever the size of the files."""
    files = (Distribution("demo.whl", size, "0" * 64, "demo", "1.0"),)
    assert lifetime(release(files=files), None) == seconds


# -- the token: which index ------------------------------------------------------


def at(url: str) -> Destination:
    """Return an index given by its URL."""
    return Destination("", url.partition("://")[2].partition("/")[0], url)


DESTINATIONS = {
    "PyPI": Destination("pypi", "PyPI"),
    "TestPyPI": Destination("testpypi", "TestPyPI"),
    "hatch's main": Destination("main", "PyPI"),
    "its host": at("https://pypi.example/legacy/"),
    "its port": at("https://PyPI.example:8443/legacy/"),
    "its upload host": at("https://upload.pypi.example/legacy/"),
    "its upload host by name": Destination("pypi", "PyPI", "https://upload.pypi.example/legacy/"),
    "test host": at("https://test.pypi.example/legacy/"),
    "upload.test": at("https://upload.test.pypi.example/legacy/"),
    "loopback": at("http://127.0.0.1:8080/"),
    "IPv6": at("http://[::1]:8080/"),
    "evil": at("https://evil.example/"),
    "evil user": at("https://pypi.example@evil.example/"),
    "evil tail": at("https://upload.pypi.example.evil.example/"),
    "evil head": at("https://xpypi.example/"),
    "upload twice": at("https://upload.upload.pypi.example/"),
    "another sub-host": at("https://files.pypi.example/"),
    "a longer host": at("https://pypi.example.org/"),
    "the domain above": at("https://example/"),
    "by name alone": Destination("internal", "internal"),
    "called like it": Destination("pypi.example", "pypi.example"),
}

LOCATIONS = (
    "pypi.example",
    "PyPI.Example",
    "test.pypi.example",
    "127.0.0.1",
    "evil.example",
    "example",
)

GOOD = {
    "PyPI": {"pypi.example", "PyPI.Example", "127.0.0.1", "evil.example", "example"},
    "TestPyPI": {"test.pypi.example"},
    "hatch's main": {"pypi.example", "PyPI.Example", "127.0.0.1", "evil.example", "example"},
    "its host": {"pypi.example", "PyPI.Example"},
    "its port": {"pypi.example", "PyPI.Example"},
    "its upload host": {"pypi.example", "PyPI.Example"},
    "its upload host by name": {"pypi.example", "PyPI.Example"},
    "test host": {"test.pypi.example"},
    "upload.test": {"test.pypi.example"},
    "loopback": {"127.0.0.1"},
    "evil": {"evil.example"},
    "evil user": {"evil.example"},
    "the domain above": {"example"},
}


def release(target: Destination = DESTINATIONS["PyPI"], **more: object) -> Release:
    """Return a release of ``demo`` by twine."""
    facts: dict[str, object] = {"project": "demo", "version": "1.0", **more}
    return Release("twine", target, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("name", DESTINATIONS)
def test_a_token_goes_to_the_index_that_made_it(name: str, location: str) -> None:
    """A token goes only to its own or its ``upload.`` host, or as the configuration allows."""
    target, value = DESTINATIONS[name], Secret(token(location))
    if location in GOOD.get(name, ()):
        release(target).inspect(value, Entry("PyPI"))
        return
    with pytest.raises(Refused) as caught:
        release(target).inspect(value, Entry("PyPI"))
    for name in ("PyPI", location.lower(), "twine", target.shown):
        assert name in str(caught.value)
    assert f"secretly set {shlex.quote(target.secret)}" in caught.value.hint
    assert f'[secrets."PyPI"] hosts = ["{target.shown}"]' in caught.value.hint
    for allow in {target.shown, target.host or target.shown}:
        release(target).inspect(value, Entry("PyPI", hosts=("other.example", allow)))
    with pytest.raises(Refused):
        release(target).inspect(value, Entry("PyPI", hosts=("", "other.example", location)[:2]))


def test_an_allowed_host_is_that_host_and_port_only(workdir: Workdir) -> None:
    """An allowed host with a port allows no other port. No allowed host includes subdomains."""
    value = Secret(TOKEN)
    entry = Entry("PyPI", hosts=("127.0.0.1:8080", "mine.example"))
    release(at("http://127.0.0.1:8080/")).inspect(value, entry)
    release(at("http://mine.example:1/")).inspect(value, entry)
    for url in ("http://127.0.0.1:8081/", "http://127.0.0.1/", "http://a.mine.example/"):
        with pytest.raises(Refused, match=r"made by pypi\.example"):
            release(at(url)).inspect(value, entry)


def test_names_in_a_refusal_are_escaped() -> None:
    """The terminal would obey escape sequences in a name."""
    target = Destination("inter\x1bnal", "inter\x1bnal")
    with pytest.raises(Refused) as caught:
        release(target).inspect(Secret(TOKEN), Entry("\u202ename"))
    assert str(caught.value).isprintable()
    assert caught.value.hint is not None
    assert caught.value.hint.isprintable()
    assert TOKEN not in str(caught.value) + caught.value.hint


# -- the token: what it allows ---------------------------------------------------

FILES = (
    Distribution("a.whl", 1, "0" * 64, "My.Demo", "1.0"),
    Distribution("b.whl", 1, "0" * 64, "Another", "2.0"),
)


@pytest.mark.parametrize("name", ["PyPI", "PyPI/demo"])
def test_a_token_for_another_project_is_refused(name: str) -> None:
    """The hint says how to store a token for this project."""
    value = Secret(token("pypi.example", [1, ["other", "demo-2"]]))
    with pytest.raises(Refused) as caught:
        release().inspect(value, Entry(name))
    assert re.search(rf"\b{name}\b.*\bdemo\b", str(caught.value))
    assert caught.value.hint == "secretly set PyPI/demo"


@pytest.mark.parametrize(
    ("caveats", "lacking"),
    [
        ([[1, ["another", "my-demo"]]], None),
        ([[1, ["another", "my-demo", "third"]], [1, ["my-demo", "another"]]], None),
        ([{"version": 1, "permissions": "user"}], None),
        ([[1, ["my-demo"]]], "another"),
        ([[1, ["another", "My.Demo"]]], "my-demo"),
        ([[1, ["another", "my-demo"]], [1, ["another"]]], "my-demo"),
        ([[1, []]], "another"),
        ([{"version": 1, "permissions": {"projects": ["my-demo"]}}], "another"),
    ],
)
def test_a_token_must_be_for_every_project(caveats: Sequence[object], lacking: str | None) -> None:
    """The projects of the upload are normalized, and each restriction must allow all of them."""
    planned = release(files=FILES)
    value = Secret(token("pypi.example", *caveats))
    if lacking is None:
        planned.inspect(value, Entry("PyPI"))
    else:
        with pytest.raises(Refused, match=rf"\b{lacking}(\n|$)"):
            planned.inspect(value, Entry("PyPI"))


def test_without_a_known_project_the_index_decides() -> None:
    """secretly can't compare an unknown project with the token's, but the index can."""
    release(project="").inspect(Secret(token("pypi.example", [1, ["demo"]])), Entry("PyPI"))


#: The hint about a token that has expired.
RENEW = "make a new one, then run: secretly set PyPI"


@pytest.mark.parametrize(
    ("end", "start", "why"),
    [
        (60, -60, ""),
        (-1, -60, "expired"),
        (-(10**9), 0, "expired"),
        (7200, 3600, "before"),
    ],
)
def test_a_token_must_be_valid_now(end: int, start: int, why: str) -> None:
    """The index would answer 403 to any other token, after the upload."""
    now = int(time.time())
    value = Secret(token("pypi.example", [0, now + end, now + start]))
    if not why:
        release().inspect(value, Entry("PyPI"))
        return
    with pytest.raises(Refused) as caught:
        release().inspect(value, Entry("PyPI"))
    assert why in str(caught.value)
    assert (format_time(now + start) in str(caught.value)) == (start > 0)
    hint = "check this machine's clock" if start > 0 else RENEW
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "value",
    [
        "pypi-",
        "pypi-canary",
        TOKEN[:-4],
        TOKEN + "AAAA",
        TOKEN + " ",
        "pypi-€",
        f" {TOKEN}",
        f"\n{TOKEN}",
        f"\ufeff{TOKEN}",
        f"'{TOKEN}",
        f'\u00a0"{TOKEN}"',
    ],
)
def test_a_malformed_token_is_refused(value: str) -> None:
    """The error for a malformed token names the secret and shows no part of the token."""
    with pytest.raises(BadToken, match=r"^PyPI: ") as caught:
        release().inspect(Secret(value), Entry("PyPI"))
    assert caught.value.hint
    assert value[5:] not in str(caught.value) or not value[5:]
    with pytest.raises(BadToken):
        release().narrowed(Secret(value), time.time())


@pytest.mark.parametrize("value", ["canary-password", "", "xpypi-1", " canary", "PYPI-AgE"])
@pytest.mark.parametrize("name", ["PyPI", "evil", "by name alone"])
def test_another_kind_of_secret_passes(value: str, name: str) -> None:
    """Other indexes have passwords, which secretly neither checks nor changes."""
    planned, secret = release(DESTINATIONS[name]), Secret(value)
    planned.inspect(secret, Entry("internal"))
    assert planned.narrowed(secret, time.time()) is secret


# -- the token: narrowed ---------------------------------------------------------


def caveats(value: str) -> list[bytes]:
    """Return the raw bytes of each restriction that is a list, with the bytes before the list."""
    data = base64.urlsafe_b64decode(value[5:] + "=" * (-len(value[5:]) % 4))
    return [part for part in data.replace(b"]\0", b"]\n").split(b"\n") if part.endswith(b"]")]


def test_a_narrowed_token_is_for_these_projects_and_this_time() -> None:
    """A narrowed token starts a minute ago, for an index with a slow clock."""
    now = 1_700_000_000.9
    value = Secret(token("pypi.example", [1, ["my-demo", "another", "third"]]))
    planned = release(files=FILES, expires=900)
    scope = token_scope(planned.narrowed(value, now))
    assert scope.location == "pypi.example"
    assert sorted(scope.projects or ()) == ["another", "my-demo"]
    assert (scope.not_before, scope.expires) == (1_700_000_000 - 60, 1_700_000_900)
    written = planned.narrowed(Secret(TOKEN), now)
    assert [part[part.index(b"[") :] for part in caveats(written)] == [
        b"[0, 1700000900, 1699999940]",
        b'[1, ["another", "my-demo"]]',
    ]


def test_an_unknown_project_adds_no_restriction() -> None:
    """Without a project the token only gets an end."""
    now = time.time()
    scope = token_scope(release(project="").narrowed(Secret(TOKEN), now))
    assert scope.projects is None
    assert scope.expires == int(now + 900)


def test_one_file_of_an_unknown_project_leaves_the_project_open() -> None:
    """A token for the known projects alone would make the index reject the other file."""
    files = (*FILES, Distribution("old.egg", 1, "0" * 64))
    assert release(files=files).projects is None


@pytest.mark.parametrize(
    ("project", "later", "good"),
    [("demo", 0, True), ("other", 0, False), ("demo", 899, True), ("demo", 901, False)],
)
def test_the_index_accepts_a_narrowed_token_only_for_this_upload(
    project: str, later: int, good: bool
) -> None:
    """pypitoken, which checks tokens as PyPI does, accepts this project until the expiry."""
    pypitoken = tokens.need_pypitoken()
    now = int(time.time())
    narrowed = pypitoken.Token.load(release().narrowed(Secret(TOKEN), now))
    if good:
        narrowed.check(KEY, project_name=project, now=now + later)
    else:
        with pytest.raises(pypitoken.ValidationError):
            narrowed.check(KEY, project_name=project, now=now + later)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, upload_wording.gets_token("twine", "demo", "{end}")),
        ({"files": FILES}, upload_wording.gets_token("twine", "another, my-demo", "{end}")),
        ({"project": ""}, upload_wording.gets_token("twine", None, "{end}")),
    ],
)
def test_one_line_says_what_the_tool_gets(more: Mapping[str, object], line: str) -> None:
    """secretly reads this line's project and expiry from the narrowed token itself."""
    now = time.time()
    planned = release()._replace(**more)  # type: ignore[arg-type]
    end = format_time(int(now + 900))
    assert planned.said(planned.narrowed(Secret(TOKEN), now)) == line.format(end=end)


def test_the_line_is_short_and_true_for_any_token() -> None:
    """The line shows an earlier expiry of the original token, and shortens a long list."""
    now = int(time.time())
    sooner = Secret(token("pypi.example", [0, now + 300, 0]))
    planned = release()
    assert planned.said(planned.narrowed(sooner, now)).endswith(format_time(now + 300))
    many = tuple(Distribution(f"{n}.whl", 1, "0" * 64, f"project{n}", "1") for n in range(200))
    planned = release(files=many)
    assert len(planned.said(planned.narrowed(Secret(TOKEN), now))) < 260


# -- the dialog ------------------------------------------------------------------

PROGRAM, ARGV = "/opt/bin/twine", ["twine", "upload", "dist/*"]


def unwrapped(text: str) -> str:
    """Return the text as it was before wrapping into lines of 72 characters."""
    lines: list[str] = []
    full = False
    for line in text.split("\n"):
        if full and line.startswith("> "):
            lines[-1] += line[2:]
        else:
            lines.append(line)
        full = len(line) == 72
    return "\n".join(lines)


def test_the_dialog_shows_projects_index_program_and_files(workdir: Workdir) -> None:
    """The dialog also shows the command, and each file with its size and hash."""
    workdir.wheel()
    workdir.sdist()
    hashes = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (WHEEL, SDIST)}
    sizes = {path: os.path.getsize(path) for path in (WHEEL, SDIST)}
    seen = workdir.examine("twine upload -r testpypi 'dist/*'").consent(PROGRAM, ARGV)
    facts = {
        path: upload_wording.file_facts(f"{sizes[path]} bytes", hashes[path][:12])
        for path in (WHEEL, SDIST)
    }
    assert seen.text("__token__").split("\n") == [
        upload_wording.upload_line("demo 1.0"),
        upload_wording.index_line("TestPyPI"),
        upload_wording.user_line("__token__"),
        upload_wording.limits_line(1, 15, certain=True),
        upload_wording.program_line("/opt/bin/twine"),
        upload_wording.command_line("twine upload 'dist/*'"),
        "",
        f"{WHEEL} ({facts[WHEEL]})",
        f"{SDIST} ({facts[SDIST]})",
    ]
    assert seen.listing == ()


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (DESTINATIONS["PyPI"], "PyPI"),
        (DESTINATIONS["hatch's main"], "PyPI"),
        (DESTINATIONS["loopback"], "127.0.0.1:8080"),
        (DESTINATIONS["its upload host by name"], "PyPI (upload.pypi.example)"),
        (DESTINATIONS["by name alone"], "internal"),
        (Destination("mine", "mine", "https://me:canary-1@a.example/"), "a.example (mine)"),
        (Destination("PyPI (no)", "x", "https://a.example/"), "a.example (PyPI (no))"),
        (Destination("a\u202eb", "a\u202eb"), r"a\u202eb"),
    ],
)
def test_the_destination_is_the_host(target: Destination, line: str) -> None:
    """The dialog shows the host and then the tool's name for the index, but no password."""
    assert release(target).consent(PROGRAM, ARGV).text("__token__").split("\n")[
        1
    ] == upload_wording.index_line(line)


def test_a_long_path_is_never_cut() -> None:
    """The path of a program or a file continues in the next line, after a mark."""
    program = "/" + "/".join(f"folder{n:03}" for n in range(30))
    assert len(program) == 300
    seen = release().consent(program, ARGV)
    assert f"\n{upload_wording.program_line(program)}\n" in unwrapped(seen.text("__token__"))
    assert max(map(len, seen.text("__token__").split("\n"))) <= 72
    path = f"{'d' * 290}/demo.whl"
    files = (Distribution(path, 5, "ab" * 32, "demo", "1.0"),)
    seen = release(files=files).consent(PROGRAM, ARGV)
    facts = upload_wording.file_facts("5 bytes", "ab" * 6)
    assert unwrapped(seen.text("__token__")).endswith(f"\n\n{path}\n  {facts}")
    assert seen.listing == ()


@pytest.mark.parametrize("files", [(), FILES])
def test_a_dialog_is_whole_or_refused(files: tuple[Distribution, ...]) -> None:
    """Whatever the length of a path, the dialog is complete or secretly refuses."""
    refused = 0
    for length in range(300, 800):
        program = "/" + "x" * length
        try:
            seen = release(files=files).consent(program, ARGV)
        except Refused as error:
            assert error.hint
            refused += 1
            continue
        assert not refused, "a longer one fits though a shorter one does not"
        assert upload_wording.program_line(program) in unwrapped(seen.text("__token__"))
        if files:
            assert "sha256" in seen.text("__token__")
    assert 50 < refused < 400


def test_too_many_projects_are_refused() -> None:
    """The dialog must name all projects."""
    many = tuple(Distribution(f"{n}", 1, "0" * 64, f"project-{n}", "1.0") for n in range(200))
    with pytest.raises(Refused, match="too long") as caught:
        release(files=many).consent(PROGRAM, ARGV)
    assert caught.value.hint


@pytest.mark.parametrize(("count", "whole"), [(8, True), (9, False), (500, False)])
def test_many_files_are_summed_up(count: int, whole: bool) -> None:
    """The dialog shows count, size and one hash of the file list. The list goes to stderr."""
    files = tuple(Distribution(f"{n}.whl", 1000, f"{n:064x}", "demo", "1") for n in range(count))
    seen = release(files=files).consent(PROGRAM, ARGV)
    if whole:
        assert seen.listing == ()
        assert [line.split()[0] for line in seen.text("__token__").split("\n")[-8:]] == [
            f.path for f in files
        ]
    else:
        assert seen.listing == tuple(f"{file.sha256}  {file.path}" for file in files)
        line = upload_wording.files_line(count, f"{count}.0 kB", "DIGEST").partition("DIGEST")[0]
        assert seen.text("__token__").split("\n")[-1].startswith(line)


@pytest.mark.process
def test_the_hash_over_the_list_is_what_sha256sum_says(workdir: Workdir) -> None:
    """The user can compute the hash with ``sha256sum`` and compare."""
    for number in range(12):
        workdir.wheel("demo", f"{number}.0")
    planned = workdir.examine("twine upload 'dist/*'")
    seen = planned.consent(PROGRAM, ARGV)
    files = shlex.join(file.path for file in planned.files)
    for line, wanted in (
        (f"sha256sum {files}", "\n".join(seen.listing)),
        (f"sha256sum {files} | sha256sum", ""),
    ):
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done
        if wanted:
            assert done.stdout == f"{wanted}\n"
        else:
            assert seen.text("__token__").endswith(f" {done.stdout[:12]}")


def test_the_command_is_left_out_first() -> None:
    """With many or long files the dialog drops the command and shows the files."""
    argv = ["twine", "upload", *(f"dist/{'x' * 80}{n}.whl" for n in range(4))]
    files = tuple(Distribution(path, 1, "0" * 64, "demo", "1.0") for path in argv[2:])
    short = release(files=files[:1]).consent(PROGRAM, argv)
    assert "\n" + upload_wording.command_line("twine upload dist/xxx") in short.text("__token__")
    seen = release(files=files).consent("/" + "p" * 110, argv)
    assert upload_wording.command_line("") not in seen.text("__token__")
    for path in argv[2:]:
        assert path in unwrapped(seen.text("__token__"))


@pytest.mark.parametrize(
    ("odd", "seen"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\n", r"\x0a"),
        ("\u202e", r"\u202e"),
        ("\udcff", r"\xff"),
        ("\u200b", r"\u200b"),
    ],
)
def test_odd_characters_are_shown_as_escapes(workdir: Workdir, odd: str, seen: str) -> None:
    """Odd characters are escaped in file names, versions, the command and the list."""
    for number in range(9):
        wheel(workdir.folder / "dist", name=f"{number}{odd}.whl")
    planned = workdir.examine("hatch publish")
    few = planned._replace(files=planned.files[:2]).consent(PROGRAM, ["uv", odd]).text("__token__")
    assert f"\ndist/0{seen}.whl (" in few
    assert f"{seen}'\n" in few
    assert few.replace("\n", "").isprintable()
    listing = planned.consent(PROGRAM, ["uv"]).listing
    assert len(listing) == 9
    assert listing[0].endswith(f"  dist/0{seen}.whl")
    assert "".join(listing).isprintable()
    version = release(version=f"1.0{odd}").consent(PROGRAM, ["uv"]).text("__token__")
    assert upload_wording.upload_line(f"demo 1.0{seen}") + "\n" in version


TEXTS = st.text(st.characters(), min_size=1, max_size=60)
PATHS = st.builds("dist/{}".format, TEXTS | st.text("xy", max_size=400))


@st.composite
def releases(draw: st.DrawFn) -> Release:
    """Generate any release."""
    names = st.text(st.sampled_from("ab-_."), max_size=30).map("p{}q".format)
    files = st.builds(
        Distribution,
        PATHS,
        st.integers(0, 10**15),
        st.integers(0, 16**64 - 1).map("{:064x}".format),
        st.just("") | names,
        st.sampled_from(["1.0", "2.0.dev1", "banana"]) | TEXTS,
    )
    target = st.sampled_from([*DESTINATIONS.values()]) | st.builds(
        Destination, TEXTS, st.just("x"), st.just("") | st.just("https://packages.example.org:8/")
    )
    some = draw(st.lists(files, max_size=3) | st.lists(files, max_size=20))
    return Release(
        "twine",
        draw(target),
        tuple(some),
        project=draw(st.just("") | names),
        version=draw(st.just("") | TEXTS),
        builds=draw(st.booleans()) and not some,
    )


@given(
    releases(),
    st.text("/pq", max_size=700),
    st.lists(TEXTS, min_size=1, max_size=5),
    st.text("añ\n", max_size=60) | st.just("__token__"),
    st.sampled_from(["", "asked by: make ← zsh", f"asked by: {'←%' * 37}\n{'r' * 39}"]),
)
def test_any_upload_is_shown_whole_or_refused(
    planned: Release, program: str, argv: list[str], username: str, asked_by: str
) -> None:
    """Any dialog fits a pinentry and has every fact, in order, or secretly refuses."""
    try:
        seen = planned.consent(program, argv, asked_by)
        seen.text(username)
    except Refused as error:
        assert error.hint
        return
    question = "q" * 150
    assert assuan.fits("SETDESC", f"{question}\n\n{seen.text(username)}\n\n{asked_by}", keep="\n")
    lines = unwrapped(seen.text(username)).split("\n")
    upload, where, user, token, *more = planned.described(username)
    notes = list(itertools.takewhile(lambda line: line.startswith(NOTE), more))
    head = [upload, where, user, token, upload_wording.program_line(program), *notes]
    assert lines[: len(head)] == head
    rest = lines[len(head) :]
    if rest and rest[0].startswith(upload_wording.command_line("")):
        rest = rest[1:]
    if not planned.files:
        assert rest == []
        return
    assert rest[0] == ""
    listing = [f"{file.sha256}  {escape(file.path)}" for file in planned.files]
    if seen.listing:
        assert list(seen.listing) == listing
        digest = hashlib.sha256("".join(f"{line}\n" for line in listing).encode()).hexdigest()
        assert len(rest) == 2
        assert rest[1].startswith(f"{len(planned.files)} files, ")
        assert rest[1].endswith(f" {digest[:12]}")
    else:
        shown = "\n".join(rest[1:])
        for file in planned.files:
            assert escape(file.path) in shown
            assert f"sha256 {file.sha256[:12]}" in shown


def test_a_listing_shows_every_file(workdir: Workdir) -> None:
    """``--dry-run`` lists every file, and the lifetime of the token."""
    for number in range(20):
        workdir.wheel("demo", f"{number}.0")
    described = workdir.examine("uv publish").described("__token__")
    assert described[1:5] == [
        upload_wording.index_line("PyPI"),
        upload_wording.user_line("__token__"),
        upload_wording.limits_line(1, 15, certain=True),
        upload_wording.note_line(upload_wording.SEVERAL_VERSIONS),
    ]
    assert sum(" (" in line or "sha256" in line for line in described[5:]) == 20
    assert upload_wording.limits_line(1, 60, certain=True) in release(expires=3600).described(
        "__token__"
    )
    several = release(at("https://packages.example/"), files=FILES)
    assert upload_wording.limits_line(2, 15, certain=False) in several.described("__token__")


@pytest.mark.parametrize(
    ("projects", "minutes", "certain", "line"),
    [
        (1, 15, True, "token: this project only, 15 minutes"),
        (3, 60, True, "token: these projects only, 60 minutes"),
        (None, 60, True, "token: 60 minutes, not limited to a project"),
        (2, 15, False, "PyPI token: these projects only, 15 minutes; any other: unchanged"),
    ],
)
def test_the_dialog_says_how_the_token_is_limited(
    projects: int | None, minutes: float, certain: bool, line: str
) -> None:
    """For another index than PyPI the secret may be a password, which can't be narrowed."""
    assert upload_wording.limits_line(projects, minutes, certain=certain) == line


@pytest.mark.parametrize(
    ("line", "build", "upload"),
    [
        ("flit publish", "flit build", "twine upload dist/*"),
        ("pdm publish", "pdm build", "pdm publish --no-build"),
        ("maturin publish", "maturin build -o dist", "maturin upload dist/*"),
        ("poetry publish --build", "poetry build", "poetry publish"),
    ],
)
def test_where_build_code_sees_the_token_two_commands_are_named(
    workdir: Workdir, line: str, build: str, upload: str
) -> None:
    """The first command gets no token, and the second runs no code of the project."""
    workdir.write("pyproject.toml", PROJECT)
    text = unwrapped(workdir.examine(line).consent(PROGRAM, ARGV).text("__token__"))
    assert f"{upload_wording.BUILD_READS} {build} && secretly run {upload}\n" in text


def test_where_other_code_sees_the_token_two_commands_are_named(workdir: Workdir) -> None:
    """Hooks run with the token although nothing is built. twine runs none of them."""
    hooks = '[tool.pdm.scripts]\npre_publish = "true"\n'
    workdir.write("pyproject.toml", f"{PROJECT}{hooks}")
    workdir.wheel()
    text = unwrapped(workdir.examine("pdm publish --no-build").consent(PROGRAM, ARGV).text("x"))
    code = upload_wording.note_line(
        upload_wording.project_code(upload_wording.project_script("pre_publish"))
    )
    assert (
        f"{code}\n{upload_wording.note_line(upload_wording.safer(upload_wording.SAFER))}\n" in text
    )
    assert "twine upload" in upload_wording.SAFER


# -- changes after the dialog ----------------------------------------------------


def test_an_unchanged_release_is_not_changed(workdir: Workdir) -> None:
    """Reading a file is not a change."""
    workdir.wheel()
    before = workdir.examine("uv publish")
    assert changed(before, workdir.examine("uv publish")) == ""


def rewritten(path: Path) -> None:
    """Write the same bytes again."""
    data = path.read_bytes()
    path.write_bytes(data)


def replaced(path: Path) -> None:
    """Replace a file by another file with the same bytes and the same time."""
    facts = path.stat()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    os.replace(copy, path)


def one_byte(path: Path) -> None:
    """Change one byte in an archive's timestamp, and keep the file's own times."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("change", [rewritten, replaced, one_byte])
def test_a_file_that_was_changed_is_named(workdir: Workdir, change: object) -> None:
    """secretly names a file that was written, or replaced by another file."""
    assert callable(change)
    path = workdir.wheel()
    before = workdir.examine("uv publish")
    written = os.stat(path).st_ctime_ns  # a file system's clock may go in steps
    wait_until(lambda: workdir.write("clock").stat().st_ctime_ns > written)
    change(Path(path))
    assert changed(before, workdir.examine("uv publish")).startswith(f"{path} ")


def test_an_added_or_removed_file_is_named(workdir: Workdir) -> None:
    """secretly names an added or removed file, with escapes for odd characters."""
    workdir.wheel()
    before = workdir.examine("hatch publish")
    wheel(workdir.folder / "dist", name="\x1b.whl")
    after = workdir.examine("hatch publish")
    came, went = changed(before, after), changed(after, before)
    assert came == r"dist/\x1b.whl was added"
    assert went == r"dist/\x1b.whl was removed"


def test_another_destination_is_named(workdir: Workdir) -> None:
    """A settings file may change while the user decides."""
    workdir.wheel()
    before = workdir.examine("uv publish")
    workdir.write("uv.toml", "publish-url = 'https://evil.example/'")
    after = workdir.examine("uv publish")
    assert "evil.example" in changed(before, after)


def test_another_project_or_version_is_a_change(workdir: Workdir) -> None:
    """Before a build, project and version are the only facts about a release."""
    workdir.write("pyproject.toml", PROJECT)
    before = workdir.examine("flit publish")
    for text in (PROJECT.replace("1.0", "2.0"), PROJECT.replace("demo", "evil")):
        workdir.write("pyproject.toml", text)
        assert "settings" in changed(before, workdir.examine("flit publish"))
