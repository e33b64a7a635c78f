"""Have the user type a secret."""

from __future__ import annotations

from ..errors import Refused
from ..text import escape
from .candidates import TYPED, Candidate, ResolvedSecret
from .checking import find_objection, is_accepted, validate_token
from .request import Context, SecretRequest
from .storing import remember

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
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
    purpose = "\n".join(filter(None, (request.position, request.who_asks)))
    label = escape(request.prompt or label)
    return questions.Prompt(title, purpose, label, problem, request.repeat, request.publishes)


async def ask_for(
    request: SecretRequest, candidate: Candidate, problem: str, context: Context
) -> ResolvedSecret:
    """Ask the user until what they type may be used and is accepted; store it if wanted.

    :param candidate: the name to ask for.
    :param problem: what the first prompt says is wrong.
    :raises Cancelled: if the user cancels.
    :raises Refused: after three attempts.
    """
    from ..asking import prompting, wording

    entry, pinentry = candidate.entry, context.configuration.pinentry
    environ, seconds, until = context.environ, request.prompt_timeout, request.until
    if request.reference.usual == "username":
        entry = type(entry)(candidate.name)  # a user name is not a token
    prompt, wrong = _prompt(request, candidate, problem), ""
    for _ in range(_ATTEMPTS):
        typed = await prompting.ask(prompt, seconds, environ, pinentry, until=until)
        typed, wrong = validate_token(entry, typed)
        wrong = wrong or find_objection(request, entry, typed)
        if not wrong and not await is_accepted(request, typed):
            wrong = wording.NOT_ACCEPTED
        if not wrong:
            await remember(request, candidate, typed, context)
            username = candidate.username.if_own if candidate.username else None
            return ResolvedSecret(typed, username, candidate._replace(origin=TYPED))
        prompt = prompt._replace(error=wrong)
    raise Refused(
        f"no usable secret for {escape(candidate.name)} after {_ATTEMPTS} attempts",
        f"the last problem: {wrong}",
    )
