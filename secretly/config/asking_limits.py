"""How a policy, or a coding agent that started this process, limits how the user may be asked."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .agents import Agent

__all__ = ["AskingLimits"]


class AskingLimits(Record):
    """How the user may be asked, in place of a configured pinentry.

    :param pinentry: the only pinentry that may ask; None: those that are built in, for an agent.
    :param agent: the agent that started this process; None: no agent did.
    :param command: what the user can run without the agent, as a shell reads it.
    :param as_me: how the user can let agents do what the user may, in words.
    :param is_consent: whether a No refuses the use of a secret.
    """

    pinentry: str | None
    agent: Agent | None = None
    command: str = ""
    as_me: str = ""
    is_consent: bool = True
