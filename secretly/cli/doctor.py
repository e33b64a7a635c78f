"""``secretly doctor``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from ..processes.hardening import hardening
from ..reference import without_secrets
from ..text import Environ, escape
from . import checks
from .as_json import add_json, print_json
from .console import drive, user_context

EXAMPLE = "example:\n  secretly doctor\n"

#: What a finding says of the main job, as JSON has it.
_STATES = {True: "ok", False: "wrong", None: "info"}


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    verb.add_argument(
        "--plaintext",
        action="store_true",
        help="find secrets in plain files and in exported variables; show no value",
    )
    add_json(verb)


def execute(options: Namespace) -> int:
    """Print what was found; 1 if something that is needed doesn't work, or lies in plain text."""
    if options.plaintext:
        return _plaintext(options.json)
    lines = drive(checks.examine(Environ(os.environ)))
    good = all(line.good is not False for line in lines)
    if options.json:
        print_json(good=good, checks=_objects(lines))
        return 0 if good else 1
    for line in lines:
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
    return 0 if good else 1


def _objects(lines: Iterable[checks.Line]) -> list[dict[str, object]]:
    """The findings; a line that is indented says more about the one before it."""
    found: list[dict[str, object]] = []
    details: list[str] = []
    for good, text in lines:
        if text.startswith("  ") and found:
            details.append(text.strip())
            continue
        about, _, said = text.partition(": ")
        details = []
        found.append({"about": about, "state": _STATES[good], "text": said, "details": details})
    return found


def _plaintext(json: bool) -> int:
    """Print each secret that lies in plain text, and how to move it; 1 if there are any."""
    from ..plaintext.surveying import survey

    hardening.apply()
    context = user_context()
    found = [
        (left.place, without_secrets(left.what), without_secrets(left.advice))
        for left in survey(context.environ, context.configuration)
    ]
    if json:
        names = ("place", "what", "advice")
        print_json(good=not found, found=[dict(zip(names, one, strict=True)) for one in found])
        return 1 if found else 0
    for place, what, advice in found:
        print(f"!!  {place}  {escape(what)}")
        print(f"      {escape(advice)}")
    if not found:
        print("ok  no secrets in the usual plain files, nor in exported variables")
    return 1 if found else 0
