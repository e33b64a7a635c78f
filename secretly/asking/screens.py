"""Check whether the screen that the environment names exists."""

from __future__ import annotations

import _socket  # socket loads array, and much more where nothing else has
import os

from ..config import places
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["gone", "missing", "without_screen_number"]

#: How long, in seconds, a screen's server has to accept a connection.
_TIMEOUT = 0.5

#: The hosts in a display's name that mean this machine, and the digits of its number at most.
_HERE, _DIGITS = ("", "unix", "localhost", "127.0.0.1"), 5


def _read_display(display: str) -> tuple[str, int] | None:
    """The host and the number of a display of this machine, in the form of X(7); else None."""
    host, colon, rest = display.partition(":")
    number, dot, screen = rest.partition(".")
    texts = [number, screen] if dot else [number]
    if host not in _HERE or not colon or len(number) > _DIGITS:
        return None
    return (host, int(number)) if all(map(_is_number, texts)) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def without_screen_number(display: str) -> str:
    """The name of an X display, the same for each form of it on this machine.

    >>> without_screen_number(":0.0"), without_screen_number("unix:0")
    (':0', ':0')
    """
    found = _read_display(display)
    return display if found is None else f":{found[1]}"


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
    return _accepts(_socket.AF_UNIX, path)


def _x_answers(environ: Mapping[str, str]) -> bool | None:
    """Return whether the X server answers; None for the server of another machine."""
    found = _read_display(environ["DISPLAY"])
    if found is None:
        return None
    host, number = found
    if host not in ("", "unix"):
        return _accepts(_socket.AF_INET, ("127.0.0.1", 6000 + number))
    path = f"/tmp/.X11-unix/X{number}"  # Xlib tries Linux's abstract name first
    return _accepts(_socket.AF_UNIX, f"\0{path}") or _accepts(_socket.AF_UNIX, path)


def _accepts(family: int, address: Any) -> bool:
    trying = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        trying.settimeout(_TIMEOUT)
        trying.connect(address)
    except (OSError, OverflowError):
        return False
    finally:
        trying.close()
    return True
