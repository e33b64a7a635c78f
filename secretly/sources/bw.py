"""``bw://ITEM[#field]``: Bitwarden, by its program ``bw``."""

from __future__ import annotations

import re

from ..asking import wording
from ..redacted import Secret
from ..text import escape
from .failures import Ambiguous, Locked, NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "Bitwarden"

_LOCKED = "Bitwarden is locked"

_UNLOCK = 'export BW_SESSION="$(bw unlock --raw)"'

program = Program(
    title,
    "bw",
    (
        ("vault is locked", Locked, "the vault is locked", "bw unlock"),
        (
            "decryption operation failed|invalid master password",
            Locked,
            "the master password is wrong",
            "bw unlock",
        ),
        ("not logged in", SignedOut, "you are not logged in", "bw login"),
        (
            "more than one result",
            Ambiguous,
            "several items match {item}",
            "use the item's id: bw list items --search {item}",
        ),
        ("not found", NoItem, "can't find the item {item}", "bw sync, or bw list items"),
        (
            "ENOTFOUND|ECONNREFUSED|ETIMEDOUT|fetch failed",
            Unreachable,
            "bw can't reach the server",
            "bw sync",
        ),
    ),
)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the login's user name and password, the item's own fields, its notes and its key."""

    async def attempt() -> Secret:
        # Only bw gets the session key, and never on a command line.
        environ = {"BW_SESSION": run.kept[title]} if title in run.kept else {}
        # `get item NAME` would match any item with NAME anywhere in its name.
        what = ("get", "item", path) if _ID.fullmatch(path) else ("list", "items", *_search(path))
        return await program.call(
            run, "--nointeraction", *what, item=path, environ=environ, limit=_LIMIT
        )

    async def unlock(wrong: str) -> None:
        master = await run.typed(wording.MASTER_PASSWORD, _LOCKED, wrong, _UNLOCK)
        arguments = ("--nointeraction", "unlock", "--raw", "--passwordfile", "/dev/stdin")
        run.keep(title, await program.call(run, *arguments, item=path, stdin=master))

    return _item(await program.unlocking(run, attempt, unlock), path)


#: How many bytes bw may write: all matching items, with notes and history.
_LIMIT = 16 << 20


def _search(name: str) -> tuple[str, ...]:
    """Return options that list items of that name. bw does not find words with an accent."""
    plain = name
    if not operand(name).isascii():
        plain = max(re.findall(r"[0-9A-Za-z](?:[ -~]*[!-~])?", name), key=len, default="")
    return ("--search", plain) if plain else ()


def _item(said: Secret, path: str) -> Mapping[str, str]:
    return Item.of(program.parsed(said, lambda found: _fields(_exact(found, path)), path))


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _exact(found: Any, path: str) -> Any:
    """Return the one item of that name, or else the one whose name differs only in case."""
    if isinstance(found, dict):
        return found
    for spelt in (str, str.casefold):
        items = [item for item in found if spelt(item["name"]) == spelt(path)]
        if len(items) > 1:
            raise Ambiguous(
                f"{title}: several items match {escape(path)}",
                "use the item's id: bw list items",
            )
        if items:
            return items[0]
    raise NoItem(f"{title}: can't find the item {escape(path)}", "bw sync, or bw list items")


def _fields(item: Any) -> Mapping[str, str]:
    login = item.get("login") or {}
    found = {name: login.get(name) for name in ("password", "username", "totp")}
    for field in item.get("fields") or ():
        if not found.get(field["name"]):  # the login's own take precedence
            found[field["name"]] = field.get("value")
    parts = [item.get(part) or {} for part in ("sshKey", "card", "identity")]
    for name, value in [pair for part in parts for pair in part.items()]:
        found.setdefault(name, value)
    found.setdefault("notes", item.get("notes"))
    return {name: value for name, value in found.items() if name and value}
