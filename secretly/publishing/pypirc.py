"""``.pypirc``, the settings file that several publishing tools share."""

from __future__ import annotations

import os

from .. import safefiles
from ..errors import Refused
from ..record import Record
from ..text import escape
from .destination import without_user

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEFAULT = "DEFAULT"  # configparser's name for the section that counts in each

#: The keys of a section that name an index, or a file with certificates.
_KEYS = ("repository", "username", "ca_cert", "client_cert")


class Pypirc(Record):
    """What a ``.pypirc`` says of indexes. It does not hold the passwords.

    :param path: the file.
    :param servers: the sections that ``index-servers`` lists; None if it lists none.
    :param urls: the URL of each section; empty if the section has none.
    :param with_password: the sections with a password in plain text.
    :param sections: the keys of each section, without its password. Those of ``[DEFAULT]`` count in
        each.
    """

    path: str
    servers: Sequence[str] | None = None
    urls: Mapping[str, str] = {}
    with_password: Sequence[str] = ()
    sections: Mapping[str, Mapping[str, str]] = {}

    def section_with_password(self, name: str, url: str) -> str:
        """The section that has a password in plain text for an index; empty if none has."""
        for section in self.with_password:
            if section == name or (url and without_user(self.urls[section]) == url):
                return section
        return ""


def read_pypirc(path: str) -> Pypirc:
    """Read a ``.pypirc``; without the file, it says nothing.

    As twine, flit and hatch do it, except for hatch's interpolation: names of sections have a case,
    those of keys don't, and ``%`` means itself.

    :raises Refused: if the file can't be read.
    """
    try:
        data = b"" if path == os.devnull else safefiles.read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        data = b""
    except (ValueError, OSError):
        raise _unreadable(path) from None
    if not data:  # most users have none
        return Pypirc(path, None, {_DEFAULT: ""}, (), {_DEFAULT: {}})
    if (found := _read(path, data)) is not None:
        return found
    data = b""  # a traceback may show locals, and a bad line may hold a password
    raise _unreadable(path)


def _unreadable(path: str) -> Refused:
    return Refused(f"can't read {escape(path)}", "fix the file: it says where the index is")


def _read(path: str, data: bytes) -> Pypirc | None:
    """Read what is in the file; None if it can't be read."""
    import configparser
    import contextlib
    import io

    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, ValueError):
        # With line ends of any kind, as in a file that is opened as text.
        parser.read_file(io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        servers = parser.get("distutils", "index-servers", fallback=None)
        sections = {
            name: {k: parser.get(name, k) for k in _KEYS if parser.has_option(name, k)}
            for name in (_DEFAULT, *parser.sections())
        }
        return Pypirc(
            path,
            None if servers is None else tuple(servers.split()),
            {name: keys.get("repository", "") for name, keys in sections.items()},
            tuple(s for s in parser.sections() if parser.get(s, "password", fallback="")),
            sections,
        )
    return None
