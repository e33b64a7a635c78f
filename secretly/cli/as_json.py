"""The output of ``--json``: one object, which docs/reference/json.rst describes."""

from __future__ import annotations

from argparse import ArgumentParser

#: Grows only when a key goes, or comes to mean something else.
VERSION = 1


def add_json(verb: ArgumentParser) -> None:
    """Let a verb take ``--json``."""
    verb.add_argument("--json", action="store_true", help="print JSON, for scripts")


def print_json(**found: object) -> None:
    """Print an object with the version of its form.

    It is ASCII: a name with control characters can't change a terminal.
    """
    import json

    print(json.dumps({"version": VERSION, **found}, indent=2))
