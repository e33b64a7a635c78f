"""``vault-kv://PATH[#field]``: a key of HashiCorp Vault, by its program ``vault``.

After its documentation; it was not run here. ``bao_kv.py`` is the same for OpenBao.
"""

from __future__ import annotations

import json

from ..errors import SourceFailed
from ..redacted import Secret
from .failures import NoItem, SignedOut, Unreachable
from .json_fields import read_fields
from .programs import Program, operand
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "Vault"


def program_of(title: str, name: str) -> Program:
    """Return the program of Vault, or of OpenBao, which says the same."""
    failures = (
        ("no value found", NoItem, "can't find {item}", f"{name} kv list MOUNT"),
        (
            "missing client token|invalid token|token.*expired",
            SignedOut,
            "you are not logged in",
            f"{name} login",
        ),
        ("permission denied", SourceFailed, "you may not read {item}", f"{name} token lookup"),
        (
            "connection refused|no such host|dial tcp|timeout|deadline",
            Unreachable,
            f"{name} can't reach the server",
            f"{name} status",
        ),
    )
    return Program(title, name, failures)


program = program_of(title, "vault")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return all fields of the key."""
    return await fields_of(program, path, run)


async def fields_of(program: Program, path: str, run: Run) -> Mapping[str, str]:
    """Return all fields of a key; of the first or the second version of the KV engine."""
    said = await program.call(run, "kv", "get", "-format=json", operand(path), item=path)
    return program.parsed(said, _fields, path)


def _fields(found: Any) -> Mapping[str, str]:
    values = found["data"]
    if isinstance(values.get("data"), dict) and isinstance(values.get("metadata"), dict):
        values = values["data"]  # the second version, which has the key's history too
    return read_fields(Secret(json.dumps(values))) or {}
