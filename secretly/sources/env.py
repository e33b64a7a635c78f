"""``env://VARIABLE``: a variable of secretly's own environment."""

from __future__ import annotations

from ..text import escape
from .failures import NoItem
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "the environment"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the variable's value, as the password."""
    if not run.environ.get(path):
        raise NoItem(
            f"the variable {escape(path)} is not set in the environment",
            f"export {escape(path)} first",
        )
    return {"password": run.environ[path]}
