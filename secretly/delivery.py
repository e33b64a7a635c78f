"""What goes into which variable: by the row, the profile, and what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import release, resolve
from .commands import Call
from .configuration import Profile
from .display import shown, visible
from .errors import Refused, SecretlyError
from .launch import Plan
from .references import Reference, parse
from .resolve import Context, Wish

__all__ = ["Delivery", "NoProfile", "filled", "planned", "profile"]


class NoProfile(SecretlyError):
    """The profile that was named does not exist."""


@dataclass(frozen=True)
class Delivery:
    """A variable, and the wish whose outcome goes into it.

    :param username: the variable for the user name that goes with it.
    """

    variable: str
    wish: Wish
    username: str | None = None


def profile(call: Call | None, name: str | None) -> Profile | None:
    """The profile that was named, or the command's default one.

    :raises NoProfile: if the command has none of that name.
    :raises Refused: if it has some, of which none was chosen, and needs a secret.
    """
    if call is None:
        if name is not None:
            raise NoProfile(f"this command has no profile {name}", "profiles belong to commands")
        return None
    row = call.row
    names = ", ".join(sorted(row.profiles)) or "none"
    if name is not None:
        if name not in row.profiles:
            raise NoProfile(f"{row.name} has no profile '{name}'", f"its profiles: {names}")
        return row.profiles[name]
    if not row.profiles or not call.needs_secret:
        return None
    if row.default is None:
        raise Refused(
            f"{visible(row.name)} has profiles, and none was chosen: {visible(names)}",
            f"secretly run -p {visible(sorted(row.profiles)[0])} …",
        )
    return row.profiles[row.default]


def planned(
    plan: Plan,
    wish: Wish,
    call: Call | None,
    chosen: Profile | None,
    explicit: Mapping[str, str],
    context: Context,
) -> tuple[list[Delivery], Plan]:
    """Work out what goes into which variable, and which are taken away.

    What was asked for explicitly goes before the profile's secrets, these before plain
    variables of the configuration, these before what the caller has set, and that
    before the row's own secret.

    :param plan: the program and its arguments.
    :param wish: what all secrets of this run have in common.
    :param explicit: variables and references, as ``-e`` gives them.
    """
    purpose = f"for: {shown(plan.argv)}\nprogram: {_real_path(plan.program)}"
    publishes = call is not None and call.row.publishes
    wish = replace(wish, purpose=purpose, publishes=publishes)
    wanted: dict[str, tuple[Reference, tuple[str, ...]]] = {}
    username, beside = None, set()
    if call is not None and call.needs_secret:
        row, chosen = call.row, chosen or Profile()
        plain = {**row.env, **chosen.env}
        target = release.destination(call, {**context.environ, **plain}) if row.index else None
        fill = target.filled if target else str
        alternatives = tuple(map(fill, row.alternatives))
        own = {fill(name): reference for name, reference in row.secrets.items()}
        given = {fill(name): reference for name, reference in chosen.secrets.items()}
        inherited = any(name in context.environ for name in alternatives)
        for name, reference in {**own, **given}.items():
            if name in given or not (name in plain or name in context.environ or inherited):
                wanted[name] = _wanted(reference, call, target)
        beside = set(own) - (set(plain) - set(given))
        username = fill(row.username) if row.username else None
        if username in plain:
            username = None
        plan = replace(plan, environ=plain, seal_keyring=row.seal_keyring)
        if not beside.isdisjoint({*wanted, *explicit}) or not set(plain).isdisjoint(own):
            # A stale one cannot win over what is delivered.
            plan = replace(plan, removes=(*alternatives, *map(fill, row.removes)))
    for name, reference in explicit.items():
        wanted[name] = (parse(reference), ())
    return [
        Delivery(
            name, replace(wish, reference=found, names=names), username if name in beside else None
        )
        for name, (found, names) in wanted.items()
    ], plan


def _real_path(program: str) -> str:
    """Where a program is, and, if that is a link, where it leads to."""
    path, real = os.path.abspath(program), os.path.realpath(program)
    return visible(path if path == real else f"{path} -> {real}")


def _wanted(
    reference: str, call: Call, target: release.Destination | None
) -> tuple[Reference, tuple[str, ...]]:
    """The secret for a row's variable, and the names of narrower ones to try before it."""
    found = Reference("", target.secret) if target and not reference else parse(reference)
    if target is None or found.scheme or found.field:
        return found, ()
    projects = release.projects(call)
    return found, (f"{found.path}/{projects[0]}",) if len(projects) == 1 else ()


async def filled(
    plan: Plan, deliveries: Sequence[Delivery], context: Context, tell: Callable[[str], None]
) -> Plan:
    """Obtain what is to be delivered: all of it, or nothing is run.

    :param tell: is told where each came from.
    """
    distinct = list(dict.fromkeys(delivery.wish for delivery in deliveries))
    outcomes = await resolve.obtain_all(distinct, context)
    found = dict(zip(distinct, outcomes, strict=True))
    values: dict[str, str] = {}
    for delivery in deliveries:
        outcome = found[delivery.wish]
        values[delivery.variable] = outcome.secret
        tell(f"{delivery.variable}: {outcome.name} ({outcome.origin})")
        if delivery.username:
            inherited = context.environ.get(delivery.username)
            default = "__token__" if delivery.wish.publishes else None
            if name := outcome.username or inherited or default:
                values[delivery.username] = name
    tell(f"program: {plan.program}")
    removes = [name for name in plan.removes if name not in values]
    return replace(plan, environ={**plan.environ, **values}, removes=removes)
