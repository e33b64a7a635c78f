"""Have the user type a secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..config.model import Entry
from ..errors import Refused
from ..redacted import Secret
from ..text import escape
from .candidates import TYPED, Candidate, ResolvedSecret
from .checking import find_objection, is_accepted, validate_token
from .request import Context, SecretRequest
from .storing import asks_first, remember

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
    request: SecretRequest,
    candidate: Candidate,
    problem: str,
    context: Context,
    look_again: Callable[[], Awaitable[None]] | None = None,
) -> ResolvedSecret:
    """Ask the user until what they type may be used and is accepted; store it if wanted.

    :param candidate: the name to ask for.
    :param problem: what the first prompt says is wrong.
    :param look_again: called if another one had the turn to ask before; raises
        ``obtain.Superseded`` if the secret is stored now.
    :raises Cancelled: if the user cancels.
    :raises Refused: after three attempts.
    """
    entry = candidate.entry
    if request.reference.usual == "username":
        entry = type(entry)(candidate.name)  # a user name is not a token
    prompt, wrong = _prompt(request, candidate, problem), ""
    for _ in range(_ATTEMPTS):
        attempt = _Attempt(request, candidate, entry, context)
        typed, wrong = await attempt.ask(prompt, look_again)
        if not wrong:
            username = candidate.username.if_own if candidate.username else None
            return ResolvedSecret(typed, username, candidate._replace(origin=TYPED))
        prompt, look_again = prompt._replace(error=wrong), None
    raise Refused(
        f"no usable secret for {escape(candidate.name)} after {_ATTEMPTS} attempts",
        f"the last problem: {wrong}",
    )


class _Attempt:
    """One attempt of the user to type a secret.

    :param entry: what to check it by.
    """

    def __init__(
        self, request: SecretRequest, candidate: Candidate, entry: Entry, context: Context
    ) -> None:
        self._request, self._candidate = request, candidate
        self._entry, self._context = entry, context
        self._kept = False
        self._result: tuple[Secret, str] | None = None

    async def ask(
        self, prompt: Prompt, look_again: Callable[[], Awaitable[None]] | None
    ) -> tuple[Secret, str]:
        """Ask, and store what was typed if wanted. Return it, and what is wrong with it."""
        from ..asking import prompting, wording

        request, context = self._request, self._context
        typed = await prompting.ask(
            prompt,
            request.prompt_timeout,
            context.environ,
            context.configuration.pinentry,
            until=request.until,
            look_again=look_again,
            keep=self._keep,
        )
        typed, wrong = self._examined(typed)
        if not wrong and not await is_accepted(request, typed):
            wrong = wording.NOT_ACCEPTED
        if not wrong and not self._kept:
            await remember(request, self._candidate, typed, context)
        return typed, wrong

    async def _keep(self, typed: Secret) -> None:
        """Store it while others that ask on this terminal still wait: they look for it next.

        What needs a question or the caller's check first is stored later.
        """
        request = self._request
        typed, wrong = self._examined(typed)
        if not wrong and request.verify is None and not asks_first(request, self._candidate):
            self._kept = True
            await remember(request, self._candidate, typed, self._context)

    def _examined(self, typed: Secret) -> tuple[Secret, str]:
        """Return what was typed, as it is used, and what is wrong with it."""
        if self._result is None:
            typed, wrong = validate_token(self._entry, typed)
            wrong = wrong or find_objection(self._request, self._entry, typed)
            self._result = typed, wrong
        return self._result
