"""``secretly import``: move secrets from plain files to the keychain."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ..asking import prompting, questions, wording
from ..errors import BadReference, NotConfirmed, Refused
from ..plaintext import guarding, replacing, storing
from ..plaintext.finding import FileKind, Finding, cut_out
from ..plaintext.kinds.tokens import token_file
from ..plaintext.lines import NoParse
from ..plaintext.reading import Searched, search
from ..plaintext.surveying import kind_of, movable_files, places_of, readers_of, short
from ..processes.hardening import hardening
from ..reference import parse_name, without_secrets
from ..resolving.request import PROMPT_TIMEOUT, Context
from ..text import escape
from .console import UsageError, drive, user_context
from .reporting import complain

EXAMPLE = "example:\n  secretly import ~/.pypirc\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    verb.add_argument("files", metavar="FILE", nargs="*", help="a file (default: the usual files)")
    verb.add_argument("--as", metavar="NAME", dest="name", help="the name of a bare token's file")
    verb.add_argument("--dry-run", action="store_true", help="show what would be done")
    verb.add_argument("--keep-file", action="store_true", help="store, and leave the file alone")
    verb.add_argument("--tracked", action="store_true", help="also files under version control")
    verb.add_argument("--linked", action="store_true", help="also files with several hard links")
    verb.add_argument("--yes", action="store_true", help="don't ask before each file")
    verb.add_argument("--no-input", action="store_true", help="never ask: fail instead")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    if options.name is not None and len(options.files) != 1:
        raise UsageError("--as names the secret of one file", "secretly import FILE --as NAME")
    hardening.apply()
    context = user_context(no_input=options.no_input)
    if options.files:
        files = [(path, _kind(path, options.name, context)) for path in options.files]
    else:
        files = movable_files(context.environ, context.configuration)
    if not files:
        print("no secrets in the usual plain files that secretly can move")
        print("  see what else lies in plain text: secretly doctor --plaintext")
        return 0
    return drive(_all(files, options, context))


def _kind(path: str, name: str | None, context: Context) -> FileKind:
    if name is not None:
        return token_file(parse_name(name))
    kind = kind_of(path, context.environ, context.configuration) if os.path.exists(path) else None
    if kind is None and os.path.isfile(path):
        raise UsageError(
            f"secretly doesn't know what kind of file {escape(path)} is",
            "if it holds one token and nothing else, name that: --as NAME",
        )
    if kind is None:
        raise UsageError(f"{escape(path)} is not a file", "check its name")
    return kind


async def _all(files: Sequence[tuple[str, FileKind]], options: Namespace, context: Context) -> int:
    """Import each file, whole or not at all; a failure doesn't keep the others from it."""
    status = 0
    for path, kind in files:
        try:
            searched = search(path, kind, context.environ, context.configuration)
            status = max(status, await _import(searched, options, context))
        except NotConfirmed:
            print(f"left {short(path, context.environ)} as it is")
            status = 130
        except (Refused, BadReference) as error:  # it is about this file; others end all
            print(end="", flush=True)  # in a pipe, the list would come after the error
            complain(error)
            status = max(status, 1)
    return status


async def _import(searched: Searched, options: Namespace, context: Context) -> int:
    """Import one file; return the exit status."""
    document, shown = searched.document, short(searched.document.named, context.environ)
    moving = [finding for finding in searched.findings if finding.movable]
    if not searched.findings and searched.kind.whole:
        raise Refused(f"{shown} is not one token and nothing else", "store it: secretly set NAME")
    if not searched.findings:
        print(f"{shown}: no secrets found")
        return 0
    print(f"{shown}:")
    for finding in searched.findings:
        label = escape(without_secrets(finding.label))
        print(f"  line {finding.line}: {label}{_fate(finding, context)}")
    if not moving:
        return 1
    after = None if options.keep_file else _without(searched, moving)
    if not options.keep_file:
        guarding.check_changeable(
            document.path, context.environ, tracked=options.tracked, linked=options.linked
        )
    if options.dry_run:
        print("  nothing was done: --dry-run")
    else:
        if not options.yes:
            await _confirm(searched, moving, shown, options.keep_file, context)
        await _move(searched, moving, after, context)
    _follow_up(searched, moving, options.keep_file, context)
    return 0 if len(moving) == len(searched.findings) else 1


def _fate(finding: Finding, context: Context) -> str:
    if not finding.movable:
        return f" stays: {escape(finding.problem)}"
    username = storing.stored_username(finding, context)
    user = f", for {escape(wording.users([username.name]))}" if username.is_own else ""
    return f" -> {escape(finding.name)}{user}"


def _without(searched: Searched, moving: Sequence[Finding]) -> bytes:
    """The bytes of the file without its secrets; none if the file itself goes.

    :raises Refused: if a program that reads the file would see any other difference.
    """
    parse, why = searched.kind.parse, ""
    if searched.kind.whole or parse is None:
        return b""
    try:
        return cut_out(searched.document.data, moving, parse)
    except NoParse as error:
        why = str(error)
    raise Refused(
        f"can't take the secret out of {escape(searched.document.named)} alone: {why}",
        "store it with 'secretly import --keep-file', then edit the file",
    )


async def _confirm(
    searched: Searched, moving: Sequence[Finding], shown: str, keep: bool, context: Context
) -> None:
    """Have the user confirm what happens to a file.

    :raises NotConfirmed: if the user answers No.
    """
    if context.no_input:
        raise Refused("can't ask you: prompts are switched off", "use --yes")
    names = [escape(finding.name) for finding in moving]
    what = "" if keep else "deletes" if searched.kind.whole else "takes out of"
    question = questions.Prompt(
        wording.TITLE, wording.import_question(names, what, shown), "", whole=True
    )
    pinentry = context.configuration.pinentry
    await prompting.confirm(question, PROMPT_TIMEOUT, context.environ, pinentry, tell=context.note)


async def _move(
    searched: Searched, moving: Sequence[Finding], after: bytes | None, context: Context
) -> None:
    """Store the secrets, read each back, and only then take them out of the file."""
    document = searched.document
    for finding in moving:
        await storing.check_free(finding, context)
    for finding in moving:
        await storing.store(finding, context)
    names = " and ".join(escape(finding.name) for finding in moving)
    print(f"  stored {names} in the keychain")
    if after is None:
        return
    if searched.kind.whole:
        replacing.remove_file(document.path, document.data)
        print("  deleted the file")
    else:
        replacing.replace_file(document.path, document.data, after)
        print("  took it out of the file" if len(moving) == 1 else "  took them out of the file")


def _follow_up(searched: Searched, moving: Sequence[Finding], keep: bool, context: Context) -> None:
    """Say what works now, what else reads the file, and what to revoke."""
    document = searched.document
    for command in dict.fromkeys(finding.command for finding in moving):
        print(f"  from now on: {escape(command)}")
    if not keep:
        for note in dict.fromkeys(note for finding in moving for note in finding.also):
            print(f"  note: {escape(note)}")
        if searched.kind.whole or any(finding.reference for finding in moving):
            for reader in readers_of(document.path, context.environ, context.configuration):
                print(f"  note: {reader} reads this file: change it too")
    for copy in guarding.copies(document.path):
        print(f"  note: {short(copy, context.environ)} may be a copy with the secret: remove it")
    if guarding.was_in_git(document.path, context.environ):
        print("  note: git has this file in its history: revoke the secret")
    for place in places_of(
        {finding.value for finding in moving}, document.path, context.environ, context.configuration
    ):
        print(f"  note: the same secret is in {place}")
    for where in dict.fromkeys(finding.revoke for finding in moving):
        print(f"  revoke the old value, and store a new one: {escape(where)}")
