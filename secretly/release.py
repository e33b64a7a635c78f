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
from .configuration import Index
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
    index = call.row.index or Index()
    words = call.taken_apart()
    name = words.last(index.name_options)
    # uv and twine let a URL from the environment win over a name: so do we.
    url = words.last(index.url_options) or _first(environ, index.url_variables, name or "pypi")
    name = name or _first(environ, index.name_variables)
    if not url and name is None:
        name = next(_settings(index.name_settings, "", words, index, environ), None)
    if name and "://" in name:
        url = url or name
    if url:
        return Destination("", _host(url))
    name = name or index.default
    url = _pypirc(index, name, words, environ)
    url = url or next(_settings(index.settings, name, words, index, environ), None)
    known = index.names.get(name)
    if known is not None and url is None:
        return Destination(name, known)
    if url is not None and name in ("testpypi", "test") and _host(url).startswith("test."):
        return Destination(name, "TestPyPI")
    return Destination(name, name if known is None or url is None else _host(url))


def _host(url: str) -> str:
    host = urlsplit(url).netloc.rpartition("@")[2].lower()
    if not host:
        raise Refused(f"the index URL '{visible(url)}' has no host", "give it as https://host/path")
    return host


def _first(environ: Mapping[str, str], names: tuple[str, ...], repository: str = "") -> str | None:
    for name in names:
        if value := environ.get(Destination(repository, "").filled(name)):
            return value
    return None


def _folder(words: Words, index: Index) -> Path:
    return Path(words.last(index.folder_options) or ".").absolute()


def _pypirc(index: Index, name: str, words: Words, environ: Mapping[str, str]) -> str | None:
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
    places: tuple[str, ...], name: str, words: Words, index: Index, environ: Mapping[str, str]
) -> Iterator[str]:
    """The values that the tool's settings files have, the nearest first."""
    for place in places:
        file, _, key = place.partition(" ")
        for path in _files_named(file, _folder(words, index), environ):
            value: Any = _toml(path)
            for part in key.split("."):
                part = name if part == "{name}" else part
                if isinstance(value, list):
                    value = next(
                        (v for v in value if isinstance(v, dict) and v.get("name") == part), None
                    )
                else:
                    value = value.get(part) if isinstance(value, dict) else None
            if isinstance(value, str) and value:
                yield value


def _files_named(file: str, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    if file.startswith("$"):
        return [Path(environ[file[1:]])] if environ.get(file[1:]) else []
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
    except (OSError, ValueError):
        raise Refused(
            f"{visible(os.fspath(path))} cannot be read", "mend it: it may name the index"
        ) from None


def projects(call: Call) -> list[str]:
    """The names of the projects that a publishing command would upload, normalised.

    They are read from the names of the files that it is given, or, if it is given
    none, of those in ``dist/``, or else from ``pyproject.toml``.
    """
    index = call.row.index or Index()
    words = call.taken_apart()
    folder = _folder(words, index)
    named = words.words[1:]
    if index.files == "project" and not named:
        named = ["dist/*"]
    found = set(filter(None, map(_project, _files(named, folder))))
    if not found and index.files == "project":
        tables = _toml(folder / "pyproject.toml")
        tool = tables.get("tool", {})
        for table, key in (
            (tables.get("project", {}), "name"),
            (tool.get("poetry", {}), "name"),
            (tool.get("flit", {}).get("metadata", {}), "module"),
        ):
            if isinstance(table.get(key), str):
                return [normalised(table[key])]
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
