"""``bao-kv://PATH[#field]``: a key of OpenBao, by its program ``bao``.

After its documentation; it was not run here.
"""

from __future__ import annotations

from .runs import Run
from .vault_kv import fields_of, program_of

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "OpenBao"

program = program_of(title, "bao")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return all fields of the key."""
    return await fields_of(program, path, run)
