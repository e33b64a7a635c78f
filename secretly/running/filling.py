"""Obtain the secrets of a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..resolving import confirming, obtain
from ..resolving.request import Context, ResolvedSecret, SecretRequest
from ..text import escape
from .launch import LaunchPlan
from .planning import Delivery

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.release import Release


async def obtain_values(
    plan: LaunchPlan,
    deliveries: Sequence[Delivery],
    upload: Release | None,
    context: Context,
    tell: Callable[[str], None],
) -> LaunchPlan:
    """Obtain what is to be delivered: all of it, or nothing is run.

    :param upload: what would be uploaded: PyPI's tokens are narrowed to it.
    :param tell: is told where each came from.
    """
    distinct = list(dict.fromkeys(delivery.wish for delivery in deliveries))
    outcomes = await obtain.obtain_all(distinct, context)
    found = dict(zip(distinct, outcomes, strict=True))
    values: dict[str, str] = {}
    said: set[str] = set()
    sources: list[str] = []
    now = time.time()
    for delivery in deliveries:
        outcome = found[delivery.wish]
        value = outcome.secret
        tell(f"{delivery.variable}: {escape(outcome.name)} ({outcome.origin})")
        entry = context.configuration.entry(outcome.name)
        if why := confirming.decide_confirmation(delivery.wish, outcome, entry).waived_by:
            tell(f"{delivery.variable}: not confirmed, by {why}")
        if upload is not None:
            narrowed = upload.narrowed(value, now)
            if narrowed is not value:
                said.add(upload.said(narrowed))
                # The long one is not to be there beside it.
                sources += _variable_of(outcome, delivery.wish, context)
                value = narrowed
        values[delivery.variable] = value
        if delivery.username:
            inherited = context.environ.get(delivery.username)
            default = "__token__" if delivery.wish.publishes else None
            own = entry.username or _index_name(upload, context) or outcome.username
            if name := own or inherited or default:
                values[delivery.username] = name
    tell(f"program: {plan.program}")
    removes = [name for name in (*plan.removes, *sources) if name not in values]
    environ = {**plan.environ, **values}
    return plan._replace(environ=environ, removes=removes, said=sorted(said))


def _index_name(upload: Release | None, context: Context) -> str | None:
    """The user name that an index takes whatever a password manager's item says: PyPI's."""
    if upload is None or not upload.destination.pypis:
        return None
    return context.configuration.entry(upload.destination.secret).username


def _variable_of(outcome: ResolvedSecret, wish: SecretRequest, context: Context) -> list[str]:
    """The variable of our own environment that a secret came from."""
    entry = context.configuration.entry(outcome.name)
    reference = wish.reference if wish.reference.scheme else entry.source
    return [reference.path] if reference is not None and reference.scheme == "env" else []
