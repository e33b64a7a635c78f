"""What the verbs of the command have in common: what they say, and what they stand on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Mapping

from ..errors import SecretlyError
from ..processes.hardening import Hardening
from ..processes.signals import Signals
from ..redacted import Environ
from ..reference import without_secrets
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn, TypeVar

    from ..config.model import Configuration
    from ..resolving.model import Context

    T = TypeVar("T")

__all__ = [
    "UsageError",
    "complain",
    "drive",
    "hardening",
    "parser",
    "quiet",
    "say",
    "signals",
    "user_context",
]

signals = Signals()
hardening = Hardening()


class UsageError(SecretlyError):
    """The command line cannot be read."""


def say(message: str) -> None:
    """Say something that is no result."""
    # A token that was typed in a wrong place is in the message about that place.
    print(f"secretly: {escape(without_secrets(message))}", file=sys.stderr)


def complain(error: SecretlyError) -> None:
    """Say what happened, and what to do; where that cannot be written, the status says it alone."""
    try:
        say(str(error))
        if error.hint:
            print(f"  {escape(without_secrets(error.hint))}", file=sys.stderr)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what is left would fail again, at the exit


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, which may get at secrets; tidy up if a signal ends the command."""
    from ..waiting import driving

    hardening.apply()
    signals.install()
    try:
        return driving.drive(coroutine, signals)
    finally:
        signals.release()


def quiet(message: str) -> None:
    """Say nothing."""


def user_context(
    known: Configuration | None = None,
    no_input: bool = False,
    note: Callable[[str], None] = say,
) -> Context:
    """What this user has configured, and keeps.

    :param known: the configuration, if it was read already.
    """
    from ..config import loading
    from ..resolving.model import Context

    environ = Environ(os.environ)
    found = Context.of(known or loading.load(environ), environ)
    return found._replace(no_input=no_input or _no_input(environ), note=note)


def _no_input(environ: Mapping[str, str]) -> bool:
    return environ.get("SECRETLY_NO_INPUT", "0") not in ("", "0")


def parser(prog: str, about: str, example: str) -> argparse.ArgumentParser:
    """An argument parser, whose errors are raised as :class:`UsageError`.

    :param about: what the verb does, in words that a list of verbs has, too.
    """
    import argparse

    class Parser(argparse.ArgumentParser):
        def __init__(self, **settings: Any) -> None:
            super().__init__(
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,  # one that works today would be part of the contract
                **settings,
            )

        def error(self, message: str) -> NoReturn:
            raise UsageError(message, f"{self.prog} --help")

    return Parser(
        prog=prog,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=example,
    )
