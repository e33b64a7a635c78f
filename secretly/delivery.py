"""What goes into which variable: by the row, the profile, and what was asked for."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence

from . import launch, resolve
from .commands import Call
from .configuration import Profile, steers
from .display import pasted, shown, visible
from .errors import Refused
from .launch import Plan
from .records import Record
from .references import Reference, parse
from .resolve import Context, Found, Wish

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .destination import Destination
    from .envfile import EnvFile
    from .release import Release

__all__ = ["Delivery", "Planned", "filled", "planned"]


class Delivery(Record):
    """A variable, and the wish whose outcome goes into it.

    :param username: the variable for the user name that goes with it.
    """

    variable: str
    wish: Wish
    username: str | None = None


class Planned(Record):
    """What would be done.

    :param deliveries: what goes into which variable.
    :param release: what would be uploaded, if it is a publishing command that gets a secret.
    :param listing: the files, where the dialog has no room for them.
    """

    deliveries: list[Delivery]
    plan: Plan
    release: Release | None = None
    listing: tuple[str, ...] = ()


def planned(
    plan: Plan,
    wish: Wish,
    call: Call | None,
    chosen: Profile | None,
    explicit: Mapping[str, str],
    context: Context,
    file: EnvFile | None = None,
) -> Planned:
    """Work out what goes into which variable, and which are taken away.

    What was asked for explicitly goes before the profile's secrets, these before plain
    variables of the profile, these before the env file's, these before what the caller
    has set, and that before the row's own secret.

    :param plan: the program and its arguments.
    :param wish: what all secrets of this run have in common.
    :param explicit: variables and references, as ``-e`` gives them.
    :param file: what the env files say.
    :raises Refused: if what would be uploaded cannot be.
    """
    # Whatever its subcommand: `npm run release` may publish as well.
    publishes = call is not None and call.row.publishes
    if call is not None and not call.needs_secret:
        call = None  # else it is as any other command
    chosen = chosen or Profile()
    filed_plain = file.plain if file else {}
    plain = {**(call.row.env if call else {}), **filed_plain, **chosen.env}
    plan = plan._replace(environ=plain)
    environ = {**context.environ, **plain}
    target: Destination | None = None
    if call is not None and call.row.index:
        from . import destination

        target = destination.find(call, environ)
    fill = target.filled if target else str
    given = {fill(name): ref for name, ref in chosen.secrets.items()} if call else {}
    filed = file.references if file else {}
    filed = {name: ref for name, ref in filed.items() if name not in (*chosen.env, *given)}
    explicit = {**filed, **explicit}
    wanted: dict[str, str] = {}
    username, beside = None, set()
    if call is not None:
        row = call.row
        alternatives = tuple(map(fill, row.alternatives))
        own = {fill(name): reference for name, reference in row.secrets.items()}
        others = {*context.environ, *plain, *given, *explicit}
        inherited = not others.isdisjoint(alternatives)
        for name, reference in {**own, **given}.items():
            if name in given or not (name in plain or name in context.environ or inherited):
                wanted[name] = reference
        beside = set(own) - (set(plain) - set(given))
        username = fill(row.username) if row.username else None
        if username in {*plain, *given, *explicit}:
            username = None
        plan = plan._replace(seal_keyring=row.seal_keyring)
        # A stale one cannot win over what is delivered.
        if not beside.isdisjoint({*wanted, *explicit}) or not set(plain).isdisjoint(own):
            blank = {fill(name): "" for name in row.blanks}
            removes = (*alternatives, *map(fill, row.removes))
            plan = plan._replace(environ={**blank, **plain}, removes=removes)
        elif not {*plain, *given, *explicit}.isdisjoint(alternatives):
            removes = (*own, *alternatives, *map(fill, row.removes))
            plan = plan._replace(removes=[name for name in removes if name not in plain])
    if not wanted and not explicit:
        return Planned([], plan)
    _check_plain(filed_plain, publishes)
    plan = plan._replace(fingerprint=launch.fingerprint(plan.program, content=publishes))
    program = _real_path(plan.program)
    purpose = f"for: {shown(plan.argv)}\nprogram: {program}"
    listing: tuple[str, ...] = ()
    wish = wish._replace(publishes=publishes)
    upload: Release | None = None
    if call is not None and target is not None:
        from . import release  # only what publishes pays for reading archives

        upload = release.examine(call, target, environ)
        purpose, listing = upload.consent(program, plan.argv)
        wish = wish._replace(inspect=upload.inspect)
        plan = plan._replace(recheck=_recheck(upload, call, environ))
        _warn(call, target, environ, context)
    found = {name: _wanted(ref, target, upload) for name, ref in wanted.items()}
    found |= {name: (parse(reference), ()) for name, reference in explicit.items()}
    wish = wish._replace(purpose=purpose)
    deliveries = [
        Delivery(
            name, wish._replace(reference=one, names=names), username if name in beside else None
        )
        for name, (one, names) in found.items()
    ]
    return Planned(deliveries, plan, upload, listing)


#: The loader's, and a shell's before its first line; ENV is most often something else.
_LOADING = tuple("LD_ DYLD_ BASH_ENV".split())

#: Whose certificates count, for OpenSSL, requests, the publishing tools, cargo and npm.
_TRUSTING = (
    r"(?i)SSL_CERT_(FILE|DIR)|(\w*_)?CA_?(BUNDLE|CERTS?|FILE|INFO)|\w+_CERT|NPM_CONFIG_CA"
    r"|\w*(INSECURE|STRICT_SSL|REJECT_UNAUTHORIZED)\w*"
)


def _check_plain(plain: Mapping[str, str], publishes: bool) -> None:
    """Refuse env files that would have other code run with the secret than what is meant.

    ``PATH`` and ``PYTHONPATH`` have their place in a project's file; but who has agreed
    to an upload has agreed to that program, as it is, and to that index.

    :raises Refused: if one does.
    """
    for name in plain:
        does = ""
        if name.upper().startswith(_LOADING) or (publishes and name != "ENV" and steers(name)):
            does = "changes how programs load"
        elif publishes and re.fullmatch(_TRUSTING, name):
            does = "changes whom programs trust"
        if does:
            raise Refused(
                f"the env file sets {visible(name)}, which {does}: it is not set beside a secret",
                f"take it out of the file; if it is meant, export {visible(name)} in the shell",
            )


def _recheck(before: Release, call: Call, environ: Mapping[str, str]) -> Callable[[], None]:
    from . import destination, release

    def recheck() -> None:
        after = release.examine(call, destination.find(call, environ), environ)
        if what := release.changed(before, after):
            raise Refused(f"{what} since it was shown", "look at it, and try again")

    return recheck


def _warn(call: Call, target: Destination, environ: Mapping[str, str], context: Context) -> None:
    from . import destination

    try:
        path, section = destination.plain_password(call, target, environ)
    except Refused:  # the index is known without that file
        return
    if path:
        context.note(
            f"{visible(path)} holds a password for {visible(target.shown)} in plain text; to be "
            f"rid of it: secretly set {pasted(target.secret)}, then delete the line 'password' "
            f"under [{visible(section)}], and the token where it was made"
        )


def _real_path(program: str) -> str:
    """Where a program is, and, if that is a link, where it leads to."""
    path, real = os.path.abspath(program), os.path.realpath(program)
    return visible(path if path == real else f"{path} -> {real}")


def _wanted(
    reference: str, target: Destination | None, upload: Release | None
) -> tuple[Reference, tuple[str, ...]]:
    """The secret for a row's variable, and the names of narrower ones to try before it."""
    found = Reference("", target.secret) if target and not reference else parse(reference)
    if upload is None or found.scheme or found.field:
        return found, ()
    projects = upload.projects or []
    return found, (f"{found.path}/{projects[0]}",) if len(projects) == 1 else ()


async def filled(
    plan: Plan,
    deliveries: Sequence[Delivery],
    upload: Release | None,
    context: Context,
    tell: Callable[[str], None],
) -> Plan:
    """Obtain what is to be delivered: all of it, or nothing is run.

    :param upload: what would be uploaded: PyPI's tokens are narrowed to it.
    :param tell: is told where each came from.
    """
    distinct = list(dict.fromkeys(delivery.wish for delivery in deliveries))
    outcomes = await resolve.obtain_all(distinct, context)
    found = dict(zip(distinct, outcomes, strict=True))
    values: dict[str, str] = {}
    said: set[str] = set()
    sources: list[str] = []
    now = time.time()
    for delivery in deliveries:
        outcome = found[delivery.wish]
        value = outcome.secret
        tell(f"{delivery.variable}: {visible(outcome.name)} ({outcome.origin})")
        if why := _unconfirmed(delivery.wish, outcome, context):
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
            entry = context.configuration.entry(outcome.name)
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


def _variable_of(outcome: Found, wish: Wish, context: Context) -> list[str]:
    """The variable of our own environment that a secret came from."""
    entry = context.configuration.entry(outcome.name)
    reference = wish.reference if wish.reference.scheme else entry.source
    return [reference.path] if reference is not None and reference.scheme == "env" else []


def _unconfirmed(wish: Wish, found: Found, context: Context) -> str:
    """Why a person was not asked before a stored secret goes to a publishing command."""
    if not wish.publishes or found.origin in ("typed", "configuration"):
        return ""
    if wish.confirm is not None:
        return "" if wish.confirm else "--no-confirm"
    unwanted = context.configuration.entry(found.name).confirm is False
    return "confirm = false in the configuration" if unwanted else ""
