"""The project that a call of npm works in: its folder, its workspaces, and what it publishes."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ...config.invocation import Words
from ...errors import Refused
from ...text import escape, shorten
from ..options import invalid
from .packages import (
    NpmPackage,
    chosen,
    is_private,
    read_folder,
    read_manifest,
    read_tarball,
    workspaces_of,
)
from .settings import Settings

#: A path that npm takes for one. ``a/b`` is not one: npm takes that for a repository at GitHub, and
#: ``a`` for a package.
_PATH = re.compile(r"\.{1,2}(/.*)?|/.*|[\w.+~-]+(/[\w.+~-]+){2,}|([\w.+~-]+/)+", re.ASCII)
_FILE = re.compile(r"[\w.+~-]+", re.ASCII)

_TARBALL = re.compile(r"(?i)\.(tgz|tar\.gz)$")


def project_folders(words: Words, start: Path) -> list[Path]:
    """The project's folder; if *start* is in one of its workspaces, then that one's as well.

    npm reads the ``.npmrc`` of the first one.

    :param start: the folder in which npm starts.
    """
    if given := words.last(["--prefix"]):
        return [Path(os.path.abspath(given))]
    nearest = next(filter(_is_project, (start, *start.parents)), start)
    if words.last(["--workspaces"]) == "false":
        return [nearest]
    for folder in nearest.parents:
        manifest = read_manifest(folder) if (folder / "package.json").is_file() else None
        if manifest and nearest in workspaces_of(folder, manifest):
            return [folder, nearest]
    return [nearest]


def _is_project(folder: Path) -> bool:
    return (folder / "package.json").is_file() or (folder / "node_modules").is_dir()


class Project:
    """The packages in a project's folders.

    :param words: the command line.
    :param settings: npm's settings.
    :param folders: the project's folder, and that of the workspace in which npm starts.
    """

    def __init__(self, words: Words, settings: Settings, folders: Sequence[Path]) -> None:
        self._words = words
        self._settings = settings
        self.root, *self._nearest = folders

    @functools.cached_property
    def _filters(self) -> list[str]:
        """The workspaces that are named."""
        typed = [v for name, v in self._words.options if name == "--workspace" and v]
        found = self._settings.get("workspace")
        return typed or (found.value.split("\n\n") if found else [])

    @property
    def uses_workspaces(self) -> bool:
        """Whether the call is about workspaces."""
        return bool(self._filters or self._nearest or self._settings.has("workspaces"))

    def published(self, arguments: Sequence[str]) -> list[NpmPackage]:
        """What ``npm publish`` would publish.

        :param arguments: what is named; nothing means the working folder.
        :raises Refused: if that can't be known.
        """
        if len(arguments) > 1:
            raise invalid("npm publishes one folder or file", arguments[1], "name one")
        word = arguments[0] if arguments else "."
        if word == "." and self.uses_workspaces:
            return [read_folder(folder) for folder in self._workspaces()]
        path = bool(_PATH.fullmatch(word))
        if _TARBALL.search(word) and (path or _FILE.fullmatch(word)):
            return [read_tarball(word)]
        if path and not word.lower().endswith(".tar"):
            folder = Path(os.path.abspath(word))
            return [_not_private(read_folder(folder), folder)]
        raise Refused(
            f"can't determine what npm would publish: {escape(shorten(word, 60))}",
            "name a folder as ./FOLDER, or a file that npm pack made: FILE.tgz",
        )

    def _workspaces(self) -> list[Path]:
        """The folders of the workspaces that would be published. npm leaves out private ones."""
        manifest = read_manifest(self.root) or {}
        found = workspaces_of(self.root, manifest)
        folders = list(found)
        if self._filters:
            folders = chosen(found, self._filters, self.root)
        elif self._nearest:  # for npm it is named, even if all are asked for
            folders = self._nearest
        if self._settings.has("include-workspace-root"):
            found[self.root] = manifest
            folders.insert(0, self.root)
        folders = [folder for folder in folders if not is_private(found[folder])]
        if not folders:
            raise Refused("npm publishes no private workspace", "check which one is meant")
        return folders


def _not_private(package: NpmPackage, folder: Path) -> NpmPackage:
    if is_private(read_manifest(folder) or {}):
        raise Refused(
            f"{package.shown} says that the package is private: npm refuses to publish it",
            "remove private there, if you mean it",
        )
    return package
