"""``secretly unseal``: store a sealed secret without its seal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..reference import parse_name
from ..resolving.converting import unseal_stored
from ..text import escape
from .console import drive, user_context
from .stored import add_reference

EXAMPLE = "example:\n  secretly unseal PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb, "the name of the secret, such as PyPI")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name = parse_name(options.reference)
    done = drive(unseal_stored(name, user_context()))
    print(f"unsealed {escape(name)}" if done else f"{escape(name)} is not sealed")
    return 0
