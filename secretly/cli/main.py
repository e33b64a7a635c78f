"""The command: it dispatches to a verb, reports failures and returns the exit status."""

from __future__ import annotations

import gc
import os
import sys

from ..processes.signals import signals
from .verbs import ALIASES, VERBS, carry_out

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .console import UsageError

__all__ = ["VERSION", "main", "print_help", "unknown"]

#: As in setup.cfg. To read it from the installed metadata takes twice a start of Python.
VERSION = "1.0.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    collects = gc.isenabled()
    gc.disable()  # a start makes little garbage, and looking for it takes a twentieth of its time
    try:
        return _run(arguments)
    finally:
        if collects:
            gc.enable()


def _run(arguments: Sequence[str]) -> int:
    signals.release()  # Python's own handler of INT shows a traceback
    signals.see_children()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller; print would use the other one
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        status = _dispatch(list(arguments))
        sys.stdout.flush()
    except BaseException as error:
        runs = bool(arguments) and ALIASES.get(arguments[0], arguments[0]) == "run"
        from .reporting import report

        status = report(error, 125 if runs else 1)
    if signals.pending:  # pragma: no cover - what was measured ends with the signal
        signals.die()
    return status


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    verb = ALIASES.get(first, first)
    if verb in VERBS:
        return carry_out(verb, arguments[1:])
    if first == "--version" and not arguments[1:]:
        print(f"secretly {VERSION}")
    elif first in ("-h", "--help"):
        print_help()
    elif first == "__complete":  # for the scripts of 'secretly completion'
        from .complete import complete

        return complete(arguments[1:])
    else:
        raise unknown(arguments)
    return 0


def unknown(arguments: list[str]) -> UsageError:
    """The error for a call that begins with neither a verb nor an option of secretly's own."""
    from . import guesses, run_options
    from .console import UsageError

    if arguments[0] == "--version":
        message = "--version takes no arguments"
    elif arguments[0].startswith("-"):
        message = guesses.unknown_option(arguments, run_options.NAMES)
    else:
        message = guesses.unknown_verb(arguments, VERBS)
    return UsageError(message, "secretly --help")


def print_help() -> None:
    """Print the help that lists the verbs."""
    width = max(map(len, VERBS)) + 4
    verbs = "\n".join(f"    {name:{width}}{about}" for name, about in VERBS.items())
    print(
        f"""usage: secretly [-h] [--version] VERB ...

Give one command your secret, for as long as it runs.

positional arguments:
  VERB
{verbs}

options:
  -h, --help  show this help message and exit
  --version   print the version

example:
  secretly run twine upload dist/*"""
    )
