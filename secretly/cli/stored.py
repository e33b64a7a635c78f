"""What the verbs for stored secrets share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from ..redacted import Secret
from ..reference import parse
from ..resolving.candidates import ResolvedSecret
from ..resolving.obtain import obtain_stored
from ..resolving.request import SecretRequest
from .console import drive, user_context

#: What a reference may be, as the help says it.
REFERENCE = "NAME, NAME#field or scheme://path"


def add_reference(verb: ArgumentParser, about: str = REFERENCE) -> None:
    """Let a verb take the reference of a secret.

    :param about: its help.
    """
    verb.add_argument("reference", metavar="REFERENCE", help=about)


def stored_secret(reference: str, purpose: str, confirm: bool = True) -> ResolvedSecret:
    """Return a stored secret.

    :param purpose: what it is for, as the prompt shows it.
    :param confirm: whether the user confirms its use, if that is configured.
    """
    context = user_context()
    request = SecretRequest(parse(reference, context.environ), purpose=purpose)
    return drive(obtain_stored(request, context, confirm))


def print_secret(secret: Secret, bare: bool) -> None:
    """Print a secret.

    :param bare: without a newline after it.
    """
    printed = f"{secret}{'' if bare else chr(10)}"
    sys.stdout.buffer.write(printed.encode("utf-8", "surrogateescape"))
