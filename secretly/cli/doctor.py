"""``secretly doctor``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from ..redacted import Environ
from ..reference import without_secrets
from ..text import escape
from . import checks
from .console import drive, hardening, user_context

EXAMPLE = "example:\n  secretly doctor\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Let the parser take this verb's arguments."""
    verb.add_argument(
        "--plaintext",
        action="store_true",
        help="find secrets in plain files and in exported variables; show no value",
    )


def execute(options: Namespace) -> int:
    """Print what was found; 1 if something that is needed doesn't work, or lies in plain text."""
    if options.plaintext:
        return _plaintext()
    good = True
    for line in drive(checks.examine(Environ(os.environ))):
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
        good = good and line.good is not False
    return 0 if good else 1


def _plaintext() -> int:
    """Print each secret that lies in plain text, and how to move it; 1 if there are any."""
    from ..plaintext.surveying import survey

    hardening.apply()
    context = user_context()
    found = False
    for left in survey(context.environ, context.configuration):
        found = True
        print(f"!!  {left.place}  {escape(without_secrets(left.what))}")
        print(f"      {escape(without_secrets(left.advice))}")
    if not found:
        print("ok  no secrets in the usual plain files, nor in exported variables")
    return 1 if found else 0
