"""``aws-ssm://NAME[#field]``: AWS's Parameter Store, by the program ``aws``."""

from __future__ import annotations

from ..redacted import Secret
from .aws import ask, program_of, text_of
from .json_fields import with_fields
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

title = "AWS Parameter Store"

program = program_of(title, "aws ssm describe-parameters")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the parameter's value, or the fields of its JSON object."""
    call = ("ssm", "get-parameter", "--with-decryption", "--name")
    return with_fields(await ask(program, run, path, call, _value))


def _value(found: Any) -> Secret:
    return text_of(found["Parameter"]["Value"])
