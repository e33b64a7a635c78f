"""The settings of poetry: variables, the project's files, and the user's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Refused
from ..text import escape
from .tool_call import ToolCall, table_at
from .user_settings import config_file

_URL_VARIABLE = re.compile(r"POETRY_REPOSITORIES_(?P<name>[A-Z_]+)_URL")

#: The tables and keys of a project's ``poetry.toml`` that change nothing of a connection, or that
#: are read here.
_KNOWN = frozenset(
    "repositories http-basic pypi-token keyring certificates virtualenvs installer solver "
    "cache-dir data-dir python requests system-git-client experimental warnings".split()
)


class Setting(NamedTuple):
    """A value, and what sets it.

    :param set_by: the variable, or the path of the file.
    """

    value: object
    set_by: str
    by_project: bool = False
    by_variable: bool = False

    @property
    def text(self) -> str:
        """The value, which must be a text without references to other settings.

        :raises Refused: if it isn't.
        """
        if isinstance(self.value, str) and not re.search(r"{.+?}", self.value):
            return self.value
        raise Refused(
            f"can't read a setting for the upload in {escape(self.set_by)}",
            "give it as plain text there, without {braces}",
        )


class PoetrySettings:
    """What poetry knows of repositories: a variable takes precedence, then the project.

    :param folder: the folder in place of the one with the user's settings.
    """

    def __init__(self, call: ToolCall, folder: str | None) -> None:
        self._call = call
        path = Path(config_file("pypoetry", call.environ))
        if folder:
            path = Path(folder).absolute() / "config.toml"
        #: The files, the one that counts first.
        self.files = (call.project_folder / "poetry.toml", path.with_name("auth.toml"), path)

    def get(self, *keys: str) -> Setting | None:
        """The value under *keys*, or None."""
        variable = variable_of(*keys)
        if variable in self._call.environ:
            by_project = variable in self._call.origins
            return Setting(self._call.environ[variable], variable, by_project, by_variable=True)
        for path in self.files:
            found: object = self._call.read_toml(path)
            for number, key in enumerate(keys):
                found = self._table(found, path, ".".join(keys[:number])).get(key)
                if found is None:
                    break
            else:
                return Setting(found, str(path), by_project=path == self.files[0])
        return None

    def url(self, name: str) -> Setting | None:
        """The URL of a repository, or None.

        Poetry merges the project's sources last, except for the repositories that it knows already.
        It knows only those of variables if there is one.
        """
        found = self.get("repositories", name, "url")
        if found is not None and found.by_variable:
            return found
        source = self._sources.get(name)
        if source and name not in (self._of_variables or self._of_files):
            return Setting(source, "tool.poetry.source of pyproject.toml", by_project=True)
        return found

    def configured(self, name: str) -> bool:
        """Whether poetry looks for credentials and certificates of a repository."""
        return name in (self._of_variables or {*self._of_files, *self._sources})

    def is_regular(self, name: str) -> bool:
        """Whether the variable with its URL makes poetry know a repository of that name."""
        found = _URL_VARIABLE.match(variable_of("repositories", name, "url"))
        return found is not None and _named(found) == name

    def reads_username(self, name: str) -> bool:
        """Whether poetry reads a user's name from a variable, next to the one with the URL.

        It does so for the repositories that it knows: those of files, if no variable has one.
        """
        if _URL_VARIABLE.match(variable_of("repositories", name, "url")) or self._of_variables:
            return self.is_regular(name)
        return self.configured(name)

    def refuse_unknown(self, name: str) -> None:
        """Refuse settings of the project that steer more than the destination.

        :param name: the name of the repository.
        """
        path = self.files[0]
        tables = self._call.read_toml(path)
        known = self._table(tables.get("repositories", {}), path, "repositories")
        repository = self._table(known.get(name, {}), path, f"repositories.{name}")
        trust = self._table(tables.get("certificates", {}), path, "certificates")
        found = [
            *(tables.keys() - _KNOWN),
            *(f"repositories.{name}.{key}" for key in repository.keys() - {"url"}),
            *(
                f"certificates.{key}"
                for key, value in trust.items()
                if key.lower() == name.lower() != "pypi" and not self._is_usual(key, value)
            ),
        ]
        if found:
            raise Refused(
                f"the project sets {escape(found[0])} in poetry.toml, which may change the upload",
                "remove it there; if you mean it, put it into your own settings: poetry config",
            )

    def _is_usual(self, name: str, table: object) -> bool:
        """Whether a project's settings for certificates leave them as they are: ``cert = true``."""
        if not isinstance(table, dict) or not all(value is True for value in table.values()):
            return False
        others = (table_at(self._call.read_toml(path), "certificates") for path in self.files[1:])
        return not any(key.lower() == name.lower() for other in others for key in other)

    @property
    def _of_variables(self) -> set[str]:
        names = map(_URL_VARIABLE.match, self._call.environ)
        return {_named(found) for found in names if found}

    @property
    def _of_files(self) -> set[str]:
        key, names = "repositories", set[str]()
        for path in self.files:
            names |= self._table(self._call.read_toml(path).get(key, {}), path, key).keys()
        return names

    @property
    def _sources(self) -> Mapping[str, object]:
        """The URLs of the project's sources."""
        path = self._call.project_folder / "pyproject.toml"
        tool = self._table(self._call.read_toml(path).get("tool", {}), path, "tool")
        sources = self._table(tool.get("poetry", {}), path, "tool.poetry").get("source", [])
        if not isinstance(sources, list):
            sources = [sources]
        found = (self._table(source, path, "tool.poetry.source") for source in sources)
        return {s["name"]: s["url"] for s in found if isinstance(s.get("name"), str) and "url" in s}

    @staticmethod
    def _table(value: object, path: Path, key: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        raise Refused(
            f"{escape(key)} in {escape(str(path))} is not a table",
            "fix the file: this key must be a table",
        )


def _named(found: re.Match[str]) -> str:
    return found["name"].lower().replace("_", "-")


def variable_of(*keys: str) -> str:
    """The variable for a setting of poetry's."""
    return "_".join(["POETRY", *(key.upper().replace("-", "_") for key in keys)])


def differing(tables: Mapping[str, Any], keys: Collection[str]) -> str:
    """The first key that ``project`` and ``tool.poetry`` give different values."""
    project, tool = tables.get("project"), tables.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    if isinstance(project, dict) and isinstance(poetry, dict):
        for key in keys:
            if key in project and key in poetry and project[key] != poetry[key]:
                return key
    return ""
