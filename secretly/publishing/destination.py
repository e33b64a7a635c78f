"""The package index that a publishing command would upload to."""

from __future__ import annotations

from ..errors import Refused
from ..record import Record
from ..text import escape

TYPE_CHECKING = False  # most uploads give no URL, and urllib takes long to load
if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

#: The secrets of the two indexes that the tools know without a URL.
OWN = ("PyPI", "TestPyPI")

#: Those of the registries that other tools know without a URL.
REGISTRIES = ("Cargo", "npm")


class Destination(Record):
    """Where a publishing command would upload to.

    :param repository: the tool's own name for the index; empty if the index is given by URL.
    :param secret: the name of the secret that belongs to the index.
    :param url: the index's URL; empty if only the tool knows it.
    :param username: the user name that the bare tool would send for this call; None if the tool
        knows none.
    """

    repository: str
    secret: str
    url: str = ""
    username: str | None = None

    @property
    def pypis(self) -> bool:
        """Whether the index is PyPI or TestPyPI."""
        return self.secret in OWN

    @property
    def builtin(self) -> bool:
        """Whether the index is PyPI or TestPyPI, at the URL that the tool knows."""
        return self.pypis and not self.url

    @property
    def host(self) -> str:
        """The host without its port, as a token names the index that made it."""
        return (split_url(self.url).hostname or "") if self.url else ""

    @property
    def plaintext(self) -> bool:
        """Whether others can read the upload on its way to the index."""
        if not self.url.lower().startswith("http:"):
            return False
        import re

        return not re.fullmatch(r"localhost|127(\.\d+){3}|::1", self.host)

    @property
    def shown(self) -> str:
        """The words for the index in a dialog: its host with the port, else its name."""
        if self.url:
            return host_of(self.url)
        return self.secret if self.builtin else self.repository


def split_url(url: str) -> SplitResult:
    """The parts of a URL, as ``urllib`` reads it.

    :raises ValueError: for brackets without an IPv6 address.
    """
    from urllib.parse import urlsplit

    return urlsplit(url)


def secret_at(url: str, locations: Mapping[str, str]) -> str:
    """The name of the secret for an index that is given by its URL.

    A token names the index that made it. That index takes uploads at its own host, or at
    ``upload.`` before it. Without such a token, the secret is named after the host.

    :param locations: the names of the stored tokens, by the index that made each.
    :raises Refused: if the URL has no host, or programs disagree about it.
    """
    return located(url, locations) or secret_of_host(url)


def secret_of_host(url: str) -> str:
    """The name of the secret for a host: its name, with the port if the URL has one.

    A host may be called like a registry that a tool knows: ``http://npm/``. Then the port tells
    its secret from the registry's.

    :raises Refused: if the URL has no host.
    """
    host = host_of(url)
    if host in REGISTRIES:
        host += ":80" if url.lower().startswith("http:") else ":443"
    return host


def located(url: str, locations: Mapping[str, str]) -> str:
    """The name of the secret whose token this index made; empty without one.

    :raises Refused: if the URL has no host.
    """
    host_of(url)
    host = split_url(url).hostname or ""
    return next((name for made, name in locations.items() if made_by(host, made)), "")


def made_by(host: str, location: str) -> bool:
    """Whether the index at a host makes tokens with this location.

    An index may take uploads at ``upload.`` before its own host.
    """
    return host.removeprefix("upload.") == location.removeprefix("upload.")


def host_of(url: str) -> str:
    """The host of a URL, with its port.

    :raises Refused: if the URL has no host, or programs disagree about it.
    """
    shown = escape(url.rpartition("@")[2])  # what comes before may be a password
    # Some of these end the host for some programs.
    if any(c.isspace() or c < " " or c in "\\\x7f{}" for c in url):
        raise Refused(
            f"programs may read the index URL '{shown}' differently",
            "write it as https://host/path, with special characters as %XX",
        )
    try:
        host = split_url(url).netloc.rpartition("@")[2].lower()
    except ValueError:  # brackets without an IPv6 address
        host = ""
    if not host:
        raise Refused(f"the index URL '{shown}' has no host", "write it as https://host/path")
    return host


def without_user(url: str) -> str:
    """Any text that may be a URL, without the user name and the password in it."""
    try:
        before, at, _ = split_url(url).netloc.rpartition("@")
    except ValueError:
        return url
    return url.replace(f"//{before}{at}", "//", 1) if at else url
