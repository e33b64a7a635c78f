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

from . import trust
from .commands import Call, Words
from .configuration import PackageIndex
from .display import visible
from .errors import Refused

__all__ = [
    "Destination",
    "find",
    "folder_of",
    "plain_password",
    "project_folder",
    "toml",
    "value_at",
]

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
    def pypis(self) -> bool:
        """Whether it is PyPI or TestPyPI."""
        return self.secret in _OWN

    @property
    def builtin(self) -> bool:
        """Whether it is one of these, and the tool knows its place by itself."""
        return self.pypis and not self.url

    @property
    def host(self) -> str:
        """The host, as a token names the index that made it: without its port."""
        return (urlsplit(self.url).hostname or "") if self.url else ""

    @property
    def plaintext(self) -> bool:
        """Whether what is sent there can be read on the way."""
        here = re.fullmatch(r"localhost|127(\.\d+){3}|::1", self.host)
        return self.url.lower().startswith("http:") and not here

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
    places = index.settings if name or not index.named_only else index.url_settings
    name = name or index.default
    known = index.names.get(name)
    if index.fixed and known is not None:
        return Destination(name, known)
    url = _pypirc(index, name, words, environ) or _first(environ, index.url_variables, name)
    projects_own = False
    if url is None:
        url, projects_own = next(_settings(places, name, words, index, environ), (None, False))
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
    host = ""
    # What one program takes for a part of the host another takes for its end.
    if not re.search(r"[\\\s\x00-\x1f\x7f]", url):
        with contextlib.suppress(ValueError):  # brackets that enclose no IPv6 address
            host = urlsplit(url).netloc.rpartition("@")[2].lower()
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


def folder_of(words: Words, options: tuple[str, ...], environ: Mapping[str, str]) -> Path:
    """The folder that the last of these options names, or a ``$VARIABLE`` among them."""
    try:
        return Path(_named(words, options, environ) or ".").absolute()
    except OSError:
        raise Refused("the working folder has gone", "cd to one that is there") from None


def project_folder(call: Call, environ: Mapping[str, str]) -> Path:
    """The project's folder: the nearest with a ``pyproject.toml``, if there is one."""
    index, words = call.row.index or PackageIndex(), call.taken_apart()
    folder = folder_of(words, index.folder_options, environ)
    folder = folder / (_named(words, index.project_options, environ) or "")
    return next((f for f in (folder, *folder.parents) if (f / "pyproject.toml").is_file()), folder)


def _named(words: Words, options: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The value of the last of these options, or else of a ``$VARIABLE`` among them."""
    variables = (name[1:] for name in options if name.startswith("$"))
    found = words.last(options)
    return next(filter(None, map(environ.get, variables)), None) if found is None else found


def _pypirc(index: PackageIndex, name: str, words: Words, environ: Mapping[str, str]) -> str | None:
    if not index.pypirc:
        return None
    path, parser = _read_pypirc(index, words, environ)
    servers = parser.get("distutils", "index-servers", fallback=" ".join(index.pypirc_servers))
    if index.pypirc_servers and name not in servers.split():
        return None
    alike = [section for section in parser.sections() if section.lower() == name.lower()]
    if alike not in ([], [name]):  # maturin takes them for the same
        raise Refused(
            f"{visible(path)} has [{visible('] and ['.join(alike))}], which some tools take for "
            f"'{visible(name)}'",
            "write the section's name as the index is called",
        )
    return parser.get(name, "repository", fallback=None) or None


def _read_pypirc(
    index: PackageIndex, words: Words, environ: Mapping[str, str]
) -> tuple[str, configparser.RawConfigParser]:
    parser = configparser.RawConfigParser()
    named = words.last(index.pypirc_options)
    path = os.path.expanduser(named) if named else os.path.join(_home(environ), ".pypirc")
    with contextlib.suppress(configparser.Error, ValueError, OSError):
        parser.read_string(read_plain(path))
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


#: What uv takes for 'no' in a variable.
_OFF = ("", "0", "f", "false", "n", "no", "off")


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
    switches = [option for option in index.no_settings_options if option.startswith("-")]
    switched = _named(words, index.no_settings_options, environ) or ""
    given = [place for place in places if _is_named(place) and _value_of(place, words, environ)]
    # An option goes before the variable for it.
    given = [place for place in given if place.partition(" ")[0] == given[0].partition(" ")[0]]
    if given and index.replaces:  # uv reads it with --no-config, too
        places = tuple(given)
    elif words.has(switches) or switched.lower() not in _OFF:
        return
    elif given:  # in place of the person's
        places = tuple(place for place in places if place in given or _is_relative(place))
    folder = folder_of(words, index.folder_options, environ)
    folder = folder / (_named(words, index.project_options, environ) or "")
    done = False
    for place in places:
        if not _is_relative(place):
            yield from _values(_files_named(place, words, environ), place, name, False)
        elif not done:
            done = True
            own = tuple(filter(_is_relative, places))
            yield from _of_project(own, name, folder, index.nearest)


def _of_project(
    places: tuple[str, ...], name: str, folder: Path, nearest: bool
) -> Iterator[tuple[str, bool]]:
    """The values that the project's own settings files have."""
    folders = (folder, *folder.parents)
    root = next((f for f in folders if (f / "pyproject.toml").is_file()), folder)
    if not nearest:
        for place in places:
            yield from _values([root / place.rpartition(" ")[0]], place, name, True)
        return
    # A project's own settings hide those of its folders, a workspace's its members', if it is
    # one, and they are.
    spaces = [f for f in folders if value_at(toml(f / "pyproject.toml"), _WORKSPACE) is not None]
    found = [next(_of_nearest(places, name, start), None) for start in (folder, root, *spaces)]
    if len(set(found)) > 1:
        urls = " and ".join(visible(one[0]) if one else "none" for one in dict.fromkeys(found))
        raise Refused(
            f"a project or workspace and a part of it name different indexes: {urls}",
            "say which on the command line: --publish-url",
        )
    yield from filter(None, found[:1])


_WORKSPACE = ["tool", "uv", "workspace"]


def _of_nearest(places: tuple[str, ...], name: str, start: Path) -> Iterator[tuple[str, bool]]:
    """The values of the nearest settings file, which hides all others."""
    for folder in (start, *start.parents):
        for place in places:
            file, _, key = place.rpartition(" ")
            path = folder / file
            table = key.split(".")[:2] if path.name == "pyproject.toml" else []
            if path.exists() and value_at(toml(path), table) is not None:
                yield from _values([path], place, name, True)
                return


def _values(paths: list[Path], place: str, name: str, projects: bool) -> Iterator[tuple[str, bool]]:
    keys = [name if part == "{name}" else part for part in place.rpartition(" ")[2].split(".")]
    for path in paths:
        value = value_at(toml(path), keys)
        if isinstance(value, str) and value:
            yield value, projects


def _is_named(place: str) -> bool:
    """Whether an option or a variable of the tool's names the file."""
    return place.startswith(("-", "$")) and not place.startswith("$XDG_")


def _is_relative(place: str) -> bool:
    return not place.startswith(("-", "$", "~", "/"))


def _value_of(place: str, words: Words, environ: Mapping[str, str]) -> str | None:
    option = place.partition(" ")[0]
    if option.startswith("-"):
        return words.last([option])
    return environ.get(option[1:].partition("/")[0])


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


def _files_named(place: str, words: Words, environ: Mapping[str, str]) -> list[Path]:
    """The files outside the project that a place is, as far as it is known."""
    file = place.partition(" ")[0] if place.startswith(("-", "$")) else place.rpartition(" ")[0]
    if file.startswith("$XDG_CONFIG_DIRS/"):
        folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        paths = [Path(folder, file.partition("/")[2]) for folder in folders]
        return [path for path in paths if path.exists()][:1]
    if _is_named(place):
        named = _value_of(place, words, environ)
        if not named:
            return []
        return [Path(os.path.expanduser(named), *file.split("/")[1:])]
    if file.startswith("~/.config/") and environ.get("XDG_CONFIG_HOME"):
        return [Path(environ["XDG_CONFIG_HOME"], file.removeprefix("~/.config/"))]
    return [Path(_home(environ), file[2:]) if file.startswith("~/") else Path(file)]


def read_plain(path: str | os.PathLike[str]) -> str:
    """The text of a file; nothing if there is none.

    :raises OSError: if it cannot be read, or is no file: a pipe would be waited for.
    :raises ValueError: if it is no text.
    """
    try:
        return trust.read(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def toml(path: Path) -> dict[str, Any]:
    """What a settings file has; nothing if there is none.

    :raises Refused: if it cannot be read.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return tomllib.loads(read_plain(path))
    raise Refused(
        f"{visible(os.fspath(path))} cannot be read",
        "mend it: it may name the index or the project",
    )
