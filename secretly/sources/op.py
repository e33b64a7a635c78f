"""``op://…``: 1Password, by its program ``op``, of version 1 or 2.

``op://Vault/Item/[Section/]Field`` is 1Password's own form; ``op://Vault/Item[#field]``
and ``op://Item[#field]`` name an item.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..display import visible
from ..errors import BadReference
from ..redacted import Secret
from .programs import (
    Ambiguous,
    Locked,
    NoField,
    NoItem,
    Program,
    Run,
    SignedOut,
    Unreachable,
    operand,
)

title = "1Password"

program = Program(
    title,
    "op",
    (
        (
            "not (currently )?signed in|session expired|(no|invalid) session|unauthori[sz]ed"
            "|authentication required",
            Locked,
            "nobody is signed in",
            "op signin",
        ),
        (
            "no accounts configured|account.* not found|found no accounts",
            SignedOut,
            "no account is set up",
            "op account add",
        ),
        ("does not have a field", NoField, "{item} has no such field", "op item get ITEM"),
        (
            "more than one item",
            Ambiguous,
            "several items match {item}",
            "use the item's id: op item list",
        ),
        (
            "isn't an item|isn't a vault|no item found|isn't in (?:any )?vault",
            NoItem,
            "there is no item {item}",
            "op item list",
        ),
        (
            "dial tcp|network|no such host|connection refused",
            Unreachable,
            "it cannot be reached",
            "op item list",
        ),
    ),
    asks=True,  # the desktop app has the person's finger or password asked for
)

_PROMPT = rb"(?i)\bpassword\b[^:\r\n]*: ?$"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the fields of the item, or the one field that 1Password's own form names."""
    plain = path.partition("?")[0]
    parts = [operand(part) for part in plain.split("/")]
    if not all(parts) or len(parts) > 4:
        raise BadReference(
            f"op://{visible(path)} does not say which item", "write op://VAULT/ITEM/FIELD"
        )

    async def attempt() -> Secret:
        if await _first_version(run):
            vault = ("--vault", parts[0]) if len(parts) > 1 else ()
            item = parts[1] if len(parts) > 1 else parts[0]
            return await call("get", "item", item, *vault)
        if len(parts) > 2:
            return await call("read", "--no-newline", f"op://{path}")
        vault = ("--vault", parts[0]) if len(parts) > 1 else ()
        return await call("item", "get", parts[-1], *vault, "--format", "json")

    async def call(*arguments: str) -> Secret:
        return await program.call(run, *arguments, item=plain, environ=_session(run))

    async def unlock(wrong: str) -> None:
        await _sign_in(run, wrong)

    found = await program.unlocking(run, attempt, unlock)
    if await _first_version(run):
        return program.parsed(found, lambda read: _fields_of_1(read, parts), plain)
    if len(parts) > 2:
        return {"password": found}
    return program.parsed(found, _fields_of_2, plain)


async def _first_version(run: Run) -> bool:
    version = await run.once("op version", lambda: program.call(run, "--version", item="it"))
    return version.strip().startswith("1.")


# -- signing in ------------------------------------------------------------------


def _session(run: Run) -> Mapping[str, str]:
    """The session of this run, for op alone."""
    if title not in run.kept:
        return {}
    name, _, token = run.kept[title].partition("=")
    return {name: token}


async def _sign_in(run: Run, wrong: str) -> None:
    """Sign in, and keep the session for this run.

    With the desktop app nothing is asked and nothing printed: it does the rest.
    """
    run.must_ask("1Password is locked", "op signin")  # the app asks as well
    arguments = ["signin"]
    if await _first_version(run) and (account := _latest_account(run)):
        arguments.append(account)

    async def answer() -> Secret:
        return await run.typed("Account password", "1Password is locked", wrong, "op signin")

    said = await program.asked(run, *arguments, prompt=_PROMPT, answer=answer, item="signin")
    if found := re.search(r'(?m)^export (OP_SESSION_\w+)="?([^"\n]+)"?', said):
        run.keep(title, f"{found[1]}={found[2]}")


def _latest_account(run: Run) -> str:
    """The account that version 1 signed in to last."""
    try:
        with open(os.path.join(run.environ.get("HOME", ""), ".op", "config"), "rb") as file:
            return str(json.load(file).get("latest_signin") or "")
    except (OSError, ValueError, AttributeError):
        return ""


# -- what an item is -------------------------------------------------------------


def _fields_of_2(item: Any) -> Mapping[str, str]:
    """The fields by purpose, then by id, then by label; one that is empty has no value."""
    fields = [f for f in item.get("fields", ()) if f.get("value")]
    found: dict[str, str] = {}
    for part in ("purpose", "id", "label"):
        for field in fields:
            if name := str(field.get(part) or "").casefold():
                found.setdefault(name, field["value"])
    return found


def _fields_of_1(item: Any, parts: Sequence[str]) -> Mapping[str, str]:
    """The fields of version 1's form; a password item has its password by itself."""
    found: dict[str, str] = {}
    for name, value in _pairs_of_1(item["details"], parts[2:-1]):
        if name and value:
            found.setdefault(name.casefold(), str(value))
    if len(parts) < 3:
        return found
    if parts[-1].casefold() not in found:
        raise NoField(
            f"{title}: {visible('/'.join(parts[:-1]))} has no field '{visible(parts[-1])}'",
            f"its fields: {', '.join(map(visible, found)) or 'none'}",
        )
    return {"password": found[parts[-1].casefold()]}


def _pairs_of_1(details: Any, section: Sequence[str]) -> Iterator[tuple[str, Any]]:
    if not section:
        yield "password", details.get("password")
        for key in ("designation", "name"):
            for field in details.get("fields") or ():
                yield str(field.get(key) or ""), field.get("value")
    for part in details.get("sections") or ():
        titles = {str(part.get(key) or "").casefold() for key in ("name", "title")}
        if not section or section[0].casefold() in titles:
            for field in part.get("fields") or ():
                yield str(field.get("t") or field.get("n") or ""), field.get("v")
