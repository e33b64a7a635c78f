"""Obtain secrets, in a straight line: candidates, look up, confirm or ask, store."""

from __future__ import annotations

import time

from ..errors import (
    Cancelled,
    KeychainLocked,
    KeychainTimeout,
    KeychainUnavailable,
    NoPinentry,
    NotFound,
    Refused,
    SecretlyError,
)
from ..text import escape, shell_quote
from .candidates import KEYCHAIN, MEMORY, TYPED, Candidate, ResolvedSecret, find_candidates
from .checking import is_accepted
from .confirming import confirm_use, replacing, wants_another
from .lookup import CircuitBreaker, NameList, Outcome, Stores, is_planned, read_ahead
from .request import ATTEMPTS, Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")


def _check_caller(context: Context) -> None:
    """Refuse a call that the policy doesn't allow."""
    if context.agent is not None or context.policy.require_reason:
        from .caller import check_caller

        check_caller(context)


def _sandboxed() -> tuple[str, str] | None:
    """What happened and what to do, if a sandbox keeps secretly from the keychain."""
    from ..processes import sandbox

    return sandbox.SANDBOXED if sandbox.blocks_sockets() else None


class _LookUp:
    """The look-up of one request: it yields what its candidates have, one after another."""

    def __init__(
        self, request: SecretRequest, candidates: Sequence[Candidate], stores: Stores
    ) -> None:
        self.request, self.candidates = request, candidates
        self._stores, self._left = stores, iter(candidates)

    @property
    def needs_no_keychain(self) -> bool:
        """Whether it comes from a source, and a narrower one is not looked up before."""
        source = self.candidates[0].source
        return source is not None and source.scheme != "keyring"

    async def again(self, before: Outcome) -> Outcome:
        """Look up all candidates once more: who had the turn to ask before may have stored one.

        :param before: what the first look-up ended with. A keychain that was unavailable is passed
            over: it might ask a second time to be unlocked.
        """
        skipped = (KEYCHAIN, TYPED) if before.unavailable is not None else (TYPED,)
        left = iter([one for one in self.candidates if one.origin not in skipped])
        return await self._stores.look_up(self.request, left)

    async def next(self, may_ask: bool) -> Outcome:
        """Look up the candidates that are left.

        :param may_ask: whether the user may be asked for what is not found.
        :raises NotFound: if it is not found, and the user may not be asked.
        :raises KeychainUnavailable: the same, if the keychain can't say whether it has it.
        """
        outcome = await self._stores.look_up(self.request, self._left)
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
        name = escape(self.request.reference.name)
        if unavailable is not None and (sandboxed := _sandboxed()):
            return KeychainUnavailable(f"can't get {name}: {sandboxed[0]}", sandboxed[1])
        if unavailable is None:
            fix = f"secretly set {shell_quote(self.request.reference.name)}"
            question = f". {self.question}" if self.question else ""
            return NotFound(f"no stored secret {name}{question}", f"store it: {fix}")
        what, hint = f"can't get {name}", unavailable.hint
        if question := self.question:
            hint = f"{question} If not: {hint}"
        elif self.listed:
            locked = isinstance(unavailable, KeychainLocked)
            can = "be read now" if locked else "be reached from here"
            what = f"{name} is stored in the keychain, which can't {can}"
        return type(unavailable)(f"{what}: {unavailable}", hint)


async def obtain(request: SecretRequest, context: Context) -> ResolvedSecret:
    """Look up a secret, or else ask the user for it.

    :raises SecretlyError: if it can't be obtained; each subclass is a reason.
    """
    return (await obtain_all([request], context))[0]


async def obtain_all(requests: Sequence[SecretRequest], context: Context) -> list[ResolvedSecret]:
    """Obtain several: first look up all of them, then ask the user for what is missing.

    Sources are asked at the same time. The keychain, which may ask the user to unlock it,
    is asked for one secret after another.

    :raises PromptTimeout: if the requests have a limit, and all of this takes longer.
    """
    limit = min((one.limit for one in requests if one.limit is not None), default=None)
    if limit is None:
        return await _obtain_all(requests, context)
    from ..waiting import tasks

    until = time.monotonic() + limit
    timed = [one._replace(limit=None, until=until) for one in requests]
    if is_planned(context.keychain):
        context.keychain.end_by(until)
    names = ", ".join(dict.fromkeys(escape(one.reference.name) for one in requests))
    return await tasks.bounded(
        _obtain_all(timed, context), limit, f"can't get {names} in {limit:g} s"
    )


async def _obtain_all(requests: Sequence[SecretRequest], context: Context) -> list[ResolvedSecret]:
    _check_caller(context)
    context, look_ups = _begin(requests, context)
    outcomes = await _look_up_all(look_ups, context)
    outcomes = await _open_sealed(look_ups, outcomes, context)
    if any(request.lease is not None for request in requests):
        from . import leasing

        outcomes = await leasing.confirm_together(requests, outcomes, context)
    obtained: list[ResolvedSecret] = []
    asked, missing = 0, sum(outcome.found is None for outcome in outcomes)
    for look_up, outcome in zip(look_ups, outcomes, strict=True):
        if outcome.found is None and missing > 1:
            asked += 1
            look_up.request = look_up.request._replace(position=f"{asked} of {missing}")
        obtained.append(await _confirm_or_ask(look_up, outcome, context))
    return obtained


async def obtain_stored(
    request: SecretRequest, context: Context, confirm: bool = True
) -> ResolvedSecret:
    """Look up a secret, and never ask the user to type it.

    :param confirm: whether the user confirms its use, if that is configured.
    :raises NotFound: if it is not stored.
    """
    _check_caller(context)
    context, (look_up,) = _begin([request], context)
    (outcome,) = await _open_sealed([look_up], [await look_up.next(may_ask=False)], context)
    found = outcome.found
    assert found is not None
    if confirm:
        found = await confirm_use(request, found, context)
    return found


async def look_up_each(
    requests: Sequence[SecretRequest], context: Context
) -> list[ResolvedSecret | SecretlyError]:
    """Look up secrets, and never ask the user to type one: return each, or why there is none.

    Sealed secrets stay sealed.

    :raises Cancelled: if the user cancels a prompt that unlocks a store.
    """
    context, look_ups = _begin(requests, context)
    results: list[ResolvedSecret | SecretlyError] = []
    for look_up in look_ups:
        try:
            found = (await look_up.next(may_ask=False)).found
            assert found is not None
            results.append(found)
        except Cancelled:
            raise
        except SecretlyError as error:
            results.append(error)
    return results


def _begin(requests: Sequence[SecretRequest], context: Context) -> tuple[Context, list[_LookUp]]:
    """The candidates of each request of one run, and the stores that they share.

    :raises BadReference: if a request cannot have candidates.
    """
    keychain = context.keychain
    context = context._replace(keychain=CircuitBreaker(keychain))
    names = NameList(context)
    candidates = [
        find_candidates(request, context.configuration, names.find, context.environ)
        for request in requests
    ]
    both = list(zip(requests, candidates, strict=True))
    if any(isinstance(request.remember, float) for request in requests):
        from .unsealing import refuse_remembering

        refuse_remembering(both, names)
    stores = Stores(both, names, context)
    read_ahead(keychain, candidates)
    return context, [_LookUp(*one, stores) for one in both]


async def _look_up_all(look_ups: Sequence[_LookUp], context: Context) -> list[Outcome]:
    may_ask = not context.no_input
    apart = [look_up.next(may_ask) for look_up in look_ups if look_up.needs_no_keychain]
    fetched = iter(await _gather(apart))
    return [
        next(fetched) if look_up.needs_no_keychain else await look_up.next(may_ask)
        for look_up in look_ups
    ]


async def _open_sealed(
    look_ups: Sequence[_LookUp], outcomes: Sequence[Outcome], context: Context
) -> list[Outcome]:
    """Open the sealed secrets among what was found, with one question for all of them."""
    wanted = [
        (look_up.request, outcome.found)
        for look_up, outcome in zip(look_ups, outcomes, strict=True)
        if outcome.found is not None and outcome.found.shut
    ]
    if not wanted:
        return list(outcomes)
    from .unsealing import open_all

    opened = iter(await open_all(wanted, context))
    return [
        Outcome(next(opened)) if one.found is not None and one.found.shut else one
        for one in outcomes
    ]


async def _gather(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if not coroutines:
        return []
    from ..waiting import tasks

    return await tasks.gather(*coroutines)


async def _confirm_or_ask(look_up: _LookUp, outcome: Outcome, context: Context) -> ResolvedSecret:
    """Have the use of what was found confirmed and verified; ask for what is missing."""
    look_again = outcome.found is None and not look_up.request.ignore_stored
    while True:
        outcome = await _confirm(look_up, outcome, context)
        if outcome.found is not None:
            return outcome.found
        result = await _ask(look_up, outcome, context, look_again)
        if result.origin == TYPED:
            return result
        outcome, look_again = Outcome(result), False  # it was stored meanwhile


async def _confirm(look_up: _LookUp, outcome: Outcome, context: Context) -> Outcome:
    """Have the use of what was found confirmed and verified, until something is accepted.

    :returns: what was accepted, or an outcome without a secret, which says what is wrong.
    """
    request = look_up.request
    if outcome.found is None:
        return outcome._replace(problem=_problem(outcome.unavailable, look_up))
    while outcome.found is not None:
        (outcome,) = await _open_sealed([look_up], [outcome], context)
        found = outcome.found
        assert found is not None
        if request.inspect is not None:
            request.inspect(found.secret, found.entry)
        confirmed = await confirm_use(request, found, context)
        if wants_another(confirmed):
            look_up.request, problem = replacing(request, found)
        elif await is_accepted(request, found.secret):
            return Outcome(confirmed)
        else:
            from ..asking import wording

            problem = wording.not_accepted(escape(found.name))
        next_one = await _after_rejection(found, look_up, context)
        outcome = next_one._replace(rejected=found.candidate, problem=problem)
    return outcome


async def _ask(
    look_up: _LookUp, outcome: Outcome, context: Context, look_again: bool
) -> ResolvedSecret:
    """Ask for a secret that was not found, or was rejected.

    :param look_again: look it up once more when the turn to ask has come.
    """
    candidate, request = outcome.rejected or look_up.candidates[-1], look_up.request
    if context.no_input or candidate.origin not in (TYPED, MEMORY, KEYCHAIN):
        raise Refused(
            f"the secret for {escape(candidate.name)} from {candidate.origin} was not accepted",
            "replace it there",
        )
    if outcome.unavailable is not None and request.time_left() <= 0:
        raise look_up.missing(outcome.unavailable)
    before = outcome if look_again else None
    try:
        return await _enter(look_up, candidate, outcome.problem, context, before)
    except NoPinentry:
        if outcome.unavailable is not None and look_up.listed:
            raise look_up.missing(outcome.unavailable) from None
        raise


async def _enter(
    look_up: _LookUp, candidate: Candidate, problem: str, context: Context, before: Outcome | None
) -> ResolvedSecret:
    """Ask the user until what they type may be used and is accepted.

    :param before: what the look-up ended with, to look once more when the turn has come: what is
        found then is returned, and the user is not asked. None: don't look.
    :raises Cancelled: if the user cancels.
    :raises Refused: after three attempts.
    """
    from ..asking import prompting

    request, pinentry = look_up.request, context.configuration.pinentry
    for _ in range(ATTEMPTS):
        async with prompting.turn(
            request.prompt_timeout,
            context.environ,
            pinentry,
            until=request.until,
            tell=context.note,
        ) as asker:
            asker.start()
            from . import entering  # while the pinentry loads, too

            if before is not None and (found := (await look_up.again(before)).found) is not None:
                return found
            entered = await entering.ask_for(request, candidate, problem, context, asker)
        problem, before = await entering.accept(request, entered, context), None
        if not problem:
            return entered.resolved
        candidate = entered.candidate
    raise Refused(
        f"no usable secret for {escape(candidate.name)} after {ATTEMPTS} attempts",
        f"the last problem: {problem}",
    )


async def _after_rejection(rejected: ResolvedSecret, look_up: _LookUp, context: Context) -> Outcome:
    """Go on to the next candidates after one that memory had; only what it has is passed over."""
    username = rejected.candidate.username
    if rejected.origin != MEMORY or username is None:
        return Outcome()
    from .storing import drop_remembered

    drop_remembered(rejected.name, username.name, context)
    try:
        return await look_up.next(may_ask=not context.no_input)
    except NotFound:
        return Outcome()


def _problem(unavailable: KeychainUnavailable | None, look_up: _LookUp) -> str:
    """What the prompt says about the keychain, and about a name that is near another."""
    from ..asking import wording

    if isinstance(unavailable, KeychainLocked):
        return wording.KEYCHAIN_LOCKED
    if isinstance(unavailable, KeychainTimeout):
        return wording.KEYCHAIN_SILENT
    if unavailable is not None and look_up.listed:
        return wording.KEYCHAIN_UNREACHABLE
    name, question = escape(look_up.request.reference.name), look_up.question
    return wording.no_such_name(name, question) if question else ""
