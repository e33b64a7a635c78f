"""The policy: where a secret is looked for, what is asked, and what is kept."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence

from . import eventloop
from .configuration import Configuration, Entry
from .display import pasted, visible
from .errors import (
    BadReference,
    Cancelled,
    KeychainLocked,
    KeychainUnavailable,
    NotFound,
    Refused,
    SecretlyError,
)
from .index import Index
from .keychain import Keeper, Keychain
from .records import Record
from .redacted import Environment, Secret
from .references import Reference

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, Self, TypeVar

    from .configuration import Remember
    from .session import Holder
    from .sources import Items

    T = TypeVar("T")

__all__ = [
    "Context",
    "Found",
    "Wish",
    "cleaned",
    "find_stored",
    "forget",
    "keep",
    "login_name",
    "not_found",
    "not_had",
    "obtain",
    "obtain_all",
    "released",
]

#: How long a person has, in seconds, unless told otherwise.
PERSON = 300.0

#: How long a change of the list of kept names may take, in seconds.
LISTING = 10.0

_ATTEMPTS = 3

#: The keyring of what is held, as /proc/keys has it; how many follows, or ``empty``.
_RING = b" keyring   secretly: "


def _log(message: str) -> None:
    import logging

    logging.getLogger("secretly").warning("%s", message)


class Context(Record):
    """What a resolution stands on.

    :param no_input: never ask a person.
    :param note: is told what a person should know that is no error.
    :param items: what the sources have given in this run.
    :param holder: what holds secrets for a while; None: the kernel keyring.
    """

    configuration: Configuration
    environ: Mapping[str, str]
    keychain: Keeper
    index: Index
    no_input: bool = False
    note: Callable[[str], None] = _log
    items: Items | None = None
    holder: Holder | None = None

    @property
    def memory(self) -> Holder:
        """What holds secrets for a while."""
        from .session import Session

        return Session() if self.holder is None else self.holder

    @classmethod
    def of(cls, configuration: Configuration, environ: Mapping[str, str]) -> Self:
        """The user's own keychain and index, in this environment."""
        environ = Environment(environ)
        index = Index.default()
        return cls(configuration, environ, Keychain(environ, configuration.backends, index), index)


class Wish(Record):
    """A secret that is wanted.

    :param names: plain names to try in turn before the reference's own
        (``PyPI/demo`` before ``PyPI``).
    :param purpose: what it is for, as the person is told; harmless already.
    :param position: ``"1 of 3"``, where several are asked for.
    :param fresh: ignore a stored one.
    :param repeat: have what is typed typed twice.
    :param publishes: confirm the use of a stored one, unless configured otherwise; the
        purpose is shown whole, or the use refused.
    :param inspect: is given the secret and what is configured for it, before anybody is
        asked to confirm it; raises if it is not to be used for this.
    """

    reference: Reference
    names: tuple[str, ...] = ()
    username: str | None = None
    prompt: str | None = None
    purpose: str = ""
    position: str = ""
    remember: Remember | None = None
    confirm: bool | None = None
    verify: Callable[[Secret], Any] | None = None
    person: float = PERSON
    fresh: bool = False
    repeat: bool = False
    publishes: bool = False
    inspect: Callable[[Secret, Entry], None] | None = None


class Found(Record):
    """A secret, and where it came from.

    :param username: the secret's own user name, if it has one.
    :param origin: ``"typed"``, ``"memory"``, ``"keychain"``, ``"configuration"`` or the
        source's scheme.
    """

    secret: Secret
    username: str | None
    origin: str
    name: str


async def obtain(wish: Wish, context: Context) -> Found:
    """Find the secret in its source or the keychain, or else ask the person.

    :raises SecretlyError: whichever says why it was not to be had.
    """
    return (await obtain_all([wish], context))[0]


async def obtain_all(wishes: Sequence[Wish], context: Context) -> list[Found]:
    """Obtain several: first all that need nobody, then the person for one after another.

    What comes from a source is fetched at the same time; the keychain, which may ask
    the person to unlock it, is asked for one after another.
    """
    if len(wishes) > 1 and isinstance(context.keychain, Keychain):
        context.keychain.expect([_first_item(wish, context) for wish in wishes])
    context = _run(wishes, context._replace(keychain=_Patience(context.keychain)))
    fetched = [wish for wish in wishes if _needs_no_keychain(wish, context)]
    found_there = iter(await _together([_look(wish, context) for wish in fetched]))
    looked = [
        next(found_there) if _needs_no_keychain(wish, context) else await _look(wish, context)
        for wish in wishes
    ]
    asked, outcomes = 0, []
    missing = sum(found is None for found, _ in looked)
    for wish, (found, trouble) in zip(wishes, looked, strict=True):
        if found is None and missing > 1:
            asked += 1
            wish = wish._replace(position=f"{asked} of {missing}")
        outcomes.append(await _settle(wish, found, trouble, context))
    return outcomes


def _first_item(wish: Wish, context: Context) -> tuple[str, str]:
    """The item of the keychain that is looked for first, if it is."""
    name = (*wish.names, wish.reference.path)[0]
    return name, _username(name, context.configuration.entry(name), wish, context)[0]


async def _together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if not coroutines:
        return []
    from . import concurrency

    return await concurrency.together(*coroutines)


def _run(wishes: Sequence[Wish], context: Context) -> Context:
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
    from . import sources

    person = None if context.no_input else max((wish.person for wish in wishes), default=PERSON)
    setting = context.configuration.pinentry
    run = sources.Run(context.environ, person, setting, context.keychain)
    entries = context.configuration.secrets
    commands = {name: entry.command for name, entry in entries.items() if entry.command}
    return context._replace(items=sources.Items(run, wanted, commands))


class _Patience:
    """A keychain that, once it has let the time pass, is not asked again in this run."""

    def __init__(self, keychain: Keeper) -> None:
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

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        return await self._answer(lambda: self._keychain.get(service, username, person))

    async def set(
        self, service: str, username: str, value: str, person: float | None
    ) -> str | None:
        return await self._answer(lambda: self._keychain.set(service, username, value, person))

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        return await self._answer(lambda: self._keychain.delete(service, username, person))

    async def describe(self) -> str:
        return await self._answer(self._keychain.describe)


def _needs_no_keychain(wish: Wish, context: Context) -> bool:
    """Whether it comes from a source, and no narrower one is looked for before."""
    if wish.fresh:
        return False
    first = (*wish.names, wish.reference.path)[0]
    source = wish.reference if wish.reference.scheme else context.configuration.entry(first).source
    return source is not None and source.scheme != "keyring"


async def _look(wish: Wish, context: Context) -> tuple[Found | None, KeychainUnavailable | None]:
    """Look for what is stored; a keychain that cannot tell is no end where one may ask."""
    if wish.fresh:
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
            raise not_found(wish)
        return found, None
    raise not_had(wish, trouble)


async def _settle(
    wish: Wish, found: Found | None, trouble: KeychainUnavailable | None, context: Context
) -> Found:
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
        await released(wish, found, context)
        if wish.verify is None or await _accepted(wish.verify, found.secret):
            return found
        problem = f"The stored secret for {visible(found.name)} was not accepted."
        own = _username(found.name, entry, wish, context)[0]
        if found.origin == "memory" and _drop(found.name, own, context):
            try:
                again, trouble = await _look(wish, context)
            except NotFound:
                again = None
            if again is not None:
                return await _settle(wish, again, trouble, context)
        if found.origin not in ("memory", "keychain") or context.no_input:
            raise Refused(
                f"the secret for {visible(found.name)} from {found.origin} was not accepted",
                "change it there",
            )
        return await _ask(wish, entry, problem, context)
    if context.no_input:
        raise not_found(wish)
    return await _ask(wish, context.configuration.entry(wish.reference.name), problem, context)


async def find_stored(wish: Wish, context: Context) -> Found | None:
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
            if trouble is not None and any(map(context.index.find, wish.names)):
                raise trouble  # a narrower one is kept there: it is not 'not there'
            source = entry.source
            if wish.reference.field:
                source = source._replace(field=wish.reference.field)
            return await _from_source(source, name, entry, context)
        if held := _from_memory(name, entry, wish, context):
            if trouble is not None and any(map(context.index.find, wish.names)):
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
) -> Found:
    entry = entry or Entry(name)
    if reference.usual == "username" and entry.username is not None:
        return Found(Secret(entry.username), entry.username, reference.scheme, name)
    assert context.items is not None
    value, username = await context.items.get(reference)
    if reference.usual == "password":
        value = _stored(entry, value)
    return Found(value, entry.username or username, reference.scheme, name)


def _from_memory(name: str, entry: Entry, wish: Wish, context: Context) -> Found | None:
    """What is held for a while: it was typed after what the keychain has."""
    if wish.reference.usual != "password" or not _anything_held(context):
        return None
    username, own = _username(name, entry, wish, context)
    value = context.memory.get(name, username)
    if value is None:
        return None
    return Found(_stored(entry, value), username if own else None, "memory", name)


def _anything_held(context: Context) -> bool:
    """Whether it is worth loading what reads the kernel keyring, some milliseconds.

    In /proc/keys there is a line for each key that this user may see. Containers may
    have /dev/null in its place, or nothing: then it cannot be told.
    """
    if context.holder is not None or sys.platform != "linux":
        return context.holder is not None
    try:
        with open("/proc/keys", "rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return any(rest[:1].isdigit() for rest in file.readall().split(_RING)[1:])
    except OSError:
        pass
    return True


async def _from_keychain(name: str, entry: Entry, wish: Wish, context: Context) -> Found | None:
    username, own = _username(name, entry, wish, context)
    if wish.reference.usual == "username":
        return Found(Secret(username), username, "configuration", name) if own else None
    if wish.reference.usual != "password":
        raise BadReference(
            f"a keychain item has no field '{visible(wish.reference.field)}'",
            "it has password and username",
        )
    person = None if context.no_input else wish.person
    value = await context.keychain.get(name, username, person)
    if value is None:
        return None
    return Found(_stored(entry, value), username if own else None, "keychain", name)


def _username(name: str, entry: Entry, wish: Wish, context: Context) -> tuple[str, bool]:
    """The user name that the keychain has *name* under, and whether it is the secret's own."""
    if wish.username is not None:
        return wish.username, True
    if entry.username is not None:
        return entry.username, True
    try:
        item = context.index.find(name)
    except KeychainUnavailable as error:
        context.note(str(error))
        item = None
    return (item.username, item.own) if item else (login_name(), False)


def login_name() -> str:
    """Return the name that this user is logged in under, or else the number.

    A container may run under a number that no name belongs to.
    """
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the second since Python 3.13
        return str(os.getuid())


def _stored(entry: Entry, value: Secret) -> Secret:
    value, wrong = cleaned(entry, value)
    if wrong:
        what = f"does not start with '{entry.prefix}': it is no token for it"
        where = f"change it there: {visible(str(entry.source))}" if entry.source else ""
        raise Refused(
            f"what is stored for {visible(entry.name)} {what if value else 'is empty'}",
            where or f"secretly set {pasted(entry.name)} replaces it",
        )
    return value


def cleaned(entry: Entry, value: Secret) -> tuple[Secret, str]:
    """Take white space (a copied newline) off a token; say what is wrong with it."""
    if not entry.prefix:
        return value, "" if value else "Nothing was entered."
    value = Secret(value.strip())
    if not value:
        return value, "Nothing was entered."
    if not value.startswith(entry.prefix) or not value.isprintable() or " " in value:
        return value, f"That is no token: tokens for {entry.name} start with '{entry.prefix}'."
    return value, ""


def _objection(wish: Wish, entry: Entry, typed: Secret) -> str:
    """Why what was typed is not to be used for this; empty if it may be."""
    try:
        if wish.inspect is not None:
            wish.inspect(typed, entry)
    except SecretlyError as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    return ""


async def _accepted(verify: Callable[[Secret], Any], secret: Secret) -> bool:
    import inspect

    answer = verify(secret)
    if inspect.isawaitable(answer):
        answer = await answer
    return answer is not False


async def released(wish: Wish, found: Found, context: Context) -> Found:
    """Return what was found in a store, once a person has confirmed its use if that is wanted.

    :raises NotConfirmed: if they did not.
    :raises Refused: if nobody may be asked.
    """
    entry = context.configuration.entry(found.name)
    choices = (wish.confirm, entry.confirm, wish.publishes)
    wanted = next(choice for choice in choices if choice is not None)
    if not wanted or found.origin == "configuration":
        return found
    ours = {"keychain": "the keychain", "memory": "memory"}
    where = ours.get(found.origin, f"{found.origin}://")
    name = visible(found.name)
    if context.no_input:
        raise Refused(
            f"handing over {name} from {where} needs a person's consent",
            "run it where a person can be asked, or set confirm = false for it",
        )
    text = f"Hand over {name} from {where}?"
    text = f"{text}\n\n{wish.purpose}".strip()
    from . import pinentry

    question = pinentry.Prompt("secretly", text, "", whole=wish.publishes)
    await pinentry.confirm(question, wish.person, context.environ, _setting(context))
    return found


async def _ask(wish: Wish, entry: Entry, error: str, context: Context) -> Found:
    name = visible(entry.name)
    default = f"API token for {name} ({entry.prefix}…)" if entry.prefix else f"Secret for {name}"
    if wish.reference.usual == "username":
        default, entry = f"User name for {name}", Entry(entry.name)
    from . import pinentry

    title = f"secretly ({wish.position})" if wish.position else "secretly"
    purpose = f"{wish.position}\n{wish.purpose}" if wish.position else wish.purpose
    label = visible(wish.prompt or default)
    prompt = pinentry.Prompt(title, purpose, label, error, wish.repeat, wish.publishes)
    for _ in range(_ATTEMPTS):
        typed = await pinentry.ask(prompt, wish.person, context.environ, _setting(context))
        typed, wrong = cleaned(entry, typed)
        wrong = wrong or _objection(wish, entry, typed)
        if not wrong and wish.verify is not None and not await _accepted(wish.verify, typed):
            wrong = "That was not accepted."
        if not wrong:
            break
        prompt = prompt._replace(error=wrong)
    else:
        raise Refused(f"no secret for {name} after {_ATTEMPTS} attempts", f"the last: {wrong}")
    username, own = _username(entry.name, entry, wish, context)
    await _remember(wish, entry, username, own, typed, context)
    return Found(typed, username if own else None, "typed", entry.name)


async def _remember(
    wish: Wish, entry: Entry, username: str, own: bool, value: Secret, context: Context
) -> None:
    """Keep what was typed, if that is wanted; a keychain that cannot is no reason to lose it."""
    wanted = entry.remember if wish.remember is None else wish.remember
    if not wanted or wish.reference.usual != "password":
        return
    if entry.source is not None or wish.reference.scheme:
        context.note(f"{visible(entry.name)} was not kept: it is configured to come from elsewhere")
        return
    if wanted == "ask":
        from . import pinentry

        question = pinentry.Prompt(
            "secretly", f"Keep {visible(entry.name)} in the keychain, for the next time?", ""
        )
        try:
            await pinentry.confirm(question, wish.person, context.environ, _setting(context))
        except Cancelled:
            return
    try:
        if not isinstance(wanted, (bool, str)):
            context.memory.hold(entry.name, username, value, wanted)
            return
        await keep(entry.name, value, username, own, wish.person, context)
    except Unlisted as error:
        context.note(f"{visible(entry.name)} is not listed: {error}")
    except SecretlyError as error:
        context.note(f"{visible(entry.name)} was not kept: {error}")


class Unlisted(KeychainUnavailable):
    """It is kept, and its name could not be put onto the list."""


async def keep(
    name: str, value: str, username: str, own: bool, person: float, context: Context
) -> None:
    """Put a secret into the keychain, and its name onto the list.

    :raises KeychainUnavailable: if it cannot be kept there.
    """
    context.index.items()  # one that is broken is told before anything is done
    limit = None if context.no_input else person
    keeper = await context.keychain.set(name, username, value, limit)
    _drop(name, username, context)  # what is held is older, and would be found first
    try:
        await _list(lambda: context.index.add(name, username, own, keeper or ""))
    except KeychainUnavailable as error:
        raise Unlisted(f"the keychain keeps it, and {error}", error.hint) from None


async def forget(name: str, username: str | None, person: float, context: Context) -> bool:
    """Take a secret out of memory and the keychain and off the list; say whether it was there."""
    context.index.items()  # one that is broken is told before anything is done
    held = _drop(name, username, context)
    entry = context.configuration.entry(name)
    wish = Wish(Reference("", name), username=username)
    username = _username(name, entry, wish, context)[0]
    limit = None if context.no_input else person
    try:
        gone = await context.keychain.delete(name, username, limit)
    except KeychainUnavailable:
        if held and context.index.find(name) is None:
            return True
        raise
    await _list(lambda: context.index.remove(name, username))
    return gone or held


def _drop(name: str, username: str | None, context: Context) -> bool:
    """Drop what is held; None: whatever its user name. Say whether there was something."""
    if not _anything_held(context):
        return False
    try:
        return context.memory.drop(name, username) > 0
    except KeychainUnavailable:  # then nothing of it can be used either
        return False


async def _list(change: Callable[[], None]) -> None:
    """Change the list of kept names.

    :raises KeychainUnavailable: if it cannot be changed, or stays locked.
    """
    try:
        await eventloop.in_thread(change, LISTING)
    except TimeoutError:
        raise KeychainUnavailable(
            "the list of kept names is locked by another process",
            "wait until the other secretly has ended, or end it",
        ) from None


def _setting(context: Context) -> str | None:
    return context.configuration.pinentry


def not_had(wish: Wish, trouble: KeychainUnavailable) -> KeychainUnavailable:
    """The error for a secret that a keychain cannot give."""
    name = visible(wish.reference.name)
    return type(trouble)(f"{name} is not to be had: {trouble}", trouble.hint)


def not_found(wish: Wish) -> NotFound:
    """The error for a secret that is kept nowhere."""
    name = visible(wish.reference.name)
    return NotFound(
        f"there is no secret {name}", f"keep one: secretly set {pasted(wish.reference.name)}"
    )


def calling_program() -> str:
    """What asks, for a prompt that says nothing else."""
    return visible(os.path.basename(sys.argv[0] if sys.argv else "") or "Python")
