"""What ``secretly run --dry-run`` prints."""

from __future__ import annotations

from ..reference import parse
from ..resolving.model import Context
from ..running.delivery import Delivery, Username
from ..running.planning import DeliveryPlan
from ..running.preparing import PreparedRun
from ..text import escape


def print_plan(plan: DeliveryPlan, prepared: PreparedRun, context: Context) -> None:
    """Print what the plan would do; no value."""
    print(f"program: {escape(plan.program)}")
    delivered = {name for one in prepared.deliveries for name in one.by.variables}
    for name in plan.blanked:
        if name not in delivered:
            print(f"{escape(name)}: set to nothing by the configuration")
    for name, variable in plan.plain.items():
        if name not in delivered:
            what = "set" if variable.value else "set to nothing"
            print(f"{escape(name)}: {what} by {variable.origin}")
    for one in prepared.deliveries:
        print(f"{one.by.describe()}: {_origin(one, context)}")
    for name in plan.removed:
        if name in context.environ and name not in delivered:
            print(f"{escape(name)}: removed")
    if prepared.release is not None:
        for line in prepared.release.described():
            print(line)


def _origin(delivery: Delivery, context: Context) -> str:
    """Where a value would come from."""
    if isinstance(delivery.value, Username):
        return "the user name that goes with it"
    request = delivery.request
    places = [_place(name, context) for name in (*request.names, str(request.reference))]
    return ", else ".join(places)


def _place(reference: str, context: Context) -> str:
    """Where a secret of this name would come from."""
    found = parse(reference)
    entry = context.configuration.entry(found.name)
    if found.scheme:
        return escape(str(found))
    if entry.source is not None:
        return f"{escape(reference)} from {escape(str(entry.source))}"
    if any(one.name == found.name for one in context.memory.held()):
        return f"{escape(reference)} from memory"
    return f"{escape(reference)} from the keychain or typed"
