"""``secretly lock``: drop every secret from memory, and every answer that is good for a while."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

EXAMPLE = "example:\n  secretly lock\n"


def add_arguments(verb: ArgumentParser) -> None:
    """The verb has no arguments."""


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    import os

    from ..errors import SecretlyError
    from ..keeping.kernel_keyring import KernelKeyring
    from ..running.leases import Leases

    try:
        leases = Leases(os.environ).drop()
    except OSError as error:
        raise SecretlyError(
            f"can't drop the leases: {error.strerror}", "try again; they end when you log out"
        ) from None
    for lease in leases:
        print(f"dropped the lease of {lease.text}")
    number = KernelKeyring().drop()
    print(f"dropped {number} {'secret' if number == 1 else 'secrets'} from memory")
    return 0
