"""Ask the user for a secret, or to confirm the use of a stored one."""

from __future__ import annotations

from collections.abc import Callable

from ..config.model import Entry
from ..errors import Refused, SecretlyError
from ..redacted import Secret
from ..text import escape
from .keep import _remember
from .lookup import validate_token
from .model import Context, ResolvedSecret, SecretRequest, _pinentry, username_for

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any


_ATTEMPTS = 3


def _objection(wish: SecretRequest, entry: Entry, typed: Secret) -> str:
    """Why what was typed is not to be used for this; empty if it may be."""
    try:
        if wish.inspect is not None:
            wish.inspect(typed, entry)
    except SecretlyError as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    return ""


async def is_accepted(verify: Callable[[Secret], Any], secret: Secret) -> bool:
    import inspect

    answer = verify(secret)
    if inspect.isawaitable(answer):
        answer = await answer
    return answer is not False


async def confirm_use(
    wish: SecretRequest, found: ResolvedSecret, context: Context
) -> ResolvedSecret:
    """Return what was found in a store, once a person has confirmed its use if that is wanted.

    :raises NotConfirmed: if they did not.
    :raises Refused: if nobody may be asked.
    """
    entry = context.configuration.entry(found.name)
    choices = (wish.confirm, entry.confirm, wish.publishes)
    wanted = next(choice for choice in choices if choice is not None)
    if not wanted or found.origin == "configuration":
        return found
    ours = {"keychain": "the keychain", "memory": "memory"}
    where = ours.get(found.origin, f"{found.origin}://")
    name = escape(found.name)
    if context.no_input:
        raise Refused(
            f"handing over {name} from {where} needs a person's consent",
            "run it where a person can be asked, or set confirm = false for it",
        )
    text = f"Hand over {name} from {where}?"
    text = f"{text}\n\n{wish.purpose}".strip()
    from ..asking import prompting, questions

    question = questions.Prompt("secretly", text, "", whole=wish.publishes)
    await prompting.confirm(question, wish.prompt_timeout, context.environ, _pinentry(context))
    return found


async def ask_for(
    wish: SecretRequest, entry: Entry, error: str, context: Context
) -> ResolvedSecret:
    name = escape(entry.name)
    default = f"API token for {name} ({entry.prefix}…)" if entry.prefix else f"Secret for {name}"
    if wish.reference.usual == "username":
        default, entry = f"User name for {name}", Entry(entry.name)
    from ..asking import prompting, questions

    title = f"secretly ({wish.position})" if wish.position else "secretly"
    purpose = f"{wish.position}\n{wish.purpose}" if wish.position else wish.purpose
    label = escape(wish.prompt or default)
    prompt = questions.Prompt(title, purpose, label, error, wish.repeat, wish.publishes)
    for _ in range(_ATTEMPTS):
        typed = await prompting.ask(
            prompt, wish.prompt_timeout, context.environ, _pinentry(context)
        )
        typed, wrong = validate_token(entry, typed)
        wrong = wrong or _objection(wish, entry, typed)
        if not wrong and wish.verify is not None and not await is_accepted(wish.verify, typed):
            wrong = "That was not accepted."
        if not wrong:
            break
        prompt = prompt._replace(error=wrong)
    else:
        raise Refused(f"no secret for {name} after {_ATTEMPTS} attempts", f"the last: {wrong}")
    username, own = username_for(entry.name, entry, wish, context)
    await _remember(wish, entry, username, own, typed, context)
    return ResolvedSecret(typed, username if own else None, "typed", entry.name)
