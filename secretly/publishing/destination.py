"""The package index that a publishing command would upload to."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..config.command_line import Invocation, Words
from ..config.model import PackageIndex
from ..errors import Refused
from ..text import escape
from .settings import folder_of, home_folder, named_value, read_text, settings_values

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
            return host_of(self.url)
        return self.secret if self.builtin else self.repository

    def filled(self, variable: str) -> str:
        """*variable* with ``{REPOSITORY}`` replaced, as the tools spell it."""
        name = re.sub(r"[^A-Z0-9]", "_", (self.repository or "pypi").upper())
        return variable.replace("{REPOSITORY}", name)


def find_destination(call: Invocation, environ: Mapping[str, str]) -> Destination:
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
    words = call.parsed()
    name = words.last(index.name_options)
    # uv and twine let a URL from the environment win over a name: so do we.
    url = words.last(index.url_options) or first_set(environ, index.url_variables)
    name = name or first_set(environ, index.name_variables)
    if not url and name is None:
        name, _ = next(
            settings_values(index.name_settings, "", words, index, environ), (None, False)
        )
    if name and "://" in name:
        url = url or name
    if url:
        return Destination("", host_of(url), url)
    places = index.settings if name or not index.named_only else index.url_settings
    name = name or index.default
    known = index.names.get(name)
    if index.fixed and known is not None:
        return Destination(name, known)
    url = _pypirc(index, name, words, environ) or first_set(environ, index.url_variables, name)
    projects_own = False
    if url is None:
        url, projects_own = next(
            settings_values(places, name, words, index, environ), (None, False)
        )
    if url is None:
        return Destination(name, name if known is None else known)
    if not projects_own:
        if known == "PyPI" and host_of(url).startswith("upload."):
            return Destination(name, known, url)
        if name in ("testpypi", "test"):
            ours = host_of(url).startswith("test.")
            return Destination(name, "TestPyPI" if ours else host_of(url), url)
    # A project may also call an index of its own 'PyPI'.
    taken = known is not None or name.partition("/")[0] in _OWN
    return Destination(name, host_of(url) if taken else name, url)


def host_of(url: str) -> str:
    host = ""
    # What one program takes for a part of the host another takes for its end.
    if not re.search(r"[\\\s\x00-\x1f\x7f]", url):
        with contextlib.suppress(ValueError):  # brackets that enclose no IPv6 address
            host = urlsplit(url).netloc.rpartition("@")[2].lower()
    if not host:
        shown = escape(url.rpartition("@")[2])  # a user name and a password may stand before it
        raise Refused(f"the index URL '{shown}' has no host", "give it as https://host/path")
    return host


def first_set(
    environ: Mapping[str, str], names: tuple[str, ...], repository: str = ""
) -> str | None:
    """The first variable that is set; with *repository*, of those that are named after it."""
    for name in names:
        value = environ.get(Destination(repository, "").filled(name))
        if value and ("{REPOSITORY}" in name) == bool(repository):
            return value
    return None


def project_folder(call: Invocation, environ: Mapping[str, str]) -> Path:
    """The project's folder: the nearest with a ``pyproject.toml``, if there is one."""
    index, words = call.row.index or PackageIndex(), call.parsed()
    folder = folder_of(words, index.folder_options, environ)
    folder = folder / (named_value(words, index.project_options, environ) or "")
    return next((f for f in (folder, *folder.parents) if (f / "pyproject.toml").is_file()), folder)


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
            f"{escape(path)} has [{escape('] and ['.join(alike))}], which some tools take for "
            f"'{escape(name)}'",
            "write the section's name as the index is called",
        )
    return parser.get(name, "repository", fallback=None) or None


def _read_pypirc(
    index: PackageIndex, words: Words, environ: Mapping[str, str]
) -> tuple[str, configparser.RawConfigParser]:
    parser = configparser.RawConfigParser()
    named = words.last(index.pypirc_options)
    path = os.path.expanduser(named) if named else os.path.join(home_folder(environ), ".pypirc")
    with contextlib.suppress(configparser.Error, ValueError, OSError):
        parser.read_string(read_text(path))
        return path, parser
    del parser  # a traceback may show locals, and that error has the line: it may be a password
    raise Refused(f"{escape(path)} cannot be read", "mend it: the index stands in it")


def plain_password(
    call: Invocation, target: Destination, environ: Mapping[str, str]
) -> tuple[str, str]:
    """The ``.pypirc`` and the section that hold a password for the index in plain text.

    Both are empty if there is none.
    """
    index = call.row.index or PackageIndex()
    if index.pypirc:
        path, parser = _read_pypirc(index, call.parsed(), environ)
        for section in parser.sections():
            url = parser.get(section, "repository", fallback="")
            same = section == target.repository or (url and target.url == url)
            if same and parser.get(section, "password", fallback=""):
                return path, section
    return "", ""
