"""Store a secret, remember it for a while, forget it."""

from __future__ import annotations

from ..config.asking_limits import AskingLimits
from ..errors import Cancelled, KeychainUnavailable, Refused, SecretlyError
from ..redacted import Secret, is_sealed
from ..text import escape
from ..waiting import requests
from .candidates import Candidate, Username, username_for
from .lookup import memory_in_use
from .request import PROMPT_TIMEOUT, Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Entry, Remember

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
            await store(entry, value, candidate.username, context, timeout)
        else:
            if seals(entry, context):
                raise Refused("it is sealed, and each of your programs can read the memory", "")
            context.memory.hold(candidate.name, candidate.username.name, value, wanted)
    except Unlisted as error:
        context.note(f"{name} is not on the list of stored names: {error}")
    except SecretlyError as error:
        if isinstance(wanted, float):
            context.note(
                "; ".join(filter(None, (f"{name} is not remembered: {error}", error.hint)))
            )
        else:
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
    entry: Entry,
    value: str,
    username: Username,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
    *,
    sealed: bool | None = None,
) -> None:
    """Store a secret in the keychain, and put its name on the list.

    :param entry: what is configured for its name.
    :param prompt_timeout: how long the user has to unlock the keychain, in seconds.
    :param sealed: whether to seal it; None: if that is configured, or what is stored is sealed.
    :raises KeychainUnavailable: if it cannot be stored.
    :raises NotFound: if it would be sealed, and the user has no identity.
    """
    if not (seals(entry, context) if sealed is None else sealed):
        await store_text(entry.name, value, username, context, prompt_timeout)
        return
    from ..keeping.identity import IdentityFiles

    with IdentityFiles.of(context.environ).sealed(value, entry.name) as text:
        await store_text(entry.name, text, username, context, prompt_timeout)


def seals(entry: Entry, context: Context) -> bool:
    """Whether a secret is sealed when it is stored.

    :param entry: what is configured for its name.
    :raises KeychainUnavailable: if the list of stored names is corrupt.
    """
    listed = context.stored_names.read()
    return entry.sealed or listed.is_sealed(entry.name)


async def store_text(
    name: str,
    text: str,
    username: Username,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
) -> None:
    """Store a secret, or a sealed one, as it is: other parameters are :func:`store_secret`'s.

    :raises KeychainUnavailable: if it cannot be stored.
    """
    from ..keeping import name_changes

    name_changes.check_place(context.stored_names)
    timeout = patience(context, prompt_timeout)
    backend = await context.keychain.set(name, username.name, text, timeout) or ""
    drop_remembered(name, username.name, context)  # it is older, and would be found first
    is_own, sealed = username.is_own, is_sealed(text)
    try:
        await _change_list(
            lambda: name_changes.add(
                context.stored_names, name, username.name, is_own, backend, sealed=sealed
            )
        )
    except KeychainUnavailable as error:
        raise Unlisted(f"the keychain has it, but {error}", error.hint) from None


async def replace_secret(
    entry: Entry,
    value: str,
    username: Username,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
    *,
    sealed: bool | None = None,
) -> list[str]:
    """Store a secret, and delete those of other user names: a name has one stored secret.

    The parameters are those of :func:`store_secret`.

    :returns: the other user names.
    """
    others = await other_usernames(entry, username, context, prompt_timeout)
    await store_secret(entry, value, username, context, prompt_timeout, sealed=sealed)
    for other in others:
        await forget_secret(entry.name, other, context, prompt_timeout)
    return others


async def other_usernames(
    entry: Entry, username: Username, context: Context, prompt_timeout: float = PROMPT_TIMEOUT
) -> list[str]:
    """Return the other user names under which a secret of this name is stored.

    An item that is not on the list counts if a look-up without the list would find it.

    :param entry: what is configured for the name.
    :raises KeychainUnavailable: if the keychain or the list cannot be used.
    """
    listed = context.stored_names.usernames(entry.name)
    found = [other for other in listed if other != username.name]
    unlisted = username_for(None, entry).name
    if unlisted not in (username.name, *found):
        timeout = patience(context, prompt_timeout)
        if await context.keychain.get(entry.name, unlisted, timeout) is not None:
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
    context.stored_names.items()  # fails before anything is deleted if the list is corrupt
    listed = context.stored_names.usernames(name)
    remembered = drop_remembered(name, username, context)
    if username is not None:
        usernames = [username]
    else:
        unlisted = username_for(None, context.configuration.entry(name)).name
        usernames = [*dict.fromkeys((*listed, unlisted))]
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
    from ..keeping import name_changes

    timeout = patience(context, prompt_timeout)
    deleted = await context.keychain.delete(name, username, timeout)
    await _change_list(lambda: name_changes.remove(context.stored_names, name, username))
    return deleted


def patience(context: Context, prompt_timeout: float = PROMPT_TIMEOUT) -> float | None:
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
