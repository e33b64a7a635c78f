"""``secretly help``: the help of a verb."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

EXAMPLE = "example:\n  secretly help run\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    verb.add_argument(
        "verb", metavar="VERB", nargs="*", help="the verb (default: the help that lists all verbs)"
    )


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    from .main import print_help, unknown
    from .verbs import ALIASES, VERBS, carry_out

    if not options.verb:
        print_help()
        return 0
    first, *rest = options.verb
    name = ALIASES.get(first, first)
    if name not in VERBS:
        raise unknown(options.verb)
    return carry_out(name, [*rest, "--help"])
