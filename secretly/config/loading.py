"""Load the shipped tables and the user's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .. import safefiles
from ..errors import BadConfiguration
from ..text import escape
from . import known_commands
from .model import Configuration
from .places import config_path
from .schema import ConfigFile

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any


def _merged(shipped: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(shipped)
    for name, value in own.items():
        if isinstance(value, dict) and isinstance(both.get(name), dict):
            value = _merged(both[name], value)
        both[name] = value
    return both


def load(environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the shipped tables and the user's.

    :raises BadConfiguration: naming the file and the line or key.
    :raises Refused: if others could write the file.
    """
    environ = os.environ if environ is None else environ
    tables = {"secrets": known_commands.SECRETS, "commands": known_commands.COMMANDS}
    path = config_path(environ)
    own = _own(path, named=bool(environ.get("SECRETLY_CONFIG")))
    if own is None:
        return ConfigFile("").configuration(tables)
    # What a command's `default` names may be shipped, so the whole is read merged;
    # a shipped value is right, so whatever is wrong is the user's.
    found = ConfigFile(path).configuration(_merged(tables, own))
    for name in own.get("commands", ()):
        found.commands[name]  # it is looked at now, though this run may not need it
    return found


def _own(path: str, named: bool) -> dict[str, Any] | None:
    if path == os.devnull:  # the usual way to say: none
        return None
    try:
        data = safefiles.read_file(path)
    except FileNotFoundError:
        if named:
            raise BadConfiguration(
                f"there is no configuration file {escape(path)}",
                "SECRETLY_CONFIG names it: create it, or unset the variable",
            ) from None
        return None
    except OSError as error:
        raise BadConfiguration(
            f"the configuration file {escape(path)} cannot be read: {error.strerror}",
            "name a plain file that you may read",
        ) from None
    safefiles.refuse_if_others_can_write(path, "the configuration")
    import tomllib

    try:
        return tomllib.loads(data.decode())
    # ValueError: also a number of 5000 digits. RecursionError: 1000 brackets.
    except (ValueError, RecursionError) as error:
        raise BadConfiguration(
            f"{escape(path)} is not TOML: {escape(str(error))}",
            "mend the line that it names",
        ) from None
