"""Keychains with many items: gnome-keyring with up to a thousand, and a double for more.

gnome-keyring's own work for a call grows with the items that it has, so it can't show how
secretly's own grows.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import secretservice

__all__ = ["ITEM", "SECRET", "Endless", "list_names", "stock"]

#: The name of the item with a number.
ITEM = "Service-{}"

SECRET = "canary-secret-of-forty-letters-and-digits"

#: The attributes that keyring's backend stores with each item.
_ATTRIBUTES = {
    "application": "Python keyring library",
    "xdg:schema": "org.freedesktop.Secret.Generic",
}

_BACKEND = "keyring.backends.SecretService.Keyring"


def _user() -> str:
    """The user name under which secretly stores a secret without one of its own."""
    return pwd.getpwuid(os.getuid()).pw_name


def list_names(folder: Path, count: int) -> None:
    """Write the list of stored names, with so many of them.

    :param folder: the value of ``XDG_STATE_HOME``.
    """
    (folder / "secretly").mkdir(mode=0o700, parents=True, exist_ok=True)
    rest = f"{_user()}\tno\t2026-01-01T00:00:00.000000+00:00\t{_BACKEND}"
    lines = sorted(f"{ITEM.format(number)}\t{rest}" for number in range(count))
    path = folder / "secretly" / "kept.tsv"
    path.write_text("\n".join(["name\tusername\town\tstored\tkeeper", *lines, ""]))
    path.chmod(0o600)


def stock(service: secretservice.SecretService, count: int) -> None:
    """Give gnome-keyring so many items, and list them.

    The daemon reads a keyring without a password as text. Storing them one by one would take
    minutes, because the daemon writes all of its file each time.
    """
    lines = ["[keyring]", "display-name=many", "lock-on-idle=false", "lock-after=false", ""]
    for number in range(count):
        name = ITEM.format(number)
        lines += [f"[{number + 1}]", "item-type=0", f"display-name={name}", f"secret={SECRET}", ""]
        attributes = {**_ATTRIBUTES, "service": name, "username": _user()}
        for place, (key, value) in enumerate(attributes.items()):
            lines += [f"[{number + 1}:attribute{place}]", f"name={key}"]
            lines += ["type=string", f"value={value}", ""]
    folder = Path(service.environ["XDG_DATA_HOME"], "keyrings")
    (folder / "many.keyring").write_text("\n".join(lines))
    (folder / "default").write_text("many")
    list_names(Path(service.environ["XDG_STATE_HOME"]), count)
    service.unlock()


_ENDLESS = """
USER, SECRET = sys.argv[1:]

def attributes(path):
    name = "Service-" + path.rpartition("/")[2]
    return {"application": "Python keyring library", "service": name, "username": USER}

def found(wanted):
    number = wanted.get("service", "").removeprefix("Service-")
    return [COLLECTION + "/" + number] if number.isdigit() else []

def secret(path):
    return SESSION, b"", SECRET.encode(), "text/plain"

def answer(path, interface, member, body):
    if interface == "org.freedesktop.DBus.Properties":
        known = {"Locked": ("b", False), "Label": ("s", "an item")}
        if path != COLLECTION:
            known["Attributes"] = ("a{ss}", attributes(path))
        return ("v", (known[body[1]],)) if member == "Get" else ("a{sv}", (known,))
    if member == "OpenSession":
        return "vo", (("s", ""), SESSION)
    if member == "ReadAlias":
        return "o", (COLLECTION,)
    if member == "SearchItems":
        items = found(body[0])
        return ("ao", (items,)) if interface == PREFIX + "Collection" else ("aoao", (items, []))
    if member == "Unlock":
        return "aoo", (body[0], "/")
    if member == "GetSecrets":
        return "a{o(oayays)}", ({path: secret(path) for path in body[0]},)
    if member == "GetSecret":
        return "(oayays)", (secret(path),)
    raise Wrong("org.freedesktop.DBus.Error.UnknownMethod")
"""


class Endless(secretservice.Double):
    """A double of the Secret Service that has an item of each number, and finds it immediately."""

    code = _ENDLESS

    def _arguments(self) -> list[str]:
        return [_user(), SECRET]
