"""Where the user's folders are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Literal


def secretly_folder(kind: Literal["config", "state"]) -> str:
    """The user's folder for secretly's configuration, or for what it notes.

    On Linux as the XDG Base Directory Specification has it, and platformdirs, whose import
    takes as long as all else that a run does; elsewhere by platformdirs.
    """
    if sys.platform != "linux":
        import platformdirs

        places = {"config": platformdirs.user_config_dir, "state": platformdirs.user_state_dir}
        return places[kind]("secretly")
    root = os.environ.get(f"XDG_{kind.upper()}_HOME", "").strip()
    if not os.path.isabs(root):  # it is to be ignored then, as the specification says
        root = ""
    fallback = {"config": "~/.config", "state": "~/.local/state"}
    return os.path.join(root or os.path.expanduser(fallback[kind]), "secretly")


def config_path(environ: Mapping[str, str]) -> str:
    """Where the user's configuration is: ``SECRETLY_CONFIG``, else the platform's place."""
    return environ.get("SECRETLY_CONFIG") or os.path.join(secretly_folder("config"), "config.toml")
