"""Messages, signals and the user's context, for all verbs."""

from __future__ import annotations

import os
import sys

from ..errors import SecretlyError
from ..processes.signals import signals
from ..text import Environ, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any, TypeVar

    from ..config.model import Configuration
    from ..resolving.request import Context

    T = TypeVar("T")

__all__ = [
    "UsageError",
    "drive",
    "quiet",
    "say",
    "user_context",
]


class UsageError(SecretlyError):
    """A wrong command line."""


def say(message: str) -> None:
    """Print a message to standard error: standard output is for results."""
    from ..reference import without_secrets  # most calls say nothing

    # The message about a token in the wrong place may quote it.
    print(f"secretly: {escape(without_secrets(message))}", file=sys.stderr)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that may see secrets; clean up if a signal ends the command."""
    from ..processes.hardening import hardening
    from ..waiting import driving

    hardening.apply()
    signals.install()
    try:
        return driving.drive(coroutine, signals)
    finally:
        signals.release()


def drive_in_place(coroutine: Coroutine[Any, Any, T], otherwise: T) -> T:
    """Run a coroutine that may see secrets, before the one that :func:`drive` runs.

    :param otherwise: the value if it would need an event loop.
    """
    from ..processes.hardening import hardening
    from ..waiting import driving

    hardening.apply()
    signals.install()
    try:
        return driving.drive_in_place(coroutine, signals, otherwise)
    finally:
        signals.release()


def quiet(message: str) -> None:
    """Print nothing."""


def own_stores(context: Context) -> Context:
    """The user's own stores."""
    return context


#: Chooses the stores of each context: the demo replaces the user's own by a practice keychain.
stores: Callable[[Context], Context] = own_stores


def user_context(
    known: Configuration | None = None,
    no_input: bool = False,
    note: Callable[[str], None] = say,
) -> Context:
    """The user's configuration, environment and stores.

    :param known: the configuration, if it was read before.
    :param no_input: never ask the user; ``SECRETLY_NO_INPUT`` has the same effect.
    :param note: called with what the user should know.
    """
    from ..config import loading
    from ..resolving.request import Context

    environ = Environ(os.environ)
    found = Context.of(known or loading.load(environ), environ)
    if found.agent is not None:
        found = _with_own_command(found)
    return stores(found._replace(no_input=no_input or _no_input(environ), note=note))


def _with_own_command(context: Context) -> Context:
    """The context whose errors tell an agent which command the person can run."""
    from ..config.asking_limits import AskingLimits
    from ..text import format_command

    limits = context.configuration.pinentry
    if isinstance(limits, AskingLimits):
        limits = limits._replace(command=format_command(["secretly", *sys.argv[1:]], 200))
    return context._replace(configuration=context.configuration._replace(pinentry=limits))


def _no_input(environ: Mapping[str, str]) -> bool:
    return environ.get("SECRETLY_NO_INPUT", "0") not in ("", "0")
