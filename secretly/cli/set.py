"""``secretly set``: store a secret in the keychain."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ..asking import prompting, questions, wording
from ..config.model import Entry
from ..errors import Cancelled, NotFound, Refused
from ..redacted import READ_LIMIT, NotASecret, Secret, to_secret
from ..reference import Reference, parse_name
from ..resolving.candidates import Username, username_for
from ..resolving.checking import validate_token
from ..resolving.obtain import obtain
from ..resolving.request import PROMPT_TIMEOUT, Context, SecretRequest
from ..resolving.storing import other_usernames, replace_secret
from ..text import escape, shell_quote
from .console import drive, hardening, say, user_context
from .stored import add_reference

EXAMPLE = "example:\n  secretly set PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb, "the name of the secret, such as PyPI")
    verb.add_argument("--username", metavar="U", help="the user name of the secret")
    verb.add_argument("--stdin", action="store_true", help="read the secret from standard input")
    verb.add_argument(
        "--replace",
        action="store_true",
        help="replace the secret of another user name without asking",
    )
    verb.add_argument("--no-input", action="store_true", help="never ask: fail instead")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    name, context = parse_name(options.reference), user_context(no_input=options.no_input)
    entry = context.configuration.entry(name)
    if entry.source is not None:
        raise Refused(
            f"{escape(name)} is configured to come from {escape(str(entry.source))}",
            "change it there, or remove its source from the configuration",
        )
    username, note = username_for(options.username or None, entry), _note(name, context)
    if note:
        say(note)
    piped = _piped(entry) if options.stdin else None
    if piped is None and context.no_input:
        raise NotFound(f"can't ask you for {escape(name)}: prompts are switched off", "use --stdin")

    async def store() -> list[str]:
        if piped is None:
            await context.keychain.describe()  # fail before the user types
        others = await other_usernames(name, username, context)
        if others and not options.replace:
            await _confirm_replacing(name, username, others, context, piped is None)
        value = await _ask(name, entry, context, note) if piped is None else piped
        return await replace_secret(name, value, username, context)

    try:
        replaced = wording.users(drive(store()))
    except Cancelled as error:
        error.hint = "nothing was stored"
        raise
    print(f"stored {escape(name)} in the keychain", end="")
    print(f", and deleted what was stored for {escape(replaced)}" if replaced else "")
    return 0


def _note(name: str, context: Context) -> str:
    """What to say about a name that is near another; empty if none is."""
    from ..resolving.similar import configured_names, did_you_mean

    if name in configured_names(context.configuration):
        return ""
    stored = context.stored_names.read().names
    question = did_you_mean(name, stored, context.configuration)
    return wording.no_such_name(escape(name), question) if question else ""


async def _confirm_replacing(
    name: str, username: Username, others: Sequence[str], context: Context, may_ask: bool
) -> None:
    """Have the user confirm that what is stored under other user names is deleted.

    :raises Refused: if secretly must not ask.
    :raises NotConfirmed: if the user answers No.
    """
    if not may_ask:
        keep = f"secretly set {shell_quote(name)} --username {shell_quote(others[0])} --stdin"
        raise Refused(
            f"{escape(name)} is stored for {escape(wording.users(others))}, not for"
            f" {escape(wording.users([username.name]))}",
            f"to replace it, add --replace; to change it: {keep}",
        )
    text = wording.replace_question(escape(name), escape(username.name), [*map(escape, others)])
    question = questions.Prompt(wording.TITLE, text, "", whole=True)
    pinentry = context.configuration.pinentry
    await prompting.confirm(question, PROMPT_TIMEOUT, context.environ, pinentry)


async def _ask(name: str, entry: Entry, context: Context, note: str) -> Secret:
    request = SecretRequest(
        Reference("", name),
        purpose="\n\n".join(filter(None, (wording.set_purpose(escape(name)), note))),
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
    """All of standard input, without one line end at its end."""
    if sys.stdin is None:
        raise Refused("standard input is closed", "pipe the secret in, or omit --stdin")
    hardening.apply()
    try:
        return to_secret(sys.stdin.buffer.read(READ_LIMIT + 1), trim=True)
    except NotASecret as error:
        raise Refused(f"standard input {error}", "a secret is a short text") from None
