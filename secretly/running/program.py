"""The program to run: found, checked and compared."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .. import safefiles
from ..errors import NotExecutable, NotThere, Refused
from ..text import escape, shell_quote


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Find a command as the shell does, but never in the current folder by accident.

    :raises NotThere: if there is none.
    :raises NotExecutable: if there is one that cannot be executed.
    """
    if not name:
        raise NotThere("the command has no name", "give a command after the options")
    if os.sep in name:
        candidates = [name]
    else:
        found = safefiles.program_on_path(name, environ)
        if found is not None:
            return found
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(f, name) for f in folders if os.path.isabs(f)]
        candidates = [path for path in candidates if not safefiles.is_shim(path)]
    there = [path for path in candidates if os.path.lexists(path) and os.path.exists(path)]
    if not there:
        raise NotThere(
            f"there is no command {escape(name)}",
            f"check the name and PATH; a program in this folder is run as ./{escape(name)}"
            if os.path.exists(name) and os.sep not in name
            else "check the name and PATH",
        )
    if os.path.isdir(there[0]) or not os.access(there[0], os.X_OK):
        raise NotExecutable(
            f"{escape(there[0])} cannot be executed", f"chmod +x {shell_quote(there[0])}"
        )
    return there[0]


def interpreter(program: str, environ: Mapping[str, str]) -> str | None:
    """The program that the system starts for a script, by its first line; None for no script.

    ``env`` looks for it in PATH, and there in the current folder as well, where an entry
    is empty or relative.
    """
    try:
        with open(program, "rb", opener=safefiles.open_without_waiting) as file:
            line = os.fsdecode(file.readline(256))
    except OSError:  # one may execute what one may not read
        return None
    if not line.startswith("#!"):
        return None
    path, *arguments = line[2:].split() or [""]
    if os.path.basename(path) != "env":
        return path
    # GNU's 'env -S' splits the one argument that the system gives.
    names = [word for word in arguments if not word.startswith("-") and "=" not in word]
    name = names[0] if names else path
    if os.sep in name:
        return name
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    candidates = [os.path.join(folder, name) for folder in folders]
    return next((p for p in candidates if os.path.isfile(p) and os.access(p, os.X_OK)), None)


def check_program(program: str, environ: Mapping[str, str]) -> None:
    """Refuse a program that is not to have a secret.

    :raises Refused: if others could change it, or what the system starts for it; or if that
        is whatever lies in the current folder.
    """
    safefiles.refuse_if_others_can_write(program, "the program")
    found = interpreter(program, environ)
    if found is None or not os.path.exists(found):
        return  # the system says what is missing
    what = f"what runs {escape(program)}, "
    if not os.path.isabs(found):
        raise Refused(
            f"{what}{escape(found)}, is of the current folder",
            "take the empty and the relative entries out of PATH",
        )
    safefiles.refuse_if_others_can_write(found, what.rstrip())


def fingerprint(program: str, content: bool = False) -> tuple[int | str, ...]:
    """What a program's file is, to be compared just before it is executed.

    :param content: whether its bytes are looked at as well.
    :raises NotThere: if it has gone, or cannot be read.
    """
    try:
        facts = os.stat(program)
        digest = ""
        if content:
            import hashlib

            with open(program, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if isinstance(error, PermissionError):  # one may execute what one may not read
            digest = "unreadable"
        else:
            raise NotThere(f"{escape(program)} has gone", "nothing was handed over") from None
    place = (facts.st_dev, facts.st_ino, facts.st_size)
    return (*place, facts.st_mtime_ns, facts.st_ctime_ns, digest)
