"""Look up the candidates for a secret: in sources, in memory and in the keychain."""

from __future__ import annotations

import os
import stat
import sys
import time

from ..errors import KeychainTimeout, KeychainUnavailable, Refused, SecretlyError
from ..keeping.stored_names import NameTable, StoredName
from ..record import Record
from ..redacted import Secret, is_sealed
from ..text import escape, shell_quote
from .candidates import (
    CONFIGURATION,
    KEYCHAIN,
    MEMORY,
    TYPED,
    Candidate,
    ResolvedSecret,
    own_username,
)
from .checking import check_stored, check_whole
from .request import Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from typing import Any, TypeGuard, TypeVar

    from ..keeping.store import PlannedStore, SecretStore
    from ..sources.items import Items

    T = TypeVar("T")

#: The keyring of what is remembered, as /proc/keys shows it; a count follows, or ``empty``.
_RING = b" keyring   secretly: "

#: What reads and writes that keyring.
_KERNEL_KEYRING = "secretly.keeping.kernel_keyring"

#: For how long, in seconds, a look at /proc/keys counts: many calls at the same time share it.
_MOMENT = 0.005


class Outcome(Record):
    """What a look-up ended with: found, not found (neither is set), or unavailable.

    :param found: the secret, and the candidate that had it.
    :param unavailable: why the keychain can't say whether it has the secret.
    :param rejected: the last candidate whose secret was found, but must be replaced.
    :param problem: what the prompt for the secret says is wrong.
    """

    found: ResolvedSecret | None = None
    unavailable: KeychainUnavailable | None = None
    rejected: Candidate | None = None
    problem: str = ""


class CircuitBreaker:
    """A keychain that is not asked again in this run after it has let a deadline pass."""

    def __init__(self, keychain: SecretStore) -> None:
        self._keychain = keychain
        self._timeout: KeychainTimeout | None = None

    async def _answer(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._timeout is not None:
            raise self._timeout
        try:
            return await ask()
        except KeychainTimeout as error:
            self._timeout = error
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


class NameList:
    """The list of stored names, read at most once in a run: when it is first needed.

    A corrupt list is noted once, and looks empty.
    """

    def __init__(self, context: Context) -> None:
        self._context, self._corrupt = context, False
        self._table: NameTable | None = None

    def _ask(self, question: Callable[[NameTable], T]) -> T:
        try:
            if self._table is None:
                self._table = self._context.stored_names.read()
            return question(self._table)
        except KeychainUnavailable as error:
            self._context.note(str(error))
            self._table, self._corrupt = NameTable(), True
            return question(self._table)

    def find(self, name: str) -> StoredName | None:
        """Return what was stored last under a name.

        :raises Refused: if others could change the list.
        """
        return self._ask(lambda table: table.find(name))

    def has(self, name: str, username: str) -> bool:
        """Whether a secret was stored under a name for this user name."""
        return self._ask(lambda table: table.has(name, username))

    @property
    def names(self) -> list[str]:
        """The names on the list."""
        return self._ask(lambda table: table.names)

    def may_have(self, names: Sequence[str]) -> bool:
        """Whether one of these names is on the list, or the list can't be read."""
        return any(self.find(name) or self._corrupt for name in names)


class Stores:
    """The places that the secrets of one run may come from.

    :param wanted: each request of the run with its candidates.
    """

    def __init__(
        self,
        wanted: Sequence[tuple[SecretRequest, Sequence[Candidate]]],
        names: NameList,
        context: Context,
    ) -> None:
        self._names, self._context = names, context
        self._items = _items(wanted, context)

    def lists(self, request: SecretRequest) -> bool:
        """Whether the list of stored names has one of the names of a request."""
        names = (*request.names, request.reference.name)
        return not request.reference.scheme and any(map(self._names.find, names))

    def question(self, request: SecretRequest) -> str:
        """Ask whether a name that nothing is stored under is a mistake for another; or empty."""
        from .similar import did_you_mean

        if request.reference.scheme or request.ignore_stored:
            return ""
        name, known = request.reference.name, self._context.configuration
        return did_you_mean(name, self._names.names, known)

    async def look_up(self, request: SecretRequest, left: Iterator[Candidate]) -> Outcome:
        """Look up candidates in turn, until one has the secret.

        A keychain that is unavailable is passed over, unless it has stored a narrower
        secret, whose place no wider one takes.

        :param left: the candidates; afterwards, those that follow.
        :raises SourceFailed: if it comes from a source that fails.
        """
        unavailable: KeychainUnavailable | None = None
        for candidate in left:
            if candidate.origin == TYPED or (unavailable and candidate.origin == KEYCHAIN):
                continue
            try:
                found = await self._get(candidate, request)
            except KeychainUnavailable as error:
                unavailable = error
                if candidate.source is not None or self._names.may_have(request.names):
                    break
                continue
            if found is not None:
                return Outcome(found)
        return Outcome(unavailable=unavailable)

    async def _get(self, candidate: Candidate, request: SecretRequest) -> ResolvedSecret | None:
        origin, name, value, of_item = candidate.origin, candidate.name, candidate.value, None
        if value is None and candidate.source is not None:
            assert self._items is not None
            value, of_item = await self._items.get(candidate.source)
        if candidate.username is not None:
            if origin == MEMORY and memory_in_use(self._context, _MOMENT):
                value = self._remembered(name, candidate.username.name)
            elif origin == KEYCHAIN:
                timeout = None if self._context.no_input else max(0.0, request.time_left())
                keychain = self._context.keychain
                value = await keychain.get(name, candidate.username.name, timeout)
        if value is None:
            return None
        if origin == KEYCHAIN and is_sealed(value):
            return ResolvedSecret(value, own_username(candidate, of_item), candidate, sealed=True)
        if origin == KEYCHAIN and candidate.entry.sealed:
            raise Refused(
                f"{escape(name)} is not sealed, and the configuration has sealed = true for it",
                f"seal it: secretly seal {shell_quote(name)}",
            )
        if (candidate.source or request.reference).usual == "password":
            value = check_stored(candidate, value)
        elif origin != CONFIGURATION:
            check_whole(candidate, value, may_be_empty=True)
        return ResolvedSecret(value, own_username(candidate, of_item), candidate)

    def _remembered(self, name: str, username: str) -> Secret | None:
        """What memory has, unless the secret is sealed: then another program put it there."""
        listed = self._names.find(name)
        if listed is not None and listed.sealed:
            return None
        return self._context.memory.get(name, username)


class LookUp:
    """The look-up of one request: it yields what its candidates have, one after another."""

    def __init__(
        self, request: SecretRequest, candidates: Sequence[Candidate], stores: Stores
    ) -> None:
        self.request, self.candidates = request, candidates
        self._stores, self._left = stores, iter(candidates)
        self._unavailable = False

    @property
    def needs_no_keychain(self) -> bool:
        """Whether it comes from a source, and a narrower one is not looked up before."""
        source = self.candidates[0].source
        return source is not None and source.scheme != "keyring"

    async def again(self) -> Outcome:
        """Look up all candidates once more: who had the turn to ask before may have stored one.

        A keychain that was unavailable is passed over: it might ask a second time to be unlocked.
        """
        skipped = (KEYCHAIN, TYPED) if self._unavailable else (TYPED,)
        left = iter([one for one in self.candidates if one.origin not in skipped])
        return await self._stores.look_up(self.request, left)

    async def next(self, may_ask: bool) -> Outcome:
        """Look up the candidates that are left.

        :param may_ask: whether the user may be asked for what is not found.
        :raises NotFound: if it is not found, and the user may not be asked.
        :raises KeychainUnavailable: the same, if the keychain can't say whether it has it.
        """
        outcome = await self._stores.look_up(self.request, self._left)
        self._unavailable = outcome.unavailable is not None
        asked = may_ask and self.candidates[-1].origin == TYPED
        if outcome.found is None and not asked:
            raise self.missing(outcome.unavailable)
        return outcome

    @property
    def question(self) -> str:
        """The question whether another name was meant; empty if none is near."""
        return self._stores.question(self.request)

    @property
    def listed(self) -> bool:
        """Whether the list of stored names has the secret."""
        return self._stores.lists(self.request)

    def missing(self, unavailable: KeychainUnavailable | None) -> SecretlyError:
        """The error for a secret that is not stored, or that the keychain can't give."""
        from .missing import why_missing

        return why_missing(self.request.reference.name, unavailable, self.question, self.listed)


def _items(
    wanted: Sequence[tuple[SecretRequest, Sequence[Candidate]]], context: Context
) -> Items | None:
    """What sources give in this run: each item is fetched once, for all of its fields."""
    references = [one.source for _, found in wanted for one in found if one.source is not None]
    if not references:
        return None
    from ..sources import items, runs

    timeout = None
    if not context.no_input:
        timeout = max(request.prompt_timeout for request, _ in wanted)
    run = runs.Run(context.environ, timeout, context.configuration.pinentry, context.keychain)
    run.until = max(request.until for request, _ in wanted)
    run.meanwhile = context.meanwhile
    first = next(request for request, found in wanted if any(one.source for one in found))
    run.wanted_by = lambda: "\n".join(filter(None, (first.wanted_by, context.asked_by)))
    entries = context.configuration.having("command", list)
    commands = {name: entry.command for name, entry in entries.items() if entry.command}
    as_json = {name for name in commands if entries[name].format}
    return items.Items(run, references, commands, as_json)


def is_planned(store: SecretStore) -> TypeGuard[PlannedStore]:
    """Whether a store wants to know about a run before its first look-up."""
    return hasattr(store, "expect") and hasattr(store, "end_by")


def read_ahead(keychain: SecretStore, wanted: Sequence[Sequence[Candidate]]) -> None:
    """Tell the keychain which items several requests look up first: it reads them together."""
    firsts = [
        (one.name, one.username.name)
        for found in wanted
        for one in [*(c for c in found if c.origin == KEYCHAIN)][:1]
        if one.username is not None
    ]
    if len(wanted) > 1 and is_planned(keychain):
        keychain.expect(firsts)


def memory_in_use(context: Context, moment: float = 0.0) -> bool:
    """Whether to load what reads the kernel keyring, which takes milliseconds.

    :param moment: for how long an earlier look counts, in seconds. None counts in a process that
        may have remembered a secret itself.
    """
    global _unused_since
    if context.temporary_store is not None or sys.platform != "linux":
        return context.temporary_store is not None
    looked = time.monotonic()
    if _KERNEL_KEYRING not in sys.modules and 0 <= looked - _unused_since < moment:
        return False
    in_use = _ring_has_keys()
    if not in_use:
        _unused_since = looked
    return in_use


_unused_since = float("-inf")


def _ring_has_keys() -> bool:
    """Whether the keyring of what is remembered has a key.

    /proc/keys has a line for each key that this user may see. In a container it may be
    /dev/null or missing; then this is True.
    """
    try:
        with open("/proc/keys", "rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return any(rest[:1].isdigit() for rest in file.readall().split(_RING)[1:])
    except OSError:
        pass
    return True
