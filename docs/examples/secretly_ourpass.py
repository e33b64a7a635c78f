"""``ourpass://ITEM[#field]``: our own password manager, by its program ``ourpass``."""

from collections.abc import Mapping, Sequence
from typing import Any

from secretly.sources import Ambiguous, Locked, NoItem, Program, Run, operand

#: The source's name in messages.
title = "ourpass"

#: Each failure: a pattern of ourpass's error message, the error here, its text and its hint.
program = Program(
    title,
    "ourpass",
    (
        ("no entry found", NoItem, "can't find the item {item}", "ourpass sync, or ourpass list"),
        ("multiple entries", Ambiguous, "several items match {item}", "use the item's id"),
    ),
)

#: ``ourpass unlocked`` fails if the vault is locked.
_state = Program(title, "ourpass", (("", Locked, "the vault is locked", "ourpass unlock"),))

#: ``ourpass unlock`` asks the user with a pinentry of its own.
_asking = Program(title, "ourpass", asks=True)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return all fields of the item."""

    async def attempt() -> str:
        await _state.call(run, "unlocked")
        return await program.call(run, "get", "--raw", operand(path), item=path)

    async def unlock(wrong: str) -> None:
        async with run.attention("ourpass's vault is locked", "ourpass unlock") as where:
            terminal = {"OURPASS_TTY": where["GPG_TTY"]} if "GPG_TTY" in where else {}
            await _asking.call(run, "unlock", item="unlock", environ=terminal)

    said = await program.unlocking(run, attempt, unlock, times=1)
    return program.parsed(said, _fields, path)


def _fields(item: Any) -> Mapping[str, str]:
    login = item["data"]
    found = {name: login.get(name) for name in ("password", "username")}
    found |= {field["name"]: field["value"] for field in item.get("fields") or ()}
    return {name: value for name, value in found.items() if name and value}
