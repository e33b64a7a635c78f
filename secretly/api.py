"""The library: coroutines that Twisted and asyncio drive alike."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .asking import prompting, questions
from .config import loading, values
from .errors import BadReference, NoPinentry, NotConfirmed, SecretlyError
from .redacted import Secret
from .reference import Reference, parse
from .resolving import keep, model, obtain
from .resolving.model import Context, ResolvedSecret, SecretRequest
from .text import escape
from .waiting import sharing

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .config.model import Remember

__all__ = ["confirm", "credential", "forget", "remember", "secret", "secretly"]

Verify = Callable[[Secret], "bool | Awaitable[bool | None] | None"]
Timeout = float | datetime.timedelta | None

_shared: sharing.Shared[ResolvedSecret] = sharing.Shared()


class Credential(NamedTuple):
    """A user name and the secret that goes with it.

    .. versionadded:: 1.0
    """

    username: str
    password: Secret


def _own_context() -> Context:
    return Context.of(loading.load(), os.environ)


#: What a call stands on; ``secretly.testing`` puts its own in place.
context: Callable[[], Context] = _own_context


async def secret(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: bool | str | datetime.timedelta | None = None,
    confirm: bool | None = None,
    verify: Verify | None = None,
    timeout: Timeout = None,
) -> Secret:
    """Return a secret: from its source, memory or the keychain, or else from the person.

    :param reference: ``NAME``, ``NAME#field`` or ``scheme://path[#field]``.
    :param username: the user name that it is kept under; by default the configured
        one, the one it was stored with, or the login name.
    :param prompt: the few words before the entry field.
    :param description: what it is for; by default, which program asks.
    :param remember: keep in the keychain what was typed: True, False, ``"ask"`` (ask
        after it was accepted), or a timedelta (hold it in memory that long, on Linux;
        where that cannot be, a warning is logged); None: as configured, else no.
    :param confirm: ask before a stored secret is released; None: as configured, else no.
    :param verify: a function or coroutine function that tries the secret. False means
        that it was not accepted: a stored one is not used, and the person is asked
        again, 3 times at most. Only an accepted one is kept.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s for a
        person, 30 s for a machine.
    :raises Cancelled: if the person cancels.
    :raises SecretlyError: any other of its kinds says why there is no secret.

    Calls for the same reference, user name and *verify* at the same time are one
    prompt: the first one's texts are shown. One that joins it and has a *timeout*
    waits no longer than that. Cancelling the last of them ends it.

    .. versionadded:: 1.0
    """
    wish = _wish(
        reference,
        username=username,
        prompt=prompt,
        purpose=description,
        remember=remember,
        confirm=confirm,
        verify=verify,
        timeout=timeout,
    )
    return (await _obtain(wish, timeout)).secret


async def credential(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: bool | str | datetime.timedelta | None = None,
    confirm: bool | None = None,
    verify: Verify | None = None,
    timeout: Timeout = None,
) -> Credential:
    """Return a user name and its secret, as :func:`secret` finds it.

    The user name is *username*, else the configured one, else the one that the
    secret was stored with, else the login name.

    :param reference: as for :func:`secret`, and so are the others.
    :param username: the user name, if it is known.
    :param prompt: the few words before the entry field.
    :param description: what it is for.
    :param remember: whether to keep what was typed.
    :param confirm: whether to ask before a stored secret is released.
    :param verify: a function or coroutine function that tries the secret.
    :param timeout: how long to wait, in seconds or as a timedelta.
    :raises SecretlyError: as for :func:`secret`.

    .. versionadded:: 1.0
    """
    wish = _wish(
        reference,
        username=username,
        prompt=prompt,
        purpose=description,
        remember=remember,
        confirm=confirm,
        verify=verify,
        timeout=timeout,
    )
    found = await _obtain(wish, timeout)
    return Credential(found.username or model.login_name(), found.secret)


async def confirm(
    question: str, *, description: str | None = None, timeout: Timeout = None
) -> bool:
    """Ask the person to agree; return whether they did.

    :param question: the question, in a line.
    :param description: more about it.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises Cancelled: if the person cancels rather than says no.
    :raises PromptTimeout: if nobody answers.
    :raises NoPinentry: if nobody can be asked.

    .. versionadded:: 1.0
    """
    here = context()
    text = "\n\n".join(filter(None, (question, description)))
    seconds = values.in_seconds(timeout, model.PROMPT_TIMEOUT)
    if here.no_input:
        raise NoPinentry("nobody may be asked to confirm", "run it where a person can be asked")
    asked = questions.Prompt("secretly", text, "")
    try:
        await prompting.confirm(asked, seconds, here.environ, here.configuration.pinentry)
    except NotConfirmed:
        return False
    return True


async def remember(
    reference: str, value: str, *, username: str | None = None, timeout: Timeout = None
) -> None:
    """Keep a secret in the keychain.

    :param reference: a plain name.
    :param value: the secret.
    :param username: the user name that goes with it; None: the configured one, else it
        has none of its own and is kept under the login name.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises KeychainUnavailable: if it cannot be kept, or only in plain text.
    :raises BadReference: if *reference* is no plain name.

    .. versionadded:: 1.0
    """
    here, name, value = context(), _plain(reference), Secret(value)
    entry = here.configuration.entry(name)
    chosen = username or entry.username
    seconds = values.in_seconds(timeout, model.PROMPT_TIMEOUT)
    own = chosen is not None
    await keep.store_secret(name, value, chosen or model.login_name(), own, seconds, here)


async def forget(reference: str, *, username: str | None = None, timeout: Timeout = None) -> bool:
    """Take a secret out of memory and the keychain; return whether it was there.

    :param reference: a plain name.
    :param username: the user name that it is kept under; None: the configured one, the
        one it was stored with, or the login name.
    :param timeout: how long to wait, in seconds or as a timedelta; None: 300 s.
    :raises KeychainUnavailable: if the keychain cannot be used.
    :raises BadReference: if *reference* is no plain name.

    .. versionadded:: 1.0
    """
    seconds = values.in_seconds(timeout, model.PROMPT_TIMEOUT)
    return await keep.forget_secret(_plain(reference), username, seconds, context())


def secretly(
    reactor: Any,
    action: Callable[[Secret], Any],
    system: str | None = None,
    username: str | None = None,
    prompt: str = "Password:",
) -> Deferred[Any]:
    """Call *action* with a password: the call that the first secretly had.

    The password is looked for in the keychain; one that is typed is kept there once
    *action* has succeeded with it.

    :param reactor: the running reactor.
    :param action: a function of the password; it may return a Deferred.
    :param system: the name that the password is kept under; by default the
        action's module, or for ``__main__`` the program's absolute path.
    :param username: by default the login name.
    :param prompt: the words before the entry field.
    :returns: a Deferred with *action*'s result.

    .. versionadded:: 0.3
    """
    from twisted.internet.defer import Deferred, maybeDeferred

    name = system or action.__module__
    if name == "__main__":
        name = os.path.abspath(sys.argv[0])
    user = username or model.login_name()

    async def work() -> Any:
        here = context()
        wish = SecretRequest(
            Reference("", name),
            username=user,
            prompt=prompt.rstrip().removesuffix(":"),
            purpose=f"{model.calling_program()} asks for it",
        )
        found = await obtain.obtain(wish, here)
        result = await maybeDeferred(action, found.secret)
        if found.origin == "typed":
            try:
                await keep.store_secret(name, found.secret, user, True, model.PROMPT_TIMEOUT, here)
            except SecretlyError as error:
                here.note(f"{escape(name)} was not kept: {error}")
        return result

    return Deferred.fromCoroutine(work())


def _wish(
    reference: str,
    *,
    username: str | None,
    prompt: str | None,
    purpose: str | None,
    remember: bool | str | datetime.timedelta | None,
    confirm: bool | None,
    verify: Verify | None,
    timeout: Timeout,
) -> SecretRequest:
    return SecretRequest(
        parse(reference),
        username=username,
        prompt=prompt,
        purpose=purpose or f"{model.calling_program()} asks for it",
        remember=_remembered(remember),
        confirm=confirm,
        verify=verify,
        prompt_timeout=values.in_seconds(timeout, model.PROMPT_TIMEOUT),
    )


def _remembered(value: bool | str | datetime.timedelta | None) -> Remember | None:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, bool) or value == "ask":
        return value  # type: ignore[return-value]
    raise TypeError(f"remember takes True, False, 'ask' or a timedelta, not {value!r}")


def _plain(reference: str) -> str:
    found = parse(reference)
    if found.scheme or found.field:
        raise BadReference(
            f"'{escape(reference)}' is not a plain name", "the keychain keeps names, such as PyPI"
        )
    return found.path


async def _obtain(wish: SecretRequest, timeout: Timeout) -> ResolvedSecret:
    key = (*wish.reference._values(), wish.username, wish.verify)
    limit = None if timeout is None else wish.prompt_timeout
    return await _shared.do(key, lambda: obtain.obtain(wish, context()), limit)
