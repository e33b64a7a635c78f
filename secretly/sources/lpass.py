"""``lpass://ITEM[#field]``: LastPass, by its program ``lpass``."""

from __future__ import annotations

import re

from ..asking import wording
from ..redacted import Secret
from .failures import Ambiguous, Locked, NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "LastPass"

_LOCKED = "LastPass is locked"

_LOGIN = "lpass login YOUR-EMAIL"
#: `lpass login` alone saves no vault on this machine.
_FIRST = f"{_LOGIN}, then lpass sync"

program = Program(
    title,
    "lpass",
    (
        ("from askpass", Locked, "the vault is locked", _LOGIN),
        (
            "could not find (decryption key|session)",
            SignedOut,
            "you are not logged in",
            _FIRST,
        ),
        ("unable to fetch blob", Unreachable, "its vault is not on this machine yet", "lpass sync"),
        ("could not find specified", NoItem, "can't find the item {item}", "lpass ls"),
        ("multiple matches", Ambiguous, "several items match {item}", "lpass ls"),
        (
            "resolve host|connect to|timed? ?out",
            Unreachable,
            "lpass can't reach the server",
            "lpass sync",
        ),
    ),
)

#: The end of its prompt for the master password.
_PROMPT = rb"Master Password: ?$"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return all fields of the item."""
    # Without --sync=no lpass uses the network, and leaves a daemon.
    arguments = ("show", "--sync=no", "--json", "--expand-multi", operand(path))

    async def attempt() -> Secret:
        if title not in run.kept:
            # lpass gets no answer if it asks for the master password: secretly asks for it.
            return await program.call(
                run, *arguments, item=path, environ={"LPASS_ASKPASS": "/bin/false"}
            )

        async def answer() -> Secret:
            return run.kept[title]

        # No agent: it would keep the vault open after this run.
        environ = {
            "LPASS_DISABLE_PINENTRY": "1",
            "LPASS_AGENT_DISABLE": "1",
            "LPASS_ASKPASS": None,
        }
        try:
            return await program.asked(
                run, *arguments, prompt=_PROMPT, answer=answer, item=path, environ=environ
            )
        except Locked:
            run.kept.pop(title, None)
            raise

    async def unlock(wrong: str) -> None:
        run.keep(title, await run.typed(wording.MASTER_PASSWORD, _LOCKED, wrong, _LOGIN))

    return _item(await program.unlocking(run, attempt, unlock), path)


def _item(said: Secret, path: str) -> Mapping[str, str]:
    return Item.of(program.parsed(Secret(_BYTES.sub(_decoded, said)), _fields, path))


#: lpass 1.3.7 escapes each byte that is not ASCII by printf's ``%04x`` of a signed char.
_BYTES = re.compile(r"((?:\\uffffff[89a-f][0-9a-f])+)|\\.")


def _decoded(found: re.Match[str]) -> str:
    """Return the characters of escaped bytes, and any other escape unchanged."""
    if found[1] is None:
        return found[0]
    return bytes.fromhex(found[1].replace("\\uffffff", "")).decode("utf-8", "surrogateescape")


def _fields(found: Any) -> Mapping[str, str]:
    if len(found) > 1:
        raise Ambiguous(f"{title}: {len(found)} items match", "use the item's number: lpass ls")
    item = found[0]
    fields = {name: value for name, value in item.items() if value}
    note = item.get("note") or ""
    if item.get("url") == _NOTE and note.startswith("NoteType:"):
        del fields["url"]
        for name, value in _fields_of_note(note).items():
            key = name.casefold() if name.casefold() in ("password", "username") else name
            if value:
                fields.setdefault(key, value)
    return fields


#: The URL of every secure note.
_NOTE = "http://sn"


def _fields_of_note(note: str) -> dict[str, str]:
    """Read a note's ``Key:value`` lines. A PEM key and ``Notes``, at the end, have several."""
    found: dict[str, list[str]] = {}
    last, inside = "", False
    for line in note.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip() and not inside and last.casefold() != "notes":
            last = name.strip()
            found.setdefault(last, []).append(value)
        else:
            found[last].append(line)
        inside = "-----BEGIN " in line or (inside and "-----END " not in line)
    return {name: "\n".join(lines).rstrip("\n") for name, lines in found.items()}
