"""Confirm the use of several secrets in one dialog, and for a while, where that is configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..asking import assuan, lease_wording, prompting, questions, wording
from ..config.values import duration_text
from ..errors import Refused
from ..text import escape
from .candidates import ResolvedSecret
from .confirming import decide_confirmation
from .lookup import Outcome
from .request import Context, SecretRequest

#: The answer of a user who agreed before, to this use too.
LEASED = "lease"


class _Use(NamedTuple):
    """A secret whose use the user may agree to for a while.

    :param seconds: for how long.
    """

    request: SecretRequest
    found: ResolvedSecret
    seconds: float


async def confirm_together(
    requests: Sequence[SecretRequest], outcomes: Sequence[Outcome], context: Context
) -> list[Outcome]:
    """Have the uses confirmed that the user may agree to for a while: in one dialog, or in none.

    :returns: the outcomes, with the user's answer in those that were confirmed.
    :raises NotConfirmed: if the user answers No.
    :raises Refused: if secretly must not ask.
    """
    uses = [
        _Use(request, found, decided.lease)
        for request, outcome in zip(requests, outcomes, strict=True)
        if (found := outcome.found) is not None
        and (decided := decide_confirmation(request, found, context.must_confirm)).needed
        and decided.lease
        and context.policy.confirm != "stored"
    ]
    if not uses:
        return list(outcomes)
    for use in uses:
        if use.request.inspect is not None:
            use.request.inspect(use.found.secret, use.found.entry)
    answered: list[tuple[ResolvedSecret, str]] = []
    for group, asked_by in _groups(uses, context):
        answer = await _confirm(group, asked_by, context)
        answered += [(use.found, answer) for use in group]
    return [_with_answer(outcome, answered) for outcome in outcomes]


def _with_answer(outcome: Outcome, answered: Sequence[tuple[ResolvedSecret, str]]) -> Outcome:
    """The outcome with the user's answer, if its secret is one of those."""
    for found, answer in answered:
        if outcome.found is found:
            return outcome._replace(found=found._replace(answer=answer))
    return outcome


def _groups(uses: Sequence[_Use], context: Context) -> list[tuple[list[_Use], str]]:
    """The uses in groups, so that each question is in its dialog whole, and who asks.

    The duration is offered if what it means fits, too.
    """
    if _are_leased(uses):
        return [([*uses], "")]
    groups, asked_by = [[*uses]], context.asked_by
    for offers in (True, False):
        groups = []
        for use in uses:
            if groups and _fits(_question([*groups[-1], use], asked_by, offers)):
                groups[-1].append(use)
            else:
                groups.append([use])
        if all(_fits(_question(group, asked_by, offers)) for group in groups):
            break
    return [(group, asked_by) for group in groups]


def _secrets(uses: Sequence[_Use]) -> tuple[str, ...]:
    """The secrets, as a lease names them."""
    return tuple(sorted({f"{use.found.name} {use.found.origin}" for use in uses}))


def _are_leased(uses: Sequence[_Use]) -> bool:
    """Whether the user has agreed to these uses before."""
    terms = uses[0].request.lease
    return terms is not None and terms.covers(_secrets(uses))


def _fits(question: questions.Prompt) -> bool:
    return assuan.fits("SETDESC", question.description, keep="\n")


async def _confirm(uses: Sequence[_Use], asked_by: str, context: Context) -> str:
    """Return how the uses were allowed: by a new answer, or by one from before."""
    if _are_leased(uses):
        return LEASED
    first = uses[0].request
    if context.no_input:
        names = ", ".join(dict.fromkeys(escape(use.found.name) for use in uses))
        raise Refused(
            f"can't ask you to confirm the use of {names}: prompts are switched off",
            "run it without --no-input and SECRETLY_NO_INPUT",
        )
    question = _question(uses, asked_by)
    if not _fits(question):
        question = _question(uses, asked_by, offers=False)
    async with prompting.turn(
        first.prompt_timeout,
        context.environ,
        context.configuration.pinentry,
        until=first.until,
        tell=context.note,
    ) as asker:
        if _are_leased(uses):  # another call had the turn to ask before
            return LEASED
        answer = await asker.confirm(question)
    if answer != wording.YES and first.lease is not None:
        try:
            first.lease.grant(_secrets(uses), min(use.seconds for use in uses))
        except OSError as error:
            context.note(f"can't note your answer for later calls: {error.strerror}")
    return wording.YES


def _question(uses: Sequence[_Use], asked_by: str, offers: bool = True) -> questions.Prompt:
    """The question before the uses.

    :param offers: whether the user may type the duration, with what that means.
    """
    request, terms = uses[0].request, uses[0].request.lease
    assert terms is not None
    named = list(dict.fromkeys((use.found.name, use.found.origin) for use in uses))
    from_where = [(escape(name), wording.place(origin)) for name, origin in named]
    command, program = request.command or ("", "")
    wanted = lease_wording.wanted([name for name, _ in from_where])
    asks = wording.purpose(command, wanted, program)
    longer = duration_text(min(use.seconds for use in uses))
    if offers:
        purpose = "\n".join(filter(None, (asks, asked_by, terms.describe(longer))))
        text = lease_wording.confirm_several_text(from_where, purpose)
        return questions.Prompt(wording.TITLE, text, "", whole=True, longer=longer)

    def framed(purpose: str) -> str:
        return lease_wording.confirm_several_text(from_where, purpose)

    text = questions.with_caller([asks], asked_by, framed)
    return questions.Prompt(wording.TITLE, text, "")
