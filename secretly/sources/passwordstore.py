"""``pass://NAME[#key]``: the standard Unix password manager, by its program ``pass``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..display import visible
from ..redacted import Secret
from .programs import Locked, NoItem, Program, Run, operand

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
        run.environ.get("HOME", ""), ".password-store"
    )
    place = os.path.join(store, path.strip("/"))
    if os.path.isdir(place) and not os.path.isfile(f"{place}.gpg"):  # pass would list it
        raise NoItem(f"{title}: there is no item {visible(path)}: it is a folder", "pass ls")

    async def attempt() -> Secret:
        options = f"{given} --pinentry-mode error".strip()
        if "--pinentry-mode" in given:
            options = given
        environ = {"PASSWORD_STORE_GPG_OPTS": options}
        return await program.call(run, "show", operand(path), item=path, environ=environ)

    async def unlock(wrong: str) -> None:
        """Have gpg's own agent ask for the passphrase, and keep it."""
        async with run.attention("gpg's passphrase is needed", f"pass show {path}") as environ:
            await _asking.call(run, "show", path, item=path, environ=environ)

    shown = await program.unlocking(run, attempt, unlock, times=1)
    first, *lines = shown.split("\n")
    found = {"password": first} if first else {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip(), value.removeprefix(" "))
    for name in ("username", "user", "login"):
        if "username" not in found and name in found:
            found["username"] = found[name]
    return found
