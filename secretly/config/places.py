"""The user's folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from typing import Literal


def home_folder(environ: Mapping[str, str]) -> str:
    """The user's home folder: ``HOME``, else what the system's password database says.

    An empty ``HOME`` does not count. Without either, it is the root folder.
    """
    if environ.get("HOME"):
        return environ["HOME"]
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir or "/"
    except KeyError:  # a container may have no entry for its user
        return "/"


def expand_user(path: str, environ: Mapping[str, str]) -> str:
    """Replace ``~`` at the start of *path* by the home folder, and ``~NAME`` by NAME's."""
    if path == "~" or path.startswith("~/"):
        return home_folder(environ).rstrip("/") + path[1:] or "/"
    return os.path.expanduser(path)


def secretly_folder(kind: Literal["config", "data", "state"], environ: Mapping[str, str]) -> str:
    """The folder for secretly's configuration, or for the files that it writes.

    On Linux the XDG Base Directory Specification decides, as in platformdirs: to import that
    takes as long as the rest of a start. Elsewhere platformdirs decides.
    """
    if sys.platform != "linux":
        import platformdirs

        folders = {
            "config": platformdirs.user_config_dir,
            "data": platformdirs.user_data_dir,
            "state": platformdirs.user_state_dir,
        }
        return folders[kind]("secretly")
    root = environ.get(f"XDG_{kind.upper()}_HOME", "").strip()
    if not os.path.isabs(root):  # the specification says to ignore a relative path
        below = {"config": ".config", "data": ".local/share", "state": ".local/state"}
        root = os.path.join(home_folder(environ), below[kind])
    return os.path.join(root, "secretly")


def config_path(environ: Mapping[str, str]) -> str:
    """The user's configuration file: ``SECRETLY_CONFIG``, else the platform's."""
    return environ.get("SECRETLY_CONFIG") or os.path.join(
        secretly_folder("config", environ), "config.toml"
    )
