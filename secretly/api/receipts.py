"""Receipts of what a program gets through the library, where the policy requires them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..resolving.candidates import TYPED, ResolvedSecret
from ..resolving.request import Context, calling_program, this_script

__all__ = ["record"]


def record(found: Sequence[ResolvedSecret], context: Context) -> None:
    """Record that this program gets secrets, if nothing may be handed over without that.

    :raises Refused: if that can't be recorded.
    """
    if not context.policy.needs_receipt:
        return
    from ..running import receipts

    script = this_script()
    program = os.path.abspath(script) if os.path.isfile(script) else sys.executable
    use = receipts.Use(program, calling_program(), sys.orig_argv)
    journal = receipts.Journal(use, context.environ, context, context.note)
    journal.handed_over(
        [
            receipts.HandedSecret(one.name, one.origin, _answer(one) or receipts.NOT_ASKED)
            for one in found
        ]
    )


def _answer(found: ResolvedSecret) -> str:
    return TYPED if found.origin == TYPED else found.answer
