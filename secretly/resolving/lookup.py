"""Look a secret up in its source, in memory and in the keychain."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Coroutine, Sequence

from ..config.model import Entry
from ..errors import BadReference, KeychainUnavailable, NotFound, Refused
from ..keeping.store import SecretStore
from ..redacted import Secret
from ..reference import Reference
from ..text import escape, shell_quote
from .model import PROMPT_TIMEOUT, Context, ResolvedSecret, SecretRequest, username_for

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


#: The keyring of what is held, as /proc/keys has it; how many follows, or ``empty``.
_RING = b" keyring   secretly: "


def _first_item(wish: SecretRequest, context: Context) -> tuple[str, str]:
    """The item of the keychain that is looked for first, if it is."""
    name = (*wish.names, wish.reference.path)[0]
    return name, username_for(name, context.configuration.entry(name), wish, context)[0]


async def _together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if not coroutines:
        return []
    from ..waiting import tasks

    return await tasks.gather(*coroutines)


def _run(wishes: Sequence[SecretRequest], context: Context) -> Context:
    """The context of one run, whose sources know all that is wanted of them."""
    if context.items is not None:
        return context
    named = [
        (wish.reference.field, context.configuration.entry(name).source)
        for wish in wishes
        for name in (*wish.names, wish.reference.path)
        if not wish.reference.scheme
    ]
    wanted = [wish.reference for wish in wishes if wish.reference.scheme]
    wanted += [
        source._replace(field=field) if field else source for field, source in named if source
    ]
    if not wanted:
        return context
    from ..sources import items, runs

    person = (
        None
        if context.no_input
        else max((wish.prompt_timeout for wish in wishes), default=PROMPT_TIMEOUT)
    )
    setting = context.configuration.pinentry
    run = runs.Run(context.environ, person, setting, context.keychain)
    entries = context.configuration.secrets
    commands = {name: entry.command for name, entry in entries.items() if entry.command}
    return context._replace(items=items.Items(run, wanted, commands))


class _Patience:
    """A keychain that, once it has let the time pass, is not asked again in this run."""

    def __init__(self, keychain: SecretStore) -> None:
        self._keychain = keychain
        self._trouble: KeychainUnavailable | None = None

    async def _answer(self, asked: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._trouble is not None:
            raise self._trouble
        try:
            return await asked()
        except KeychainUnavailable as error:
            if not error.answered:
                self._trouble = error
            raise

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        return await self._answer(lambda: self._keychain.get(service, username, prompt_timeout))

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str | None:
        return await self._answer(
            lambda: self._keychain.set(service, username, value, prompt_timeout)
        )

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        return await self._answer(lambda: self._keychain.delete(service, username, prompt_timeout))

    async def describe(self) -> str:
        return await self._answer(self._keychain.describe)


def _needs_no_keychain(wish: SecretRequest, context: Context) -> bool:
    """Whether it comes from a source, and no narrower one is looked for before."""
    if wish.ignore_stored:
        return False
    first = (*wish.names, wish.reference.path)[0]
    source = wish.reference if wish.reference.scheme else context.configuration.entry(first).source
    return source is not None and source.scheme != "keyring"


async def look_up(
    wish: SecretRequest, context: Context
) -> tuple[ResolvedSecret | None, KeychainUnavailable | None]:
    """Look for what is stored; a keychain that cannot tell is no end where one may ask."""
    if wish.ignore_stored:
        return None, None
    has_source = wish.reference.scheme or context.configuration.entry(wish.reference.path).source
    try:
        found = await find_stored(wish, context)
    except KeychainUnavailable as error:
        if not (context.no_input or has_source):
            return None, error
        trouble = error
    else:
        if found is None and context.no_input:
            raise missing(wish)
        return found, None
    raise unavailable(wish, trouble)


async def find_stored(wish: SecretRequest, context: Context) -> ResolvedSecret | None:
    """Look for it in its source or the keychain, asking nobody but through them.

    :raises SourceFailed: if it has a source, which did not give it.
    :raises KeychainUnavailable: if the keychain cannot tell.
    """
    context = _run([wish], context)
    if wish.reference.scheme:
        return await _from_source(wish.reference, wish.reference.name, None, context)
    trouble: KeychainUnavailable | None = None
    for name in (*wish.names, wish.reference.path):
        entry = context.configuration.entry(name)
        if entry.source is not None:
            if trouble is not None and any(map(context.stored_names.find, wish.names)):
                raise trouble  # a narrower one is kept there: it is not 'not there'
            source = entry.source
            if wish.reference.field:
                source = source._replace(field=wish.reference.field)
            return await _from_source(source, name, entry, context)
        if held := _from_memory(name, entry, wish, context):
            if trouble is not None and any(map(context.stored_names.find, wish.names)):
                raise trouble
            return held
        if trouble is None:
            try:
                if found := await _from_keychain(name, entry, wish, context):
                    return found
            except KeychainUnavailable as error:
                trouble = error
    if trouble is not None:
        raise trouble
    return None


async def _from_source(
    reference: Reference, name: str, entry: Entry | None, context: Context
) -> ResolvedSecret:
    entry = entry or Entry(name)
    if reference.usual == "username" and entry.username is not None:
        return ResolvedSecret(Secret(entry.username), entry.username, reference.scheme, name)
    assert context.items is not None
    value, username = await context.items.get(reference)
    if reference.usual == "password":
        value = _stored(entry, value)
    return ResolvedSecret(value, entry.username or username, reference.scheme, name)


def _from_memory(
    name: str, entry: Entry, wish: SecretRequest, context: Context
) -> ResolvedSecret | None:
    """What is held for a while: it was typed after what the keychain has."""
    if wish.reference.usual != "password" or not _anything_held(context):
        return None
    username, own = username_for(name, entry, wish, context)
    value = context.memory.get(name, username)
    if value is None:
        return None
    return ResolvedSecret(_stored(entry, value), username if own else None, "memory", name)


def _anything_held(context: Context) -> bool:
    """Whether it is worth loading what reads the kernel keyring, some milliseconds.

    In /proc/keys there is a line for each key that this user may see. Containers may
    have /dev/null in its place, or nothing: then it cannot be told.
    """
    if context.temporary_store is not None or sys.platform != "linux":
        return context.temporary_store is not None
    try:
        with open("/proc/keys", "rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return any(rest[:1].isdigit() for rest in file.readall().split(_RING)[1:])
    except OSError:
        pass
    return True


async def _from_keychain(
    name: str, entry: Entry, wish: SecretRequest, context: Context
) -> ResolvedSecret | None:
    username, own = username_for(name, entry, wish, context)
    if wish.reference.usual == "username":
        return ResolvedSecret(Secret(username), username, "configuration", name) if own else None
    if wish.reference.usual != "password":
        raise BadReference(
            f"a keychain item has no field '{escape(wish.reference.field)}'",
            "it has password and username",
        )
    prompt_timeout = None if context.no_input else wish.prompt_timeout
    value = await context.keychain.get(name, username, prompt_timeout)
    if value is None:
        return None
    return ResolvedSecret(_stored(entry, value), username if own else None, "keychain", name)


def _stored(entry: Entry, value: Secret) -> Secret:
    value, wrong = validate_token(entry, value)
    if wrong:
        what = f"does not start with '{entry.prefix}': it is no token for it"
        where = f"change it there: {escape(str(entry.source))}" if entry.source else ""
        raise Refused(
            f"what is stored for {escape(entry.name)} {what if value else 'is empty'}",
            where or f"secretly set {shell_quote(entry.name)} replaces it",
        )
    return value


def validate_token(entry: Entry, value: Secret) -> tuple[Secret, str]:
    """Take white space (a copied newline) off a token; say what is wrong with it."""
    if not entry.prefix:
        return value, "" if value else "Nothing was entered."
    value = Secret(value.strip())
    if not value:
        return value, "Nothing was entered."
    if not value.startswith(entry.prefix) or not value.isprintable() or " " in value:
        return value, f"That is no token: tokens for {entry.name} start with '{entry.prefix}'."
    return value, ""


def _drop(name: str, username: str | None, context: Context) -> bool:
    """Drop what is held; None: whatever its user name. Say whether there was something."""
    if not _anything_held(context):
        return False
    try:
        return context.memory.drop(name, username) > 0
    except KeychainUnavailable:  # then nothing of it can be used either
        return False


def unavailable(wish: SecretRequest, trouble: KeychainUnavailable) -> KeychainUnavailable:
    """The error for a secret that a keychain cannot give."""
    name = escape(wish.reference.name)
    return type(trouble)(f"{name} is not to be had: {trouble}", trouble.hint)


def missing(wish: SecretRequest) -> NotFound:
    """The error for a secret that is kept nowhere."""
    name = escape(wish.reference.name)
    return NotFound(
        f"there is no secret {name}", f"keep one: secretly set {shell_quote(wish.reference.name)}"
    )
