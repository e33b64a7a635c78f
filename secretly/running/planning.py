"""Plan which variable gets which secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from ..config.command_line import Invocation
from ..config.model import Profile
from ..config.values import steers
from ..errors import Refused
from ..record import Record
from ..reference import Reference, parse
from ..resolving.request import Context, SecretRequest
from ..text import escape, format_command, shell_quote
from . import program
from .launch import LaunchPlan

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination
    from ..publishing.release import Release
    from .env_file import EnvFile


class Delivery(Record):
    """A variable, and the wish whose outcome goes into it.

    :param username: the variable for the user name that goes with it.
    """

    variable: str
    wish: SecretRequest
    username: str | None = None


class PlannedDelivery(Record):
    """What would be done.

    :param deliveries: what goes into which variable.
    :param release: what would be uploaded, if it is a publishing command that gets a secret.
    :param listing: the files, where the dialog has no room for them.
    """

    deliveries: list[Delivery]
    plan: LaunchPlan
    release: Release | None = None
    listing: tuple[str, ...] = ()


def plan_delivery(
    plan: LaunchPlan,
    wish: SecretRequest,
    call: Invocation | None,
    chosen: Profile | None,
    explicit: Mapping[str, str],
    context: Context,
    file: EnvFile | None = None,
) -> PlannedDelivery:
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
    if call is not None and call.row.publishes:
        from ..publishing import upload

        target = upload.destination_of(call, environ)
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
        return PlannedDelivery([], plan)
    _check_plain(filed_plain, publishes)
    plan = plan._replace(fingerprint=program.fingerprint(plan.program, content=publishes))
    path = _real_path(plan.program)
    purpose = f"for: {format_command(plan.argv)}\nprogram: {path}"
    listing: tuple[str, ...] = ()
    wish = wish._replace(publishes=publishes)
    release: Release | None = None
    if call is not None and target is not None:
        from ..publishing import upload  # only publishing tools pay for reading archives

        release = upload.release_of(call, target, environ)
        purpose, listing = release.consent(path, plan.argv)
        wish = wish._replace(inspect=release.inspect)
        plan = plan._replace(recheck=_recheck(release, call, environ))
        _warn(call, target, environ, context)
    found = {name: _wanted(ref, target, release) for name, ref in wanted.items()}
    found |= {name: (parse(reference), ()) for name, reference in explicit.items()}
    wish = wish._replace(purpose=purpose)
    deliveries = [
        Delivery(
            name, wish._replace(reference=one, names=names), username if name in beside else None
        )
        for name, (one, names) in found.items()
    ]
    return PlannedDelivery(deliveries, plan, release, listing)


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
                f"the env file sets {escape(name)}, which {does}: it is not set beside a secret",
                f"take it out of the file; if it is meant, export {escape(name)} in the shell",
            )


def _recheck(before: Release, call: Invocation, environ: Mapping[str, str]) -> Callable[[], None]:
    from ..publishing import upload

    def recheck() -> None:
        target = upload.destination_of(call, environ)
        assert target is not None
        if what := upload.changed(before, upload.release_of(call, target, environ)):
            raise Refused(f"{what} since it was shown", "look at it, and try again")

    return recheck


def _warn(
    call: Invocation, target: Destination, environ: Mapping[str, str], context: Context
) -> None:
    from ..publishing import upload

    try:
        path, section = upload.plain_password(call, target, environ)
    except Refused:  # the index is known without that file
        return
    if path:
        context.note(
            f"{escape(path)} holds a password for {escape(target.shown)} in plain text; to be "
            f"rid of it: secretly set {shell_quote(target.secret)}, then delete the line "
            f"'password' under [{escape(section)}], and the token where it was made"
        )


def _real_path(program: str) -> str:
    """Where a program is, and, if that is a link, where it leads to."""
    path, real = os.path.abspath(program), os.path.realpath(program)
    return escape(path if path == real else f"{path} -> {real}")


def _wanted(
    reference: str, target: Destination | None, upload: Release | None
) -> tuple[Reference, tuple[str, ...]]:
    """The secret for a row's variable, and the names of narrower ones to try before it."""
    found = Reference("", target.secret) if target and not reference else parse(reference)
    if upload is None or found.scheme or found.field:
        return found, ()
    projects = upload.projects or []
    return found, (f"{found.path}/{projects[0]}",) if len(projects) == 1 else ()
