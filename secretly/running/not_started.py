"""The errors of a program that can't be started. Each has an exit status of its own."""

from __future__ import annotations

import errno
import os

from ..errors import Refused, SecretlyError
from ..text import escape, shell_quote

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NotExecutable", "NotThere", "why_not_found", "why_refused"]


class NotThere(SecretlyError):
    """The command was not found: exit status 127."""


class NotExecutable(SecretlyError):
    """The command was found, but cannot be executed: exit status 126."""


def why_not_found(name: str, found: Sequence[str]) -> SecretlyError:
    """The error about a command without a program that can be executed.

    :param found: the paths of that name.
    """
    if not name:
        return NotThere("the command is empty", "give a command after the options")
    if not found:
        return NotThere(
            f"command not found: {escape(name)}",
            f"check its name and PATH; to run the one in this folder: ./{escape(name)}"
            if os.path.exists(name) and os.sep not in name
            else "check its name and PATH",
        )
    return NotExecutable(
        f"{escape(found[0])} is not executable", f"run: chmod +x {shell_quote(found[0])}"
    )


def why_refused(program: str, error: OSError) -> SecretlyError:
    """The error about a program that the system didn't execute."""
    name = escape(program)
    if error.errno == errno.E2BIG:
        return Refused(
            f"can't start {name}: its arguments and environment are too long",
            "a secret in an environment variable can have at most 128 KiB",
        )
    if error.errno == errno.ENOENT:
        return NotThere(f"{name} or its interpreter doesn't exist", "check its first line (#!)")
    return NotExecutable(f"can't execute {name}: {error.strerror}", "check its permissions")
