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
    ("is not in the password store", NoItem, "there is no item {item}", "pass ls"),
    (
        "decryption failed|no secret key|no pinentry|cancelled|timeout",
        Locked,
        "gpg cannot decrypt {item}: it is locked, or the key is not there",
        "pass show {item}",
    ),
)

program = Program(title, "pass", _FAILURES)
_asking = Program(title, "pass", _FAILURES, asks=True)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the first line as the password, and each ``key: value`` line after it."""
    given = run.environ.get("PASSWORD_STORE_GPG_OPTS", "")
    store = run.environ.get("PASSWORD_STORE_DIR") or os.path.join(
        places.home_folder(run.environ), ".password-store"
    )
    place = os.path.join(store, path.strip("/"))
    if os.path.isdir(place) and not os.path.isfile(f"{place}.gpg"):  # pass would list it
        raise NoItem(f"{title}: there is no item {escape(path)}: it is a folder", "pass ls")

    own = "--pinentry-mode" in given  # which may have the person asked at once

    async def attempt() -> Secret:
        if own:
            async with run.turn(program.name) as environ:
                return await _asking.call(run, "show", operand(path), item=path, environ=environ)
        options = {"PASSWORD_STORE_GPG_OPTS": f"{given} --pinentry-mode error".strip()}
        return await program.call(run, "show", operand(path), item=path, environ=options)

    async def unlock(wrong: str) -> None:
        """Have gpg's own agent ask for the passphrase, and keep it."""
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
    """End the pinentry of gpg's agent if the call is given up.

    The agent, which is not ours to end, goes on asking when gpg has ended (2.2 does), on
    the terminal that somebody else may be reading from by then. It gives its pinentry this
    variable of gpg's, and hands it to no other.
    """
    if run.environ.get("PINENTRY_USER_DATA"):  # it has a meaning for the person's own
        yield {}
        return
    mark = {"PINENTRY_USER_DATA": f"secretly-{secrets.token_hex(8)}"}
    try:
        yield mark
    except BaseException:
        (found,) = mark.items()
        child.end_marked("=".join(found))
        raise
