"""The program to run: check it, and compare it with what it was."""

from __future__ import annotations

import os

from .. import safefiles
from ..errors import Refused
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def interpreter(program: str, environ: Mapping[str, str]) -> str | None:
    """The program that the system starts for a script, by its first line; else None.

    ``env`` looks for it in PATH; an empty or relative entry there means the current folder.
    """
    try:
        start = safefiles.read_start(program, 256)  # as much as the system reads of it
    except OSError:  # a program may be executable and not readable
        return None
    if not start.startswith(b"#!"):
        return None
    line = os.fsdecode(start.partition(b"\n")[0])
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
    """Refuse a program that must not get a secret.

    :raises Refused: if other users could change it or its interpreter, or if the interpreter
        is looked for in the current folder.
    """
    safefiles.refuse_if_others_can_write(program, "the program")
    found = interpreter(program, environ)
    if found is None or not os.path.exists(found):
        return  # the system says what is missing
    what = f"the interpreter of {escape(program)},"
    if not os.path.isabs(found):
        raise Refused(
            f"{what} {escape(found)}, is in the current folder",
            "remove the empty and relative entries from PATH",
        )
    safefiles.refuse_if_others_can_write(found, what)


def fingerprint(program: str, content: bool = False) -> tuple[int | str, ...]:
    """What identifies a program's file; compared again just before it is executed.

    :param content: also hash its bytes: times can be set back, and some disks have coarse ones.
    :raises NotThere: if it doesn't exist any more.
    """
    try:
        facts = os.stat(program)
        digest = ""
        if content:
            from ..safefiles import hashing

            with open(program, "rb") as file:
                digest = hashing.of_file(file, facts.st_size)
    except OSError as error:
        if isinstance(error, PermissionError):  # it may be executable and not readable
            digest = "unreadable"
        else:
            from .not_started import NotThere

            raise NotThere(
                f"{escape(program)} doesn't exist any more", "the command was not run"
            ) from None
    place = (facts.st_dev, facts.st_ino, facts.st_size)
    return (*place, facts.st_mtime_ns, facts.st_ctime_ns, digest)
