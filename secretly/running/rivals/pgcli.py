"""``pgcli``: as libpq, and a URL with a password in its own settings (``--dsn NAME``).

Tried with pgcli 4.
"""

from __future__ import annotations

import os

from ...config import places
from ...config.invocation import Invocation
from ...text import escape
from . import libpq
from .rival import Rival, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The password that pgcli would send."""
    options = known.parsed
    name = options.last(["-D", "--dsn"])
    if name is None:
        return libpq.find(known, environ)
    path = options.last(["--pgclirc"]) or os.path.join(
        places.xdg_folder("config", environ), "pgcli", "config"
    )
    url = _alias(read_settings(places.expand_user(path, environ)) or "", name)
    if url is None or libpq.has_password(url):
        return Rival(
            f"the password of the alias {escape(name)} in {escape(path)}",
            "take the password out of its URL",
        )
    return None


def _alias(text: str, name: str) -> str | None:
    """The URL of an alias."""
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        key, equals, value = line.partition("=")
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == "alias_dsn" and equals and key.strip().strip("'\"") == name:
            return value.strip().strip("'\"")
    return None
