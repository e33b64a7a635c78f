"""Sandboxes that keep this process from the keychain and from every window."""

from __future__ import annotations

import errno
from collections.abc import Mapping

__all__ = ["SANDBOXED", "blocks_sockets", "is_sandboxed"]

#: What happened and what to do, for errors in such a sandbox.
SANDBOXED = (
    "secretly runs in the agent's sandbox, and can reach neither the keychain nor a window",
    "let this command run outside the sandbox (Claude Code: excludedCommands; Codex: approve "
    "the command)",
)

#: A path that doesn't exist: without a sandbox, to connect to it says so.
_NOWHERE = "/nonexistent/secretly"


def is_sandboxed(environ: Mapping[str, str]) -> bool:
    """Whether an agent's sandbox is known to be around this process."""
    marked = environ.get("SANDBOX_RUNTIME") or any(
        value for name, value in environ.items() if name.startswith("CODEX_SANDBOX")
    )
    return bool(marked) or blocks_sockets()


def blocks_sockets() -> bool:
    """Whether this process may make no local connection.

    A filter of system calls answers EPERM to all of them, whatever the path (seccomp(2)). The
    keychain, a screen and gpg-agent are reached by such connections.
    """
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
            trying.setblocking(False)
            wrong: int | None = trying.connect_ex(_NOWHERE)
    except OSError as error:
        wrong = error.errno
    return wrong == errno.EPERM
