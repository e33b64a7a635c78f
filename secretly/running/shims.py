"""Small executables: one a profile, that runs its command through secretly."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from .. import safefiles
from ..config.model import Command
from ..errors import Refused
from ..text import escape

__all__ = ["folder", "listed", "made", "remove", "write"]


def folder(environ: Mapping[str, str], named: str | None = None) -> Path:
    """Where they are: the folder that was named, else the platform's place for data.

    :raises Refused: if that cannot be told, as the current folder has been removed.
    """
    if named:
        try:
            return Path(named).absolute()
        except FileNotFoundError:
            raise Refused("the current folder is gone", "change to one that is there") from None
    import platformdirs

    return platformdirs.user_data_path("secretly") / "shims"


def made(command: Command, refusing: bool) -> dict[str, str]:
    """The names and texts of the executables for a command.

    :param refusing: whether to make one that has the command's own name, and refuses.
    :raises Refused: if the command has no profiles, or a name cannot be one of a file.
    """
    if not command.profiles:
        raise Refused(
            f"{escape(command.name)} has no profiles",
            f"a profile is [commands.{escape(command.name)}.profiles.NAME] in the configuration",
        )
    name = command.name
    for part in (name, *command.profiles):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", part):
            raise Refused(
                f"'{escape(part)}' cannot be part of a program's name",
                "use letters, digits, '.', '_' and '-'",
            )
    found = {
        f"{profile}.{name}": _running(name, "run", "-p", profile, "--", name)
        for profile in command.profiles
    }
    if refusing:
        choices = " or ".join(sorted(found))
        found[name] = _script(name, f'echo "{name}: use {choices}" >&2', "exit 1")
    return found


def _running(command: str, *words: str) -> str:
    """The text that runs secretly with these words and its own.

    In Python where that can be: a shell loses the variables whose names it could not have
    given, npm's ``npm_config_//host/:_authToken`` among them.
    """
    script = os.path.abspath(sys.argv[0])
    own = os.path.basename(script) == "secretly" and os.access(script, os.X_OK)
    if interpreter := _interpreter(script if own else None):
        call = f"sys.exit(main([{', '.join(map(repr, words))}, *sys.argv[1:]]))"
        lines = ("import sys", _IMPORT, call)
        return _script(command, *lines, interpreter=interpreter)
    # -P: not the secretly of whatever folder one happens to be in.
    start = [script] if own else [sys.executable, "-P", "-m", "secretly"]
    return _script(command, f'exec {" ".join(map(shlex.quote, (*start, *words)))} "$@"')


def _interpreter(script: str | None) -> str | None:
    """The first line of a program that loads the secretly that this one is; None for none.

    :param script: secretly's own executable, as ``pip`` makes it. It may also be a shell's: where
        the path to Python is no such line's, or by a packager.
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
    return f"{found[1]} -{found[2] or ''}P"  # what lies beside the script is not loaded


_IMPORT = "from secretly.cli import main"

#: What Linux reads of a first line was 127 bytes before 5.1, and an option comes to it.
_LONGEST = 120


def _script(command: str, *lines: str, interpreter: str = "#!/bin/sh") -> str:
    return "\n".join((interpreter, safefiles.SHIM, _note(command), *lines, ""))


def _note(command: str) -> str:
    return f"# 'secretly shim --remove {command}' takes it away."


def write(place: Path, files: Mapping[str, str]) -> list[Path]:
    """Write executables; all of them, or none if there is another's file of that name.

    ``dev.my.twine`` may be twine's, for its profile ``dev.my``, or my.twine's.

    :raises Refused: if there is, or the folder could be changed by others.
    """
    paths = [place / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        if os.path.lexists(path) and not safefiles.is_shim(path):
            raise Refused(
                f"{escape(os.fspath(path))} is there, and not one of secretly's",
                "choose another folder: --dir",
            )
        if path.exists() and text.split("\n")[2].encode() not in path.read_bytes().splitlines():
            raise Refused(
                f"{escape(os.fspath(path))} is there, and another command's",
                "choose another folder (--dir), or rename the profile",
            )
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        safefiles.refuse_if_others_can_write(place, "the folder")
        for path, text in zip(paths, files.values(), strict=True):
            _take_leftovers(path)
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_text(text, "utf-8")
            partial.chmod(0o755)
            partial.replace(path)
    except OSError as error:
        raise Refused(
            f"{escape(os.fspath(place))} cannot be written: {error.strerror}",
            "choose another folder: --dir",
        ) from None
    return paths


def _take_leftovers(path: Path) -> None:
    """Take away what a process that was killed while it made *path* has left."""
    for left in path.parent.glob(f".{path.name}.*"):
        number = left.name.rpartition(".")[2]
        if not number.isdecimal() or not (safefiles.is_shim(left) or left.stat().st_size == 0):
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except (OSError, OverflowError):
            continue  # another user's process, or the number of none


def listed(place: Path, command: str | None = None) -> list[Path]:
    """The executables that are secretly's, of one command or of all."""
    try:
        found = sorted(path for path in place.iterdir() if safefiles.is_shim(path))
    except OSError:
        return []
    if command is None:
        return found
    return [path for path in found if _note(command).encode() in path.read_bytes().splitlines()]


def remove(place: Path, command: str | None = None) -> list[Path]:
    """Take them away, and say which."""
    found = listed(place, command)
    for path in found:
        try:
            path.unlink()
        except OSError as error:
            raise Refused(
                f"{escape(os.fspath(path))} cannot be taken away: {error.strerror}",
                "check its folder's permissions",
            ) from None
    return found
