"""The changes between two looks at an upload."""

from __future__ import annotations

from ..text import escape
from .release import Release


def changed(before: Release, after: Release) -> str:
    """What has changed between two looks, in words; empty if nothing has."""
    if before == after:
        return ""
    files = {file.path: file for file in before.files}
    for file in after.files:
        known = files.pop(file.path, None)
        if known != file:
            return f"{escape(file.path)} was {'changed' if known else 'added'}"
    for path in files:
        return f"{escape(path)} was removed"
    if before.destination != after.destination:
        return f"the upload would go to {escape(after.destination.shown)}"
    return "the project's settings were changed"
