"""Check whether the screen that the environment names exists."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any

from ..config import places
from ..text import escape

__all__ = ["gone", "missing", "without_screen_number"]

#: How long, in seconds, a screen's server has to accept a connection.
_TIMEOUT = 0.5

#: A display of this machine with its number, in the form of X(7).
_DISPLAY = re.compile(r"(|unix|localhost|127\.0\.0\.1):([0-9]{1,5})(?:\.[0-9]+)?")


def without_screen_number(display: str) -> str:
    """The name of an X display, the same for each form of it on this machine.

    >>> without_screen_number(":0.0"), without_screen_number("unix:0")
    (':0', ':0')
    """
    found = _DISPLAY.fullmatch(display)
    return display if found is None else f":{int(found[2])}"


def missing(environ: Mapping[str, str]) -> str:
    """Return the variables whose screen doesn't exist, as ``DISPLAY=:9``; empty without any."""
    names = [name for name, there in _screens(environ).items() if there is False]
    return " and ".join(f"{name}={escape(environ[name])}" for name in names)


def gone(environ: Mapping[str, str]) -> bool:
    """Return whether none of the screens in the environment exists, for certain."""
    there = _screens(environ).values()
    return bool(there) and all(one is False for one in there)


def _screens(environ: Mapping[str, str]) -> dict[str, bool | None]:
    """Return for each variable whether its screen exists; None if unknown."""
    checks = {"WAYLAND_DISPLAY": _wayland_answers, "DISPLAY": _x_answers}
    return {name: check(environ) for name, check in checks.items() if environ.get(name)}


def _wayland_answers(environ: Mapping[str, str]) -> bool:
    path = os.path.join(places.runtime_folder(environ), environ["WAYLAND_DISPLAY"])
    return _accepts(socket.AF_UNIX, path)


def _x_answers(environ: Mapping[str, str]) -> bool | None:
    """Return whether the X server answers; None for the server of another machine."""
    found = _DISPLAY.fullmatch(environ["DISPLAY"])
    if found is None:
        return None
    host, number = found[1], int(found[2])
    if host not in ("", "unix"):
        return _accepts(socket.AF_INET, ("127.0.0.1", 6000 + number))
    path = f"/tmp/.X11-unix/X{number}"  # Xlib tries Linux's abstract name first
    return _accepts(socket.AF_UNIX, f"\0{path}") or _accepts(socket.AF_UNIX, path)


def _accepts(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as trying:
        trying.settimeout(_TIMEOUT)
        try:
            trying.connect(address)
        except (OSError, OverflowError):
            return False
    return True
