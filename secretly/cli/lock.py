"""``secretly lock``: drop every secret from memory."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

EXAMPLE = "example:\n  secretly lock\n"


def add_arguments(verb: ArgumentParser) -> None:
    """The verb has no arguments."""


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    from ..keeping.kernel_keyring import KernelKeyring

    number = KernelKeyring().drop()
    print(f"dropped {number} {'secret' if number == 1 else 'secrets'} from memory")
    return 0
