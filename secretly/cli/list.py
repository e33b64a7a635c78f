"""``secretly list``: the names of stored and configured secrets."""

from __future__ import annotations

import datetime
import re
from argparse import ArgumentParser, Namespace
from typing import NamedTuple

from ..errors import Refused
from ..keeping.keychain import Keychain
from ..resolving.request import Context
from ..running.leases import Lease, Leases
from ..text import escape
from .as_json import add_json, print_json
from .console import UsageError, drive, user_context

EXAMPLE = "examples:\n  secretly list\n  secretly list --older 90d\n"

_DAYS = {"d": 1, "w": 7}


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
            stored, age = str(self.facts["stored"])[:10], self.facts["age_days"]
            days = f" ({age} day{'' if age == 1 else 's'})" if age else ""
            sealed = ", sealed" if self.facts["sealed"] else ""
            where = f"the keychain{sealed}, user {self.facts['username']}, since {stored}{days}"
        return where if self.used else f"not used: {where}"


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    verb.add_argument("--older", metavar="AGE", help="only secrets stored that long ago: 90d, 12w")
    verb.add_argument(
        "--others",
        action="store_true",
        help="the items that keyring, uv, poetry, pdm, gh, git and docker stored",
    )
    add_json(verb)


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    if options.others:
        if options.older is not None:
            raise UsageError("--others and --older contradict each other", "leave one of them out")
        return _list_others(options.json)
    days = None if options.older is None else _days(options.older)
    context = user_context()
    found, leases = sorted(_places(context).items()), Leases(context.environ).all()
    if days is not None:
        found = [(name, [p for p in places if _is_older(p, days)]) for name, places in found]
        found = [(name, places) for name, places in found if places]
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


def _list_others(json: bool) -> int:
    """Print the items of other programs, and how to name each; no value."""
    context = user_context()
    keychain = Keychain(context.environ, context.configuration.backends, context.stored_names)
    found = drive(keychain.others())
    if found is None:
        raise Refused(
            "this keychain can't list its items",
            "look in its own program, then name one: keyring://SERVICE/USERNAME",
        )
    if json:
        print_json(others=[one._asdict() for one in found])
        return 0
    width = max((len(one.reference) for one in found), default=0)
    for one in found:
        of = f"{one.tool}: {one.what}, user {one.username or '(empty)'}"
        print(f"{escape(one.reference):{width}}  {escape(of)}")
    return 0


def _days(text: str) -> int:
    """Read an age in days or weeks, in days.

    :raises UsageError: if it is not one.
    """
    age = re.fullmatch(r"([0-9]{1,5})([dw])", text)
    if age is None:
        raise UsageError(f"'{escape(text)}' is not an age", "try 90d, or 12w")
    return int(age[1]) * _DAYS[age[2]]


def _is_older(place: Place, days: int) -> bool:
    age = place.facts.get("age_days")
    return isinstance(age, int) and age >= days


def _age(stored: str) -> int | None:
    """The whole days since a secret was stored; None if the list does not say."""
    try:
        since = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(stored)
    except (ValueError, TypeError):
        return None
    return max(0, since.days)


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
        facts: dict[str, object] = {
            "username": item.username,
            "own_username": item.has_own_username,
        }
        facts |= {"stored": item.stored, "age_days": _age(item.stored), "sealed": item.sealed}
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
        "; ".join(filter(None, (*held, first))) or "not stored: secretly has to ask each time",
        *others,
    ]
