"""Obtain secrets: look them up, confirm or ask, store."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import KeychainLocked, KeychainUnavailable, NotFound, Refused
from ..keeping.keychain import Keychain
from ..text import escape
from .ask import ask_for, confirm_use, is_accepted
from .lookup import (
    _drop,
    _first_item,
    _needs_no_keychain,
    _Patience,
    _run,
    _together,
    look_up,
    missing,
)
from .model import Context, ResolvedSecret, SecretRequest, username_for

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    pass


async def obtain(wish: SecretRequest, context: Context) -> ResolvedSecret:
    """Find the secret in its source or the keychain, or else ask the person.

    :raises SecretlyError: whichever says why it was not to be had.
    """
    return (await obtain_all([wish], context))[0]


async def obtain_all(wishes: Sequence[SecretRequest], context: Context) -> list[ResolvedSecret]:
    """Obtain several: first all that need nobody, then the person for one after another.

    What comes from a source is fetched at the same time; the keychain, which may ask
    the person to unlock it, is asked for one after another.
    """
    if len(wishes) > 1 and isinstance(context.keychain, Keychain):
        context.keychain.expect([_first_item(wish, context) for wish in wishes])
    context = _run(wishes, context._replace(keychain=_Patience(context.keychain)))
    fetched = [wish for wish in wishes if _needs_no_keychain(wish, context)]
    found_there = iter(await _together([look_up(wish, context) for wish in fetched]))
    looked = [
        next(found_there) if _needs_no_keychain(wish, context) else await look_up(wish, context)
        for wish in wishes
    ]
    asked, outcomes = 0, []
    missing = sum(found is None for found, _ in looked)
    for wish, (found, trouble) in zip(wishes, looked, strict=True):
        if found is None and missing > 1:
            asked += 1
            wish = wish._replace(position=f"{asked} of {missing}")
        outcomes.append(await confirm_or_ask(wish, found, trouble, context))
    return outcomes


async def confirm_or_ask(
    wish: SecretRequest,
    found: ResolvedSecret | None,
    trouble: KeychainUnavailable | None,
    context: Context,
) -> ResolvedSecret:
    """Have the use of what was found confirmed and verified; ask for what was not."""
    problem = ""
    if isinstance(trouble, KeychainLocked):
        problem = "The keychain is locked."
    elif trouble is not None and not trouble.answered:
        problem = "The keychain did not answer."
    if found is not None:
        entry = context.configuration.entry(found.name)
        if wish.inspect is not None:
            wish.inspect(found.secret, entry)
        await confirm_use(wish, found, context)
        if wish.verify is None or await is_accepted(wish.verify, found.secret):
            return found
        problem = f"The stored secret for {escape(found.name)} was not accepted."
        own = username_for(found.name, entry, wish, context)[0]
        if found.origin == "memory" and _drop(found.name, own, context):
            try:
                again, trouble = await look_up(wish, context)
            except NotFound:
                again = None
            if again is not None:
                return await confirm_or_ask(wish, again, trouble, context)
        if found.origin not in ("memory", "keychain") or context.no_input:
            raise Refused(
                f"the secret for {escape(found.name)} from {found.origin} was not accepted",
                "change it there",
            )
        return await ask_for(wish, entry, problem, context)
    if context.no_input:
        raise missing(wish)
    return await ask_for(wish, context.configuration.entry(wish.reference.name), problem, context)
