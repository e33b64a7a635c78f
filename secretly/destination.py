"""The package index that a publishing command would talk to, and so the secret for it."""

from __future__ import annotations

import configparser
import contextlib
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

__all__ = ["Destination", "find", "folder_of", "plain_password", "toml", "value_at"]

#: The secrets of the indexes that the tools know by themselves, and what those are shown as.
_OWN = ("PyPI", "TestPyPI")


class Destination(NamedTuple):
    """Where a publishing command would upload to.

    :param repository: the tool's own name for it; empty if it is given by URL.
    :param secret: the name of the secret that belongs to it.
    :param url: where it is; empty if the tool knows that by itself, or nobody does.
    """

    repository: str
    secret: str
    url: str = ""

    @property
    def builtin(self) -> bool:
        """Whether it is PyPI or TestPyPI, whose place the tool knows by itself."""
        return not self.url and self.secret in _OWN

    @property
    def host(self) -> str:
        """The host, as a token names the index that made it: without its port."""
        return (urlsplit(self.url).hostname or "") if self.url else ""

    @property
    def shown(self) -> str:
        """What a person is told: the host with its port, or the name that is known."""
        if self.url:
            return _host(self.url)
        return self.secret if self.builtin else self.repository

    def filled(self, variable: str) -> str:
        """*variable* with ``{REPOSITORY}`` replaced, as the tools spell it."""
        name = re.sub(r"[^A-Z0-9]", "_", (self.repository or "pypi").upper())
        return variable.replace("{REPOSITORY}", name)


def find(call: Call, environ: Mapping[str, str]) -> Destination:
    """Find the index that a publishing command would talk to, and so the secret.

    The tool's default index and its test index have secrets of their own names;
    another index has the tool's name for it; one that is given only by URL, its
    host. A known name that a settings file sends elsewhere counts as its URL: a
    PyPI token goes to no other host because a project's settings say so. Only the
    person's own settings may say again where PyPI (``upload.…``) and TestPyPI
    (``test.…``) are.

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
        return Destination("", _host(url), url)
    name = name or index.default
    url = _pypirc(index, name, words, environ) or _first(environ, index.url_variables, name)
    projects_own = False
    if url is None:
        url, projects_own = next(
            _settings(index.settings, name, words, index, environ), (None, False)
        )
    known = index.names.get(name)
    if url is None:
        return Destination(name, name if known is None else known)
    if not projects_own:
        if known == "PyPI" and _host(url).startswith("upload."):
            return Destination(name, known, url)
        if name in ("testpypi", "test"):
            ours = _host(url).startswith("test.")
            return Destination(name, "TestPyPI" if ours else _host(url), url)
    # A project may also call an index of its own 'PyPI'.
    taken = known is not None or name.partition("/")[0] in _OWN
    return Destination(name, _host(url) if taken else name, url)


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


def folder_of(
    words: Words, options: tuple[str, ...], environ: Mapping[str, str], start: str = "."
) -> Path:
    """The folder that the last of these options names, or a ``$VARIABLE`` among them."""
    found = words.last(options)
    if found is None:
        variables = (name[1:] for name in options if name.startswith("$"))
        found = next(filter(None, map(environ.get, variables)), None)
    try:
        return Path(found or start).absolute()
    except OSError:
        raise Refused("the working folder has gone", "cd to one that is there") from None


def _pypirc(index: PackageIndex, name: str, words: Words, environ: Mapping[str, str]) -> str | None:
    if not index.pypirc:
        return None
    return _read_pypirc(index, words, environ)[1].get(name, "repository", fallback=None) or None


def _read_pypirc(
    index: PackageIndex, words: Words, environ: Mapping[str, str]
) -> tuple[str, configparser.RawConfigParser]:
    parser = configparser.RawConfigParser()
    named = words.last(index.pypirc_options)
    path = os.path.expanduser(named) if named else os.path.join(_home(environ), ".pypirc")
    with contextlib.suppress(configparser.Error, UnicodeDecodeError, OSError):
        parser.read(path, encoding="utf-8")
        return path, parser
    del parser  # a traceback may show locals, and that error has the line: it may be a password
    raise Refused(f"{visible(path)} cannot be read", "mend it: the index stands in it")


def plain_password(call: Call, target: Destination, environ: Mapping[str, str]) -> tuple[str, str]:
    """The ``.pypirc`` and the section that hold a password for the index in plain text.

    Both are empty if there is none.
    """
    index = call.row.index or PackageIndex()
    if index.pypirc:
        path, parser = _read_pypirc(index, call.taken_apart(), environ)
        for section in parser.sections():
            url = parser.get(section, "repository", fallback="")
            same = section == target.repository or (url and target.url == url)
            if same and parser.get(section, "password", fallback=""):
                return path, section
    return "", ""


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
        for path in _files_named(
            file, words, folder_of(words, index.folder_options, environ), environ
        ):
            keys = [name if part == "{name}" else part for part in key.split(".")]
            value = value_at(toml(path), keys)
            if isinstance(value, str) and value:
                yield value, not file.startswith(("-", "$", "~", "/"))


def value_at(value: Any, keys: list[str]) -> object:
    """What stands under *keys*; in a list of tables, a key is the ``name`` of one."""
    for key in keys:
        if isinstance(value, list):
            value = next((v for v in value if isinstance(v, dict) and v.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _home(environ: Mapping[str, str]) -> str:
    """The person's folder: without HOME, the one that the system knows, as the tools do."""
    return environ.get("HOME") or os.path.expanduser("~")


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
        return [Path(_home(environ), file[2:])]
    return [parent / file for parent in (folder, *folder.parents)]


def toml(path: Path) -> dict[str, Any]:
    """What a settings file has; nothing if there is none.

    :raises Refused: if it cannot be read.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        try:
            return tomllib.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
    raise Refused(
        f"{visible(os.fspath(path))} cannot be read",
        "mend it: it may name the index or the project",
    )
