"""``bws://ID[#field]``: Bitwarden Secrets Manager, by its program ``bws``.

After its documentation; it was not run here.
"""

from __future__ import annotations

from .failures import NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "Bitwarden Secrets Manager"

program = Program(
    title,
    "bws",
    (
        (
            "access token|unauthori[sz]ed|identity",
            SignedOut,
            "bws has no valid access token",
            "export BWS_ACCESS_TOKEN=…",
        ),
        (
            "not found|404|invalid.*(uuid|value)",
            NoItem,
            "can't find the item {item}",
            "bws secret list shows the ids",
        ),
        ("error sending request|dns|timed out", Unreachable, "bws can't reach the server", "bws"),
    ),
)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the secret's value, its ``key``, which is its name, and its ``note``."""
    words = ("secret", "get", operand(path), "--output", "json", "--color", "no")
    return Item.of(program.parsed(await program.call(run, *words, item=path), _fields, path))


def _fields(found: Any) -> Mapping[str, str]:
    named = {"password": found["value"], "key": found.get("key"), "note": found.get("note")}
    return {name: value for name, value in named.items() if value}
