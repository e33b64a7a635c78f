"""Ask without a pinentry: with macOS's own dialog, or with a notebook's password input."""

from __future__ import annotations

import math
import os

from ..errors import Cancelled, NoPinentry, PinentryFailed
from ..processes import output
from ..text import escape
from . import assuan
from .choosing import PromptMethod, notebook_kernel
from .questions import Patience, Prompt, check_code

__all__ = ["ask_notebook", "ask_osascript"]

#: How much longer, in seconds, osascript may take than the user.
_GRACE = 5.0


async def ask_osascript(method: PromptMethod, prompt: Prompt, patience: Patience) -> bytes:
    """Ask with macOS's own dialog, and return what was typed.

    The texts are arguments, and so never part of the script.
    """
    seconds = patience.left()
    dialog = (
        "display dialog (item 2 of argv) with title (item 1 of argv) "
        f'default answer "" with hidden answer giving up after {math.ceil(seconds)}'
    )
    script = ["on run argv", "try", f"set found to {dialog}"]
    script += ["on error number -128", 'return "cancelled"', "end try"]
    script += ['if gave up of found then return "gave up"', 'return "=" & text returned of found']
    command = [method.program or "osascript"]
    for line in (*script, "end run"):
        command += ["-e", line]
    text = "\n\n".join(filter(None, (prompt.error, prompt.description, prompt.prompt)))
    command += [escape(prompt.title), escape(text, keep="\n")]
    try:
        found = await output.read_output(command, timeout=seconds + _GRACE, environ=os.environ)
    except OSError:
        raise PinentryFailed("can't start osascript", "install pinentry-mac") from None
    except TimeoutError:
        found = output.Finished(0, b"gave up\n")
    # It writes nothing before its answer, so an answer counts where the status was lost.
    if found.status or (found.status is None and not found.stdout):
        raise PinentryFailed(
            f"osascript failed with status {found.status}",
            "install pinentry-mac, or use a terminal",
        )
    if found.stdout.startswith(b"cancelled"):
        check_code(assuan.CANCELED, "osascript", patience)
    if not found.stdout.startswith(b"="):
        check_code(assuan.TIMEOUT, "osascript", patience)
    return found.stdout[1:].removesuffix(b"\n")


def ask_notebook(text: str) -> bytes:
    """Ask with the notebook's own password input, which blocks until there is an answer."""
    try:
        return str(notebook_kernel().getpass(escape(text, keep="\n"))).encode()
    except (KeyboardInterrupt, EOFError):
        raise Cancelled("cancelled at the prompt", "nothing was done") from None
    except Exception:
        pass
    raise NoPinentry(
        "this notebook can't ask for a password", "run the cell in a notebook that you can type in"
    )
