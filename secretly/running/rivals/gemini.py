"""``gemini``: a way to log in that its settings choose hides ``GEMINI_API_KEY``.

Tried with Gemini CLI 0.61: a project's settings do not choose it.
"""

from __future__ import annotations

import os
import re
import sys

from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival, home_path, in_file, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The key in today's settings and in those of older versions, which may have comments.
_CHOSEN = re.compile(r'"selected(?:Auth)?Type"\s*:\s*"([^"]*)"')


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The way to log in that the user's settings, or those of all users, choose."""
    for path in _settings(environ):
        for found in _CHOSEN.finditer(read_settings(path) or ""):
            if found[1] != "gemini-api-key":
                return in_file(path, f"selectedType {escape(found[1])}")
    return None


def _settings(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("GEMINI_CLI_HOME") or home_path("", environ)
    yield os.path.join(home, ".gemini", "settings.json")
    named = environ.get("GEMINI_CLI_SYSTEM_SETTINGS_PATH")
    mac = "/Library/Application Support/GeminiCli/settings.json"
    yield named or (mac if sys.platform == "darwin" else "/etc/gemini-cli/settings.json")
