"""``secretly list``: the names of stored and configured secrets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from ..resolving.request import Context
from ..text import escape
from .console import user_context

EXAMPLE = "example:\n  secretly list\n"


def add_arguments(verb: ArgumentParser) -> None:
    """The verb has no arguments."""


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    context = user_context()
    remembered = _remembered(context)
    rows: dict[str, list[str]] = {}
    for item in context.stored_names.items():
        where = f"the keychain, user {item.username}, since {item.stored[:10]}"
        rows.setdefault(item.name, []).append(where)
    for name, entry in context.configuration.secrets.items():
        if entry.source is not None:
            rows[name] = [str(entry.source), *_unused(rows.get(name, ()))]
        elif name not in rows and name not in remembered:
            rows[name] = ["not stored: secretly asks each time"]
    for name, where in remembered.items():
        first, *others = rows.get(name, [""])
        rows[name] = ["; ".join(filter(None, (where, first))), *others]
    width = max(map(len, rows), default=0)
    for name, places in sorted(rows.items()):
        for where in places:
            print(f"{escape(name):{width}}  {escape(where)}")
    return 0


def _unused(places: Iterable[str]) -> list[str]:
    return [f"not used: {where}" for where in places]


def _remembered(context: Context) -> dict[str, str]:
    """The names of the secrets in memory, each with how long it stays there."""
    rows: dict[str, str] = {}
    for held in context.memory.held():
        where = f"in memory, {held.left} left" if held.left else "in memory"
        rows[held.name] = f"{rows[held.name]}; {where}" if held.name in rows else where
    return rows
