"""Shims: small programs that run a command with one of its profiles, through secretly."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .. import safefiles
from ..config import places
from ..config.model import Command
from ..errors import Refused
from ..safefiles import shared
from ..text import escape

__all__ = ["find_folder", "list_shims", "remove", "shim_texts", "wrapping", "write"]


def find_folder(environ: Mapping[str, str], named: str | None = None) -> Path:
    """The folder of the shims: the named one, else one in the platform's folder for data.

    :raises Refused: if the current folder doesn't exist any more.
    """
    if named:
        try:
            return Path(named).absolute()
        except FileNotFoundError:
            raise Refused("the current folder was removed", "change to another one") from None
    return Path(places.secretly_folder("data", environ), "shims")


def shim_texts(command: Command, refusing: bool) -> dict[str, str]:
    """The names and texts of a command's shims: one for each profile, or else one.

    :param refusing: also make one that has the command's own name, and refuses to run.
    :raises Refused: if one should refuse and the command has no profiles, or if a name can't be a
        file's.
    """
    name = command.name
    if refusing and not command.profiles:
        raise Refused(
            f"{escape(name)} has no profiles",
            f"add one to the configuration: [commands.{escape(name)}.profiles.NAME]",
        )
    for part in (name, *command.profiles):
        _check_name(part)
    if not command.profiles:
        return wrapping([name], ())
    found = {
        f"{profile}.{name}": _running(name, "run", "-p", profile, "--", name)
        for profile in command.profiles
    }
    if refusing:
        choices = " or ".join(sorted(found))
        found[name] = _script(name, f'echo "{name}: use {choices}" >&2', "exit 1")
    return found


def wrapping(names: Iterable[str], options: Sequence[str]) -> dict[str, str]:
    """The names and texts of shims that only run a command through secretly.

    :param options: the options of ``secretly run``.
    :raises Refused: if a name can't be a file's.
    """
    found = {}
    for name in names:
        _check_name(name)
        found[name] = _running(name, "run", *options, "--", name)
    return found


def _check_name(part: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", part):
        raise Refused(
            f"'{escape(part)}' can't be part of a program's name",
            "use letters, digits, '.', '_' and '-'",
        )


def _running(command: str, *words: str) -> str:
    """The text of a shim that runs secretly with these words and the shim's own.

    It is Python if possible: a shell drops variables whose names it can't set itself, such as
    npm's ``npm_config_//host/:_authToken``.
    """
    script = os.path.abspath(sys.argv[0])
    is_script = os.path.basename(script) == "secretly" and os.access(script, os.X_OK)
    if interpreter := _interpreter(script if is_script else None):
        call = f"sys.exit(main([{', '.join(map(repr, words))}, *sys.argv[1:]]))"
        lines = ("import sys", _IMPORT, call)
        return _script(command, *lines, interpreter=interpreter)
    # -P: never a secretly of the current folder.
    start = [script] if is_script else [sys.executable, "-P", "-m", "secretly"]
    return _script(command, f'exec {" ".join(map(shlex.quote, (*start, *words)))} "$@"')


def _interpreter(script: str | None) -> str | None:
    """The first line of a Python program that loads this secretly; None if there isn't one.

    :param script: secretly's own executable, as ``pip`` makes it. It is a shell's if the path
        to Python doesn't fit into a first line, or if a packager made it.
    """
    first, rest = f"#!{sys.executable}", [_IMPORT]
    if script is not None:
        try:
            first, *rest = Path(script).read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return None
    found = re.fullmatch(r"(#!\S*python[\d.]*)(?: -(\w+))?", first)
    if found is None or len(os.fsencode(first)) > _LONGEST or _IMPORT not in map(str.strip, rest):
        return None
    return f"{found[1]} -{found[2] or ''}P"  # nothing next to the script is loaded


_IMPORT = "from secretly.cli import main"

#: Before 5.1, Linux read 127 bytes of a first line; an option is added to it.
_LONGEST = 120


def _script(command: str, *lines: str, interpreter: str = "#!/bin/sh") -> str:
    return "\n".join((interpreter, safefiles.SHIM, _note(command), *lines, ""))


def _note(command: str) -> str:
    # Never reword it: shims of older versions are recognized by this line.
    return f"# 'secretly shim --remove {command}' takes it away."


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write shims: all of them, or none if one of the names is taken.

    ``dev.my.twine`` may be twine's, for its profile ``dev.my``, or my.twine's.

    :raises Refused: if a name is taken, or other users could change the folder.
    """
    paths = [folder / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        if os.path.lexists(path) and not safefiles.is_shim(path):
            raise Refused(
                f"{escape(os.fspath(path))} exists, and secretly didn't make it",
                "choose another folder: --dir",
            )
        if path.exists() and text.split("\n")[2].encode() not in path.read_bytes().splitlines():
            raise Refused(
                f"{escape(os.fspath(path))} exists, and belongs to another command",
                "choose another folder (--dir), or rename the profile",
            )
    try:
        shared.make_private_folder(folder)
        safefiles.refuse_if_others_can_write(folder, "the folder")
        for path, text in zip(paths, files.values(), strict=True):
            _remove_leftovers(path)
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_text(text, "utf-8")
            partial.chmod(0o755)
            partial.replace(path)
    except OSError as error:
        raise Refused(
            f"can't write {escape(os.fspath(folder))}: {error.strerror}",
            "choose another folder: --dir",
        ) from None
    return paths


def _remove_leftovers(path: Path) -> None:
    """Remove leftovers of a process that was killed while it wrote *path*."""
    for left in path.parent.glob(f".{path.name}.*"):
        number = left.name.rpartition(".")[2]
        if not number.isdecimal() or not (safefiles.is_shim(left) or left.stat().st_size == 0):
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except (OSError, OverflowError):
            continue  # another user's process, or not a process number


def list_shims(folder: Path, command: str | None = None) -> list[Path]:
    """The shims in a folder, of one command or of all."""
    try:
        found = sorted(path for path in folder.iterdir() if safefiles.is_shim(path))
    except OSError:
        return []
    if command is None:
        return found
    return [path for path in found if _note(command).encode() in path.read_bytes().splitlines()]


def remove(folder: Path, command: str | None = None) -> list[Path]:
    """Remove shims, and return which."""
    found = list_shims(folder, command)
    for path in found:
        try:
            path.unlink()
        except OSError as error:
            raise Refused(
                f"can't remove {escape(os.fspath(path))}: {error.strerror}",
                "check its folder's permissions",
            ) from None
    return found
