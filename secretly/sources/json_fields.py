"""Items whose text is a JSON object: each of its texts and numbers is a field."""

from __future__ import annotations

import json

from ..redacted import Secret

__all__ = ["read_fields", "with_fields"]


def read_fields(text: str) -> dict[str, str] | None:
    """Return the fields of a JSON object, numbers as they are written; None for anything else."""
    try:
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    values = {name: str(v).lower() if isinstance(v, bool) else v for name, v in found.items()}
    return {name: Secret(value) for name, value in values.items() if isinstance(value, str)}


def with_fields(text: Secret) -> dict[str, str]:
    """Return a text as the password, or, if it is a JSON object with a password, its fields.

    The whole text is the field ``all`` too, unless the object has a field of that name.
    """
    fields = read_fields(text) or {}
    names = {name.casefold() for name in fields}
    whole = {name: text for name in ("password", "all") if name not in names}
    return {**fields, **whole}
