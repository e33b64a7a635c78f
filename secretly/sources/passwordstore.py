"""``pass://NAME[#key]``: the standard Unix password manager, by its program ``pass``."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence

from ..config import places
from ..processes import child
from ..redacted import Secret
from ..text import escape, shell_quote
from .failures import Locked, NoItem
from .programs import Program, operand
from .runs import Item, Run

title = "pass"

_FAILURES = (
    ("is not in the password store", NoItem, "can't find the item {item}", "pass ls"),
    (
        "decryption failed|no secret key|no pinentry|cancelled|timeout",
        Locked,
        "gpg can't decrypt {item}: its key is locked or missing",
        "pass show {item}",
    ),
)

program = Program(title, "pass", _FAILURES)
_asking = program._replace(asks=True)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the first line as the password, and each ``key: value`` line after it."""
    given = run.environ.get("PASSWORD_STORE_GPG_OPTS", "")
    store = run.environ.get("PASSWORD_STORE_DIR") or os.path.join(
        places.home_folder(run.environ), ".password-store"
    )
    place = os.path.join(store, path.strip("/"))
    if os.path.isdir(place) and not os.path.isfile(f"{place}.gpg"):  # pass would list it
        raise NoItem(f"{title}: can't find the item {escape(path)}: it is a folder", "pass ls")

    own = "--pinentry-mode" in given  # then gpg may ask the user right away

    async def attempt() -> Secret:
        if own:
            async with run.turn(program.name) as environ:
                return await _asking.call(run, "show", operand(path), item=path, environ=environ)
        options = {"PASSWORD_STORE_GPG_OPTS": f"{given} --pinentry-mode error".strip()}
        return await program.call(run, "show", operand(path), item=path, environ=options)

    async def unlock(wrong: str) -> None:
        """Let gpg's own agent ask for the passphrase. The agent remembers it."""
        async with run.attention(
            "gpg's passphrase is needed", f"pass show {shell_quote(path)}"
        ) as environ:
            with _no_pinentry_left(run) as mark:
                await _asking.call(run, "show", path, item=path, environ={**environ, **mark})

    return _fields(await program.unlocking(run, attempt, unlock, times=1, alone=own))


def _fields(shown: str) -> Mapping[str, str]:
    first, *lines = shown.split("\n")
    found = {"password": first} if first else {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip(), value.removeprefix(" "))
    item = Item(found)
    if item.called("username") is None and (name := item.called("user", "login")) is not None:
        found["username"] = name
    return found


@contextlib.contextmanager
def _no_pinentry_left(run: Run) -> Iterator[Mapping[str, str]]:
    """End the pinentry of gpg's agent if the call is cancelled.

    The agent of gpg 2.2 keeps asking after gpg has ended, on a terminal that another program
    may be reading from by then. secretly must not end the agent, which serves other programs
    too. The agent passes this variable on to its pinentry, and to nothing else.
    """
    if run.environ.get("PINENTRY_USER_DATA"):  # the user's own pinentry reads it
        yield {}
        return
    mark = {"PINENTRY_USER_DATA": f"secretly-{secrets.token_hex(8)}"}
    try:
        yield mark
    except BaseException:
        (found,) = mark.items()
        child.end_marked("=".join(found))
        raise
