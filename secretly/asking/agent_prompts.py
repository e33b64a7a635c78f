"""Prompts while a coding agent runs the command: only the person may answer them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from ..config import places
from ..config.agents import Agent
from ..config.asking_limits import AskingLimits
from ..errors import (
    Cancelled,
    NoPinentry,
    NotConfirmed,
    PinentryFailed,
    PromptTimeout,
    Refused,
    SecretlyError,
)
from ..processes import sandbox
from . import refusals, screen_turns

__all__ = ["agent_of", "limit_of", "no_window", "shown_to", "variables", "watched"]

#: How long, in seconds, a prompt waits unless the user chose a time. Agents give up soon after.
PATIENCE = 50.0

#: The variables that a pinentry needs for a window. No other one reaches it: an agent could name
#: a module for it to load.
_VARIABLES = frozenset(
    "DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_RUNTIME_DIR XDG_SESSION_TYPE XDG_CURRENT_DESKTOP "
    "LANG LC_ALL LC_CTYPE LC_MESSAGES USER LOGNAME SSH_CONNECTION SSH_CLIENT SSH_TTY".split()
) | {places.BUS_VARIABLE}

#: Where a pinentry looks for programs.
_PATH = "/usr/bin:/bin"


def agent_of(setting: object) -> Agent | None:
    """Return the agent that started this process, by what a prompt is given as its setting."""
    return setting.agent if isinstance(setting, AskingLimits) else None


def limit_of(seconds: float, usual: float) -> float:
    """Return how long a prompt may wait, in seconds.

    :param usual: how long it waits if the user chose no time.
    """
    return min(seconds, PATIENCE) if seconds == usual else seconds


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a pinentry that an agent can't steer."""
    kept = {name: value for name, value in environ.items() if name in _VARIABLES}
    return {**kept, "PATH": _PATH, "HOME": places.home_folder({})}


def no_window(limits: AskingLimits) -> NoPinentry:
    """Return the error for a prompt that has no window to open."""
    assert limits.agent is not None
    return NoPinentry(
        f"can't ask the person: {shown_to(limits.agent)}, and no window can be shown",
        f"{_instead(limits)}. {_as_me(limits)}",
    )


def shown_to(agent: Agent) -> str:
    """Say that an agent runs the command, and how secretly knows."""
    return f"{agent.name} runs this command (recognized by {agent.mark})"


def _instead(limits: AskingLimits) -> str:
    run = f": {limits.command}" if limits.command else ""
    return f"don't retry; tell the person to run it in their own terminal{run}"


def _as_me(limits: AskingLimits) -> str:
    return f"The person can change this with {limits.as_me}"


@contextlib.contextmanager
def watched(limits: AskingLimits, environ: Mapping[str, str], seconds: float) -> Iterator[None]:
    """Ask in the block. A No counts for a while, and errors say what an agent can do.

    :param environ: the environment that secretly was started with.
    :param seconds: how long the person has.
    :raises Refused: if the person has just said No.
    :raises NoPinentry: in a sandbox, from which no window can be opened.
    """
    agent = limits.agent
    assert agent is not None
    key = (agent.process.pid, agent.process.started)
    if refusals.is_refused(key, environ, time.time()):
        raise Refused("a person refused this a moment ago", f"{_instead(limits)}")
    if sandbox.blocks_sockets():
        raise _sandboxed()
    try:
        yield
    except screen_turns.NoTurn as error:
        raise PromptTimeout(str(error), f"{_instead(limits)}. {_because(limits)}") from None
    except PromptTimeout:
        raise PromptTimeout(
            f"the person did not answer the dialog in {seconds:g} s",
            f"{_instead(limits)}. {_because(limits)}",
        ) from None
    except Cancelled as error:
        if limits.is_consent:
            refusals.note(key, environ, time.time())
        kind = NotConfirmed if isinstance(error, NotConfirmed) else Cancelled
        raise kind("a person refused", _instead(limits)) from None
    except (NoPinentry, PinentryFailed) as error:
        raise _explained(error, limits, environ) from None


def _explained(
    error: SecretlyError, limits: AskingLimits, environ: Mapping[str, str]
) -> SecretlyError:
    """The error, with why secretly asked in no other way; or that of a sandbox."""
    if sandbox.is_sandboxed(environ):
        return _sandboxed()
    if limits.as_me not in error.hint:
        error.hint = "; ".join(filter(None, (error.hint, _because(limits))))
    return error


def _because(limits: AskingLimits) -> str:
    """Why secretly asks with care, and how the person can change that."""
    assert limits.agent is not None
    return f"{shown_to(limits.agent)}. {_as_me(limits)}"


def _sandboxed() -> NoPinentry:
    what, fix = sandbox.SANDBOXED
    return NoPinentry(what, fix)
