"""Checks of the caller against the policy, before anything is looked up."""

from __future__ import annotations

from ..config.policy import as_me
from ..errors import Refused
from ..text import escape
from .request import Context

__all__ = ["check_caller", "check_waiver", "refuse_to_print"]


def check_caller(context: Context) -> None:
    """Refuse a call for secrets that the policy doesn't allow.

    :raises Refused: for an agent, where the policy refuses agents; without a reason, where it
        requires one.
    """
    if context.agent is not None and context.policy.agents == "refuse":
        raise Refused(
            f"the policy gives no secret to agents: {_recognized(context)}",
            f"don't retry; tell the person to run it in their own terminal ({_files(context)})",
        )
    if context.policy.require_reason and not context.reason.strip():
        raise Refused(
            f"the policy requires a reason for each use of a secret ({_files(context)})",
            'say why: --reason "TEXT", or set SECRETLY_REASON',
        )


def check_waiver(context: Context) -> None:
    """Refuse ``--no-confirm`` where it must not count.

    :raises Refused: if the policy doesn't allow it, or an agent asks for it.
    """
    if not context.policy.no_confirm:
        raise Refused(
            f"the policy does not allow --no-confirm ({_files(context)})",
            "run it without --no-confirm",
        )
    if context.agent is not None:
        raise Refused(
            f"--no-confirm is not for agents: {_recognized(context)}",
            f"run it without --no-confirm. {_the_person(context)}",
        )


def refuse_to_print(context: Context, is_terminal: bool) -> None:
    """Refuse to print a secret to a program, if an agent asks.

    :raises Refused: if standard output is not a terminal, or the policy refuses agents.
    """
    if context.agent is not None and not is_terminal:
        check_caller(context)
        raise Refused(
            f"an agent would read the secret: {_recognized(context)}",
            "give it to the command: secretly run -e VARIABLE=NAME COMMAND. "
            f"{_the_person(context)}",
        )


def _recognized(context: Context) -> str:
    assert context.agent is not None
    return f"{context.agent.name} runs this command (recognized by {context.agent.mark})"


def _files(context: Context) -> str:
    return ", ".join(map(escape, context.policy.paths))


def _the_person(context: Context) -> str:
    return f"The person can change this with {escape(as_me(context.policy))}"
