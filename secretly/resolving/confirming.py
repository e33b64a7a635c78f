"""Confirm the use of a stored secret, where that is wanted."""

from __future__ import annotations

from ..record import Record
from ..text import escape
from .candidates import CONFIGURATION, TYPED, ResolvedSecret
from .request import Context, SecretRequest


class Confirmation(Record):
    """Whether the user confirms a use.

    :param waived_by: what says that the user need not, where secretly would have asked.
    :param limits: what the command gets in place of the secret, as the dialog says it; empty if it
        gets the secret itself.
    :param lease: for how long the user may agree, in seconds; 0: for this use alone.
    """

    needed: bool
    waived_by: str = ""
    limits: str = ""
    lease: float = 0.0


def decide_confirmation(
    request: SecretRequest, found: ResolvedSecret, must: bool = False
) -> Confirmation:
    """Decide whether the user confirms this use, and if not, why not.

    The caller's choice counts first. Then a secret that would go where only the project says is
    confirmed. Then the configuration counts; else publishing commands ask, and
    others that get a limited token. What the user just typed needs no confirmation, nor does a
    configured user name, nor a sealed secret: the passphrase was the answer to the same question.

    :param must: whether the policy has each use confirmed, whatever the caller and the
        configuration say.
    """
    if found.origin in (TYPED, CONFIGURATION) or found.sealed:
        return Confirmation(False)
    limits = request.limits(found.secret, found.entry) if request.limits is not None else ""
    asks = request.publishes or limits != ""
    if must:
        needed, by = True, ""
    elif request.confirm is not None:
        needed, by = request.confirm, "--no-confirm"
    elif request.elsewhere is not None and request.elsewhere(found.entry):
        needed, by = True, ""
    elif found.entry.confirm is not None:
        needed, by = found.entry.confirm is not False, "confirm = false in the configuration"
    else:
        needed, by = asks, ""
    lease = 0.0 if asks or request.confirm else _lease_of(request, found)
    return Confirmation(needed, by if asks and not needed else "", limits, lease)


def _lease_of(request: SecretRequest, found: ResolvedSecret) -> float:
    """For how long the user may agree to this use, in seconds."""
    confirm = found.entry.confirm
    if request.lease is None or confirm is None or isinstance(confirm, bool):
        return 0.0
    return confirm


async def confirm_use(
    request: SecretRequest, found: ResolvedSecret, context: Context
) -> ResolvedSecret:
    """Have the user confirm the use of a stored secret, if that is needed; return it with that.

    :returns: the secret with the answer, which is ``wording.ANOTHER`` if the user wants to type
        another one.
    :raises NotConfirmed: if the user answers No.
    :raises Refused: if it is needed and secretly must not ask.
    """
    decided = decide_confirmation(request, found, context.must_confirm)
    used = _used_before(request, found)
    if not decided.needed or found.answer:
        if used:
            from .agreeing import say_what_to_do

            say_what_to_do(used, found, context)
        return found
    from .agreeing import ask_whether

    return await ask_whether(request, found, context, decided.limits, used)


def wants_another(found: ResolvedSecret) -> bool:
    """Whether the user wants to use another secret."""
    if not found.answer:
        return False
    from ..asking import wording

    return found.answer == wording.ANOTHER


def _used_before(request: SecretRequest, found: ResolvedSecret) -> str:
    """Say that the same upload had this secret a while ago; empty if it had not."""
    if request.used_before is None or request.reference.usual != "password":
        return ""
    minutes = request.used_before(found.name)
    if minutes is None:
        return ""
    from ..asking import wording

    return wording.used_before(escape(found.name), minutes)
