"""Store what was found in a file, as ``secretly set`` would, and read it back."""

from __future__ import annotations

from ..asking import wording
from ..errors import Refused
from ..redacted import is_sealed
from ..reference import parse_name
from ..resolving.candidates import Username, username_for
from ..resolving.checking import validate_token
from ..resolving.request import PROMPT_TIMEOUT, Context
from ..resolving.storing import other_usernames, seals, store_secret
from ..text import escape, shell_quote
from .finding import Finding

__all__ = ["check_free", "store", "stored_username"]


def stored_username(finding: Finding, context: Context) -> Username:
    """The user name that a secret is stored under."""
    return username_for(finding.username or None, context.configuration.entry(finding.name))


async def check_free(finding: Finding, context: Context) -> bool:
    """Check that nothing else is stored under the name; return whether the secret is.

    :raises Refused: if another value is, or the same name is stored for another user.
    """
    name = parse_name(finding.name)
    entry, username = context.configuration.entry(name), stored_username(finding, context)
    shown, forget = escape(name), f"secretly forget {shell_quote(name)}"
    if entry.source is not None:
        raise Refused(
            f"{shown} is configured to come from {escape(str(entry.source))}",
            "if that has this secret, take it out of the file by hand",
        )
    value, wrong = validate_token(entry, finding.value)
    if wrong or value != finding.value:
        raise Refused(
            f"the secret for {shown} can't be stored as it is in the file",
            "take it out by hand, and revoke it",
        )
    others = await other_usernames(entry, username, context)
    if others:
        raise Refused(
            f"{shown} is stored for {escape(wording.users(others))}; the file has it for"
            f" {escape(wording.users([username.name]))}",
            f"if the stored one is old: {forget}, then import again",
        )
    timeout = None if context.no_input else PROMPT_TIMEOUT
    there = await context.keychain.get(name, username.name, timeout)
    if there is not None and there != finding.value:
        raise _other_value(name, username, is_sealed(there))
    return there is not None and username.name in context.stored_names.usernames(name)


def _other_value(name: str, username: Username, sealed: bool) -> Refused:
    """The error for a name under which something else is stored, or something sealed."""
    shown, quoted = escape(name), shell_quote(name)
    if sealed:
        return Refused(
            f"{shown} is stored sealed, so secretly can't compare it with the file",
            f"if the file's is the good one: secretly set --sealed {quoted}. Then take it out of"
            " the file by hand",
        )
    return Refused(
        f"another value is stored as {shown} for {escape(wording.users([username.name]))}",
        f"if the file's is the good one: secretly forget {quoted}, then import again",
    )


async def store(finding: Finding, context: Context) -> None:
    """Store a secret, and read it back. If it is stored already, nothing changes.

    :raises Refused: if another value is stored, or the keychain returns another one.
    """
    if await check_free(finding, context):
        return
    entry, username = context.configuration.entry(finding.name), stored_username(finding, context)
    await store_secret(entry, finding.value, username, context)
    timeout = None if context.no_input else PROMPT_TIMEOUT
    there = await context.keychain.get(finding.name, username.name, timeout)
    sealed = there is not None and is_sealed(there) and seals(entry, context)
    if there != finding.value and not sealed:
        raise Refused(
            f"the keychain returns another value for {escape(finding.name)} than was stored",
            "the file is as it was; see 'secretly doctor'",
        )
