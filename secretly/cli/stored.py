"""Arguments, look-ups and output of the verbs for stored secrets."""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from ..redacted import Secret
from ..reference import parse
from ..resolving.caller import refuse_to_print
from ..resolving.candidates import ResolvedSecret
from ..resolving.obtain import obtain_stored
from ..resolving.request import SecretRequest
from .console import drive, user_context

#: What a reference may be, as the help says it.
REFERENCE = "NAME, NAME#field or scheme://path"


def add_reference(verb: ArgumentParser, about: str = REFERENCE, *, optional: bool = False) -> None:
    """Let a verb take the reference of a secret.

    :param about: its help.
    """
    number = "?" if optional else None
    verb.add_argument("reference", metavar="REFERENCE", nargs=number, help=about)


def add_env_files(verb: ArgumentParser, about: str, *, required: bool = False) -> None:
    """Let a verb take env files as ``run`` does, and the variables whose text is not a reference.

    :param about: the help of the option for the file.
    """
    verb.add_argument(
        "-f",
        "--env-file",
        action="append",
        default=[],
        metavar="FILE",
        required=required,
        help=about,
    )
    verb.add_argument(
        "--literal",
        action="append",
        default=[],
        metavar="VARIABLE",
        help="don't read VARIABLE's value as a reference (repeatable)",
    )


def stored_secret(
    reference: str,
    purpose: str,
    confirm: bool = True,
    reason: str | None = None,
    prints: bool = False,
) -> ResolvedSecret:
    """Return a stored secret.

    :param purpose: what it is for, as the prompt shows it.
    :param confirm: whether the user confirms its use, if that is configured.
    :param reason: why the caller wants it; None: as the environment says.
    :param prints: whether it is printed whole.
    """
    context = user_context()
    if reason is not None:
        context = context._replace(reason=reason)
    if prints:
        refuse_to_print(context, sys.stdout.isatty())
    request = SecretRequest(parse(reference, context.environ), purpose=purpose)
    return drive(obtain_stored(request, context, confirm))


def print_secret(secret: Secret, bare: bool) -> None:
    """Print a secret.

    :param bare: without a newline after it.
    """
    printed = f"{secret}{'' if bare else chr(10)}"
    sys.stdout.buffer.write(printed.encode("utf-8", "surrogateescape"))
