"""The verbs other than ``run``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..redacted import Environ
from . import forget, get, lock
from . import list as list_verb
from . import set as set_verb
from .console import drive, parser
from .shim_verb import _SHIM_EXAMPLE, _shim, _shim_arguments
from .token_verb import _TOKEN_EXAMPLE, _token_arguments


def _doctor(options: Namespace) -> int:
    from . import doctor

    good = True
    for line in drive(doctor.examine(Environ(os.environ))):
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
        good = good and line.good is not False
    return 0 if good else 1


def _no_arguments(verb: ArgumentParser) -> None:
    """It has none."""


class _Verb(NamedTuple):
    example: str
    arguments: Callable[[ArgumentParser], None]
    call: Callable[[Namespace], int] | None = None


_VERBS = {
    "set": _Verb(set_verb.EXAMPLE, set_verb.add_arguments, set_verb.execute),
    "get": _Verb(get.EXAMPLE, get.add_arguments, get.execute),
    "forget": _Verb(forget.EXAMPLE, forget.add_arguments, forget.execute),
    "list": _Verb(list_verb.EXAMPLE, list_verb.add_arguments, list_verb.execute),
    "token": _Verb(_TOKEN_EXAMPLE, _token_arguments),
    "shim": _Verb(_SHIM_EXAMPLE, _shim_arguments, _shim),
    "lock": _Verb(lock.EXAMPLE, lock.add_arguments, lock.execute),
    "doctor": _Verb("example:\n  secretly doctor\n", _no_arguments, _doctor),
}


def carry_out(name: str, about: str, arguments: Sequence[str]) -> int:
    """Carry out a verb, and return the exit status.

    :param about: what it does, for its help.
    """
    verb = _VERBS[name]
    reader = parser(f"secretly {name}", about, verb.example)
    verb.arguments(reader)
    try:
        options = reader.parse_args(arguments)
    except SystemExit:  # it printed a help
        return 0
    call: Callable[[Namespace], int] = verb.call or options.call
    return call(options)
