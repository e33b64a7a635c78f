"""Prompts of the verbs that store a typed secret."""

from __future__ import annotations

from collections.abc import Sequence

from ..asking import prompting, questions, wording
from ..errors import Refused
from ..redacted import Secret
from ..reference import Reference
from ..resolving.candidates import Username
from ..resolving.obtain import obtain
from ..resolving.request import PROMPT_TIMEOUT, Context, SecretRequest
from ..text import escape, shell_quote


async def ask_for(
    name: str, context: Context, purpose: str, *, position: str = "", field: str = ""
) -> Secret:
    """Have the user type a new secret: twice, unless it has a prefix to check it by.

    :param field: ``"username"`` for the user name that goes with it.
    """
    request = SecretRequest(
        Reference("", name, field),
        purpose=purpose,
        position=position,
        ignore_stored=True,
        remember=False,
        repeat=not (field or context.configuration.entry(name).prefix),
    )
    return (await obtain(request, context)).secret


async def confirm_replacing(
    name: str, username: Username, others: Sequence[str], context: Context, may_ask: bool
) -> None:
    """Have the user confirm that what is stored under other user names is deleted.

    :raises Refused: if secretly must not ask.
    :raises NotConfirmed: if the user answers No.
    """
    if not may_ask:
        keep = f"secretly set {shell_quote(name)} --username {shell_quote(others[0])} --stdin"
        raise Refused(
            f"{escape(name)} is stored for {escape(wording.users(others))}, not for"
            f" {escape(wording.users([username.name]))}",
            f"to replace it, add --replace; to change it: {keep}",
        )
    text = wording.replace_question(escape(name), escape(username.name), [*map(escape, others)])
    question = questions.Prompt(wording.TITLE, text, "", whole=True)
    pinentry = context.configuration.pinentry
    await prompting.confirm(question, PROMPT_TIMEOUT, context.environ, pinentry, tell=context.note)
