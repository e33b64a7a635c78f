"""Settings files as maturin's parser reads them, which differs from Python's.

The names of sections and keys have no case, ``;`` and ``#`` start a comment anywhere in a line, and
no section inherits from another. The last of several equal names counts.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    Sections = dict[str, dict[str, str | None]]


def read(text: str) -> Sections | None:
    """Read the sections, with the values of their keys; None if the parser refuses the text."""
    found: Sections = {}
    section = found.setdefault("default", {})
    for raw in re.split(r"\r?\n", text):
        line = re.split("[;#]", raw.strip(), maxsplit=1)[0].strip()
        if line.startswith("["):
            name, bracket, _ = line[1:].rpartition("]")
            if not bracket:
                return None
            section = found.setdefault(name.strip().lower(), {})
        elif line:
            key, *values = (part.strip() for part in re.split("[=:]", line, maxsplit=1))
            if values and not key:
                return None
            section[key.lower()] = values[0] if values else None
    return found
