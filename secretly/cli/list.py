"""``secretly list``: the names of stored and configured secrets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

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
    rows = {
        item.name: f"the keychain, user {item.username}, since {item.stored[:10]}"
        for item in context.stored_names.items()
    }
    for name, entry in context.configuration.secrets.items():
        if entry.source is not None:
            rows[name] = str(entry.source)
        elif name not in rows and name not in remembered:
            rows[name] = "not stored: secretly asks each time"
    for name, where in remembered.items():
        rows[name] = f"{where}; {rows[name]}" if name in rows else where
    width = max(map(len, rows), default=0)
    for name, where in sorted(rows.items()):
        print(f"{escape(name):{width}}  {escape(where)}")
    return 0


def _remembered(context: Context) -> dict[str, str]:
    """The names of the secrets in memory, each with how long it stays there."""
    rows: dict[str, str] = {}
    for held in context.memory.held():
        where = f"in memory, {held.left} left" if held.left else "in memory"
        rows[held.name] = f"{rows[held.name]}; {where}" if held.name in rows else where
    return rows
