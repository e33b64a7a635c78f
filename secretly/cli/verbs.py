"""The verbs other than ``run``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..redacted import Environ
from .console import drive, parser
from .shim_verb import _SHIM_EXAMPLE, _shim, _shim_arguments
from .stored_verbs import (
    _forget,
    _forget_arguments,
    _get,
    _get_arguments,
    _list,
    _lock,
    _set,
    _set_arguments,
)
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
    "set": _Verb("example:\n  secretly set PyPI\n", _set_arguments, _set),
    "get": _Verb("example:\n  secretly get PyPI | pbcopy\n", _get_arguments, _get),
    "forget": _Verb("example:\n  secretly forget PyPI\n", _forget_arguments, _forget),
    "list": _Verb("example:\n  secretly list\n", _no_arguments, _list),
    "token": _Verb(_TOKEN_EXAMPLE, _token_arguments),
    "shim": _Verb(_SHIM_EXAMPLE, _shim_arguments, _shim),
    "lock": _Verb("example:\n  secretly lock\n", _no_arguments, _lock),
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
