"""The command: which verb, what is said of a failure, the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..errors import (
    BadConfiguration,
    BadReference,
    Cancelled,
    NotExecutable,
    NotThere,
    SecretlyError,
)
from ..processes.signals import Interrupted
from ..text import escape
from .console import UsageError, complain, say, signals

__all__ = ["main"]

#: The verbs, each loaded when it is used.
_VERBS = {
    "run": "run a command with secrets in its environment",
    "set": "keep a secret in the keychain",
    "get": "print a secret",
    "forget": "take a secret out of the keychain",
    "list": "list the secrets that are kept or configured",
    "token": "look at a PyPI token, or make a weaker one of it",
    "shim": "make small executables of a command's profiles",
    "lock": "drop every secret that is held in memory",
    "doctor": "say what would be used here, and what is wrong",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    signals.release()  # Python's own handler of INT shows a traceback
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller; print would use the other one
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    own_failure = 125 if arguments[:1] == ["run"] else 1
    try:
        status = _dispatch(list(arguments))
        sys.stdout.flush()
    except SecretlyError as error:
        status = _status(error, own_failure)
        if not signals.pending:
            complain(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = own_failure
    except (Interrupted, KeyboardInterrupt):
        signals.pending = True
        status = own_failure
    except Exception as error:
        import errno

        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would fail again
            complain(SecretlyError(f"cannot write: {error.strerror}", "make room on the disk"))
        elif not signals.pending:
            _unexpected(error)
        status = own_failure
    except BaseException:  # pragma: no cover - what was measured ends with the signal
        if not signals.pending:
            raise
        status = own_failure
    if signals.pending:  # pragma: no cover - as above
        signals.die()
    return status


def _status(error: SecretlyError, own_failure: int) -> int:
    if isinstance(error, Cancelled):
        return 130
    if isinstance(error, NotThere):
        return 127
    if isinstance(error, NotExecutable):
        return 126
    if own_failure == 1 and isinstance(error, (UsageError, BadConfiguration, BadReference)):
        return 2
    return own_failure


def _unexpected(error: Exception) -> None:
    """Say where it happened, and nothing of what it was about."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    say(f"an error in secretly itself: {type(error).__name__} at {place}")
    print("  please report this line; nothing was handed over", file=sys.stderr)


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first == "run":
        from .run import run

        return run(_VERBS[first], arguments[1:])
    if first in _VERBS:
        from .verbs import carry_out

        return carry_out(first, _VERBS[first], arguments[1:])
    if first == "--version" and arguments[1:]:
        raise UsageError("--version stands alone", "secretly --help")
    if first == "--version":
        from importlib.metadata import version

        print(f"secretly {version('secretly')}")
    elif first in ("-h", "--help"):
        _help()
    else:
        what = "option" if first.startswith("-") else "verb"
        raise UsageError(f"there is no {what} {escape(first)}", "secretly --help")
    return 0


def _help() -> None:
    width = max(map(len, _VERBS)) + 4
    verbs = "\n".join(f"    {name:{width}}{about}" for name, about in _VERBS.items())
    print(
        f"""usage: secretly [-h] [--version] VERB ...

Hand a secret to one program, for one moment.

positional arguments:
  VERB
{verbs}

options:
  -h, --help  show this help message and exit
  --version   print the version

example:
  secretly run twine upload dist/*"""
    )
