"""The URL of an index, with the user name that may be in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import Refused
from ..text import escape
from .destination import host_of, secret_at

#: The names that tools have for PyPI and TestPyPI.
_PYPI, _TESTPYPI = ("pypi",), ("testpypi", "test")


class Address(NamedTuple):
    """The URL of an index.

    :param url: without a user name and password.
    :param username: the user name in the URL, as it is written there; None without one.
    :param password: whether a password is in the URL.
    """

    url: str
    username: str | None = None
    password: bool = False


def address(url: str) -> Address:
    """Take a URL apart.

    :raises Refused: if programs may disagree about where it leads, or about its user name.
    """
    host = host_of(url)
    parts = urlsplit(url)
    shown = escape(url.rpartition("@")[2])  # what comes before may be a password
    if re.search(r'[^!-~]|[{}<>"^`|]', url) or "%" in host or parts.scheme not in ("http", "https"):
        raise Refused(
            f"programs may read the index URL '{shown}' differently",
            "write it as https://host/path, with special characters as %XX",
        )
    user, at, _ = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    if not re.fullmatch(r"[\w.~!$&()*+,%-]*", name, re.ASCII):
        raise Refused(
            f"programs may read the user name in the URL of '{shown}' differently",
            "give the user name to the tool by its own option",
        )
    start = url.index("//") + 2
    bare = url[:start] + url[start + len(user + at) :]
    return Address(bare, name or None, bool(password))


def secret_named(name: str, url: str, locations: Mapping[str, str], *, by_project: bool) -> str:
    """The name of the secret for an index that settings give a name and a URL.

    It is the index's name. The names that tools have for PyPI and TestPyPI, and the names of
    their secrets, are not enough: there the URL decides.

    :param locations: the names of the stored tokens, by the index that made each.
    :param by_project: whether the settings are the project's. Only the user's own may say where
        PyPI (``upload.…``) and TestPyPI (``test.…``) are.
    """
    host = host_of(url)
    if not by_project:
        if name in _PYPI and host.startswith("upload."):
            return "PyPI"
        if name in _TESTPYPI and host.startswith("test."):
            return "TestPyPI"
    taken = name in (*_PYPI, *_TESTPYPI) or name.partition("/")[0] in ("PyPI", "TestPyPI")
    return secret_at(url, locations) if taken else name
