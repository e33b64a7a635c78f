"""The verbs of the command: a row here, and a module of that name.

A verb's module has ``EXAMPLE``, the end of its help; ``add_arguments``, which gives its
parser its arguments; and ``execute``, which returns the exit status.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

#: What each verb does, in the order of the help.
VERBS = {
    "run": "run a command with secrets in its environment",
    "set": "store a secret in the keychain",
    "get": "print a secret",
    "import": "move secrets from plain files to the keychain",
    "forget": "delete a secret from the keychain",
    "seal": "encrypt a stored secret, so that only your passphrase opens it",
    "unseal": "store a sealed secret without its seal",
    "identity": "make, back up or change what opens sealed secrets",
    "list": "list the secrets that are stored or configured",
    "log": "show which program got which secret, and when",
    "token": "show what a PyPI token allows, or make a weaker one",
    "shim": "make shims, small programs that run a command with a profile",
    "lock": "forget all remembered secrets",
    "check": "check that the secrets of an env file are there",
    "doctor": "check the setup",
    "demo": "show an upload with a practice token, on this computer only",
    "completion": "print the completion script of a shell",
    "help": "show the help of a verb",
}

#: Other programs' words for verbs. The help doesn't list them.
ALIASES = {"delete": "forget", "rm": "forget", "unset": "forget", "exec": "run"}


def carry_out(name: str, arguments: Sequence[str]) -> int:
    """Carry out a verb, and return the exit status."""
    if name == "run":
        from .run import run  # without argparse: it would take as long to load as all of the rest

        return run(VERBS[name], arguments)
    from . import parsing

    verb = parsing.load(name)
    try:
        options = parsing.reader_of(name, VERBS[name]).parse_args(arguments)
    except SystemExit:  # it printed a help
        return 0
    # A verb with verbs of its own has set theirs.
    execute: Callable[[Namespace], int] = getattr(options, "execute", None) or verb.execute
    return execute(options)
