"""The protocol of a source. Only type checkers and other packages load this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .runs import Run

__all__ = ["Source"]


class Source(Protocol):
    """A place that secrets come from: a module of this folder, or an object of another package."""

    @property
    def title(self) -> str:
        """The source's name in messages: ``"LastPass"``."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the fields of an item: those of *fields* that it has, and its user name.

        The password is called ``password`` and the user name ``username``; the other fields
        have the names that the manager gives them.

        :param path: the text after ``scheme://``.
        :param fields: the names of the wanted fields; ``""`` is the password.
        :raises SourceFailed: if the source can't return the item.
        """
