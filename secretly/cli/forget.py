"""``secretly forget``: delete a secret."""

from __future__ import annotations

from argparse import Namespace

from ..errors import NotFound
from ..reference import parse_name
from ..resolving.storing import forget_secret
from ..text import escape
from .console import drive, user_context
from .stored import add_reference as add_arguments

__all__ = ["EXAMPLE", "add_arguments", "execute"]

EXAMPLE = "example:\n  secretly forget PyPI\n"


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name, context = parse_name(options.reference), user_context()
    if not drive(forget_secret(name, None, context)):
        from ..resolving.similar import did_you_mean, similar_names

        stored = context.stored_names.read().names
        question = did_you_mean(similar_names(name, stored, context.configuration))
        hint = f"{question} Show all: secretly list" if question else "show all: secretly list"
        raise NotFound(f"no secret {escape(name)} in the keychain", hint)
    print(f"forgot {escape(name)}")
    return 0
