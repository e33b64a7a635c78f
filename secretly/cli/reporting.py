"""Report a failure of the command, and say which exit status it has."""

from __future__ import annotations

import os
import sys

from ..errors import BadConfiguration, BadReference, Cancelled, SecretlyError
from ..processes.signals import Interrupted, signals
from ..running.not_started import NotExecutable, NotThere
from ..text import escape
from .console import UsageError, say

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = ["complain", "report"]


def complain(error: SecretlyError) -> None:
    """Print an error and its hint; if that fails, the exit status has to say it alone."""
    try:
        say(str(error))
        if error.hint:
            from ..reference import without_secrets

            print(f"  {escape(without_secrets(error.hint))}", file=sys.stderr)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the rest would fail again, at the exit


def report(error: BaseException, own_failure: int) -> int:
    """Say what went wrong, unless a signal ends the command; return the exit status.

    :param own_failure: the status of a failure that is secretly's own.
    """
    if isinstance(error, SecretlyError):
        if not signals.pending:
            complain(error)
        return _status(error, own_failure)
    if isinstance(error, BrokenPipeError):
        _discard_output()
    elif isinstance(error, (Interrupted, KeyboardInterrupt)):
        signals.pending = True
    elif _is_full_disk(error):
        _discard_output()
        complain(SecretlyError(f"can't write: {error.strerror}", "make room on the disk"))
    elif signals.pending:
        pass
    elif isinstance(error, Exception):
        _unexpected(error)
    else:  # pragma: no cover - SystemExit and the like
        raise error
    return own_failure


def _is_full_disk(error: BaseException) -> TypeGuard[OSError]:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _discard_output() -> None:
    """Send the rest of standard output nowhere: writing it at the exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


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
    """Say where it happened, and no value."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    say(f"an error in secretly itself: {type(error).__name__} at {place}")
    print("  please report this line: it contains no secret. No command was run", file=sys.stderr)
