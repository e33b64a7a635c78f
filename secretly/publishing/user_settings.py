"""Where the tools that use platformdirs keep the user's own settings."""

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


def _folder(kind: str, application: str, environ: Mapping[str, str]) -> str:
    variable = f"XDG_{kind}_HOME"
    places.full_path(environ.get("HOME", "/"), "HOME")
    named = places.optional_path(environ.get(variable, "").strip(), variable)
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
