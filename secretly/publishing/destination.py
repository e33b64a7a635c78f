"""The package index that a publishing command would upload to."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import Refused
from ..text import escape
from .settings import Found, settings_values
from .tool_call import ToolCall

#: The secrets of the two indexes that the tools know without a URL.
_OWN = ("PyPI", "TestPyPI")


class Destination(NamedTuple):
    """Where a publishing command would upload to.

    :param repository: the tool's own name for the index; empty if the index is given by URL.
    :param secret: the name of the secret that belongs to the index.
    :param url: the index's URL; empty if only the tool knows it.
    """

    repository: str
    secret: str
    url: str = ""

    @property
    def pypis(self) -> bool:
        """Whether the index is PyPI or TestPyPI."""
        return self.secret in _OWN

    @property
    def builtin(self) -> bool:
        """Whether the index is PyPI or TestPyPI, at the URL that the tool knows."""
        return self.pypis and not self.url

    @property
    def host(self) -> str:
        """The host without its port, as a token names the index that made it."""
        return (urlsplit(self.url).hostname or "") if self.url else ""

    @property
    def plaintext(self) -> bool:
        """Whether others can read the upload on its way to the index."""
        here = re.fullmatch(r"localhost|127(\.\d+){3}|::1", self.host)
        return self.url.lower().startswith("http:") and not here

    @property
    def shown(self) -> str:
        """The words for the index in a dialog: its host with the port, else its name."""
        if self.url:
            return host_of(self.url)
        return self.secret if self.builtin else self.repository

    def filled(self, variable: str) -> str:
        """*variable* with ``{REPOSITORY}`` replaced, as the tools spell the index's name."""
        name = re.sub(r"[^A-Z0-9]", "_", (self.repository or "pypi").upper())
        return variable.replace("{REPOSITORY}", name)


def find_destination(call: ToolCall) -> Destination:
    """Find the index that a publishing command would upload to, and so the secret.

    An index that is given by URL has the secret named after its host. Any other index has the
    secret named after it, and the tool's default and test indexes have ``PyPI`` and
    ``TestPyPI``.

    :raises Refused: if a settings file can't be read, or a URL has no host.
    """
    index, words, environ = call.index, call.words, call.environ
    # For uv and twine, a URL from the environment takes precedence over a name.
    url = words.last(index.url_options) or first_set(environ, index.url_variables)
    name = words.last(index.name_options) or first_set(environ, index.name_variables)
    if not url and name is None:
        name = next((found.value for found in settings_values(call, index.name_settings, "")), None)
    if name and "://" in name:
        url = url or name
    return Destination("", host_of(url), url) if url else _by_name(call, name)


def _by_name(call: ToolCall, name: str | None) -> Destination:
    """The index with that name, or the tool's default index."""
    index = call.index
    texts = index.settings if name or not index.named_only else index.url_settings
    name = name or index.default
    secret = index.names.get(name)
    if index.fixed and secret is not None:
        return Destination(name, secret)
    found = _configured_url(call, name, texts)
    if found is None:
        return Destination(name, name if secret is None else secret)
    return Destination(name, _secret_of(name, secret, found), found.value)


def _configured_url(call: ToolCall, name: str, texts: tuple[str, ...]) -> Found | None:
    """The URL that the tool's settings give for a name."""
    index = call.index
    own = call.pypirc.url(name, index.pypirc_servers) if index.pypirc else None
    own = own or first_set(call.environ, index.url_variables, name)
    if own:
        return Found(own, by_project=False)
    return next(settings_values(call, texts, name), None)


def _secret_of(name: str, secret: str | None, found: Found) -> str:
    """The secret for an index whose URL comes from settings.

    A known name with another URL counts as its host: a PyPI token goes to no other host
    because a project's settings say so. Only the user's own settings may repeat where PyPI
    (``upload.…``) and TestPyPI (``test.…``) are.

    :param secret: the secret that belongs to the name without settings.
    """
    url = found.value
    if not found.by_project:
        if secret == "PyPI" and host_of(url).startswith("upload."):
            return secret
        if name in ("testpypi", "test"):
            return "TestPyPI" if host_of(url).startswith("test.") else host_of(url)
    # A project can call its own index 'PyPI' too.
    taken = secret is not None or name.partition("/")[0] in _OWN
    return host_of(url) if taken else name


def host_of(url: str) -> str:
    """The host of a URL, with its port.

    :raises Refused: if the URL has no host, or programs disagree about it.
    """
    host = ""
    # Programs disagree whether these characters end the host.
    if not re.search(r"[\\\s\x00-\x1f\x7f]", url):
        with contextlib.suppress(ValueError):  # brackets without an IPv6 address
            host = urlsplit(url).netloc.rpartition("@")[2].lower()
    if not host:
        shown = escape(url.rpartition("@")[2])  # what comes before may be a password
        raise Refused(f"the index URL '{shown}' has no host", "write it as https://host/path")
    return host


def first_set(
    environ: Mapping[str, str], names: tuple[str, ...], repository: str = ""
) -> str | None:
    """The value of the first variable that is set and not empty.

    :param repository: if given, only variables that are named after that index count; else
        only the others do.
    """
    for name in names:
        value = environ.get(Destination(repository, "").filled(name))
        if value and ("{REPOSITORY}" in name) == bool(repository):
            return value
    return None
