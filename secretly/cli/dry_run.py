"""The output of ``secretly run --dry-run``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..reference import Reference
from ..resolving.candidates import (
    CONFIGURATION,
    KEYCHAIN,
    MEMORY,
    TYPED,
    Candidate,
    find_candidates,
    own_username,
)
from ..resolving.lookup import NameList
from ..resolving.request import Context, SecretRequest
from ..running.delivery import Delivery, PreparedRun, is_username
from ..running.derived import Composed
from ..running.planning import DeliveryPlan
from ..sources import registry
from ..text import escape
from .as_json import print_json

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination
    from ..publishing.release import Release


class _Step(NamedTuple):
    """What happens to one variable.

    :param name: the variable, as it is.
    :param action: ``"secret"``, ``"username"``, ``"set"``, ``"blank"`` or ``"remove"``.
    :param origin: where its value would come from, in words.
    :param references: the references of the secrets in the value.
    """

    name: str
    action: str
    origin: str = ""
    references: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The step in words, after the variable's name."""
        words = {
            "remove": "removed",
            "blank": f"set to nothing by {self.origin}",
            "set": f"set by {self.origin}",
        }
        return words.get(self.action, self.origin)


def print_plan(
    plan: DeliveryPlan,
    prepared: PreparedRun,
    context: Context,
    wrapped: Mapping[str, str],
    json: bool = False,
) -> None:
    """Print what the plan would do; no value.

    :param wrapped: the wrapped commands, and what would run in place of each.

    :raises BadReference: before it prints, for a reference that names nothing.
    """
    origins, release = _Origins(context), prepared.release
    steps = list(_steps(plan, prepared, origins, context.environ))
    username = _username(release.destination, prepared, origins) if release else ""
    limits = _limits(prepared, origins)
    if json:
        print_json(
            program=plan.program,
            variables=[step._asdict() for step in steps],
            limits=limits,
            wrapped=wrapped,
            upload=_upload(release, username, prepared.pinned) if release else None,
        )
        return
    print(f"program: {escape(plan.program)}")
    for step in steps:
        print(f"{escape(step.name)}: {step.text}")
    for line in limits:
        print(line)
    if release is not None:
        for line in (*prepared.pinned, *release.described(username)):
            print(line)
    for name, runs in wrapped.items():
        print(f"{name}: if the command starts it: {runs}")


class _Origins:
    """Where the secrets of the run would come from. Each request's candidates are found once."""

    def __init__(self, context: Context) -> None:
        self._context, self._names = context, NameList(context)
        self._found: dict[SecretRequest, tuple[Candidate, ...]] = {}
        self._remembered = {one.name for one in context.memory.held()}

    def candidates(self, request: SecretRequest) -> tuple[Candidate, ...]:
        """The candidates of a request."""
        if request not in self._found:
            configuration, environ = self._context.configuration, self._context.environ
            found = find_candidates(request, configuration, self._names.find, environ)
            self._found[request] = found
        return self._found[request]

    def expected(self, request: SecretRequest) -> Candidate:
        """The candidate that a secret would come from: the first that something is known of."""
        found = self.candidates(request)
        known = (
            c for c in found if c.source or c.name in self._remembered or self._names.find(c.name)
        )
        return next(known, found[-1])

    def describe(self, request: SecretRequest) -> str:
        """Where a secret would come from, in words."""
        labels = dict[str, str]()
        for one in self.candidates(request):
            if one.source is not None and one.source.scheme != "command":
                registry.find(one.source.scheme)  # what the run would refuse
            is_asked_for = one.name == request.reference.name
            label = escape(str(request.reference) if is_asked_for else one.name)
            if request.reference.scheme:
                label = f"{label} typed" if one.source is None else label
            elif one.source is not None:
                label = f"{label} from {escape(str(one.source))}"
            elif one.origin == MEMORY and one.name not in self._remembered:
                continue
            else:
                label = f"{label} {_WORDS[one.origin]}"
            labels.setdefault(one.name, label)
        return ", else ".join(labels.values())


def _steps(
    plan: DeliveryPlan, prepared: PreparedRun, origins: _Origins, environ: Mapping[str, str]
) -> Iterator[_Step]:
    """What happens to each variable, in the order of the text.

    :param environ: secretly's own environment.
    """
    delivered = [_delivered(one, name, origins) for one, name in _targets(prepared)]
    names = {step.name for step in delivered}
    for name in plan.blanked:
        if name not in names:
            yield _Step(name, "blank", "the configuration")
    for name, variable in plan.plain.items():
        if name not in names:
            yield _Step(name, "set" if variable.value else "blank", variable.origin)
    yield from delivered
    names.update(plan.blanked, plan.plain)
    for name in plan.removed:
        if name in environ and name not in names:
            yield _Step(name, "remove")


def _targets(prepared: PreparedRun) -> Iterator[tuple[Delivery, str]]:
    for one in prepared.deliveries:
        for name in one.by.variables or (one.by.describe(),):
            yield one, name


def _delivered(one: Delivery, name: str, origins: _Origins) -> _Step:
    action = "username" if is_username(one.value) else "secret"
    references = tuple(str(request.reference) for request in one.requests)
    return _Step(name, action, _origin(one, origins), references)


def _upload(release: Release, username: str, pinned: Sequence[str]) -> dict[str, object]:
    """What would be uploaded, for ``--json``."""
    return {
        "tool": release.tool,
        "action": release.action,
        "index": release.destination.shown,
        "username": username if release.packages is None else None,
        "projects": release.projects,
        "releases": [{"project": name, "version": version} for name, version in release.releases],
        "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in release.files],
        "builds": release.builds,
        "token_lifetime": release.expires if release.packages is None else None,
        "notes": list(release.notes()),
        "pinned": list(pinned),
    }


def _limits(prepared: PreparedRun, origins: _Origins) -> list[str]:
    """How a PyPI token would be limited for a command whose upload is not seen."""
    if prepared.limits is None:
        return []
    requests = [request for one in prepared.deliveries for request in one.requests]
    entries = [origins.candidates(request)[-1].entry for request in requests]
    found = [prepared.limits.describe(None, entry) for entry in entries]
    return list(dict.fromkeys(line for text in found for line in text.splitlines()))


def _username(destination: Destination, prepared: PreparedRun, origins: _Origins) -> str:
    """The user name that an upload would send, or the reference that it comes from."""
    if prepared.named or prepared.username is None:
        return prepared.named
    projects_own = [one for one in prepared.deliveries if one.by_project or is_username(one.value)]
    requests = [request for one in projects_own for request in one.requests]
    requests.append(SecretRequest(Reference("", destination.secret)))
    one = origins.expected(requests[0])
    return prepared.username(one.entry.username, own_username(one))


def _origin(delivery: Delivery, origins: _Origins) -> str:
    """Where a value would come from."""
    if is_username(delivery.value):
        return "the user name that goes with it"
    found = " and ".join(map(origins.describe, delivery.requests))
    return f"a text with {found}" if isinstance(delivery.value, Composed) else found


#: Where a secret would come from, if not from a source.
_WORDS = {
    MEMORY: "from memory",
    KEYCHAIN: "from the keychain or typed",
    CONFIGURATION: "from the configuration",
    TYPED: "typed",
}
