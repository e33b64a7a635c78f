"""``env://VARIABLE``: a variable of secretly's own environment."""

from __future__ import annotations

from collections.abc import Mapping

from ..display import visible
from ..errors import SourceFailed


async def fetch(path: str, field: str, environ: Mapping[str, str]) -> str:
    """Return the variable's value."""
    if field not in ("", "password"):
        raise SourceFailed(f"a variable has no field '{visible(field)}'", "it has password alone")
    if not environ.get(path):
        raise SourceFailed(
            f"the variable {visible(path)} is not set", f"export {visible(path)} first"
        )
    return environ[path]
