"""``rbw://ITEM[#field]``: Bitwarden, by the program ``rbw``, whose agent keeps the vault open.

After the documentation and the source of rbw 1.15.0; it was not run here.
"""

from __future__ import annotations

from ..redacted import Secret
from ..text import escape
from .failures import Ambiguous, Locked, NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "rbw"

_MISSING = ("can't find the item {item}", "rbw sync, or rbw list")

program = Program(
    title,
    "rbw",
    (
        ("no entry found", NoItem, *_MISSING),
        (
            "multiple entries found",
            Ambiguous,
            "several items match {item}",
            "use the item's id: rbw list --fields id,name,user",
        ),
        (
            "find email address|config is missing",
            SignedOut,
            "it is not set up",
            "rbw config set email YOUR-EMAIL, then rbw login",
        ),
        (
            "log in to bitwarden",
            SignedOut,
            "can't log in",
            "rbw login",
        ),
        ("agent is locked|failed to unlock|pinentry", Locked, "the vault is locked", "rbw unlock"),
        (
            "error sending request|dns|timed out",
            Unreachable,
            "rbw can't reach the server",
            "rbw sync",
        ),
    ),
)

#: ``rbw unlocked`` fails if the vault is locked, or if no agent runs.
_state = program._replace(failures=(("", Locked, "the vault is locked", "rbw unlock"),))

#: ``rbw unlock`` asks the user, by a pinentry that its agent starts.
_asking = program._replace(asks=True)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the login's user name and password, the item's own fields, its notes and its key."""

    async def attempt() -> Secret:
        await _state.call(run, "unlocked", item=path)  # otherwise rbw get would ask the user
        return await program.call(run, "get", "--raw", operand(path), item=path)

    async def unlock(wrong: str) -> None:
        async with run.attention("rbw's vault is locked", "rbw unlock") as where:
            terminal = {"RBW_TTY": where["GPG_TTY"]} if "GPG_TTY" in where else {}
            await _asking.call(run, "unlock", item=path, environ=terminal)

    return _item(await program.unlocking(run, attempt, unlock, times=1), path)


def _item(said: Secret, path: str) -> Mapping[str, str]:
    return Item.of(program.parsed(said, lambda found: _fields(found, path), path))


def _fields(item: Any, path: str) -> Mapping[str, str]:
    """Return the fields of the item, if it has that name: rbw also finds a part of a name."""
    names = (item["name"].casefold(), item["id"].casefold())
    if path.casefold() not in names:
        what, hint = _MISSING
        raise NoItem(f"{title}: {what.format(item=escape(path))}", hint)
    data = item["data"] if isinstance(item["data"], dict) else {}  # a secure note has none
    found = {**data, "notes": item.get("notes")}
    for field in item.get("fields") or ():
        if not found.get(field["name"]):  # the login's own take precedence
            found[field["name"]] = field.get("value")
    return {name: value for name, value in found.items() if name and value}
