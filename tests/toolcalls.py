"""Looks at calls of publishing tools, each in a project's folder with an empty home."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement import cases
from agreement.cases import Case

from secretly.config.model import Configuration
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
        self.known: Configuration = cases.configuration(root)

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
