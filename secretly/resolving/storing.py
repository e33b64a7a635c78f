"""Store a secret, remember it for a while, forget it."""

from __future__ import annotations

from collections.abc import Callable

from ..config.agents import AskingLimits
from ..errors import Cancelled, KeychainUnavailable, SecretlyError
from ..redacted import Secret
from ..text import escape
from ..waiting import requests
from .candidates import Candidate, Username, username_for
from .lookup import memory_in_use
from .request import PROMPT_TIMEOUT, Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..config.model import Remember

#: How long a change of the list of stored names may take, in seconds.
LISTING = 10.0


class Unlisted(KeychainUnavailable):
    """The secret is stored, but its name is not on the list."""


async def remember(
    request: SecretRequest, candidate: Candidate, value: Secret, context: Context
) -> None:
    """Store what the user typed, or remember it for a while, if that is wanted.

    A failure is noted, not raised: the command still gets what was typed.
    """
    entry, name = candidate.entry, escape(candidate.name)
    wanted = _wanted(request, candidate)
    if not wanted or request.reference.usual != "password" or candidate.username is None:
        return
    if entry.source is not None or request.reference.scheme:
        context.note(f"{name} was not stored: it is configured to come from elsewhere")
        return
    if wanted == "ask" and not await _wants_it_stored(request, name, context):
        return
    try:
        if isinstance(wanted, (bool, str)):
            store = replace_secret if request.username is None else store_secret
            timeout = max(0.0, request.time_left())
            await store(candidate.name, value, candidate.username, context, timeout)
        else:
            context.memory.hold(candidate.name, candidate.username.name, value, wanted)
    except Unlisted as error:
        context.note(f"{name} is not on the list of stored names: {error}")
    except SecretlyError as error:
        context.note(f"{name} was not stored: {error}")


def asks_first(request: SecretRequest, candidate: Candidate) -> bool:
    """Whether the user is asked before the secret is stored."""
    return _wanted(request, candidate) == "ask"


def _wanted(request: SecretRequest, candidate: Candidate) -> Remember | None:
    return candidate.entry.remember if request.remember is None else request.remember


async def _wants_it_stored(request: SecretRequest, name: str, context: Context) -> bool:
    from ..asking import prompting, questions, wording

    question = questions.Prompt(wording.TITLE, wording.store_question(name, request.wanted_by), "")
    pinentry = context.configuration.pinentry
    if isinstance(pinentry, AskingLimits):
        pinentry = pinentry._replace(is_consent=False)
    try:
        await prompting.confirm(
            question,
            request.prompt_timeout,
            context.environ,
            pinentry,
            until=request.until,
            tell=context.note,
        )
    except Cancelled:
        return False
    return True


async def store_secret(
    name: str,
    value: str,
    username: Username,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
) -> None:
    """Store a secret in the keychain, and put its name on the list.

    :param prompt_timeout: how long the user has to unlock the keychain, in seconds.
    :raises KeychainUnavailable: if it cannot be stored.
    """
    context.stored_names.check_place()
    timeout = _patience(context, prompt_timeout)
    backend = await context.keychain.set(name, username.name, value, timeout)
    drop_remembered(name, username.name, context)  # it is older, and would be found first
    try:
        await _change_list(
            lambda: context.stored_names.add(name, username.name, username.own, backend or "")
        )
    except KeychainUnavailable as error:
        raise Unlisted(f"the keychain has it, but {error}", error.hint) from None


async def replace_secret(
    name: str,
    value: str,
    username: Username,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
) -> list[str]:
    """Store a secret, and delete those of other user names: a name has one stored secret.

    The parameters are those of :func:`store_secret`.

    :returns: the other user names.
    """
    others = await other_usernames(name, username, context, prompt_timeout)
    await store_secret(name, value, username, context, prompt_timeout)
    for other in others:
        await forget_secret(name, other, context, prompt_timeout)
    return others


async def other_usernames(
    name: str, username: Username, context: Context, prompt_timeout: float = PROMPT_TIMEOUT
) -> list[str]:
    """Return the other user names under which a secret of this name is stored.

    An item that is not on the list counts if a look-up without the list would find it.

    :raises KeychainUnavailable: if the keychain or the list cannot be used.
    """
    listed = context.stored_names.usernames(name)
    found = [other for other in listed if other != username.name]
    unlisted = username_for(None, context.configuration.entry(name)).name
    if unlisted not in (username.name, *found):
        timeout = _patience(context, prompt_timeout)
        if await context.keychain.get(name, unlisted, timeout) is not None:
            found.append(unlisted)
    return found


async def forget_secret(
    name: str, username: str | None, context: Context, prompt_timeout: float = PROMPT_TIMEOUT
) -> int:
    """Delete a secret from memory, the keychain and the list; return how many items it had.

    :param username: the user name that it is stored under; None: delete the items of all user
        names, so that no look-up finds an older one.
    :param prompt_timeout: how long the user has to unlock the keychain, in seconds.
    :raises KeychainUnavailable: if the keychain cannot be used.
    """
    listed = context.stored_names.usernames(name)  # fails early if the list is corrupt
    remembered = drop_remembered(name, username, context)
    unlisted = username_for(None, context.configuration.entry(name)).name
    usernames = dict.fromkeys((*listed, unlisted)) if username is None else (username,)
    deleted = 0
    try:
        for one in usernames:
            deleted += await forget_item(name, one, context, prompt_timeout)
    except KeychainUnavailable:
        if remembered and not listed:
            return 1
        raise
    return deleted or int(remembered)


async def forget_item(
    name: str, username: str, context: Context, prompt_timeout: float = PROMPT_TIMEOUT
) -> bool:
    """Delete one item from the keychain and the list; return whether there was one."""
    timeout = _patience(context, prompt_timeout)
    deleted = await context.keychain.delete(name, username, timeout)
    await _change_list(lambda: context.stored_names.remove(name, username))
    return deleted


def _patience(context: Context, prompt_timeout: float) -> float | None:
    """Return how long the keychain may ask the user; None: not at all."""
    return None if context.no_input else prompt_timeout


def drop_remembered(name: str, username: str | None, context: Context) -> bool:
    """Drop what is remembered under a name; return whether there was something.

    :param username: the user name; None: any.
    """
    if not memory_in_use(context):
        return False
    try:
        return context.memory.drop(name, username) > 0
    except KeychainUnavailable:  # then it cannot be read either
        return False


async def _change_list(change: Callable[[], None]) -> None:
    """Change the list of stored names.

    :raises KeychainUnavailable: if it cannot be changed, or another process locks it.
    """
    try:
        await requests.in_thread(change, LISTING)
    except TimeoutError:
        raise KeychainUnavailable(
            "another process has locked the list of stored names",
            "wait until the other secretly has ended, or end it",
        ) from None
