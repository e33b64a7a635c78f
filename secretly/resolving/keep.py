"""Store a secret, and forget it."""

from __future__ import annotations

from collections.abc import Callable

from ..config.model import Entry
from ..errors import (
    Cancelled,
    KeychainUnavailable,
    SecretlyError,
)
from ..redacted import Secret
from ..reference import Reference
from ..text import escape
from ..waiting import requests
from .lookup import _drop
from .model import Context, SecretRequest, _pinentry, username_for

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    pass


#: How long a change of the list of kept names may take, in seconds.
LISTING = 10.0


async def _remember(
    wish: SecretRequest, entry: Entry, username: str, own: bool, value: Secret, context: Context
) -> None:
    """Keep what was typed, if that is wanted; a keychain that cannot is no reason to lose it."""
    wanted = entry.remember if wish.remember is None else wish.remember
    if not wanted or wish.reference.usual != "password":
        return
    if entry.source is not None or wish.reference.scheme:
        context.note(f"{escape(entry.name)} was not kept: it is configured to come from elsewhere")
        return
    if wanted == "ask":
        from ..asking import prompting, questions

        question = questions.Prompt(
            "secretly", f"Keep {escape(entry.name)} in the keychain, for the next time?", ""
        )
        try:
            await prompting.confirm(
                question, wish.prompt_timeout, context.environ, _pinentry(context)
            )
        except Cancelled:
            return
    try:
        if not isinstance(wanted, (bool, str)):
            context.memory.hold(entry.name, username, value, wanted)
            return
        await store_secret(entry.name, value, username, own, wish.prompt_timeout, context)
    except Unlisted as error:
        context.note(f"{escape(entry.name)} is not listed: {error}")
    except SecretlyError as error:
        context.note(f"{escape(entry.name)} was not kept: {error}")


class Unlisted(KeychainUnavailable):
    """It is kept, and its name could not be put onto the list."""


async def store_secret(
    name: str, value: str, username: str, own: bool, prompt_timeout: float, context: Context
) -> None:
    """Put a secret into the keychain, and its name onto the list.

    :raises KeychainUnavailable: if it cannot be kept there.
    """
    context.stored_names.items()  # one that is broken is told before anything is done
    limit = None if context.no_input else prompt_timeout
    backend = await context.keychain.set(name, username, value, limit)
    _drop(name, username, context)  # what is held is older, and would be found first
    try:
        await _list(lambda: context.stored_names.add(name, username, own, backend or ""))
    except KeychainUnavailable as error:
        raise Unlisted(f"the keychain keeps it, and {error}", error.hint) from None


async def forget_secret(
    name: str, username: str | None, prompt_timeout: float, context: Context
) -> bool:
    """Take a secret out of memory and the keychain and off the list; say whether it was there."""
    context.stored_names.items()  # one that is broken is told before anything is done
    held = _drop(name, username, context)
    entry = context.configuration.entry(name)
    wish = SecretRequest(Reference("", name), username=username)
    username = username_for(name, entry, wish, context)[0]
    limit = None if context.no_input else prompt_timeout
    try:
        gone = await context.keychain.delete(name, username, limit)
    except KeychainUnavailable:
        if held and context.stored_names.find(name) is None:
            return True
        raise
    await _list(lambda: context.stored_names.remove(name, username))
    return gone or held


async def _list(change: Callable[[], None]) -> None:
    """Change the list of kept names.

    :raises KeychainUnavailable: if it cannot be changed, or stays locked.
    """
    try:
        await requests.in_thread(change, LISTING)
    except TimeoutError:
        raise KeychainUnavailable(
            "the list of kept names is locked by another process",
            "wait until the other secretly has ended, or end it",
        ) from None
