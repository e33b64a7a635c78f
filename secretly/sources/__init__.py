"""Where configured secrets come from: one module a scheme.

A source module has a ``fetch(path, field, environ)`` coroutine, which returns the
text of one field or raises :class:`~secretly.SourceFailed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from ..errors import BadReference, SourceFailed
from ..redacted import Secret
from ..references import Reference

__all__ = ["MANAGERS", "SCHEMES", "fetch"]

#: The schemes that can be read, and the module here that does.
SCHEMES = {"env": "env", "file": "file"}

#: Password managers by scheme, with the program that each needs.
MANAGERS = {
    "op": ("1Password", "op"),
    "lpass": ("LastPass", "lpass"),
    "pass": ("pass", "pass"),
    "keepassxc": ("KeePassXC", "keepassxc-cli"),
    "bw": ("Bitwarden", "bw"),
}


async def fetch(reference: Reference, environ: Mapping[str, str]) -> Secret:
    """Return the secret that *reference*, one with a scheme, names.

    :raises SourceFailed: if its source does not give it.
    :raises BadReference: if there is no such source.
    """
    if reference.scheme in MANAGERS:
        name = MANAGERS[reference.scheme][0]
        raise SourceFailed(
            f"this version of secretly cannot read from {name} ({reference.scheme}://) yet",
            "keep the secret in the keychain: secretly set NAME",
        )
    if reference.scheme not in SCHEMES:
        raise BadReference(
            f"there is no source '{reference.scheme}://'",
            f"known: {', '.join(f'{scheme}://' for scheme in SCHEMES)}",
        )
    module = import_module(f".{SCHEMES[reference.scheme]}", __name__)
    return Secret(await module.fetch(reference.path, reference.field, environ))
