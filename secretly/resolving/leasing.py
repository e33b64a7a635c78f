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

TYPE_CHECKING = False  # the protocol is for type checkers alone
if TYPE_CHECKING:
    from .request import LeaseTerms

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
    answer, confirmed = await _confirm(uses, context), [use.found for use in uses]
    return [
        outcome._replace(found=outcome.found._replace(answer=answer))
        if outcome.found is not None and any(outcome.found is one for one in confirmed)
        else outcome
        for outcome in outcomes
    ]


async def _confirm(uses: Sequence[_Use], context: Context) -> str:
    """Return how the uses were allowed: by a new answer, or by one from before."""
    first, terms = uses[0].request, uses[0].request.lease
    assert terms is not None
    secrets = tuple(sorted({f"{use.found.name} {use.found.origin}" for use in uses}))
    if terms.covers(secrets):
        return LEASED
    if context.no_input:
        names = ", ".join(dict.fromkeys(escape(use.found.name) for use in uses))
        raise Refused(
            f"can't ask you to confirm the use of {names}: prompts are switched off",
            "run it without --no-input and SECRETLY_NO_INPUT",
        )
    seconds = min(use.seconds for use in uses)
    question = _question(uses, terms, duration_text(seconds), context)
    async with prompting.turn(
        first.prompt_timeout,
        context.environ,
        context.configuration.pinentry,
        until=first.until,
        tell=context.note,
    ) as asker:
        if terms.covers(secrets):  # another call had the turn to ask before
            return LEASED
        answer = await asker.confirm(question)
    if answer != wording.YES:
        try:
            terms.grant(secrets, seconds)
        except OSError as error:
            context.note(f"can't note your answer for later calls: {error.strerror}")
    return wording.YES


def _question(
    uses: Sequence[_Use], terms: LeaseTerms, longer: str, context: Context
) -> questions.Prompt:
    """The question, which offers the duration if there is room to say what it means."""
    named = list(dict.fromkeys((use.found.name, use.found.origin) for use in uses))
    from_where = [(escape(name), wording.place(origin)) for name, origin in named]
    request = uses[0].request
    command, program = request.command or ("", "")
    wanted = ", ".join(name for name, _ in from_where)
    purpose = wording.purpose(command, wanted, program)
    lines = [line for line in (purpose, context.asked_by) if line]
    text = lease_wording.confirm_several_text(
        from_where, "\n".join([*lines, terms.describe(longer)])
    )
    if assuan.fits("SETDESC", text, keep="\n"):
        return questions.Prompt(wording.TITLE, text, "", whole=True, longer=longer)
    text = lease_wording.confirm_several_text(from_where, "\n".join(lines))
    return questions.Prompt(wording.TITLE, text, "")
