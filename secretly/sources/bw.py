"""``bw://ITEM[#field]``: Bitwarden, by its program ``bw``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..redacted import Secret
from .programs import Ambiguous, Locked, NoItem, Program, Run, SignedOut, Unreachable, operand

title = "Bitwarden"

program = Program(
    title,
    "bw",
    (
        ("vault is locked", Locked, "the vault is locked", "bw unlock"),
        (
            "decryption operation failed|invalid master password",
            Locked,
            "that was not the master password",
            "bw unlock",
        ),
        ("not logged in", SignedOut, "nobody is logged in", "bw login"),
        (
            "more than one result",
            Ambiguous,
            "several items match {item}",
            "use the item's id: bw list items --search {item}",
        ),
        ("not found", NoItem, "there is no item {item}", "bw sync, or bw list items"),
        (
            "ENOTFOUND|ECONNREFUSED|ETIMEDOUT|fetch failed",
            Unreachable,
            "it cannot be reached",
            "bw sync",
        ),
    ),
)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the login's user name and password, and the item's own fields."""

    async def attempt() -> Secret:
        # The session is for bw alone, and on no command line.
        environ = {"BW_SESSION": run.kept[title]} if title in run.kept else {}
        return await program.call(
            run, "--nointeraction", "get", "item", operand(path), item=path, environ=environ
        )

    async def unlock(wrong: str) -> None:
        master = await run.typed("Master password", "Bitwarden is locked", wrong)
        arguments = ("--nointeraction", "unlock", "--raw", "--passwordfile", "/dev/stdin")
        run.keep(title, await program.call(run, *arguments, item=path, stdin=master))

    return program.parsed(await program.unlocking(run, attempt, unlock), _fields, path)


def _fields(item: Any) -> Mapping[str, str]:
    login = item.get("login") or {}
    found = {name: login.get(name) for name in ("password", "username", "totp")}
    found |= {field["name"]: field.get("value") for field in item.get("fields") or ()}
    return {name: value for name, value in found.items() if name and value is not None}
