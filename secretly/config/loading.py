"""Load the shipped tables and the user's configuration."""

from __future__ import annotations

import os

from .. import safefiles
from ..errors import BadConfiguration
from ..text import Environ, escape
from . import known_commands
from .model import Command, Configuration, Entry, Tables
from .places import config_path

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def load(environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the shipped tables and the user's.

    :raises BadConfiguration: naming the file, and the line or key.
    :raises Refused: if others could change the file.
    """
    environ = Environ(os.environ if environ is None else environ)
    path = config_path(environ)
    user_tables = _user_tables(path, named=bool(environ.get("SECRETLY_CONFIG")))
    if user_tables is None:
        return Configuration(
            secrets=Tables(_shipped_entry, known_commands.SECRETS),
            commands=Tables(_shipped_command, known_commands.COMMANDS),
        )
    from .schema import ConfigFile

    tables = {"secrets": known_commands.SECRETS, "commands": known_commands.COMMANDS}
    # The merged tables are read, for a `default` may name a shipped profile. The shipped values
    # are right: an error is in the user's.
    changed = user_tables.get("commands")
    if isinstance(changed, dict):
        rows = {name: known_commands.row(name) for name in changed if name in tables["commands"]}
        tables["commands"] = {**tables["commands"], **rows}
    found = ConfigFile(path).configuration(_merged(tables, user_tables))
    for name in user_tables.get("commands", ()):
        found.commands[name]  # find errors now, even if this run doesn't need the command
    return found


# The tests read the shipped tables with the schema, which takes time to load.
def _shipped_entry(name: str, table: dict[str, Any]) -> Entry:
    return Entry(name, **table)


def _shipped_command(name: str, table: object) -> Command:
    row: dict[str, Any] = known_commands.row(name)
    texts = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Command(name, **{**row, **texts})


def _merged(shipped: Mapping[str, Any], user_tables: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped tables with the user's values in place of theirs, key by key."""
    both = {**shipped, **user_tables}
    for name in shipped.keys() & user_tables.keys():
        if isinstance(shipped[name], dict) and isinstance(user_tables[name], dict):
            both[name] = _merged(shipped[name], user_tables[name])
    return both


def _user_tables(path: str, named: bool) -> dict[str, Any] | None:
    """The tables of the user's file; None without a file.

    :param named: whether SECRETLY_CONFIG names the file: then the file must exist.
    """
    if path == os.devnull:  # the usual way to say 'none'
        return None
    if not os.path.isabs(path):
        raise BadConfiguration(
            f"SECRETLY_CONFIG names {escape(path)}, which is not a full path",
            f'write the full path: SECRETLY_CONFIG="$PWD/{escape(path)}"',
        )
    try:
        data = safefiles.read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise BadConfiguration(
                f"can't find the configuration file {escape(path)}",
                "SECRETLY_CONFIG names it: create the file, or unset the variable",
            ) from None
        return None
    except OSError as error:
        raise BadConfiguration(
            f"can't read the configuration file {escape(path)}: {error.strerror}",
            "check that it is a plain file, and its permissions",
        ) from None
    safefiles.refuse_if_others_can_write(path, "the configuration")
    from . import toml

    try:
        return toml.loads(data)
    # ValueError: also a number of 5000 digits. RecursionError: 1000 brackets.
    except (ValueError, RecursionError) as error:
        raise BadConfiguration(
            f"{escape(path)} is not valid TOML: {escape(str(error))}", "fix that line"
        ) from None
