"""Obtain the secrets of a run, and hand each to its way of delivery."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..resolving import confirming, obtain
from ..resolving.candidates import ResolvedSecret
from ..resolving.request import Context, SecretRequest
from ..text import escape
from .delivery import Username
from .launch import LaunchPlan
from .preparing import PreparedRun

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.release import Release


async def obtain_values(
    run: PreparedRun, context: Context, tell: Callable[[str], None]
) -> LaunchPlan:
    """Obtain all values, and return the launch that has them.

    PyPI's tokens are narrowed to the upload, if there is one.

    :param tell: called with lines that say where each secret came from.
    :raises SecretlyError: if one can't be obtained; then nothing may be run.
    """
    requests = list(dict.fromkeys(delivery.request for delivery in run.deliveries))
    results = await obtain.obtain_all(requests, context)
    found = dict(zip(requests, results, strict=True))
    launch, said, replaced = run.launch, set(), []
    now = time.time()
    for delivery in run.deliveries:
        request, result = delivery.request, found[delivery.request]
        if isinstance(delivery.value, Username):
            username = _username(delivery.by.variables, request, result, run.release, context)
            launch = delivery.by.apply(launch, username) if username else launch
            continue
        tell(f"{delivery.by.describe()}: {escape(result.name)} ({result.origin})")
        if why := confirming.decide_confirmation(request, result).waived_by:
            tell(f"{delivery.by.describe()}: not confirmed, by {why}")
        value = result.secret
        if run.release is not None:
            value = run.release.narrowed(value, now)
            if value is not result.secret:
                said.add(run.release.said(value))
                # The token that it is made of must not be there as well.
                replaced += _own_variable(request, result)
        launch = delivery.by.apply(launch, value)
    tell(f"program: {escape(launch.program)}")
    return launch._replace(removes=(*launch.removes, *replaced), said=sorted(said))


def _username(
    variables: tuple[str, ...],
    request: SecretRequest,
    result: ResolvedSecret,
    release: Release | None,
    context: Context,
) -> str | None:
    """The user name that goes with a secret.

    The configured one; else the one that the index requires (PyPI's, whatever a password
    manager's item says); else the secret's own; else an inherited one.
    """
    entries = context.configuration
    required = None
    if release is not None and release.destination.pypis:
        required = entries.entry(release.destination.secret).username
    inherited = next(filter(None, map(context.environ.get, variables)), None)
    default = "__token__" if request.publishes else None
    own = result.entry.username or required or result.username
    return own or inherited or default


def _own_variable(request: SecretRequest, result: ResolvedSecret) -> list[str]:
    """The variable of our own environment that has the secret, even if it was typed this time."""
    source = request.reference if request.reference.scheme else result.entry.source
    return [source.path] if source is not None and source.scheme == "env" else []
