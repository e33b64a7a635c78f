"""``secretly seal``: encrypt a stored secret, so that your passphrase alone opens it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..reference import parse_name
from ..resolving.converting import seal_stored
from ..text import escape
from .console import drive, user_context
from .stored import add_reference

EXAMPLE = "example:\n  secretly seal PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb, "the name of the secret, such as PyPI")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name = parse_name(options.reference)
    done = drive(seal_stored(name, user_context()))
    print(f"sealed {escape(name)}" if done else f"{escape(name)} is sealed already")
    return 0
