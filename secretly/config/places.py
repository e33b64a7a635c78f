"""The user's folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from typing import Literal


def home_folder(environ: Mapping[str, str]) -> str:
    """The user's home folder: ``HOME``, else the entry in the system's password database.

    An empty or relative ``HOME`` does not count: it would be the current folder, and a file
    there could name the pinentry. Without both, the home is the root folder.
    """
    if os.path.isabs(home := environ.get("HOME", "")):
        return home
    import pwd

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container may have no entry for its user
        return "/"
    return home if os.path.isabs(home) else "/"


def expand_user(path: str, environ: Mapping[str, str]) -> str:
    """Replace ``~`` at the start of *path* by the home folder, and ``~NAME`` by NAME's."""
    if path == "~" or path.startswith("~/"):
        return home_folder(environ).rstrip("/") + path[1:] or "/"
    return os.path.expanduser(path)


def xdg_folder(kind: Literal["config", "data", "state"], environ: Mapping[str, str]) -> str:
    """The user's folder for a kind of file, by the XDG Base Directory Specification.

    By the specification, a relative path in the variable does not count.
    """
    root = environ.get(f"XDG_{kind.upper()}_HOME", "").strip()
    below = {"config": ".config", "data": ".local/share", "state": ".local/state"}
    return root if os.path.isabs(root) else os.path.join(home_folder(environ), below[kind])


def runtime_folder(environ: Mapping[str, str]) -> str:
    """The folder of the sockets of the user's login; systemd's, if the variable names none."""
    folder = environ.get("XDG_RUNTIME_DIR", "")
    return folder if os.path.isabs(folder) else f"/run/user/{os.geteuid()}"


def secretly_folder(kind: Literal["config", "data", "state"], environ: Mapping[str, str]) -> str:
    """The folder for secretly's configuration, or for the files that it writes.

    On Linux as in platformdirs: to import that takes as long as the rest of a start. Elsewhere
    platformdirs decides.
    """
    if sys.platform != "linux":
        import platformdirs

        folders = {
            "config": platformdirs.user_config_dir,
            "data": platformdirs.user_data_dir,
            "state": platformdirs.user_state_dir,
        }
        folder, theirs = folders[kind]("secretly"), os.path.expanduser("~")
        if not os.path.isabs(os.environ.get("HOME", "")) and folder.startswith(theirs):
            return home_folder(environ).rstrip("/") + folder[len(theirs.rstrip("/")) :]
        return folder
    return os.path.join(xdg_folder(kind, environ), "secretly")


def config_path(environ: Mapping[str, str]) -> str:
    """The user's configuration file: ``SECRETLY_CONFIG``, else the platform's."""
    return environ.get("SECRETLY_CONFIG") or os.path.join(
        secretly_folder("config", environ), "config.toml"
    )
