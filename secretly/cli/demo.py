"""``secretly demo``: show the main job with a practice token."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..resolving.request import Context

EXAMPLE = "example:\n  secretly demo\n"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    verb.add_argument(
        "--yes",
        action="store_true",
        help="don't ask to confirm the upload, for scripts",
    )


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    from ..demo import showing

    ending = showing.show(_run, options.yes, _say)
    print(ending.text, file=sys.stdout if ending.status == 0 else sys.stderr)
    return ending.status


def _say(text: str) -> None:
    """Print a text before the command that follows prints its own."""
    print(text, flush=True)


def _run(arguments: Sequence[str], stores: Callable[[Context], Context]) -> int:
    """Run ``secretly`` with these stores."""
    from . import console
    from .main import main

    console.stores = stores
    return main(arguments)
