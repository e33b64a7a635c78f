"""``secretly set``: store a secret in the keychain."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ..asking import wording
from ..config.model import Entry
from ..errors import NotFound, Refused
from ..redacted import READ_LIMIT, NotASecret, Secret, to_secret
from ..reference import Reference, parse_name
from ..resolving.candidates import username_for
from ..resolving.checking import validate_token
from ..resolving.obtain import obtain
from ..resolving.request import Context, SecretRequest
from ..resolving.storing import store_secret
from ..text import escape
from .console import drive, hardening, say, user_context
from .stored import add_reference

EXAMPLE = "example:\n  secretly set PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb)
    verb.add_argument("--username", metavar="U", help="the user name that goes with it")
    verb.add_argument("--stdin", action="store_true", help="read it from standard input")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name, context = parse_name(options.reference), user_context()
    entry = context.configuration.entry(name)
    if entry.source is not None:
        raise Refused(
            f"{escape(name)} is configured to come from {escape(str(entry.source))}",
            "change it there, or remove its source from the configuration",
        )
    username, note = username_for(options.username or None, entry), _note(name, context)
    if note:
        say(note)
    if options.stdin:
        drive(store_secret(name, _piped(entry), username, context))
    else:
        if context.no_input:
            raise NotFound("can't ask you for it: prompts are switched off", "use --stdin")

        async def ask_and_store() -> None:
            typed = await _ask(name, entry, context, note)
            await store_secret(name, typed, username, context)

        drive(ask_and_store())
    print(f"stored {escape(name)} in the keychain")
    return 0


def _note(name: str, context: Context) -> str:
    """What to say about a name that is near another; empty if none is."""
    from ..resolving.similar import configured_names, did_you_mean, similar_names

    if name in configured_names(context.configuration):
        return ""
    stored = context.stored_names.read().names
    question = did_you_mean(similar_names(name, stored, context.configuration))
    return wording.no_such_name(escape(name), question) if question else ""


async def _ask(name: str, entry: Entry, context: Context, note: str) -> Secret:
    await context.keychain.describe()  # fail before the user types
    request = SecretRequest(
        Reference("", name),
        purpose="\n\n".join(filter(None, (wording.SET_PURPOSE, note))),
        ignore_stored=True,
        remember=False,
        repeat=not entry.prefix,
    )
    return (await obtain(request, context)).secret


def _piped(entry: Entry) -> Secret:
    value, wrong = validate_token(entry, _read_stdin())
    if wrong:
        raise Refused(
            f"nothing was stored: {wrong[0].lower()}{wrong[1:]}", "check what you pipe in"
        )
    return value


def _read_stdin() -> Secret:
    """All of standard input, without one newline at its end."""
    if sys.stdin is None:
        raise Refused("standard input is closed", "pipe the secret in, or omit --stdin")
    hardening.apply()
    try:
        return to_secret(sys.stdin.buffer.read(READ_LIMIT + 1), line_ends=("\r\n", "\n"))
    except NotASecret as error:
        raise Refused(f"standard input {error}", "a secret is a short text") from None
