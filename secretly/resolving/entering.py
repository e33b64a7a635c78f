"""Have the user type a secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..config.model import Entry
from ..errors import Refused
from ..redacted import Secret
from ..reference import Reference
from ..text import escape
from .candidates import TYPED, Candidate, ResolvedSecret, Username
from .checking import find_objection, is_accepted, validate_token
from .lookup import Outcome
from .request import Context, SecretRequest
from .storing import asks_first, remember

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..asking.prompting import Asker
    from ..asking.questions import Prompt

#: How often the user may try.
_ATTEMPTS = 3


def _prompt(request: SecretRequest, candidate: Candidate, problem: str) -> Prompt:
    from ..asking import questions, wording

    name = escape(candidate.name)
    label = wording.secret_label(name, candidate.entry.prefix)
    if request.reference.usual == "username":
        label = wording.username_label(name)
    title = wording.title(request.position)
    own = candidate.username.if_own if candidate.username else None
    asks = request.who_asks(candidate.entry.username, own, typed=True)
    purpose = "\n".join(filter(None, (request.position, asks)))
    label = escape(request.prompt or label)
    return questions.Prompt(title, purpose, label, problem, request.repeat, request.publishes)


def _examined(request: SecretRequest, entry: Entry, typed: Secret) -> tuple[Secret, str]:
    """Return what was typed, as it is used, and what is wrong with it."""
    if request.reference.usual == "username":
        entry = type(entry)(entry.name)  # a user name is not a token
    typed, wrong = validate_token(entry, typed)
    return typed, wrong or find_objection(request, entry, typed)


async def _with_username(
    request: SecretRequest, candidate: Candidate, typed: Secret, asker: Asker
) -> Candidate:
    """The candidate with the user name of what was typed, which is asked for where it is needed."""
    prefix, username = request.token_prefix, candidate.username
    if not prefix or typed.startswith(prefix) or (username and username.own):
        return candidate
    named = request._replace(
        reference=Reference("", candidate.name, "username"), prompt=None, repeat=False
    )
    prompt = _prompt(named, candidate, "")
    for _ in range(_ATTEMPTS):
        name, wrong = _examined(named, candidate.entry, await asker.ask(prompt))
        if not wrong:
            return candidate._replace(username=Username(str(name), True))
        prompt = prompt._replace(error=wrong)
    raise Refused(f"no usable user name for {escape(candidate.name)}", f"the problem: {wrong}")


async def _typed(
    request: SecretRequest, candidate: Candidate, prompt: Prompt, asker: Asker
) -> tuple[Candidate, Secret, str]:
    """What the user types, the candidate with its user name, and what is wrong with it."""
    typed, wrong = _examined(request, candidate.entry, await asker.ask(prompt))
    if not wrong:
        candidate = await _with_username(request, candidate, typed, asker)
    return candidate, typed, wrong


async def ask_for(
    request: SecretRequest,
    candidate: Candidate,
    problem: str,
    context: Context,
    look_again: Callable[[], Awaitable[Outcome]] | None = None,
) -> ResolvedSecret:
    """Ask the user until what they type may be used and is accepted; store it if wanted.

    :param candidate: the name to ask for.
    :param problem: what the first prompt says is wrong.
    :param look_again: looks the secret up once more when the turn to ask has come: who had the
        turn before may have stored it. If it is found, it is returned, and the user is not asked.
    :raises Cancelled: if the user cancels.
    :raises Refused: after three attempts.
    """
    from ..asking import prompting, wording

    pinentry = context.configuration.pinentry
    # Others who wait for the turn look for the secret next, so it is stored before the turn ends;
    # but not before the caller's check or a question.
    stores_early = request.verify is None and not asks_first(request, candidate)
    prompt, wrong = _prompt(request, candidate, problem), ""
    for _ in range(_ATTEMPTS):
        async with prompting.turn(
            request.prompt_timeout, context.environ, pinentry, until=request.until
        ) as asker:
            if look_again is not None and (found := (await look_again()).found) is not None:
                return found
            request.before_prompt()
            candidate, typed, wrong = await _typed(request, candidate, prompt, asker)
            if not wrong and stores_early:
                await remember(request, candidate, typed, context)
        if not wrong and not stores_early:
            if await is_accepted(request, typed):
                await remember(request, candidate, typed, context)
            else:
                wrong = wording.NOT_ACCEPTED
        if not wrong:
            username = candidate.username.if_own if candidate.username else None
            return ResolvedSecret(typed, username, candidate._replace(origin=TYPED))
        prompt, look_again = prompt._replace(error=wrong), None
    raise Refused(
        f"no usable secret for {escape(candidate.name)} after {_ATTEMPTS} attempts",
        f"the last problem: {wrong}",
    )
