"""``secretly identity``: what opens your sealed secrets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..keeping.identity import IdentityFiles
from ..resolving.converting import change_passphrase, create_identity, replace_identity
from ..text import escape
from .console import drive, say, user_context
from .reporting import complain

EXAMPLE = """examples:
  secretly identity create
  secretly identity export > identity.age
"""

#: What to do after an identity was made or changed.
BACKUP = "make a backup, and keep it elsewhere: secretly identity export > identity.age"


def _create(options: Namespace) -> int:
    recipient = drive(create_identity(user_context()))
    print(f"your identity is ready: {recipient}")
    say(BACKUP)
    return 0


def _export(options: Namespace) -> int:
    files = IdentityFiles.of(user_context().environ)
    print(files.recipient() if options.recipient else files.read().rstrip("\n"))
    return 0


def _passphrase(options: Namespace) -> int:
    drive(change_passphrase(user_context()))
    print("your identity has the new passphrase")
    say(f"an old backup opens with the old one; {BACKUP}")
    return 0


def _replace(options: Namespace) -> int:
    done = drive(replace_identity(user_context()))
    for error in done.failed:
        complain(error)
    print(f"sealed for the new identity: {', '.join(map(escape, done.sealed)) or 'nothing'}")
    if done.old:
        say(f"the old identity, which opens old backups, is in {escape(done.old)}")
    if done.failed:
        say("the old identity still opens the others: fix or forget them, and run this again")
        return 1
    say(BACKUP)
    return 0


#: Each verb, with its help, its description and what carries it out.
_VERBS = (
    (
        "create",
        "make the identity",
        "Make the identity that opens your sealed secrets, and choose its passphrase.",
        _create,
    ),
    (
        "export",
        "print the identity, locked with your passphrase, for a backup",
        "Print the identity, an age file that your passphrase opens, for a backup.",
        _export,
    ),
    (
        "passphrase",
        "change its passphrase",
        "Give the identity another passphrase. Sealed secrets stay as they are.",
        _passphrase,
    ),
    (
        "replace",
        "make a new identity, and seal all sealed secrets for it",
        "Make a new identity, and seal all sealed secrets for it. Interrupted? Run it again.",
        _replace,
    ),
)


def add_arguments(verb: ArgumentParser) -> None:
    """Add the four verbs to the parser."""
    verbs = verb.add_subparsers(metavar="VERB", parser_class=type(verb), required=True)
    for name, about, text, execute in _VERBS:
        one = verbs.add_parser(
            name,
            help=about,
            description=text,
            epilog=f"example:\n  secretly identity {name}\n",
        )
        if name == "export":
            one.add_argument(
                "--recipient",
                action="store_true",
                help="print the recipient, which age -r takes, in place of the identity",
            )
        one.set_defaults(execute=execute)
