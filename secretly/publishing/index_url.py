"""The URLs of package indexes, and the secrets that belong to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import Refused
from ..text import escape
from .destination import _OWN, host_of, secret_at


class IndexUrl(NamedTuple):
    """A URL without the user's name and password that were in it.

    :param url: the URL.
    :param username: the user's name in it; None if it has none.
    :param has_colon: whether a colon follows the name. For some programs, only then a password
        follows, which may be empty.
    :param has_password: whether it has a password.
    """

    url: str
    username: str | None = None
    has_colon: bool = False
    has_password: bool = False


def read_url(url: str) -> IndexUrl:
    """Read the URL of an index.

    :raises Refused: if it isn't one, or programs could read it differently.
    """
    host_of(url)  # refuses backslashes, blanks and controls
    good = False
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # the port is not a number
        parts = urlsplit("")
    own, _, host = parts.netloc.rpartition("@")
    if not good or not url.isascii() or re.search(r"[{}<>\"^`|]", url) or "%" in host:
        shown = escape(url.rpartition("@")[2])
        raise Refused(f"programs may read the URL '{shown}' differently", "write https://host/path")
    if host == parts.netloc:
        return IndexUrl(url)
    name, colon, password = own.partition(":")
    plain = urlunsplit(parts._replace(netloc=host))
    return IndexUrl(plain, unquote(name), bool(colon), bool(password))


def secret_for(
    name: str,
    known: str | None,
    url: str,
    locations: Mapping[str, str],
    *,
    by_project: bool,
) -> str:
    """The secret for an index whose name settings give a URL.

    It is named like the index. A known name with another URL counts as its host: a PyPI token
    goes to no other host because settings say so. Only the user's own settings may repeat where
    PyPI (``upload.…``) and TestPyPI (``test.…``) are.

    :param known: the secret that belongs to the name without settings.
    :param locations: the names of the stored tokens, by the index that made each.
    :param by_project: whether the project's settings give the URL.
    """
    if not by_project:
        if known == "PyPI" and host_of(url).startswith("upload."):
            return known
        if name in ("testpypi", "test") and host_of(url).startswith("test."):
            return "TestPyPI"
    # A project can call its own index 'PyPI' too.
    taken = known is not None or name.partition("/")[0] in _OWN or name in ("testpypi", "test")
    return secret_at(url, locations) if taken else name
