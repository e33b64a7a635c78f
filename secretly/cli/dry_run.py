"""What ``secretly run --dry-run`` prints."""

from __future__ import annotations

from ..reference import Reference
from ..resolving.candidates import CONFIGURATION, KEYCHAIN, MEMORY, TYPED, find_candidates
from ..resolving.lookup import NameList
from ..resolving.request import Context, SecretRequest
from ..running.delivery import Composed, Delivery, UsernameOf
from ..running.planning import DeliveryPlan
from ..running.preparing import PreparedRun
from ..running.usernames import expected_username
from ..sources import registry
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination


def print_plan(plan: DeliveryPlan, prepared: PreparedRun, context: Context) -> None:
    """Print what the plan would do; no value.

    :raises BadReference: before it prints, for a reference that names nothing.
    """
    origins = [f"{one.by.describe()}: {_origin(one, context)}" for one in prepared.deliveries]
    print(f"program: {escape(plan.program)}")
    delivered = {name for one in prepared.deliveries for name in one.by.variables}
    for name in plan.blanked:
        if name not in delivered:
            print(f"{escape(name)}: set to nothing by the configuration")
    for name, variable in plan.plain.items():
        if name not in delivered:
            what = "set" if variable.value else "set to nothing"
            print(f"{escape(name)}: {what} by {variable.origin}")
    for line in (*origins, *_limits(prepared, context)):
        print(line)
    for name in plan.removed:
        if name in context.environ and name not in delivered:
            print(f"{escape(name)}: removed")
    if prepared.release is not None:
        username = _username(prepared.release.destination, prepared, context)
        for line in (*prepared.pinned, *prepared.release.described(username)):
            print(line)


def _limits(prepared: PreparedRun, context: Context) -> list[str]:
    """How a PyPI token would be limited for a command whose upload is not seen."""
    if prepared.limits is None:
        return []
    entries = context.configuration
    named = [r.reference.name for d in prepared.deliveries for r in d.requests]
    found = [prepared.limits.describe(None, entries.entry(name)) for name in named]
    return list(dict.fromkeys(line for text in found for line in text.splitlines()))


def _username(destination: Destination, prepared: PreparedRun, context: Context) -> str:
    """The user name that an upload would send, or the reference that it comes from."""
    if prepared.named:
        return prepared.named
    entries, names = context.configuration, NameList(context)
    own = [
        one for one in prepared.deliveries if one.by_project or isinstance(one.value, UsernameOf)
    ]
    requests = [request for one in own for request in one.requests]
    requests.append(SecretRequest(Reference("", destination.secret)))
    candidates = find_candidates(requests[0], entries, names.find, context.environ)
    remembered = {one.name for one in context.memory.held()}
    return expected_username(destination, entries, candidates, names.find, remembered)


def _origin(delivery: Delivery, context: Context) -> str:
    """Where a value would come from."""
    if isinstance(delivery.value, UsernameOf):
        return "the user name that goes with it"
    found = " and ".join(_place(request, context) for request in delivery.requests)
    return f"a text with {found}" if isinstance(delivery.value, Composed) else found


def _place(request: SecretRequest, context: Context) -> str:
    """Return the place that a secret would come from."""
    places = dict[str, str]()
    remembered = {one.name for one in context.memory.held()}
    names = NameList(context)
    for one in find_candidates(request, context.configuration, names.find, context.environ):
        if one.source is not None and one.source.scheme != "command":
            registry.find(one.source.scheme)  # what the run would refuse
        own = one.name == request.reference.name
        label = escape(str(request.reference) if own else one.name)
        if request.reference.scheme:
            label = f"{label} typed" if one.source is None else label
        elif one.source is not None:
            label = f"{label} from {escape(str(one.source))}"
        elif one.origin == MEMORY and one.name not in remembered:
            continue
        else:
            label = f"{label} {_PLACES[one.origin]}"
        places.setdefault(one.name, label)
    return ", else ".join(places.values())


#: Where a secret would come from, if not from a source.
_PLACES = {
    MEMORY: "from memory",
    KEYCHAIN: "from the keychain or typed",
    CONFIGURATION: "from the configuration",
    TYPED: "typed",
}
