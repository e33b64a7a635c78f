"""``op://…``: 1Password, by its program ``op``, of version 1 or 2.

``op://Vault/Item/[Section/]Field`` is 1Password's own form. ``op://Vault/Item[#field]`` and
``op://Item[#field]`` name an item. In this module a field of the own form is called ``/Field``
or ``/Section/Field``.
"""

from __future__ import annotations

import json
import os
import re

from .. import safefiles
from ..asking import wording
from ..config import places
from ..errors import BadReference, Cancelled, SourceFailed
from ..redacted import Secret
from ..text import escape
from .failures import Ambiguous, Locked, NoField, NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
    from typing import Any

title = "1Password"

_LOCKED = "1Password is locked"

program = Program(
    title,
    "op",
    (
        (
            "dismissed|authorization (denied|timeout)",
            Cancelled,
            "you did not allow its app to share {item}",
            "op signin",
        ),
        (
            "desktop app",
            Unreachable,
            "the desktop app does not answer",
            "start 1Password, then: op signin",
        ),
        (
            "vault query must be provided",
            SourceFailed,
            "op needs the vault of {item}",
            "name the vault: op://VAULT/ITEM",
        ),
        (
            "not (currently )?signed in|session expired|(no|invalid) session|unauthori[sz]ed"
            "|authentication required",
            Locked,
            "you are not signed in",
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
            "can't find the item {item}",
            "op item list",
        ),
        (
            "dial tcp|network|no such host|connection refused|timeout|timed out",
            Unreachable,
            "op can't reach the server",
            "op item list",
        ),
    ),
)

#: The desktop app asks the user for a fingerprint or a password.
_asking = program._replace(asks=True)

_PROMPT = rb"(?i)\bpassword\b[^:\r\n]*: ?$"


def parted(path: str) -> tuple[str, str]:
    """Split 1Password's own form into item and field, so that one call fetches all fields."""
    vault, item, field = [*path.split("/", 2), "", ""][:3]
    return (f"{vault}/{item}", f"/{field}") if field and "?" not in path else (path, "")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the fields of the item, or the value that a reference with a query names."""
    plain, query, _ = path.partition("?")
    own_form = [field for field in fields if field.startswith("/")]
    parts = [operand(part) for part in plain.split("/")]
    ways = [[*parts, *map(operand, field[1:].split("/"))] for field in own_form] or [parts]
    if not all(map(all, ways)) or max(map(len, ways)) > 4:
        raise BadReference(
            f"op://{escape(path)} does not say which item", "write op://VAULT/ITEM/FIELD"
        )
    first = await _first_version(run)
    if query and first:
        raise BadReference(
            f"op://{escape(path)} has a query, which version 1 of op does not know",
            "install version 2 of it",
        )

    async def call(*arguments: str) -> Secret:
        if first or _has_token(run):
            return await program.call(run, *arguments, item=plain, environ=_token_variable(run))
        async with run.turn(program.name) as environ:
            return await _asking.call(run, *arguments, item=plain, environ=environ)

    async def attempt() -> Mapping[str, str]:
        where = (parts[-1], "--vault", parts[0])[: 3 if len(parts) > 1 else 1]
        if first:
            found = await call("get", "item", *where)
            has = program.parsed(found, lambda item: _fields_of_1(item, own_form), plain)
            return has | await _document(found, own_form, call("get", "document", *where))
        if query:
            return {"password": await call("read", f"op://{path}")}
        if len(fields) == len(own_form) == 1:
            return {own_form[0]: await call("read", f"op://{plain}{own_form[0]}")}
        found = await call("item", "get", *where, "--format", "json")
        has = Item.of(program.parsed(found, lambda item: _fields_of_2(item, own_form), plain))
        # A file that belongs to the item, or a name that several fields have: op finds it.
        read = {way: await call("read", f"op://{plain}{way}") for way in own_form if way not in has}
        return {**has, **read, **await _document(found, own_form, call("document", "get", *where))}

    async def unlock(wrong: str) -> None:
        await _sign_in(run, wrong)

    alone = not first and not _has_token(run)
    return await program.unlocking(run, attempt, unlock, alone=alone)


async def _first_version(run: Run) -> bool:
    version = await run.once("op version", lambda: program.call(run, "--version", item="it"))
    return version.strip().startswith("1.")


# -- signing in ------------------------------------------------------------------

#: The variables that hold a token.
_OPEN = re.compile(r"OP_SESSION_\w+|OP_SERVICE_ACCOUNT_TOKEN|OP_CONNECT_TOKEN")


def _has_token(run: Run) -> bool:
    """Whether op has a token. Without one the desktop app, if it is there, asks the user."""
    return title in run.kept or any(map(_OPEN.fullmatch, run.environ))


def _token_variable(run: Run) -> Mapping[str, str]:
    """The variable with this run's token. Only op gets it."""
    if title not in run.kept:
        return {}
    name, _, token = run.kept[title].partition("=")
    return {name: token}


async def _sign_in(run: Run, wrong: str) -> None:
    """Sign in, and keep the token for this run.

    With the desktop app, op asks nothing and prints nothing: the app does the rest.
    """
    run.must_ask(_LOCKED, "op signin")  # the app would ask too
    if await _first_version(run):
        account = _latest_account(run)
        arguments, name = ["signin", account, "--raw"], account
    else:
        # --raw leaves out the variable's name, which op otherwise prints as a shell command.
        listed = await program.call(run, "account", "list", "--format", "json", item="signin")
        arguments, name = ["signin", "--raw"], program.parsed(listed, _only(run), "signin")

    async def answer() -> Secret:
        return await run.typed(wording.ACCOUNT_PASSWORD, _LOCKED, wrong, "op signin")

    token = await _asking.asked(run, *arguments, prompt=_PROMPT, answer=answer, item="signin")
    if token.strip():
        variable = re.sub(r"\W", "_", f"OP_SESSION_{name}")
        run.keep(title, f"{variable}={token.strip()}")


def _only(run: Run) -> Callable[[Any], str]:
    """Return a function that finds the user's id in the list of accounts of version 2."""
    wanted = run.environ.get("OP_ACCOUNT", "").casefold()

    def choose(accounts: Any) -> str:
        if wanted:
            keys = ("url", "email", "user_uuid", "account_uuid", "shorthand")
            known = [{str(found.get(key, "")).casefold() for key in keys} for found in accounts]
            accounts = [
                found
                for found, names in zip(accounts, known, strict=True)
                if wanted in names or any(name.startswith(f"{wanted}.") for name in names)
            ]
        if not accounts:
            raise SignedOut(f"{title}: no account is set up", "op account add")
        if len(accounts) > 1:
            raise Ambiguous(
                f"{title} has several accounts", "set OP_ACCOUNT to one of: op account list"
            )
        return str(accounts[0]["user_uuid"])

    return choose


def _latest_account(run: Run) -> str:
    """Return the account's short name: from OP_ACCOUNT, else that of the last sign-in."""
    account = run.environ.get("OP_ACCOUNT", "")
    for path in () if account else _settings_of_1(run.environ):
        try:
            account = str(json.loads(safefiles.read_file(path)).get("latest_signin") or "")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, AttributeError, RecursionError):
            pass
        break
    if not account:
        raise SignedOut(f"{title}: no account is set up", "op signin ADDRESS EMAIL")
    return operand(account)


def _settings_of_1(environ: Mapping[str, str]) -> Iterator[str]:
    """Return where ``op`` looks for its settings, in order."""
    home, settings = places.home_folder(environ), places.named_folder("XDG_CONFIG_HOME", environ)
    named = places.named_folder("OP_CONFIG_DIR", environ)
    first = ((named, ""), (home, ".op"), (settings, ".op"))
    for base, inside in (*first, (home, ".config/op"), (settings, "op")):
        if base:
            yield os.path.join(base, inside, "config")


# -- reading an item -------------------------------------------------------------


async def _document(
    item: Secret, own_form: Sequence[str], get: Coroutine[Any, Any, Secret]
) -> dict[str, str]:
    """The text of an item's file, if the item is a document: it takes the password's place.

    :param own_form: the wanted fields of the own form, which op finds itself.
    :param get: fetches the text; closed, if there is nothing to fetch.
    """
    try:
        if own_form or not program.parsed(item, _is_document, "it"):
            return {}
        return {"password": await get}
    finally:
        get.close()


def _is_document(item: Any) -> bool:
    """Whether an item is a file, which has no password. Version 1 knows kinds by number."""
    return bool(item.get("category") == "DOCUMENT" or item.get("templateUuid") == "006")


def _fields_of_2(item: Any, own_form: Sequence[str]) -> Mapping[str, str]:
    """Return the fields by purpose, then by id, then by label; fields outside sections first.

    An empty field outside sections stays empty: a field of a section does not take its place.
    The result also has each wanted field of the own form that exactly one field matches.
    """
    found: dict[str, str] = {}
    for inside in (False, True):
        those = [f for f in item.get("fields", ()) if bool(f.get("section")) == inside]
        for part in ("purpose", "id", "label"):
            for field in those:
                name, value = str(field.get(part) or "").casefold(), field.get("value") or ""
                if name and (value or not inside):
                    found.setdefault(name, value)
    fields = [f for f in item.get("fields", ()) if f.get("value")]
    for path in own_form:
        *section, name = path[1:].casefold().split("/")
        same = [f for f in fields if name in _names(f) and _within(f.get("section"), section)]
        if len(same) == 1:
            found[path] = same[0]["value"]
    return found


def _within(inside: Any, section: Sequence[str]) -> bool:
    return _names(inside or {}).issuperset(section) if section else not inside


def _names(thing: Any) -> set[str]:
    return {str(thing.get(key) or "").casefold() for key in ("id", "label")}


def _fields_of_1(item: Any, own_form: Sequence[str]) -> dict[str, str]:
    """Return the fields of version 1's form. An item of the kind 'password' has only a password.

    An empty field outside sections stays empty: a field of a section does not take its place.
    """
    found: dict[str, str] = {}
    for path in ("", *own_form):
        *section, name = path[1:].casefold().split("/")
        for key, value in _pairs_of_1(item["details"], section):
            if key and value is not None and (not path or key.casefold() == name):
                found.setdefault(path or key.casefold(), str(value))
    return found


def _pairs_of_1(details: Any, section: Sequence[str]) -> Iterator[tuple[str, Any]]:
    if not section:
        yield "password", details.get("password")
        for key in ("designation", "name"):
            for field in details.get("fields") or ():
                yield str(field.get(key) or ""), field.get("value") or ""
    for part in details.get("sections") or ():
        titles = {str(part.get(key) or "").casefold() for key in ("name", "title")}
        if not section or section[0] in titles:
            for field in part.get("fields") or ():
                yield str(field.get("t") or field.get("n") or ""), field.get("v") or None
