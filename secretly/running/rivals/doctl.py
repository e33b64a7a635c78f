"""``doctl`` with another context than ``default``: it uses the context's own token.

After doctl's source (``getContextAccessToken``); it was not run here.
"""

from __future__ import annotations

import os
import re
import sys

from ...config import places
from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival, home_path, in_file, read_settings, unknown

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The context that the call, a variable or doctl's settings choose."""
    words = known.parsed
    if (given := words.last(["--context"]) or environ.get("DIGITALOCEAN_CONTEXT")) is not None:
        if given == "default":
            return None
        return Rival(f"the token of the context {escape(given)}", "leave out that context")
    path = words.last(["-c", "--config"]) or _usual(environ)
    text = read_settings(path) or ""
    if text.lstrip().startswith("{"):
        return unknown(path, "secretly can't read this form of YAML")
    found = re.search(r"""^["']?context["']?[ \t]*:[ \t]*["']?([^"'\s#]*)""", text, re.M)
    if found is None or found[1] in ("", "default", "null", "~"):
        return None
    return in_file(path, f"context {escape(found[1])}")


def _usual(environ: Mapping[str, str]) -> str:
    if sys.platform == "darwin":
        return home_path("Library/Application Support/doctl/config.yaml", environ)
    return os.path.join(places.xdg_folder("config", environ), "doctl", "config.yaml")
