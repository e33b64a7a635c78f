"""The bus of the user's login: the session bus, where no variable has its address."""

from __future__ import annotations

import os
import stat
import sys

from .places import runtime_folder

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Mapping


def path(environ: Mapping[str, str]) -> str:
    """Where systemd makes the socket of the bus of a login.

    If the environment names a runtime folder, no other folder counts.
    """
    return os.path.join(runtime_folder(environ), "bus")


def address(environ: Mapping[str, str]) -> str:
    """The address of the bus of the user's login; empty without one."""
    socket = path(environ)
    if sys.platform == "linux":
        try:
            facts = os.stat(socket)
        except OSError:
            return ""
        if stat.S_ISSOCK(facts.st_mode) and facts.st_uid in (0, os.geteuid()):
            return f"unix:path={''.join(map(_in_address, socket))}"
    return ""


def _in_address(character: str) -> str:
    if character.isascii() and (character.isalnum() or character in "-_/.\\*"):
        return character
    return "".join(f"%{byte:02x}" for byte in os.fsencode(character))
