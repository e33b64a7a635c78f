"""Have the user type a secret."""

from __future__ import annotations

from ..config.model import Entry
from ..errors import (
    KeychainLocked,
    KeychainTimeout,
    KeychainUnavailable,
    NoPinentry,
    Refused,
    SecretlyError,
)
from ..record import Record
from ..redacted import Secret
from ..reference import Reference
from ..text import escape
from .candidates import (
    KEYCHAIN,
    MEMORY,
    TYPED,
    Candidate,
    ResolvedSecret,
    Username,
    own_username,
)
from .checking import is_accepted, validate_token
from .lookup import LookUp, Outcome
from .request import ATTEMPTS, Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ..asking.prompting import Asker
    from ..asking.questions import Prompt

    #: Looks whether the secret was stored meanwhile.
    LastLook = Callable[[], Coroutine[Any, Any, Outcome]]


async def ask(
    look_up: LookUp, outcome: Outcome, context: Context, last_look: LastLook | None
) -> ResolvedSecret:
    """Ask for a secret that was not found, or was rejected.

    :param outcome: what the look-up ended with.
    :param last_look: is awaited when the turn to ask has come: what it finds is returned, and the
        user is not asked.
    :raises Cancelled: if the user cancels.
    :raises Refused: if secretly must not ask, or after three attempts.
    """
    candidate, request = outcome.rejected or look_up.candidates[-1], look_up.request
    if context.no_input or candidate.origin not in (TYPED, MEMORY, KEYCHAIN):
        raise Refused(
            f"the secret for {escape(candidate.name)} from {candidate.origin} was not accepted",
            "replace it there",
        )
    if outcome.unavailable is not None and request.time_left() <= 0:
        raise look_up.missing(outcome.unavailable)
    problem = outcome.problem
    if outcome.rejected is None:
        problem = _problem(outcome.unavailable, look_up)
    try:
        return await _enter(request, candidate, problem, context, last_look)
    except NoPinentry:
        if outcome.unavailable is not None and look_up.listed:
            raise look_up.missing(outcome.unavailable) from None
        raise


async def _enter(
    request: SecretRequest,
    candidate: Candidate,
    problem: str,
    context: Context,
    last_look: LastLook | None,
) -> ResolvedSecret:
    """Ask the user until what they type may be used and is accepted.

    :raises Cancelled: if the user cancels.
    :raises Refused: after three attempts.
    """
    from ..asking import prompting

    pinentry = context.configuration.pinentry
    for _ in range(ATTEMPTS):
        async with prompting.turn(
            request.prompt_timeout,
            context.environ,
            pinentry,
            until=request.until,
            tell=context.note,
        ) as asker:
            asker.start()
            if last_look is not None and (found := (await last_look()).found) is not None:
                return found
            entered = await _ask_once(request, candidate, problem, context, asker)
        problem, last_look = await _accept(request, entered, context), None
        if not problem:
            return entered.resolved
        candidate = entered.candidate
    raise Refused(
        f"no usable secret for {escape(candidate.name)} after {ATTEMPTS} attempts",
        f"the last problem: {problem}",
    )


def _problem(unavailable: KeychainUnavailable | None, look_up: LookUp) -> str:
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


def _prompt(request: SecretRequest, candidate: Candidate, problem: str, context: Context) -> Prompt:
    from ..asking import questions, wording

    name = escape(candidate.name)
    label = wording.secret_label(name, candidate.entry.prefix)
    limits = request.limits(None, candidate.entry) if request.limits is not None else ""
    if request.reference.usual == "username":
        label = wording.username_label(name)
    title = wording.title(request.position)
    asks = request.who_asks(candidate.entry.username, own_username(candidate), typed=True)
    purpose = questions.with_caller((request.position, asks, limits), context.asked_by)
    label = escape(request.prompt or label)
    return questions.Prompt(title, purpose, label, problem, request.repeat, request.publishes)


def _objection(request: SecretRequest, entry: Entry, typed: Secret) -> str:
    """Return why a typed secret must not be used for this request; empty if it may be."""
    try:
        if request.inspect is not None:
            request.inspect(typed, entry)
    except SecretlyError as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    return ""


def _examined(request: SecretRequest, entry: Entry, typed: Secret) -> tuple[Secret, str]:
    """Return what was typed, as it is used, and what is wrong with it."""
    if request.reference.usual == "username":
        entry = type(entry)(entry.name)  # a user name is not a token
    typed, wrong = validate_token(entry, typed)
    return typed, wrong or _objection(request, entry, typed)


async def _with_username(
    request: SecretRequest, candidate: Candidate, typed: Secret, context: Context, asker: Asker
) -> Candidate:
    """The candidate with the user name of what was typed, which is asked for where it is needed."""
    prefix, username = request.token_prefix, candidate.username
    if not prefix or typed.startswith(prefix) or (username and username.is_own):
        return candidate
    named = request._replace(
        reference=Reference("", candidate.name, "username"), prompt=None, repeat=False
    )
    prompt = _prompt(named, candidate, "", context)
    for _ in range(ATTEMPTS):
        name, wrong = _examined(named, candidate.entry, await asker.ask(prompt))
        if not wrong:
            return candidate._replace(username=Username(str(name), True))
        prompt = prompt._replace(error=wrong)
    raise Refused(f"no usable user name for {escape(candidate.name)}", f"the problem: {wrong}")


class Entered(Record):
    """What the user typed at one prompt.

    :param candidate: the name that was asked for, with the user name that was typed next.
    :param value: what was typed, as it is used.
    :param wrong: what is wrong with it; empty if nothing is.
    """

    candidate: Candidate
    value: Secret
    wrong: str

    @property
    def resolved(self) -> ResolvedSecret:
        """The secret, as every look-up returns it."""
        candidate = self.candidate._replace(origin=TYPED)
        return ResolvedSecret(self.value, own_username(candidate), candidate)


def _stores_early(request: SecretRequest, candidate: Candidate) -> bool:
    """Whether a typed secret is stored before the turn to ask ends.

    Others who wait for the turn look for it next. But the caller's check and a question come first.
    """
    from . import storing  # only what was typed is stored

    return request.verify is None and not storing.asks_first(request, candidate)


async def _ask_once(
    request: SecretRequest, candidate: Candidate, problem: str, context: Context, asker: Asker
) -> Entered:
    """Ask the user once, and store what may be used, if it is wanted and nothing is asked before.

    :param candidate: the name to ask for.
    :param problem: what the prompt says is wrong.
    :param asker: what has the turn to ask.
    :raises Cancelled: if the user cancels.
    """
    request.before_prompt()
    prompt = _prompt(request, candidate, problem, context)
    typed, wrong = _examined(request, candidate.entry, await asker.ask(prompt))
    if not wrong:
        candidate = await _with_username(request, candidate, typed, context, asker)
        if _stores_early(request, candidate):
            from . import storing

            await storing.remember(request, candidate, typed, context)
    return Entered(candidate, typed, wrong)


async def _accept(request: SecretRequest, entered: Entered, context: Context) -> str:
    """Have what was typed verified, and store it if it is wanted; return what is wrong with it."""
    if entered.wrong or _stores_early(request, entered.candidate):
        return entered.wrong
    if await is_accepted(request, entered.value):
        from . import storing

        await storing.remember(request, entered.candidate, entered.value, context)
        return ""
    from ..asking import wording

    return wording.NOT_ACCEPTED
