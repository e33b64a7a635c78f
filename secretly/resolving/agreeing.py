"""Ask the user whether a command may use a stored secret: yes, no, or another one."""

from __future__ import annotations

from ..asking import assuan, questions, wording
from ..errors import Refused
from ..text import escape, shell_quote
from .candidates import KEYCHAIN, ResolvedSecret
from .request import Context, SecretRequest

__all__ = ["ask_whether", "replacing", "say_what_to_do"]


async def ask_whether(
    request: SecretRequest, found: ResolvedSecret, context: Context, limits: str, used: str
) -> ResolvedSecret:
    """Ask the user to confirm the use of a stored secret; return it with the answer.

    :param limits: what limits the secret.
    :param used: that the same upload had it before.
    :raises NotConfirmed: if the user answers No.
    :raises Refused: if secretly must not ask.
    """
    name = escape(found.name)
    where = wording.place(found.origin)
    if context.no_input:
        instead = ", or set confirm = false for it"
        if context.must_confirm:
            instead = ""
        elif request.elsewhere is not None and request.elsewhere(found.entry):
            instead = ", or allow the index that the project names: set hosts for it"
        raise Refused(
            f"can't ask you to confirm the use of {name} from {where}: prompts are switched off",
            f"run it without --no-input and SECRETLY_NO_INPUT{instead}",
        )
    from ..asking import prompting

    question = _question(request, found, context, limits, used)
    request.before_prompt()
    answer = await prompting.confirm(
        question,
        request.prompt_timeout,
        context.environ,
        context.configuration.pinentry,
        until=request.until,
        tell=context.note,
    )
    return found._replace(answer=answer)


def replacing(request: SecretRequest, found: ResolvedSecret) -> tuple[SecretRequest, str]:
    """The request that stores what is typed in place of a stored secret, and what the prompt says.

    What memory has is dropped, and what is typed is remembered as the request says.
    """
    name = escape(found.name)
    if found.origin != KEYCHAIN or request.remember is not None or found.entry.remember is not None:
        return request, wording.not_accepted(name)
    return request._replace(remember=True), wording.replaces(name)


def say_what_to_do(used: str, found: ResolvedSecret, context: Context) -> None:
    """Say how to replace a secret that may have been refused.

    :param used: that the same upload had it before.
    """
    if found.candidate.source is None:
        context.note(f"{used}: secretly set {shell_quote(found.name)}")
    else:
        context.note(f"{used}, replace it in {wording.place(found.origin)}")


def _question(
    request: SecretRequest, found: ResolvedSecret, context: Context, limits: str, used: str
) -> questions.Prompt:
    """The question, which offers to replace the secret if there is room to say why.

    :param limits: what limits the secret.
    :param used: that the same upload had it before.
    """
    name, where = escape(found.name), wording.place(found.origin)
    asks = request.who_asks(found.entry.username, found.username)
    whole = request.publishes or limits != ""

    def text(offer: str) -> str:
        return questions.with_caller(
            (asks, limits, offer),
            context.asked_by,
            lambda purpose: wording.confirm_use_text(name, where, purpose),
        )

    if used and found.candidate.source is None and context.agent is None:
        offering = text(wording.may_replace(used))
        if assuan.fits("SETDESC", offering, keep="\n"):
            return questions.Prompt(
                wording.TITLE, offering, "", whole=whole, longer=wording.ANOTHER
            )
    if used:
        say_what_to_do(used, found, context)
    return questions.Prompt(wording.TITLE, text(""), "", whole=whole)
