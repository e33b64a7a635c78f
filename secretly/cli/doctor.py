"""``secretly doctor``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from ..redacted import Environ
from . import checks
from .console import drive

EXAMPLE = "example:\n  secretly doctor\n"


def add_arguments(verb: ArgumentParser) -> None:
    """There are none."""


def execute(options: Namespace) -> int:
    """Print what was found; 1 if something that is needed doesn't work."""
    good = True
    for line in drive(checks.examine(Environ(os.environ))):
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
        good = good and line.good is not False
    return 0 if good else 1
