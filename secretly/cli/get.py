"""``secretly get``: print a secret."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..asking import wording
from ..text import escape
from .noting_prints import Printing
from .stored import add_reference, print_secret, stored_secret

EXAMPLE = "example:\n  secretly get PyPI | pbcopy\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb)
    verb.add_argument(
        "-n", dest="bare", action="store_true", help="print no newline after the secret"
    )
    verb.add_argument(
        "--reason", metavar="TEXT", help="say why, in the dialog (or SECRETLY_REASON)"
    )


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    purpose = wording.get_purpose(escape(options.reference))
    with Printing("get", options.reference, options.reason) as printing:
        found = stored_secret(options.reference, purpose, reason=options.reason, prints=True)
        printing.handed_over(found)
    print_secret(found.secret, options.bare)
    return 0
