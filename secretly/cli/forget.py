"""``secretly forget``: delete a secret."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..errors import NotFound
from ..reference import parse_name
from ..resolving.storing import forget_secret
from ..text import escape
from .console import UsageError, drive, user_context
from .stored import add_reference

EXAMPLE = "example:\n  secretly forget PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the arguments of ``forget``."""
    add_reference(verb, "the name of the secret, such as PyPI")
    verb.add_argument("--username", metavar="U", help="delete only this user's secret")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name, username = parse_name(options.reference), options.username
    if username == "":
        raise UsageError("--username is empty", "omit --username to forget the name for all users")
    context = user_context()
    count = drive(forget_secret(name, username, context))
    called = escape(name) + (f" of the user {escape(username)}" if username else "")
    if not count:
        from ..resolving.similar import did_you_mean

        stored = context.stored_names.read().names
        question = did_you_mean(name, stored, context.configuration)
        hint = f"{question} Show all: secretly list" if question else "show all: secretly list"
        raise NotFound(f"no secret {called} in the keychain", hint)
    print(f"forgot {called}" + (f" ({count} items)" if count > 1 else ""))
    return 0
