"""Obtain secrets, in a straight line: candidates, look up, confirm or ask, store."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence

from ..errors import KeychainLocked, KeychainTimeout, KeychainUnavailable, NotFound, Refused
from ..text import escape, shell_quote
from .candidates import KEYCHAIN, MEMORY, TYPED, Candidate, find_candidates
from .checking import is_accepted
from .confirming import confirm_use
from .lookup import CircuitBreaker, NameList, Outcome, Stores, read_ahead
from .request import Context, ResolvedSecret, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


class Resolution:
    """What is known of the requests of one run: their candidates, and the stores they share.

    :raises BadReference: if a request cannot have candidates.
    """

    def __init__(self, requests: Sequence[SecretRequest], context: Context) -> None:
        self.context = context._replace(keychain=CircuitBreaker(context.keychain))
        names = NameList(self.context)
        self.candidates = [
            find_candidates(request, context.configuration, names.find) for request in requests
        ]
        self.stores = Stores(list(zip(requests, self.candidates, strict=True)), names, self.context)
        read_ahead(context.keychain, self.candidates)

    async def look_up(
        self, request: SecretRequest, candidates: Sequence[Candidate], ask: bool = True
    ) -> Outcome:
        """Look up a request's candidates.

        :param ask: whether the user may be asked for what is not found.
        :raises NotFound: if it is not found, and the user may not be asked.
        :raises KeychainUnavailable: the same, if the keychain can't say whether it has it.
        """
        outcome = await self.stores.look_up(request, candidates)
        may_ask = ask and candidates[-1].origin == TYPED and not self.context.no_input
        if outcome.found is None and not may_ask:
            raise _missing(request, outcome.unavailable)
        return outcome


async def obtain(request: SecretRequest, context: Context) -> ResolvedSecret:
    """Look up a secret, or else ask the user for it.

    :raises SecretlyError: if it can't be obtained; each subclass is a reason.
    """
    return (await obtain_all([request], context))[0]


async def obtain_all(requests: Sequence[SecretRequest], context: Context) -> list[ResolvedSecret]:
    """Obtain several: first look up all of them, then ask the user for what is missing.

    Sources are asked at the same time. The keychain, which may ask the user to unlock it,
    is asked for one secret after another.
    """
    resolution = Resolution(requests, context)
    outcomes = await _look_up_all(requests, resolution)
    obtained: list[ResolvedSecret] = []
    asked, missing = 0, sum(outcome.found is None for outcome in outcomes)
    for request, candidates, outcome in zip(requests, resolution.candidates, outcomes, strict=True):
        if outcome.found is None and missing > 1:
            asked += 1
            request = request._replace(position=f"{asked} of {missing}")
        obtained.append(await _confirm_or_ask(request, candidates, outcome, resolution))
    return obtained


async def obtain_stored(
    request: SecretRequest, context: Context, confirm: bool = True
) -> ResolvedSecret:
    """Look up a secret, and never ask the user to type it.

    :param confirm: whether the user confirms its use, if that is configured.
    :raises NotFound: if it is not stored.
    """
    resolution = Resolution([request], context)
    outcome = await resolution.look_up(request, resolution.candidates[0], ask=False)
    assert outcome.found is not None
    assert outcome.candidate is not None
    if confirm:
        await confirm_use(request, outcome.found, outcome.candidate.entry, context)
    return outcome.found


async def _look_up_all(requests: Sequence[SecretRequest], resolution: Resolution) -> list[Outcome]:
    both = list(zip(requests, resolution.candidates, strict=True))
    apart = [_needs_no_keychain(candidates) for candidates in resolution.candidates]
    look_ups = [resolution.look_up(*one) for one, alone in zip(both, apart, strict=True) if alone]
    fetched = iter(await _gather(look_ups))
    return [
        next(fetched) if alone else await resolution.look_up(*one)
        for one, alone in zip(both, apart, strict=True)
    ]


def _needs_no_keychain(candidates: Sequence[Candidate]) -> bool:
    """Whether it comes from a source, and a narrower one is not looked up before."""
    source = candidates[0].source
    return source is not None and source.scheme != "keyring"


async def _gather(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if not coroutines:
        return []
    from ..waiting import tasks

    return await tasks.gather(*coroutines)


async def _confirm_or_ask(
    request: SecretRequest,
    candidates: Sequence[Candidate],
    outcome: Outcome,
    resolution: Resolution,
) -> ResolvedSecret:
    """Have the use of what was found confirmed and verified; ask for what is missing."""
    context, problem = resolution.context, _problem(outcome.unavailable)
    candidate = candidates[-1]
    while outcome.found is not None and outcome.candidate is not None:
        candidate = outcome.candidate
        if request.inspect is not None:
            request.inspect(outcome.found.secret, candidate.entry)
        await confirm_use(request, outcome.found, candidate.entry, context)
        if await is_accepted(request.verify, outcome.found.secret):
            return outcome.found
        from ..asking import wording

        problem = wording.not_accepted(escape(candidate.name))
        outcome = await _after_rejection(request, candidate, outcome, resolution)
    if context.no_input or candidate.origin not in (TYPED, MEMORY, KEYCHAIN):
        raise Refused(
            f"the secret for {escape(candidate.name)} from {candidate.origin} was not accepted",
            "replace it there",
        )
    from .entering import ask_for

    return await ask_for(request, candidate, problem, context)


async def _after_rejection(
    request: SecretRequest, rejected: Candidate, outcome: Outcome, resolution: Resolution
) -> Outcome:
    """Go on to the next candidates after one that memory had; only what it has is passed over."""
    if rejected.origin != MEMORY or rejected.username is None:
        return Outcome()
    from .storing import drop_remembered

    drop_remembered(rejected.name, rejected.username.name, resolution.context)
    try:
        return await resolution.look_up(request, outcome.remaining)
    except NotFound:
        return Outcome()


def _problem(unavailable: KeychainUnavailable | None) -> str:
    """What the prompt says about the keychain."""
    if not isinstance(unavailable, (KeychainLocked, KeychainTimeout)):
        return ""
    from ..asking import wording

    locked = isinstance(unavailable, KeychainLocked)
    return wording.KEYCHAIN_LOCKED if locked else wording.KEYCHAIN_SILENT


def _missing(
    request: SecretRequest, unavailable: KeychainUnavailable | None
) -> KeychainUnavailable | NotFound:
    """The error for a secret that is not stored, or that the keychain can't give."""
    name = request.reference.name
    if unavailable is not None:
        return type(unavailable)(f"can't get {escape(name)}: {unavailable}", unavailable.hint)
    fix = f"secretly set {shell_quote(name)}"
    return NotFound(f"no stored secret {escape(name)}", f"store it: {fix}")
