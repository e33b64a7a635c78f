"""``secretly shim``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from .. import safefiles
from ..config import loading
from ..redacted import Environ
from ..text import escape
from .console import UsageError, say


def execute(options: Namespace) -> int:
    from ..running import shims

    environ = Environ(os.environ)
    place = shims.folder(environ, options.dir)
    if options.list or options.remove:
        act = shims.remove if options.remove else shims.listed
        for path in act(place, options.command):
            print(f"{'removed ' if options.remove else ''}{escape(os.fspath(path))}")
        return 0
    if options.command is None:
        raise UsageError("which command?", "secretly shim twine")
    row = loading.load(environ).commands.get(options.command)
    if row is None:
        raise UsageError(
            f"no command {escape(options.command)} is known", "configure [commands.NAME.profiles]"
        )
    for path in shims.write(place, shims.made(row, options.refuse)):
        print(f"wrote {escape(os.fspath(path))}")
    folders = [os.path.normpath(f) for f in environ.get("PATH", "").split(os.pathsep) if f]
    own = os.path.normpath(place)
    real = safefiles.program_on_path(options.command, environ) or ""
    # Only one that refuses has the name of what is before it.
    before = folders[: folders.index(own)] if own in folders else None
    if before is None or (options.refuse and os.path.normpath(os.path.dirname(real)) in before):
        say(f"put {place} on PATH, before the folder that {options.command} itself is in")
    return 0


def add_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("command", metavar="COMMAND", nargs="?")
    verb.add_argument("--dir", metavar="FOLDER", help="where they are put")
    one = verb.add_mutually_exclusive_group()
    one.add_argument("--refuse", action="store_true", help="and a COMMAND that refuses")
    one.add_argument("--list", action="store_true", help="say which there are")
    one.add_argument("--remove", action="store_true", help="take them away")
