"""Note what a verb prints, or does not: see ``running/receipts.py``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Self

from ..errors import SecretlyError
from ..reference import parse
from ..resolving.candidates import ResolvedSecret
from ..running import receipts
from ..text import Environ
from .console import say, user_context


class Printing:
    """A verb that prints a secret: a context that records what comes of it.

    :param verb: the verb's words after ``secretly``.
    :param reference: the secret's reference, as it was typed.
    :param reason: why the caller wants it; None: as the environment says.
    """

    def __init__(self, verb: str, reference: str, reason: str | None = None) -> None:
        self._context = user_context()
        if reason is not None:
            self._context = self._context._replace(reason=reason)
        words = ["secretly", *verb.split()]
        program = os.path.abspath(sys.argv[0])
        use = receipts.Use(program, " ".join(words), [*words, reference])
        self._journal = receipts.Journal(use, Environ(os.environ), self._context, say)
        self._reference = reference

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SecretlyError):
            names = []
            with contextlib.suppress(SecretlyError):
                names = [receipts.known_name(parse(self._reference), self._context)]
            self._journal.not_handed_over(names, error)

    def handed_over(
        self,
        found: ResolvedSecret,
        projects: Sequence[str] | None = None,
        expires: float | None = None,
    ) -> None:
        """Record that a secret is printed, or a token made from it, just before it is.

        :param projects: the only projects of that token.
        :param expires: when that token ends, in seconds since 1970.
        :raises Refused: if that must be recorded, and can't be.
        """
        answer = found.answer or receipts.NOT_ASKED
        only = None if projects is None else tuple(projects)
        secret = receipts.HandedSecret(found.name, found.origin, answer, (), only, expires)
        self._journal.handed_over([secret])
