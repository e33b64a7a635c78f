"""Under which name ``secretly run`` looks up a secret: the known commands and the tools say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..config.invocation import Invocation
from ..config.model import Configuration
from ..errors import SecretlyError
from ..publishing.tools import tool_for

__all__ = ["IndexSecret", "command_with", "index_secret", "secret_of", "upload_words"]


class IndexSecret(NamedTuple):
    """The secret of an index.

    :param name: empty if the tool would not upload there.
    :param username: the user name that the tool sends.
    :param problem: why the tool would not.
    """

    name: str
    username: str | None = None
    problem: str = ""


def index_secret(
    tool: str, index: str, environ: Mapping[str, str], configuration: Configuration, *more: str
) -> IndexSecret:
    """Ask a publishing tool's adapter for the secret of an index that its settings name.

    :param index: the name of the index in the tool's settings.
    :param more: further options of the tool.
    """
    adapter, row = tool_for(tool), configuration.commands.get(tool)
    if adapter is None or row is None:
        return IndexSecret("", problem=f"secretly doesn't know {tool}")
    call = adapter(Invocation(row, (*upload_words(tool, index), *more)), environ)
    try:
        found = call.destination
    except SecretlyError as error:
        return IndexSecret("", problem=str(error))
    return IndexSecret(found.secret, found.username)


def upload_words(tool: str, index: str) -> tuple[str, ...]:
    """The words of a call that uploads to an index. poetry's own has no name that it takes."""
    if tool == "twine":
        return ("upload", "-r", index)
    return ("publish",) if (tool, index) == ("poetry", "pypi") else ("publish", "-r", index)


def secret_of(command: str, configuration: Configuration) -> str:
    """The name of the secret that a known command gets; empty if it has none of its own."""
    row = configuration.commands.get(command)
    names = row.secrets.values() if row is not None else ()
    return next((name for name in names if "#" not in name), "")


def command_with(variable: str, configuration: Configuration) -> str:
    """The known command that reads a secret from a variable; empty if none does."""
    for name in configuration.commands:
        row = configuration.commands[name]
        if variable in (*row.secrets, *row.alternatives):
            return name
    return ""
