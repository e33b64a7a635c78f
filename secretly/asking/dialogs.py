"""Asking without a pinentry: macOS's own dialog and a notebook's input."""

from __future__ import annotations

import math
import os

from ..errors import Cancelled, NoPinentry, PinentryFailed
from ..processes import output
from ..text import escape
from . import assuan
from .choosing import PromptMethod, notebook_kernel
from .questions import Prompt, check_code


async def ask_osascript(way: PromptMethod, prompt: Prompt, seconds: float, how: str = "") -> bytes:
    """macOS's own dialog. The texts are arguments, not parts of the script."""
    hidden = how or 'default answer "" with hidden answer'
    dialog = (
        f"display dialog (item 2 of argv) with title (item 1 of argv) {hidden} "
        f"giving up after {math.ceil(seconds)}"
    )
    result = "button returned" if how else "text returned"
    script = ["on run argv", "try", f"set found to {dialog}"]
    script += ["on error number -128", 'return "cancelled"', "end try"]
    script += ['if gave up of found then return "gave up"', f'return "=" & {result} of found']
    command = [os.fspath(way.program or "osascript")]
    for line in (*script, "end run"):
        command += ["-e", line]
    text = "\n\n".join(filter(None, (prompt.error, prompt.description, prompt.prompt)))
    command += [escape(prompt.title), escape(text, keep="\n")]
    try:
        found = await output.output(command, seconds=seconds + 5, environ=os.environ)
    except OSError:
        raise PinentryFailed("osascript cannot be started", "install pinentry-mac") from None
    except TimeoutError:
        found = output.Finished(0, b"gave up\n")
    if found.status:
        raise PinentryFailed(
            f"osascript failed with status {found.status}",
            "install pinentry-mac, or use a terminal",
        )
    if found.stdout.startswith(b"cancelled"):
        check_code(assuan.CANCELED, "osascript", seconds)
    if not found.stdout.startswith(b"="):
        check_code(assuan.TIMEOUT, "osascript", seconds)
    return found.stdout[1:].removesuffix(b"\n")


def ask_notebook(text: str) -> bytes:
    """The notebook's own password input, which is asked for in place."""
    try:
        return str(notebook_kernel().getpass(escape(text, keep="\n"))).encode()
    except (KeyboardInterrupt, EOFError):
        raise Cancelled("cancelled at the prompt", "nothing was done") from None
    except Exception:
        pass
    raise NoPinentry(
        "this notebook cannot ask for a password", "run it where a person can be asked"
    )
