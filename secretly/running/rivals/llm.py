"""``llm``: a key that ``llm keys set openai`` has stored hides ``OPENAI_API_KEY``.

Tried with llm 0.27.
"""

from __future__ import annotations

import os
import sys

from ...config import places
from ...config.invocation import Invocation
from .rival import Rival, home_path, in_file, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The key of OpenAI in llm's own file."""
    import json

    path = os.path.join(environ.get("LLM_USER_PATH") or _usual(environ), "keys.json")
    try:
        keys = json.loads(read_settings(path) or "{}")
    except (ValueError, RecursionError):
        return None  # llm can't read it either
    return in_file(path, "openai") if isinstance(keys, dict) and "openai" in keys else None


def _usual(environ: Mapping[str, str]) -> str:
    if sys.platform == "darwin":
        return home_path("Library/Application Support/io.datasette.llm", environ)
    return os.path.join(places.xdg_folder("config", environ), "io.datasette.llm")
