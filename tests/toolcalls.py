"""Looks at calls of publishing tools, each in a project's folder with an empty home."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import tokens
from agreement import cases
from agreement.cases import Case
from hypothesis import reject

from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.upload import Upload


class Calls:
    """The calls of one tool in one folder.

    :param tool: the tool's name.
    """

    def __init__(self, tool: str, root: Path) -> None:
        self.tool, self.root = tool, root
        self.home, self.project = root / "home", root / "project"
        for folder in (self.home, self.project):
            folder.mkdir()
        os.chdir(self.project)
        self.known: Configuration = cases.configuration()

    def write(self, files: Mapping[str, str]) -> None:
        """Write files: below the home if their names begin with ``~/``, else in the project."""
        for name, text in files.items():
            path = self.home / name[2:] if name.startswith("~/") else self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))

    def case(self, line: str | tuple[str, ...], environ: Mapping[str, str] | None = None) -> Case:
        """The case of a command line without the tool's name."""
        return Case(tuple(shlex.split(line)) if isinstance(line, str) else line, environ or {})

    def upload(
        self,
        line: str | tuple[str, ...],
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Upload:
        """Look at a call, after writing some files."""
        self.write(files or {})
        return cases.upload(self.tool, self.case(line, environ), self.root, self.known)

    def call(
        self,
        line: str | tuple[str, ...],
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> ToolCall:
        """The adapter's look at a call."""
        return self.upload(line, environ, files)._call

    def pinned(self, upload: Upload) -> Upload:
        """Look at the call as it would be started, with a user name and a secret."""
        case = cases.pinned(self.tool, Case(()), self.root, upload, self.known)
        # What the environment has besides is in the upload's own.
        environ = {**upload._call.environ, **case.environ}
        for name in upload.pin.removes:
            environ.pop(name, None)
        return cases.upload(self.tool, Case(case.arguments, environ), self.root, self.known)


@pytest.fixture(name="root")
def root_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for calls. The working folder is restored after the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_refused(
    calls: Calls, line: str, environ: Mapping[str, str], pypirc: str, words: str
) -> None:
    """secretly refuses a call: the message has these words, and repeats no password."""
    with pytest.raises(Refused) as caught:
        _ = calls.upload(line, environ, {"~/.pypirc": pypirc}).destination
    shown = f"{caught.value}\n{caught.value.hint}"
    assert words in shown
    assert "canary" not in shown


# -- calls that are laid out as cases --------------------------------------------

#: Lays out files, and looks at a call.
Look = Callable[..., Upload]

#: Two indexes: the one that is meant, and the one that settings try to put in its place.
Servers = tuple[tokens.Warehouse, tokens.Warehouse]

#: The URLs that stand for the two indexes.
MEANT, OTHER = "https://a.example/legacy/", "https://b.example/legacy/"


@pytest.fixture(name="known", scope="module")
def known_fixture() -> Configuration:
    """The shipped configuration."""
    return cases.configuration()


@pytest.fixture(name="servers")
def servers_fixture() -> Iterator[Servers]:
    """Two indexes on loopback."""
    with tokens.warehouse() as meant, tokens.warehouse() as other:
        yield meant, other


def looker(tool: str, root: Path, known: Configuration, files: Mapping[str, str]) -> Look:
    """Return what lays out files and looks at a call of a tool.

    :param files: the files that each call has.
    """

    def look(
        line: str, environ: Mapping[str, str] | None = None, more: Mapping[str, str] | None = None
    ) -> Upload:
        case = Case(tuple(line.split()), environ or {}, {**files, **(more or {})})
        cases.lay_out(case, root)
        return cases.upload(tool, case, root, known)

    return look


def assert_goes_where_shown(
    tool: str, known: Configuration, case: Case, hostile: Mapping[str, str]
) -> None:
    """A pinned call leads to the same index and user, whatever settings change meanwhile.

    A call that secretly refuses is rejected: Hypothesis makes another one.

    :param hostile: the settings that are written after the look.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder).resolve()
        patch.chdir(root)
        cases.lay_out(case, root)
        try:
            upload = cases.upload(tool, case, root, known)
            shown = upload.destination
            pinned = cases.pinned(tool, case, root, upload, known)
        except Refused:
            reject()
        cases.lay_out(Case((), {}, hostile), root)
        again = cases.upload(tool, pinned, root, known).destination
        wanted = shown.username
        if wanted is None and not upload.given_by:
            wanted = "__token__"
        assert again.url == shown.url
        assert again.builtin == shown.builtin
        assert again.username == wanted or upload.given_by
        patch.chdir("/")


def assert_really_goes_where_shown(
    path: str, case: Case, hostile: Mapping[str, str], places: tuple[Path, Configuration, Servers]
) -> list[tuple[str, str]]:
    """Run a real tool as secretly pins its call, and return the user names and files that arrived.

    The secret goes to the index that is meant alone, whatever settings change.

    :param path: the tool's path.
    :param case: the call, with MEANT and OTHER in the place of the two indexes.
    :param hostile: the settings that are written after the look.
    :param places: a folder, the shipped configuration, and the two indexes.
    """
    root, known, (meant, other) = places
    tool = os.path.basename(path)

    def filled(text: str) -> str:
        return text.replace(MEANT, meant.url).replace(OTHER, other.url)

    def all_filled(texts: Mapping[str, str]) -> dict[str, str]:
        return {name: filled(text) for name, text in texts.items()}

    words = tuple(map(filled, case.arguments))
    case = Case(words, all_filled(case.environ), all_filled(case.files))
    cases.lay_out(case, root)
    upload = cases.upload(tool, case, root, known)
    assert upload.destination.url == meant.url
    pinned = cases.pinned(tool, case, root, upload, known)
    cases.lay_out(Case((), {}, all_filled(hostile)), root)
    done = subprocess.run(
        [path, *pinned.arguments],
        env={**cases.environ_of(pinned, root), "NO_PROXY": "127.0.0.1"},
        cwd=root / "project",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert meant.uploads, done
    assert not other.uploads
    assert {one.token for one in meant.uploads} == {"canary-secret"}
    return [(one.username, one.file) for one in meant.uploads]
