"""``secretly set``: store a secret in the keychain."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from ..asking import wording
from ..config.model import Entry
from ..errors import BadToken, Cancelled, NotFound, Refused
from ..processes.hardening import hardening
from ..redacted import NotASecret, Secret, to_secret
from ..reference import parse_name
from ..resolving.candidates import username_for
from ..resolving.checking import validate_token
from ..resolving.request import Context
from ..resolving.storing import other_usernames, replace_secret, seals
from ..text import READ_LIMIT, escape
from .console import UsageError, drive, say, user_context
from .stored import add_env_files, add_reference
from .storing import ask_for, confirm_replacing

EXAMPLE = "example:\n  secretly set PyPI\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    add_reference(verb, "the name of the secret, such as PyPI", optional=True)
    verb.add_argument("--username", metavar="U", help="the user name of the secret")
    verb.add_argument("--stdin", action="store_true", help="read the secret from standard input")
    verb.add_argument(
        "--replace",
        action="store_true",
        help="replace the secret of another user name without asking",
    )
    verb.add_argument(
        "--sealed",
        action="store_true",
        default=None,
        help="store an encrypted file, which only your passphrase opens",
    )
    verb.add_argument("--no-input", action="store_true", help="never ask: fail instead")
    verb.add_argument(
        "--missing",
        action="store_true",
        help="ask for the secrets that an env file names and the keychain lacks",
    )
    add_env_files(verb, "with --missing: the .env file (repeatable)")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    _check_words(options)
    context = user_context(no_input=options.no_input)
    if options.missing:
        from .missing import store_missing

        return store_missing(options.env_file, options.literal, context, options.replace)
    return _store(parse_name(options.reference), options, context)


def _check_words(options: Namespace) -> None:
    """Refuse options that don't go together.

    :raises UsageError: for such a call.
    """
    of_missing = (*options.env_file, *options.literal)
    if not options.missing:
        if of_missing:
            raise UsageError("-f and --literal are for --missing", "secretly set --missing -f .env")
        if options.reference is None:
            raise UsageError("no name given", "secretly set NAME, or set --missing -f .env")
    elif not options.env_file:
        raise UsageError("--missing needs an env file", "secretly set --missing -f .env")
    elif options.sealed:
        raise UsageError(
            "--missing seals what the configuration seals: no --sealed",
            "set sealed = true for the name in the configuration",
        )
    elif options.reference is not None or options.stdin or options.username is not None:
        raise UsageError(
            "--missing takes its names from the env file: no NAME, --username and --stdin",
            "secretly set --missing -f .env",
        )


def _store(name: str, options: Namespace, context: Context) -> int:
    """Store a secret; return the exit status."""
    entry = context.configuration.entry(name)
    if entry.source is not None:
        raise Refused(
            f"{escape(name)} is configured to come from {escape(str(entry.source))}",
            "change it there, or remove its source from the configuration",
        )
    username, note = username_for(options.username or None, entry), _note(name, context)
    if note:
        say(note)
    purpose = "\n\n".join(filter(None, (wording.set_purpose(escape(name)), note)))
    piped = _piped(entry) if options.stdin else None
    if piped is None and context.no_input:
        raise NotFound(f"can't ask you for {escape(name)}: prompts are switched off", "use --stdin")

    notes: list[str] = []
    sealed = options.sealed or seals(entry, context)

    async def store() -> list[str]:
        if piped is None:
            await context.keychain.describe()  # fail before the user types
        notes.extend(await _ready_to_seal(context) if sealed else ())
        others = await other_usernames(entry, username, context)
        if others and not options.replace:
            await confirm_replacing(name, username, others, context, piped is None)
        value = await ask_for(name, context, purpose) if piped is None else piped
        notes.extend(_of_another_index(name, value))
        return await replace_secret(entry, value, username, context, sealed=sealed)

    try:
        replaced = wording.users(drive(store()))
    except Cancelled as error:
        error.hint = "nothing was stored"
        raise
    print(f"stored {escape(name)} in the keychain{', sealed' if sealed else ''}", end="")
    print(f", and deleted what was stored for {escape(replaced)}" if replaced else "")
    for line in notes:
        say(line)
    return 0


async def _ready_to_seal(context: Context) -> list[str]:
    """Make the identity before the first sealed secret is typed; return what to say then."""
    from ..resolving.converting import ensure_identity
    from .identity import BACKUP

    return [BACKUP] if await ensure_identity(context) else []


def _of_another_index(name: str, value: Secret) -> Iterator[str]:
    """What to say about a token of TestPyPI's that is stored as PyPI's, or the other way around."""
    if name not in ("PyPI", "TestPyPI"):
        return
    from ..publishing import pypi_token

    with contextlib.suppress(BadToken):
        made = pypi_token.token_scope(value).location
        if made.startswith("test.") != (name == "TestPyPI"):
            other = "PyPI" if name == "TestPyPI" else "TestPyPI"
            yield (
                f"this token was made by {escape(made)}, so it can't be used for uploads to "
                f"{name}. Run: secretly set {other}"
            )


def _note(name: str, context: Context) -> str:
    """What to say about a name that is near another; empty if none is."""
    from ..resolving.similar import configured_names, did_you_mean

    if name in configured_names(context.configuration):
        return ""
    stored = context.stored_names.read().names
    question = did_you_mean(name, stored, context.configuration)
    return wording.no_such_name(escape(name), question) if question else ""


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
