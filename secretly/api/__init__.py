"""The library: coroutines that work the same under Twisted and asyncio."""

from __future__ import annotations

import datetime
import functools
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from ..asking import prompting, questions, wording
from ..errors import KeychainTimeout, NoPinentry, NotConfirmed, SecretlyError
from ..redacted import Secret
from ..reference import Reference, parse, parse_name
from ..resolving import obtain, storing
from ..resolving.candidates import ResolvedSecret, Username, username_for
from ..resolving.request import (
    PROMPT_TIMEOUT,
    Context,
    SecretRequest,
    calling_program,
    login_name,
    this_script,
)
from ..text import escape
from ..waiting import sharing, tasks
from ..waiting.awaited import must_be_awaited
from . import arguments, contexts, receipts

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

__all__ = ["confirm", "credential", "forget", "remember", "secret", "secretly"]

K = TypeVar("K")
Verify = Callable[[Secret], bool | Awaitable[bool | None] | None]
Timeout = float | datetime.timedelta | None
Remember = bool | Literal["ask"] | datetime.timedelta | None

_shared: sharing.Shared[ResolvedSecret] = sharing.Shared()


class CallOptions(NamedTuple):
    """How a secret is asked for, with the names of the parameters of :func:`secret`."""

    username: str | None = None
    prompt: str | None = None
    description: str | None = None
    remember: Remember = None
    confirm: bool | None = None
    verify: Verify | None = None
    timeout: Timeout = None


class Credential(NamedTuple):
    """A user name and the secret that goes with it.

    >>> import secretly
    >>> username, password = secretly.Credential("ada", secretly.Secret("canary-1"))
    >>> password
    Secret('…')

    .. versionadded:: 1.0
    """

    username: str
    password: Secret


#: What each call works with; ``secretly.testing`` replaces it with its own.
context: Callable[[], Context] = contexts.current


@must_be_awaited
async def secret(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: Remember = None,
    confirm: bool | None = None,
    verify: Verify | None = None,
    timeout: Timeout = None,
) -> Secret:
    """Return a secret: from its source, memory or the keychain, or else ask the user.

    :param reference: ``NAME``, ``NAME#field`` or ``scheme://path[#field]``.
    :param username: the user name that belongs to the secret; None: the configured
        user name, the one in the keychain, or the login name.
    :param prompt: the label of the entry field.
    :param description: what the secret is for, which the prompt shows.
    :param remember: store a typed secret in the keychain: True, False, ``"ask"``
        (ask the user afterwards), or a timedelta (remember it in memory that long, on Linux; a
        failure is logged); None: as configured, else no. Without *username*, it replaces all.
    :param confirm: whether the user confirms a stored secret; None: as configured, else no.
    :param verify: a function or coroutine function that tries the secret. If it returns
        False, the secret is not used, and the user is asked again, 3 times at most.
    :param timeout: how long the call may take, with *verify*, in seconds or as a timedelta;
        None: 300 s for each prompt, 30 s for other waits, and no limit for *verify*.
    :raises Cancelled: if the user cancels.
    :raises SecretlyError: if secretly can't return a secret for another reason.

    Calls at the same time share one prompt if only *prompt* and *description* differ. The prompt
    has the first call's texts, and its time runs from there. If all are cancelled, the prompt ends.

    >>> import asyncio, secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     asyncio.run(secretly.secret("Example", description="to greet the server"))
    Secret('…')

    .. versionadded:: 1.0
    """
    found = _obtain(
        reference,
        CallOptions(username, prompt, description, remember, confirm, verify, timeout),
    )
    return (await found).secret


@must_be_awaited
async def credential(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: Remember = None,
    confirm: bool | None = None,
    verify: Verify | None = None,
    timeout: Timeout = None,
) -> Credential:
    """Return a user name and its secret, as :func:`secret` finds it.

    The user name is *username*, else the configured one, else the one that the
    secret was stored with, else the login name.

    :param reference: as for :func:`secret`; so are the other parameters.
    :param username: the user name, if you know it.
    :param prompt: the label of the entry field.
    :param description: what it is for.
    :param remember: whether to store what the user typed.
    :param confirm: whether the user confirms the use of a stored secret.
    :param verify: a function or coroutine function that tries the secret.
    :param timeout: how long to wait, in seconds or as a timedelta.
    :raises SecretlyError: as for :func:`secret`.

    >>> import asyncio, secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     asyncio.run(secretly.credential("Example", username="ada"))
    Credential(username='ada', password=Secret('…'))

    .. versionadded:: 1.0
    """
    options = CallOptions(username, prompt, description, remember, confirm, verify, timeout)
    found = await _obtain(reference, options)
    return Credential(username_for(found.username, found.entry).name, found.secret)


@must_be_awaited
async def confirm(
    question: str, *, description: str | None = None, timeout: Timeout = None
) -> bool:
    """Ask the user a question; return whether they answered Yes.

    :param question: the question, in a line.
    :param description: more about it.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises Cancelled: if the user cancels instead of answering No.
    :raises PromptTimeout: if the user does not answer in time.
    :raises NoPinentry: if secretly cannot ask the user.

    >>> import asyncio, secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry([True, False]) as pinentry, sandbox(pinentry):
    ...     [asyncio.run(secretly.confirm("Delete it?")) for _ in range(2)]
    [True, False]

    .. versionadded:: 1.0
    """
    here = context()
    arguments.check_text("question", type(question))
    arguments.check_texts(description=description)
    seconds = arguments.in_seconds(timeout, PROMPT_TIMEOUT)
    if here.no_input:
        raise NoPinentry(
            "can't ask you to confirm: prompts are switched off",
            "run it where secretly may ask you",
        )
    text = wording.asks(calling_program(), question, description or "")
    prompt = questions.Prompt(wording.TITLE, text, "")
    try:
        until = math.inf if timeout is None else time.monotonic() + seconds
        pinentry = here.configuration.pinentry
        asked = prompting.confirm(prompt, seconds, here.environ, pinentry, until=until)
        await tasks.bounded(asked, time_limit(timeout), f"no answer in {seconds:g} s")
    except NotConfirmed:
        return False
    return True


@must_be_awaited
async def remember(
    reference: str, value: str, *, username: str | None = None, timeout: Timeout = None
) -> None:
    """Store a secret in the keychain, in place of what is stored under that name.

    A name has one stored secret. To store the secrets of several users of a service, give each a
    name of its own.

    :param reference: a plain name.
    :param value: the secret.
    :param username: the user name that belongs to the secret; None: the configured user
        name, or else the login name.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises KeychainUnavailable: if the keychain can't store the secret, or only in plain text.
    :raises BadReference: if *reference* is not a plain name.
    :raises TypeError: if *value* is not a ``str``.
    :raises Refused: if *value* is empty, has a NUL byte, is not valid Unicode, is only the
        beginning of a key of several lines, or is a reference.

    >>> import asyncio, secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     asyncio.run(secretly.remember("Example", "canary-1"))
    ...     asyncio.run(secretly.secret("Example"))
    Secret('…')

    .. versionadded:: 1.0
    """
    kind, value = type(value), arguments.hidden(value)  # first: a traceback may show locals
    value = arguments.storable(value, kind)
    arguments.check_texts(username=username)
    here, name = context(), parse_name(reference)
    entry = here.configuration.entry(name)
    chosen = username_for(username or None, entry)
    seconds = arguments.in_seconds(timeout, PROMPT_TIMEOUT)
    stored = storing.replace_secret(entry, value, chosen, here, seconds)
    late = f"can't store {escape(name)} in {seconds:g} s"
    await tasks.bounded(stored, time_limit(timeout), late, KeychainTimeout)


@must_be_awaited
async def forget(reference: str, *, username: str | None = None, timeout: Timeout = None) -> bool:
    """Delete a secret from memory and the keychain; return whether the secret existed.

    :param reference: a plain name.
    :param username: delete only this user name's secret; None: delete the secrets
        of all user names.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises KeychainUnavailable: if the keychain cannot be used.
    :raises BadReference: if *reference* is not a plain name.

    >>> import asyncio, secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     asyncio.run(secretly.forget("Example"))
    False

    .. versionadded:: 1.0
    """
    seconds = arguments.in_seconds(timeout, PROMPT_TIMEOUT)
    arguments.check_texts(username=username)
    name = parse_name(reference)
    forgotten = storing.forget_secret(name, username, context(), seconds)
    late = f"can't forget {escape(name)} in {seconds:g} s"
    return await tasks.bounded(forgotten, time_limit(timeout), late, KeychainTimeout) > 0


def secretly(
    reactor: Any,
    action: Callable[[Secret], Any],
    system: str | None = None,
    username: str | None = None,
    prompt: str = "Password:",
) -> Deferred[Any]:
    """Call *action* with a password, as the first version of secretly did.

    What the user types is stored in the keychain after *action* has succeeded with it.

    :param reactor: the running reactor.
    :param action: a function of the password; it may return a Deferred.
    :param system: the name that it is stored under; by default the action's module, or
        for ``__main__`` the program's absolute path.
    :param username: by default the login name.
    :param prompt: the label of the entry field.
    :returns: a Deferred with *action*'s result.

    >>> import secretly
    >>> from secretly.testing import MemoryKeychain, sandbox
    >>> from twisted.internet import reactor
    >>> keychain = MemoryKeychain()
    >>> keychain.items["Example", "ada"] = secretly.Secret("canary-1")
    >>> with sandbox(keychain=keychain):
    ...     deferred = secretly.secretly(reactor, len, "Example", "ada")
    >>> deferred.result
    8

    .. versionadded:: 0.3
    """
    from twisted.internet.defer import Deferred

    module = system or action.__module__
    name = os.path.abspath(this_script()) if module == "__main__" else module
    user = Username(username or login_name(), is_own=True)
    request = SecretRequest(
        Reference("", name),
        username=user.name,
        prompt=prompt.rstrip().removesuffix(":"),
        purpose=wording.wants(calling_program(), escape(name)),
    )

    return Deferred.fromCoroutine(_acted(action, request, user))


async def _acted(action: Callable[[Secret], Any], request: SecretRequest, user: Username) -> Any:
    """Obtain a password, call *action* with it, and store what was typed; return the result."""
    from twisted.internet.defer import maybeDeferred

    here = context()
    name = request.reference.name
    found = await obtain.obtain(request, here)
    receipts.record([found], here)
    result = await maybeDeferred(action, found.secret)
    try:
        if found.origin == "typed":
            await storing.store_secret(found.entry, found.secret, user, here)
    except SecretlyError as error:
        here.note(f"{escape(name)} was not stored: {error}")
    return result


def _parse(reference: str) -> Reference:
    return parse(reference, context().environ if "$" in str(reference) else None)


def _request(parsed: Reference, options: CallOptions) -> SecretRequest:
    description = options.description or ""
    return SecretRequest(
        parsed,
        username=options.username,
        prompt=options.prompt,
        purpose=wording.wants(calling_program(), escape(str(parsed)), description),
        remember=arguments.remembered(options.remember),
        confirm=options.confirm,
        verify=options.verify,
        prompt_timeout=arguments.in_seconds(options.timeout, PROMPT_TIMEOUT),
        time_limit=time_limit(options.timeout),
    )


def time_limit(timeout: Timeout) -> float | None:
    """The time limit of the whole call, in seconds; None: only each wait has a limit."""
    return None if timeout is None else arguments.in_seconds(timeout, PROMPT_TIMEOUT)


async def secrets(references: Mapping[K, str], options: CallOptions) -> dict[K, Secret]:
    """Return several secrets, and ask for each reference once. The library's own modules call it.

    :param references: the reference of each secret, by a key of the caller's.
    :param options: for each secret; the time limit is for all of them together.
    """
    arguments.check_options(options)
    requests = {one: _request(_parse(one), options) for one in references.values()}
    here = context()
    found = await obtain.obtain_all(list(requests.values()), here)
    receipts.record(found, here)
    obtained = dict(zip(requests, (one.secret for one in found), strict=True))
    return {key: obtained[reference] for key, reference in references.items()}


def _obtain(reference: str, options: CallOptions) -> Awaitable[ResolvedSecret]:
    """Obtain a secret, together with those who want the same.

    The request is made by the first of them; what is wrong with the options is said to each.
    """
    parsed = _parse(reference)
    arguments.check_options(options)
    kept = str(arguments.remembered(options.remember))  # a text: True equals a second, 1.0
    limit = time_limit(options.timeout)
    key = (*parsed._values(), options.username, kept, options.confirm, options.verify, limit)
    return _shared.do(key, functools.partial(_obtain_recorded, parsed, options), limit)


async def _obtain_recorded(parsed: Reference, options: CallOptions) -> ResolvedSecret:
    request, here = _request(parsed, options), context()
    found = await obtain.obtain(request, here)
    receipts.record([found], here)
    return found
