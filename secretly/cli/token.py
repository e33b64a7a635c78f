"""``secretly token``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..asking import wording
from ..config import values
from ..errors import Refused
from ..text import escape
from .as_json import add_json, print_json
from .console import UsageError, say
from .noting_prints import Printing
from .stored import add_reference, print_secret, stored_secret

EXAMPLE = """examples:
  secretly token show PyPI
  secretly token narrow PyPI --project demo --expires 15m
"""


def _show(options: Namespace) -> int:
    import time

    from ..publishing import pypi_token

    purpose = wording.show_purpose(escape(options.reference))
    found = stored_secret(options.reference, purpose, confirm=False)
    scope = pypi_token.token_scope(found.secret)
    if options.json:
        print_json(
            name=found.name,
            index=scope.location,
            projects=None if scope.projects is None else sorted(scope.projects),
            not_before=scope.not_before,
            expires=scope.expires,
            further_restrictions=scope.others,
        )
        return 0
    for line in scope.described():
        print(line)
    if scope.expires is not None and scope.expires <= time.time():
        say("this token has expired")
    return 0


def _narrow(options: Namespace) -> int:
    import time

    from ..publishing import archives, pypi_token, release, token_use

    for name in options.project:
        if not archives.is_project_name(name):
            raise UsageError(f"'{escape(name)}' is not a valid project name", "--project demo")
    projects = [archives.normalize_project(name) for name in options.project]
    purpose = wording.narrow_purpose(escape(options.reference))
    with Printing("token narrow", options.reference) as printing:
        found = stored_secret(options.reference, purpose)
        allowed, now = pypi_token.token_scope(found.secret), time.time()
        if lacking := allowed.lacks(projects):
            raise Refused(
                f"the token for {escape(found.name)} is not valid for the project {lacking[0]}",
                "a token can be made weaker, not stronger",
            )
        token_use.refuse_expired(allowed, found.name, now)
        token = pypi_token.narrow(
            found.secret,
            not_before=int(now) - token_use.SKEW,
            expires=int(now + (options.expires or release.LIFETIME)),
            projects=projects or None,
        )
        scope = pypi_token.token_scope(token)
        only = None if scope.projects is None else sorted(scope.projects)
        printing.handed_over(found, only, scope.expires)
    print_secret(token, options.bare)
    return 0


def add_arguments(verb: ArgumentParser) -> None:
    """Add the two verbs to the parser."""
    verbs = verb.add_subparsers(metavar="VERB", parser_class=type(verb), required=True)
    show = verbs.add_parser(
        "show",
        help="show what a token allows, never the token",
        description="Show what a PyPI token allows: index, projects, end. Never the token.",
        epilog="example:\n  secretly token show PyPI\n",
    )
    add_reference(show)
    add_json(show)
    show.set_defaults(execute=_show)
    narrow = verbs.add_parser(
        "narrow",
        help="print a token that allows less",
        description="Print a PyPI token that is valid for these projects only, and ends soon.",
        epilog="example:\n  secretly token narrow PyPI --project demo --expires 15m\n",
    )
    add_reference(narrow)
    narrow.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="P",
        help="a project of the new token (repeatable; default: those of the token)",
    )
    narrow.add_argument(
        "--expires",
        type=values.duration,
        metavar="DURATION",
        help="how long the new token is valid (60s, 15m, 2h; default 15m)",
    )
    narrow.add_argument(
        "-n", dest="bare", action="store_true", help="print no newline after the token"
    )
    narrow.set_defaults(execute=_narrow)
