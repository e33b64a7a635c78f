"""The command line of a publishing tool, and the files that were read to understand it."""

from __future__ import annotations

import contextlib
import functools
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import safefiles
from ..config import places
from ..config.command_line import Invocation
from ..errors import Refused
from ..text import escape
from .archives import Readings
from .pypirc import Pypirc, read_pypirc
from .tool import Artifacts, PackageIndex, PublishingTool


class ToolCall:
    """One look at a call of a publishing tool: each file is read once.

    :ivar invocation: the command line.
    :ivar words: its arguments, as the tool's own parser reads them.
    :ivar environ: the environment that the tool will have.
    :ivar readings: the results of reading the files to upload.
    """

    def __init__(
        self,
        invocation: Invocation,
        tool: PublishingTool,
        environ: Mapping[str, str],
        readings: Readings | None = None,
    ) -> None:
        self.invocation = invocation
        self.readings: Readings = {} if readings is None else readings
        self.words = invocation.parsed
        self.environ = environ
        self._tool = tool
        self._tables: dict[Path, dict[str, Any]] = {}

    @property
    def index(self) -> PackageIndex:
        """How the tool chooses its index."""
        return self._tool.package_index

    @property
    def artifacts(self) -> Artifacts:
        """Which files the tool uploads."""
        return self._tool.artifacts

    def value(self, options: Sequence[str]) -> str | None:
        """The value of the last of these options, else of the first ``$VARIABLE`` in them."""
        found = self.words.last(options)
        if found is not None:
            return found
        variables = (name[1:] for name in options if name.startswith("$"))
        return next(filter(None, map(self.environ.get, variables)), None)

    @functools.cached_property
    def start_folder(self) -> Path:
        """The folder in which the tool starts: the working folder, or the one that is named.

        :raises Refused: if the working folder was deleted.
        """
        try:
            return Path(self.value(self.index.folder_options) or ".").absolute()
        except OSError:
            raise Refused("the working folder was deleted", "cd to another folder") from None

    @functools.cached_property
    def named_folder(self) -> Path:
        """The folder in which the tool looks for its project."""
        return self.start_folder / (self.value(self.index.project_options) or "")

    @functools.cached_property
    def project_folder(self) -> Path:
        """The project's folder: the nearest with a ``pyproject.toml``, if there is one."""
        folder = self.named_folder
        found = (f for f in (folder, *folder.parents) if (f / "pyproject.toml").is_file())
        return next(found, folder)

    @functools.cached_property
    def pypirc(self) -> Pypirc:
        """The ``.pypirc`` that the tool reads; an empty one if it reads none.

        :raises Refused: if the file can't be read.
        """
        if not self.index.pypirc:
            return Pypirc("")
        named = self.words.last(self.index.pypirc_options)
        home = places.home_folder(self.environ)
        path = places.expand_user(named, self.environ) if named else os.path.join(home, ".pypirc")
        return read_pypirc(path)

    def read_toml(self, path: Path) -> dict[str, Any]:
        """The tables of a settings file; empty without the file.

        :raises Refused: if the file can't be read.
        """
        if path not in self._tables:
            self._tables[path] = _read_toml(path)
        return self._tables[path]


def _read_toml(path: Path) -> dict[str, Any]:
    # Raised outside: a traceback may show locals, and the parser's hold the file's text.
    with contextlib.suppress(OSError, ValueError, RecursionError):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return tomllib.loads(safefiles.read_file(path).decode("utf-8"))
        return {}
    raise Refused(
        f"can't read {escape(os.fspath(path))}",
        "fix the file: it may name the index or the project",
    )
