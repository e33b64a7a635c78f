"""``.pypirc``, the settings file that several publishing tools share."""

from __future__ import annotations

import configparser
import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import safefiles
from ..errors import Refused
from ..text import escape


class Pypirc(NamedTuple):
    """What a ``.pypirc`` says of indexes. It does not hold the passwords.

    :param path: the file.
    :param servers: the sections that ``index-servers`` lists; None if it lists none.
    :param urls: the URL of each section; empty if the section has none.
    :param with_password: the sections with a password in plain text.
    """

    path: str
    servers: Sequence[str] | None = None
    urls: Mapping[str, str] = {}
    with_password: Sequence[str] = ()

    def url(self, name: str, servers: Sequence[str]) -> str | None:
        """The URL of an index, or None.

        :param servers: the sections that count unless the file lists some; empty if all count.
        :raises Refused: if another section differs from *name* only by case.
        """
        counting = servers if self.servers is None else self.servers
        if servers and name not in counting:
            return None
        sections = [s for s in self.urls if s.lower() == name.lower() and s != _DEFAULT]
        if sections not in ([], [name]):  # maturin ignores case
            raise Refused(
                f"{escape(self.path)} has [{escape('] and ['.join(sections))}], which some tools "
                f"take for '{escape(name)}'",
                f"rename the section to [{escape(name)}]",
            )
        return self.urls.get(name) or None

    def section_with_password(self, name: str, url: str) -> str:
        """The section that has a password in plain text for an index; empty if none has."""
        for section in self.with_password:
            if section == name or (self.urls[section] and self.urls[section] == url):
                return section
        return ""


_DEFAULT = configparser.DEFAULTSECT


def read_pypirc(path: str) -> Pypirc:
    """Read a ``.pypirc``; without the file, it says nothing.

    :raises Refused: if the file can't be read.
    """
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, ValueError, OSError):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            parser.read_string(safefiles.read_file(path).decode("utf-8"))
        servers = parser.get("distutils", "index-servers", fallback=None)
        return Pypirc(
            path,
            None if servers is None else tuple(servers.split()),
            {s: parser.get(s, "repository", fallback="") for s in (_DEFAULT, *parser.sections())},
            tuple(s for s in parser.sections() if parser.get(s, "password", fallback="")),
        )
    del parser  # a traceback may show locals, and a bad line may hold a password
    raise Refused(f"can't read {escape(path)}", "fix the file: it says where the index is")
