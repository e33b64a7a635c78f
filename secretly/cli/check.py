"""``secretly check``: whether the secrets of an env file are there."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ..resolving.candidates import KEYCHAIN
from ..text import escape, format_command
from . import references
from .as_json import add_json, print_json
from .console import drive, say, user_context
from .references import MISSING, THERE, Verdict, Wanted
from .stored import add_env_files

EXAMPLE = "examples:\n  secretly check -f .env\n  secretly check -f .env --deep\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_env_files(verb, "the .env file (repeatable)", required=True)
    verb.add_argument(
        "--deep",
        action="store_true",
        help="look each secret up, also in the keychain and in password managers",
    )
    verb.add_argument("--no-input", action="store_true", help="never ask: fail instead")
    add_json(verb)


def execute(options: Namespace) -> int:
    """Print what was found; 1 if a secret is missing."""
    context = user_context(no_input=options.no_input)
    wanted = references.read_wanted(options.env_file, options.literal, context.environ)
    findings = drive(references.examine(wanted, context, options.deep))
    good = all(one.state != MISSING for one in findings)
    if options.json:
        found = [_object(*pair) for pair in zip(wanted, findings, strict=True)]
        print_json(good=good, references=found)
    else:
        _print(wanted, findings, options.env_file)
    return 0 if good else 1


def _object(wanted: Wanted, finding: Verdict) -> dict[str, object]:
    reference = str(wanted.request.reference)
    return {"variable": wanted.variable, "reference": reference, **finding._asdict()}


def _print(wanted: Sequence[Wanted], findings: Sequence[Verdict], paths: Sequence[str]) -> None:
    if not wanted:
        say(f"no references in {escape(' and '.join(paths))}")
    for one, finding in zip(wanted, findings, strict=True):
        mark = {THERE: "ok", MISSING: "!!"}.get(finding.state, "  ")
        print(f"{mark}  {escape(one.variable)}: {finding.text}")
        if finding.hint:
            print(f"      {finding.hint}")
    if any(one.state == MISSING and one.origin == KEYCHAIN for one in findings):
        files = [word for path in paths for word in ("-f", path)]
        call = format_command(["secretly", "set", "--missing", *files])
        print(f"    to store what is missing: {call}")
