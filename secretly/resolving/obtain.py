"""Obtain secrets, in a straight line: candidates, look up, confirm or ask, store."""

from __future__ import annotations

import time

from ..errors import Cancelled, NotFound, SecretlyError
from ..text import escape
from .candidates import MEMORY, TYPED, ResolvedSecret, find_candidates
from .checking import is_accepted
from .confirming import confirm_use, wants_another
from .lookup import CircuitBreaker, LookUp, NameList, Outcome, Stores, is_planned, read_ahead
from .request import Context, SecretRequest

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
    limit = min((one.time_limit for one in requests if one.time_limit is not None), default=None)
    if limit is None:
        return await _obtain_all(requests, context)
    from ..waiting import tasks

    until = time.monotonic() + limit
    timed = [one._replace(time_limit=None, until=until) for one in requests]
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


def _begin(requests: Sequence[SecretRequest], context: Context) -> tuple[Context, list[LookUp]]:
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
    return context, [LookUp(*one, stores) for one in both]


async def _look_up_all(look_ups: Sequence[LookUp], context: Context) -> list[Outcome]:
    may_ask = not context.no_input
    apart = [look_up.next(may_ask) for look_up in look_ups if look_up.needs_no_keychain]
    fetched = iter(await _gather(apart))
    return [
        next(fetched) if look_up.needs_no_keychain else await look_up.next(may_ask)
        for look_up in look_ups
    ]


async def _open_sealed(
    look_ups: Sequence[LookUp], outcomes: Sequence[Outcome], context: Context
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


async def _confirm_or_ask(look_up: LookUp, outcome: Outcome, context: Context) -> ResolvedSecret:
    """Have the use of what was found confirmed and verified; ask for what is missing."""
    look_again = outcome.found is None and not look_up.request.ignore_stored
    while True:
        outcome = await _confirm(look_up, outcome, context)
        if outcome.found is not None:
            return outcome.found
        from .entering import ask

        result = await ask(look_up, outcome, context, look_up.again if look_again else None)
        if result.origin == TYPED:
            return result
        outcome, look_again = Outcome(result), False  # it was stored meanwhile


async def _confirm(look_up: LookUp, outcome: Outcome, context: Context) -> Outcome:
    """Have the use of what was found confirmed and verified, until something is accepted.

    :returns: what was accepted, or an outcome without a secret, which says what was rejected.
    """
    request = look_up.request
    if outcome.found is None:
        return outcome
    while outcome.found is not None:
        (outcome,) = await _open_sealed([look_up], [outcome], context)
        found = outcome.found
        assert found is not None
        if request.inspect is not None:
            request.inspect(found.secret, found.entry)
        confirmed = await confirm_use(request, found, context)
        if wants_another(confirmed):
            from .agreeing import replacing

            look_up.request, problem = replacing(request, found)
        elif await is_accepted(request, found.secret):
            return Outcome(confirmed)
        else:
            from ..asking import wording

            problem = wording.not_accepted(escape(found.name))
        next_one = await _after_rejection(found, look_up, context)
        outcome = next_one._replace(rejected=found.candidate, problem=problem)
    return outcome


async def _after_rejection(rejected: ResolvedSecret, look_up: LookUp, context: Context) -> Outcome:
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
