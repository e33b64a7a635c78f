"""``secretly list``: the names of stored and configured secrets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import NamedTuple

from ..resolving.request import Context
from ..running.leases import Lease, Leases
from ..text import escape
from .as_json import add_json, print_json
from .console import user_context

EXAMPLE = "example:\n  secretly list\n"


class Place(NamedTuple):
    """A place that has a secret.

    :param kind: ``"keychain"``, ``"memory"`` or ``"source"``.
    :param facts: what is known of the secret there.
    :param used: whether secretly looks there for it.
    """

    kind: str
    facts: dict[str, object]
    used: bool = True

    @property
    def text(self) -> str:
        """The place in words."""
        if self.kind == "memory":
            left = self.facts["left"]
            return f"in memory, {left} left" if left else "in memory"
        where = str(self.facts.get("reference"))
        if self.kind == "keychain":
            stored = str(self.facts["stored"])[:10]
            where = f"the keychain, user {self.facts['username']}, since {stored}"
        return where if self.used else f"not used: {where}"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_json(verb)


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    context = user_context()
    found, leases = sorted(_places(context).items()), Leases(context.environ).all()
    if options.json:
        print_json(
            secrets=[{"name": name, "places": _objects(places)} for name, places in found],
            leases=[_lease_object(lease) for lease in leases],
        )
        return 0
    width = max((len(name) for name, _ in found), default=0)
    for name, places in found:
        for where in _lines(places):
            print(f"{escape(name):{width}}  {escape(where)}")
    for lease in leases:
        print(f"not asked: {lease.text}")
    return 0


def _lease_object(lease: Lease) -> dict[str, object]:
    return {
        "secrets": [secret.rpartition(" ")[0] for secret in lease.secrets],
        "program": lease.program,
        "folder": lease.folder,
        "seconds_left": int(lease.left),
    }


def _places(context: Context) -> dict[str, list[Place]]:
    """The places of each secret; none, where secretly asks each time."""
    found: dict[str, list[Place]] = {}
    for item in context.stored_names.items():
        facts = {"username": item.username, "own_username": item.own, "stored": item.stored}
        found.setdefault(item.name, []).append(Place("keychain", facts))
    for name, entry in context.configuration.secrets.items():
        places = found.setdefault(name, [])
        if entry.source is not None:
            unused = [place._replace(used=False) for place in places]
            found[name] = [Place("source", {"reference": str(entry.source)}), *unused]
    for held in reversed(context.memory.held()):
        facts = {"username": held.username, "left": held.left}
        found.setdefault(held.name, []).insert(0, Place("memory", facts))
    return found


def _objects(places: list[Place]) -> list[dict[str, object]]:
    return [{"place": place.kind, "used": place.used, **place.facts} for place in places]


def _lines(places: list[Place]) -> list[str]:
    """The lines of a secret: what is in memory is in the first one."""
    held = [place.text for place in places if place.kind == "memory"]
    first, *others = [place.text for place in places if place.kind != "memory"] or [""]
    return [
        "; ".join(filter(None, (*held, first))) or "not stored: secretly asks each time",
        *others,
    ]
