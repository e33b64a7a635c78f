"""The user's own names for calls of cargo: ``[alias] pub = "publish --locked"``."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ...errors import Refused
from ...text import escape
from .call import CLAP, CargoCall
from .settings import CargoValue, variable_of

#: How often an alias may lead to another one.
_MOST = 8

#: cargo's own commands, for which it ignores an alias.
_BUILTIN = frozenset(
    "add bench build check clean config doc fetch fix generate-lockfile git-checkout help info "
    "init install locate-project login logout metadata new owner package pkgid publish "
    "read-manifest remove report run rustc rustdoc search test tree uninstall update vendor "
    "verify-project version yank".split()
)


class _Step(NamedTuple):
    """A call in which one alias is replaced."""

    name: str
    setting: CargoValue
    arguments: tuple[str, ...]


def expanded(typed: CargoCall) -> tuple[str, ...]:
    """The arguments of a call of cargo without its alias, if it stands for a call with a secret.

    :returns: the arguments as they were typed, if it doesn't.
    :raises Refused: if such an alias is not the user's own, or if a secret would be the alias.
    """
    call, steps = typed, list[_Step]()
    while not call.invocation.needs_secret and len(steps) < _MOST:
        step = None
        _refuse_unknown(call)
        with contextlib.suppress(Refused):  # cargo itself says what is wrong
            step = _step(call)
        if step is None:
            return typed.arguments
        steps.append(step)
        invocation = call.invocation._replace(arguments=step.arguments)
        call = CargoCall(invocation, call.environ, chosen=call.chosen)
    for step in steps if call.invocation.needs_secret else ():
        if step.setting.by_project:
            raise Refused(
                f"{escape(step.setting.set_by)} says what cargo {escape(step.name)} does",
                "write the command itself: cargo publish, cargo yank or cargo owner",
            )
    return call.arguments if call.invocation.needs_secret else typed.arguments


def _refuse_unknown(call: CargoCall) -> None:
    name = ""
    with contextlib.suppress(Refused):  # cargo itself says what is wrong
        name = (call.words.words or [""])[0]
    variable = variable_of("alias", name)
    if name not in _BUILTIN and variable in call.chosen:
        raise Refused(
            f"can't set {escape(variable)} from a reference: it says what cargo does",
            "write the command itself: cargo publish, cargo yank or cargo owner",
        )


def _step(call: CargoCall) -> _Step | None:
    """The call with its alias replaced; None if it has none."""
    arguments = call.arguments
    name = (call.words.words or [""])[0]
    found = None if not name or name in _BUILTIN else call.settings.find("alias", name)
    if found is None:
        return None
    first = len(call.toolchain)
    at = first + CLAP.before(arguments[first:])
    value = found.value
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return _Step(name, found, (*arguments[:at], *map(str, words), *arguments[at + 1 :]))
