"""What a publishing command would upload, and where to."""

from __future__ import annotations

import configparser
import glob
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .commands import Call, Words
from .configuration import PackageIndex
from .display import visible
from .errors import Refused

__all__ = ["Destination", "destination", "projects"]


class Destination(NamedTuple):
    """Where a publishing command would upload to.

    :param repository: the tool's own name for it; empty if it is given by URL.
    :param secret: the name of the secret that belongs to it.
    """

    repository: str
    secret: str

    def filled(self, variable: str) -> str:
        """*variable* with ``{REPOSITORY}`` replaced, as the tools spell it."""
        name = re.sub(r"[^A-Z0-9]", "_", (self.repository or "pypi").upper())
        return variable.replace("{REPOSITORY}", name)


def destination(call: Call, environ: Mapping[str, str]) -> Destination:
    """Find the index that a publishing command would talk to, and so the secret.

    The tool's default index and its test index have secrets of their own names;
    another index has the tool's name for it; one that is given only by URL, its
    host. A known name that a settings file sends elsewhere counts as its URL: a
    PyPI token goes to no other host because a project's settings say so.

    :raises Refused: for a URL without a host.
    """
    index = call.row.index or PackageIndex()
    words = call.taken_apart()
    name = words.last(index.name_options)
    # uv and twine let a URL from the environment win over a name: so do we.
    url = words.last(index.url_options) or _first(environ, index.url_variables)
    name = name or _first(environ, index.name_variables)
    if not url and name is None:
        name, _ = next(_settings(index.name_settings, "", words, index, environ), (None, False))
    if name and "://" in name:
        url = url or name
    if url:
        return Destination("", _host(url))
    name = name or index.default
    url = _pypirc(index, name, words, environ) or _first(environ, index.url_variables, name)
    projects_own = False
    if url is None:
        url, projects_own = next(
            _settings(index.settings, name, words, index, environ), (None, False)
        )
    known = index.names.get(name)
    if known is not None and url is None:
        return Destination(name, known)
    # The person's own settings may say again where the test index is; a project's may not.
    if url is not None and not projects_own and name in ("testpypi", "test"):
        return Destination(name, "TestPyPI" if _host(url).startswith("test.") else _host(url))
    # A project may also call an index of its own 'PyPI'.
    ours = known is not None or name.partition("/")[0] in ("PyPI", "TestPyPI")
    return Destination(name, _host(url) if ours and url is not None else name)


def _host(url: str) -> str:
    try:
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:  # brackets that enclose no IPv6 address
        host = ""
    if not host:
        shown = visible(url.rpartition("@")[2])  # a user name and a password may stand before it
        raise Refused(f"the index URL '{shown}' has no host", "give it as https://host/path")
    return host


def _first(environ: Mapping[str, str], names: tuple[str, ...], repository: str = "") -> str | None:
    """The first variable that is set; with *repository*, of those that are named after it."""
    for name in names:
        value = environ.get(Destination(repository, "").filled(name))
        if value and ("{REPOSITORY}" in name) == bool(repository):
            return value
    return None


def _folder(words: Words, index: PackageIndex) -> Path:
    return Path(words.last(index.folder_options) or ".").absolute()


def _pypirc(index: PackageIndex, name: str, words: Words, environ: Mapping[str, str]) -> str | None:
    if not index.pypirc:
        return None
    parser = configparser.RawConfigParser()
    named = words.last(index.pypirc_options)
    path = os.path.expanduser(named) if named else os.path.join(environ.get("HOME", ""), ".pypirc")
    try:
        parser.read(path, encoding="utf-8")
        return parser.get(name, "repository", fallback=None) or None
    except (configparser.Error, UnicodeDecodeError, OSError):
        raise Refused(
            f"{visible(path)} cannot be read", "mend it: the index stands in it"
        ) from None


def _settings(
    places: tuple[str, ...],
    name: str,
    words: Words,
    index: PackageIndex,
    environ: Mapping[str, str],
) -> Iterator[tuple[str, bool]]:
    """The values that the tool's settings files have, and whether the project's own has it.

    The nearest comes first.
    """
    for place in places:
        file, _, key = place.rpartition(" ")
        for path in _files_named(file, words, _folder(words, index), environ):
            keys = [name if part == "{name}" else part for part in key.split(".")]
            value = _value(_toml(path), keys)
            if isinstance(value, str) and value:
                yield value, not file.startswith(("-", "$", "~", "/"))


def _value(value: Any, keys: list[str]) -> object:
    """What stands under *keys*; in a list of tables, a key is the ``name`` of one."""
    for key in keys:
        if isinstance(value, list):
            value = next((v for v in value if isinstance(v, dict) and v.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _files_named(file: str, words: Words, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    if file.startswith("-"):
        named = words.last([file])
        return [Path(os.path.expanduser(named))] if named else []
    if file.startswith("$"):
        variable, _, rest = file[1:].partition("/")
        return [Path(environ[variable], rest)] if environ.get(variable) else []
    if file.startswith("~/.config/") and environ.get("XDG_CONFIG_HOME"):
        return [Path(environ["XDG_CONFIG_HOME"], file.removeprefix("~/.config/"))]
    if file.startswith("~/"):
        return [Path(environ.get("HOME", ""), file[2:])]
    return [parent / file for parent in (folder, *folder.parents)]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError):
        raise Refused(
            f"{visible(os.fspath(path))} cannot be read", "mend it: it may name the index"
        ) from None


def projects(call: Call) -> list[str]:
    """The names of the projects that a publishing command would upload, normalised.

    They are read from the names of the files that it is given, or, if it is given
    none, of those in ``dist/``, or else from ``pyproject.toml``.
    """
    index = call.row.index or PackageIndex()
    words = call.taken_apart()
    folder = _folder(words, index)
    named = words.words[1:]
    if index.files == "project" and not named:
        named = ["dist/*"]
    found = set(filter(None, map(_project, _files(named, folder))))
    if not found and index.files == "project":
        tables = _toml(folder / "pyproject.toml")
        for key in ("project.name", "tool.poetry.name", "tool.flit.metadata.module"):
            name = _value(tables, key.split("."))
            if isinstance(name, str) and name:
                return [normalised(name)]
    return sorted(found)


def _files(named: list[str], folder: Path) -> Iterator[str]:
    for pattern in named:
        path = os.path.join(folder, pattern)
        if os.path.isdir(path):
            yield from os.listdir(path)
        elif glob.has_magic(pattern) and not os.path.exists(path):
            yield from map(os.path.basename, glob.glob(path))
        else:
            yield os.path.basename(path)


def _project(file: str) -> str | None:
    """The project of a file by its name: the binary and source distribution formats."""
    if file.endswith(".whl") and file.count("-") >= 4:
        return normalised(file.partition("-")[0])
    for ending in (".tar.gz", ".zip"):
        if file.endswith(ending) and "-" in file:
            return normalised(file.removesuffix(ending).rpartition("-")[0])
    return None


def normalised(name: str) -> str:
    """A project's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
