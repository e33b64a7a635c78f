"""``secretly shim``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from .. import safefiles
from ..config import loading
from ..running import shims
from ..text import Environ, escape
from .console import UsageError, say

EXAMPLE = """examples:
  secretly shim twine              writes dev.twine, prod.twine: one for each profile
  secretly shim --refuse twine     also writes a twine that names these two
  secretly shim uv                 writes uv, as uv has no profiles: it runs with secretly
  secretly shim --remove twine
"""


def add_arguments(verb: ArgumentParser) -> None:
    """Add the arguments to the verb's parser."""
    verb.add_argument("command", metavar="COMMAND", nargs="?", help="the known command")
    verb.add_argument("--dir", metavar="FOLDER", help="the folder of the shims")
    one = verb.add_mutually_exclusive_group()
    one.add_argument("--refuse", action="store_true", help="also write a COMMAND that refuses")
    one.add_argument("--list", action="store_true", help="list the shims")
    one.add_argument("--remove", action="store_true", help="remove the shims")


def execute(options: Namespace) -> int:
    """Write, list or remove shims."""
    environ = Environ(os.environ)
    folder = shims.find_folder(environ, options.dir)
    if options.list or options.remove:
        act = shims.remove if options.remove else shims.list_shims
        for path in act(folder, options.command):
            print(f"{'removed ' if options.remove else ''}{escape(os.fspath(path))}")
        return 0
    if options.command is None:
        raise UsageError("no command given", "secretly shim twine")
    row = loading.load(environ).commands.get(options.command)
    if row is None:
        raise UsageError(
            f"unknown command '{escape(options.command)}'",
            f"add it to the configuration: [commands.{escape(options.command)}.profiles.NAME]",
        )
    files = shims.shim_texts(row, options.refuse)
    for path in shims.write(folder, files):
        print(f"wrote {escape(os.fspath(path))}")
    if not _comes_first(folder, options.command, options.command in files, environ):
        say(f"put {folder} on PATH, before the folder of {options.command} itself")
    return 0


def _comes_first(folder: Path, command: str, same_name: bool, environ: Mapping[str, str]) -> bool:
    """Whether the shell finds the shims; one with the command's own name must come before it."""
    folders = [os.path.normpath(f) for f in environ.get("PATH", "").split(os.pathsep) if f]
    of_shims = os.path.normpath(folder)
    if of_shims not in folders or not same_name:
        return of_shims in folders
    real = safefiles.program_on_path(command, environ) or ""
    return os.path.normpath(os.path.dirname(real)) not in folders[: folders.index(of_shims)]
