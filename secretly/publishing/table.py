"""Tools that are still described by a table alone."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..config import places
from ..config.command_line import Words
from .destination import OWN, Destination, host_of
from .pypirc import Pypirc, read_pypirc
from .settings import Found, settings_values
from .tool import Pin
from .tool_call import ToolCall


class TableCall(ToolCall):
    """A call of a tool that a table describes."""

    def read(self) -> Words:
        """Read the command line with the rules that most parsers share."""
        return self.invocation.parsed

    def find_destination(self) -> Destination:
        """Where the tool would upload to."""
        return find_destination(self)

    def read_pypirc(self) -> Pypirc:
        """The file that an option names, else the one in the home folder."""
        if not self.package_index.pypirc:
            return Pypirc("")
        named = self.words.last(self.package_index.pypirc_options)
        home = places.home_folder(self.environ)
        path = places.expand_user(named, self.environ) if named else os.path.join(home, ".pypirc")
        return read_pypirc(path)

    def variable(self, name: str) -> str:
        """The variable with the index's name in it."""
        return self.destination.filled(name)

    def pin(self) -> Pin:
        """Nothing is forced on the tool."""
        return Pin(self.arguments)


def find_destination(call: ToolCall) -> Destination:
    """Find the index that a publishing command would upload to, and so the secret.

    An index that is given by URL has the secret named after its host. Any other index has the
    secret named after it, and the tool's default and test indexes have ``PyPI`` and
    ``TestPyPI``.

    :raises Refused: if a settings file can't be read, or a URL has no host.
    """
    index, words, environ = call.package_index, call.words, call.environ
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
    index = call.package_index
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
    index = call.package_index
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
    taken = secret is not None or name.partition("/")[0] in OWN
    return host_of(url) if taken else name


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
