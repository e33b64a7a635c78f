"""Settings files as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping


def toml(tables: Mapping[str, object]) -> str:
    """TOML with these tables: JSON's texts, numbers and lists are TOML's, too."""
    return "".join(_lines(tables, ()))


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(map(json.dumps, path))}]\n"] if path else []
    below: list[str] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            below += _lines(value, (*path, key))
        else:
            lines.append(f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n")
    return lines + below
