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
    name = parse_name(options.reference)
    if not drive(forget_secret(name, None, user_context())):
        raise NotFound(f"no secret {escape(name)} in the keychain", "show all: secretly list")
    print(f"forgot {escape(name)}")
    return 0
