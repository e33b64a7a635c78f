"""The settings files of pdm: what they say about one index."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import places
from ..errors import Refused
from ..text import escape
from . import user_settings
from .tool_call import table_at

Table = Mapping[str, Any]

#: The keys of an index that a project may set: the others choose certificates, or don't exist.
_FOR_PROJECTS = ("url", "username", "password", "type", "include_packages", "exclude_packages")

#: The keys of a project's ``pdm.toml`` that don't matter to an upload, and its tables. Not among
#: them is ``cache_dir``, from which pdm loads plugins.
_HARMLESS = (
    "check_update build_isolation request_timeout use_uv log_dir "
    "python venv pypi strategy install lock scripts theme global_project"
).split()


class RepositorySettings(NamedTuple):
    """What the settings files say about one index, those that count first.

    :param tables: each table, with its file and whether that is the project's.
    """

    tables: Sequence[tuple[Table, Path, bool]]

    def value(self, key: str) -> tuple[Any, bool]:
        """The value of a key, or None, and whether it is the project's.

        :raises Refused: if a URL, a user name or a path is not a text.
        """
        for table, path, by_project in self.tables:
            if key in table:
                value = table[key]
                if not isinstance(value, bool if key == "verify_ssl" else str):
                    raise _unreadable(path)
                return value, by_project
        return None, False

    def where(self, key: str) -> str:
        """The file that sets a key."""
        return next((os.fspath(path) for table, path, _ in self.tables if key in table), "")


class PdmSettings:
    """The settings files of one call.

    :param read: reads the tables of a file; empty without the file.
    :param folders: the project's folder, then others whose ``pdm.toml`` versions of pdm read.
    :param named: the file that replaces the user's own; None if none is named.
    """

    def __init__(
        self,
        read: Callable[[Path], Table],
        environ: Mapping[str, str],
        folders: Sequence[Path],
        named: str | None,
    ) -> None:
        self._read = read
        self._environ = environ
        self._folders = folders
        self._named = named

    def of_repository(self, repository: str) -> RepositorySettings:
        """What the settings say about an index that is given by its name or its URL.

        :raises Refused: if a file can't be read, or the project's say more than where the index
            is and who you are there.
        """
        for folder in self._folders:
            for name in ("pdm.toml", ".pdm.toml"):
                self._check(folder / name)
        path = self._folders[0] / "pdm.toml"
        project = _find(_indexes(self._read(path), path), repository)
        _check_entry(project, path)
        tables = [(project, path, True)]
        tables += [(table, file, False) for table, file in self._own(repository)]
        return RepositorySettings([each for each in tables if each[0]])

    def _check(self, path: Path) -> None:
        """Refuse what a project's settings file says about more than the project."""
        for key in self._read(path):
            if key == "repository" and path.name == "pdm.toml":
                continue
            if key == "repository":  # versions of pdm fail there
                raise _refused(path, key, "rename the file to pdm.toml")
            if key not in _HARMLESS:
                raise _refused(path, key, "remove it there, or put it into your own settings")

    def _own(self, repository: str) -> list[tuple[Table, Path]]:
        """The user's own table for an index, or that of all users."""
        site, users_file = self._site_file(), self._own_file()
        tables = {name: (table, site) for name, table in _indexes(self._read(site), site).items()}
        if users_file is not None:
            found = self._read(users_file)
            if table_at(found, "global_project").get("fallback") and not self._has_project:
                raise Refused(
                    "can't determine which project would be uploaded: pdm falls back to its global "
                    "one here",
                    "run pdm in a folder with a pyproject.toml",
                )
            tables |= {
                name: (table, users_file) for name, table in _indexes(found, users_file).items()
            }
        # pdm looks at all of them in this order.
        index = _find({name: table for name, (table, _) in tables.items()}, repository)
        return [each for each in tables.values() if each[0] is index]

    @property
    def _has_project(self) -> bool:
        return any((folder / "pyproject.toml").exists() for folder in self._folders)

    def _own_file(self) -> Path | None:
        if self._named is not None:
            # pdm 2.22 takes an empty name for no settings, 2.29 fails.
            return Path(self._named).absolute() if self._named not in ("", os.devnull) else None
        variable = "XDG_CONFIG_HOME"
        folder = user_settings.optional_path(self._environ.get(variable, ""), variable)
        home = Path(places.home_folder(self._environ))
        usual = ".config"
        if sys.platform == "darwin":
            usual = "Library/Application Support"
        return Path(folder or home / usual, "pdm", "config.toml")

    def _site_file(self) -> Path:
        folder = user_settings.system_folders(self._environ)[0]
        if sys.platform == "darwin" and not self._environ.get("XDG_CONFIG_DIRS"):
            folder = "/Library/Application Support"
        return Path(folder, "pdm", "config.toml")


def _indexes(tables: Table, path: Path) -> dict[str, Table]:
    found = tables.get("repository", {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise _unreadable(path)
    return found


def _find(indexes: Mapping[str, Table], repository: str) -> Table:
    """The table of an index. One that is given by URL is found by its URL alone."""
    if "://" in repository:
        return next((each for each in indexes.values() if each.get("url") == repository), {})
    return indexes.get(repository, {})


def _check_entry(table: Table, path: Path) -> None:
    for key, value in table.items():
        if key not in _FOR_PROJECTS and not (key == "verify_ssl" and value is True):
            raise _refused(path, f"{key} for an index", "put it into your own settings")


def _refused(path: Path, key: str, instead: str) -> Refused:
    return Refused(
        f"{escape(os.fspath(path))} sets {escape(key)}, which could change where or how the upload "
        "goes",
        instead,
    )


def _unreadable(path: Path) -> Refused:
    return Refused(
        f"can't read the indexes in {escape(os.fspath(path))}",
        "fix the file: it may name the index",
    )
