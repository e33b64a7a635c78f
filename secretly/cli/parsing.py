"""The argument parsers of the verbs. ``run`` has none: it reads its options itself."""

from __future__ import annotations

import argparse
from importlib import import_module

from .console import UsageError

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, NoReturn, Protocol

    class Verb(Protocol):
        """The module of a verb."""

        EXAMPLE: str

        def add_arguments(self, verb: argparse.ArgumentParser) -> None:
            """Add the arguments to the verb's parser."""

        def execute(self, options: argparse.Namespace) -> int:
            """Carry the verb out; return the exit status."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises its errors as :class:`UsageError`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # abbreviations would become part of the contract
            **settings,
        )

    def error(self, message: str) -> NoReturn:
        from .guesses import unrecognized

        message = unrecognized(message, self._option_string_actions)
        raise UsageError(message, f"{self.prog} --help")


def load(name: str) -> Verb:
    """The module of a verb."""
    verb: Verb = import_module(f"{__package__}.{name}")
    return verb


def reader_of(name: str, about: str) -> argparse.ArgumentParser:
    """The parser of a verb.

    :param about: what the verb does, as the list of verbs says it.
    """
    verb = load(name)
    reader = _Parser(
        prog=f"secretly {name}",
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=verb.EXAMPLE,
    )
    verb.add_arguments(reader)
    return reader
