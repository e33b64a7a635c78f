"""``aws-sm://NAME[#field]``: AWS Secrets Manager, by the program ``aws``."""

from __future__ import annotations

import base64

from ..redacted import Secret
from .aws import ask, program_of, text_of
from .json_fields import with_fields
from .programs import text
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "AWS Secrets Manager"

_LISTING = "aws secretsmanager list-secrets"

program = program_of(title, _LISTING)


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the secret's text, or the fields of its JSON object."""
    call = ("secretsmanager", "get-secret-value", "--secret-id")
    return with_fields(await ask(program, run, path, call, _value))


def _value(found: Any) -> Secret:
    if "SecretString" in found:
        return text_of(found["SecretString"])
    data = base64.b64decode(text_of(found["SecretBinary"]), validate=True)
    return text(data, f"what {title} has", _LISTING)
