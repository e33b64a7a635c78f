"""The program ``aws``, version 1 or 2, and its failures, for all of AWS's stores."""

from __future__ import annotations

from ..errors import BadReference, SourceFailed
from ..redacted import Secret
from ..text import escape
from .failures import NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_WHO = "aws sts get-caller-identity"


def program_of(title: str, listing: str) -> Program:
    """Return the program for a store.

    It may ask the user itself: for the code of a second factor, where a profile says so.

    :param listing: the command that lists the store's items.
    """
    failures = (
        ("ResourceNotFoundException|ParameterNotFound", NoItem, "can't find {item}", listing),
        (
            "AccessDenied|not authorized to perform",
            SourceFailed,
            "you may not read {item}",
            f"{_WHO} shows who you are",
        ),
        (
            "unable to locate credentials|partial credentials|expired|InvalidClientTokenId"
            "|UnrecognizedClient|config profile|SSO|InvalidSignature|SignatureDoesNotMatch",
            SignedOut,
            "aws has no valid credentials",
            f"aws configure, or aws sso login; then: {_WHO}",
        ),
        (
            "must specify a region|could not connect|timed? ?out|resolve host",
            Unreachable,
            "aws can't reach the server",
            "check the region: aws configure get region",
        ),
        ("ValidationException|InvalidParameter", NoItem, "{item} is not a valid name", listing),
    )
    return Program(title, "aws", failures, asks=True)


async def ask(
    program: Program, run: Run, path: str, call: tuple[str, ...], read: Callable[[Any], Secret]
) -> Secret:
    """Return the value of an item.

    :param call: the words of aws's call, to which the item's name is added.
    :param read: takes the value out of aws's JSON.
    """
    if "://" in path:  # aws would read a file, or a web page, for the value
        raise BadReference(
            f"'{escape(path)}' is not the name of an item", "aws would open it as a file"
        )
    words = (*call, operand(path), "--output", "json")
    async with run.turn(program.name) as environ:
        # A pager would wait, and a prompt for missing options as well.
        quiet = {"AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off", **environ}
        said = await program.call(run, *words, item=path, environ=quiet)
    return program.parsed(said, read, path)


def text_of(value: Any) -> Secret:
    """Return a value of aws's JSON, which must be text."""
    if not isinstance(value, str):
        raise TypeError
    return Secret(value)
