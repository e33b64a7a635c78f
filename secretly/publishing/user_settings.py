"""The folders of settings, the user's and all users', for tools that use platformdirs."""

from __future__ import annotations

import os
import sys

from ..config import places
from ..errors import Refused

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def config_file(application: str, environ: Mapping[str, str]) -> str:
    """The path of an application's ``config.toml`` in the user's home.

    :raises Refused: if versions of platformdirs disagree about it.
    """
    return os.path.join(_folder("CONFIG", application, environ), "config.toml")


def cache_folder(application: str, environ: Mapping[str, str]) -> str:
    """The folder in which an application keeps what it remembers.

    :raises Refused: if versions of platformdirs disagree about it.
    """
    return _folder("CACHE", application, environ)


def optional_path(path: str, variable: str) -> str:
    """A path as :func:`~secretly.config.places.full_path` checks it.

    A variable that is empty, or not set, names none.
    """
    return places.full_path(path, variable) if path else ""


def system_folders(environ: Mapping[str, str]) -> list[str]:
    """The folders of the settings for all users, the first one first; empty names don't count.

    :raises Refused: if one is relative.
    """
    named = list(filter(None, environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep)))
    return [places.full_path(one, "XDG_CONFIG_DIRS") for one in named or ["/etc/xdg"]]


def _folder(kind: str, application: str, environ: Mapping[str, str]) -> str:
    variable = f"XDG_{kind}_HOME"
    places.full_path(environ.get("HOME", "/"), "HOME")
    named = optional_path(environ.get(variable, "").strip(), variable)
    home = places.home_folder(environ)
    if sys.platform != "darwin":
        usual = os.path.join(home, ".config" if kind == "CONFIG" else ".cache")
        return os.path.join(named or usual, application)
    below = "Application Support" if kind == "CONFIG" else "Caches"
    if named and os.path.lexists(os.path.join(named, application)):
        raise Refused(
            f"versions of {application} disagree whether {variable} counts on macOS",
            f"unset {variable} for this upload",
        )
    return os.path.join(home, "Library", below, application)
