"""The steps between the plan and the secrets: look at the program, and at what it uploads."""

from __future__ import annotations

import os

from ..config.command_line import Invocation
from ..errors import Refused
from ..record import Record
from ..redacted import Environ
from ..resolving.lookup import NameList
from ..resolving.request import Context
from ..text import escape, format_command, shell_quote
from . import program
from .delivery import Delivery, is_username
from .launch import Launch
from .limits import TokenLimits
from .plain import PlainVariable, texts
from .planning import DeliveryPlan, PlanInput

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import Any

    from ..config.model import Command, Entry
    from ..publishing.release import Release
    from ..publishing.tool import Pin
    from ..publishing.upload import Upload
    from .leases import Terms


class PreparedRun(Record):
    """A run that only its secrets are missing from.

    :param launch: the launch without its secrets.
    :param deliveries: the values to obtain, and how each travels.
    :param release: what would be uploaded, if it is a publishing command that gets a secret.
    :param limits: how PyPI tokens are limited, if secretly can't see an upload.
    :param listing: the files, where the dialog has no room for them.
    :param pinned: the words and variables that force the destination on the tool, for ``-v``.
    :param make_files: makes the empty settings that the pin names.
    :param username: decides the upload's user name, from the one that is configured for the secret
        and the secret's own; None: it is not an upload.
    :param named: the reference that the upload's user name comes from; empty if none was given.
    :param check_secret: refuses a secret and a user name that the tool would read otherwise.
    """

    launch: Launch
    deliveries: tuple[Delivery, ...] = ()
    release: Release | None = None
    limits: TokenLimits | None = None
    listing: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    make_files: Callable[[], None] | None = None
    username: Callable[[str | None, str | None], str] | None = None
    named: str = ""
    check_secret: Callable[[str, str], None] | None = None


def look_at_upload(
    invocation: Invocation,
    plain: Mapping[str, PlainVariable],
    context: Context,
    locations: Mapping[str, str] | None = None,
    *,
    program: str = "",
) -> Upload | None:
    """The upload of a call whose subcommand needs a secret; None if it publishes nothing.

    :param plain: the variables that this run sets.
    :param locations: the names of the stored tokens, by the index that made each.
    :param program: the path of the program that is started.
    """
    from ..publishing.tools import tool_for

    # Not 'publishes': that is configured, and this keeps the stored token from the tool.
    if tool_for(invocation.row.name) is None:
        return None
    from ..publishing import upload  # only publishing tools pay for loading it

    environ = Environ({**context.environ, **texts(plain)})
    origins = {name: variable.origin for name, variable in plain.items()}
    commands = context.configuration.commands
    return upload.upload_of(
        invocation,
        environ,
        origins=origins,
        locations=locations,
        commands=commands,
        program=program,
    )


def credentials(row: Command, upload: Upload) -> set[str]:
    """The tool's own variables for the secret and the user name, as named for this index."""
    names = (*row.alternatives, *filter(None, [row.username]))
    return {*upload.secrets(row.secrets), *map(upload.variable, names)}


def why_needs_none(upload: Upload) -> str:
    """Why the call itself needs no secret from secretly, in words; empty if it needs one.

    :raises Refused: if the command line can't be read for certain.
    """
    if given_by := upload.given_by:
        return f"{given_by} gives one, which is used as it is"
    return upload.why_needs_none


def why_trusted(upload: Upload, context: Context) -> str:
    """The CI's identity that takes the place of a secret, in words; empty if none does."""
    from . import locating

    identity = upload.identity
    if identity and not locating.has_secret(upload.secret, context):
        return f"{upload.tool} uses trusted publishing: {identity}"
    return ""


def prepare(plan: DeliveryPlan, given: PlanInput, context: Context) -> PreparedRun:
    """Look at what the user is going to agree to, and put it into the requests.

    :raises Refused: if the program or the upload must not get a secret.
    """
    launch = plan.launch
    if not plan.deliveries:
        if given.upload is not None and given.invocation is not None:
            given.upload.refuse_unseen(credentials(given.invocation.row, given.upload))
        return PreparedRun(launch)
    # Taken before anything is shown: the launch compares it.
    fingerprint = program.fingerprint(plan.program, content=plan.publishes)
    launch = launch._replace(fingerprint=fingerprint)
    path, argv = _real_path(plan.program), given.shown or plan.argv
    run = PreparedRun(launch, plan.deliveries)
    shown: dict[str, Any] = {"publishes": plan.publishes, "command": (format_command(argv), path)}
    if given.upload is not None:
        named = _named_username(plan, given)
        entry = context.configuration.entry(given.upload.secret)
        run, more = _with_upload(run, given.upload, entry, (path, argv), context, named=named)
        shown |= more
        if run.release is not None:
            from .last_use import LastUse
            from .receipts import current_folder, use_of

            command = use_of(path, argv, given.invocation, ()).command
            last = LastUse(context, command, current_folder(), run.release.files)
            shown["used_before"] = last.minutes_ago
        if given.common.confirm is None and _must_confirm(given.upload, entry):
            shown["confirm"] = True
    else:
        limits = TokenLimits(escape(os.path.basename(plan.argv[0])), given.projects)
        run = run._replace(limits=limits)
        shown |= {"inspect": limits.inspect, "limits": limits.describe}
        shown |= {"lease": _lease_terms(plan, fingerprint, context)}
    projects = given.projects or tuple((run.release and run.release.projects) or ())
    deliveries = tuple(
        _narrower_first(delivery, projects).with_requests(lambda one: one._replace(**shown))
        for delivery in plan.deliveries
    )
    program.check_program(plan.program, context.environ)
    return run._replace(deliveries=deliveries)


def _with_upload(
    run: PreparedRun,
    upload: Upload,
    entry: Entry,
    command: tuple[str, Sequence[str]],
    context: Context,
    *,
    named: str,
) -> tuple[PreparedRun, dict[str, Any]]:
    """The run with what it uploads, and what the requests need to show and check it.

    :param entry: what is configured for the secret of the index.
    :param command: the program's real path, escaped, and the command line as prompts show it.
    :param named: the reference that the user name comes from; empty if none was given.
    """
    from ..asking import upload_wording
    from ..publishing.pypi_token import PREFIX
    from .usernames import asks_username, upload_username

    release = upload.release
    consent, target = release.consent(*command, context.asked_by), release.destination

    def decide_username(configured: str | None, own: str | None) -> str:
        return upload_username(target, entry, configured, own)

    def describe(configured: str | None, own: str | None, typed: bool) -> str:
        username = named or decide_username(configured, own)
        if typed and prefix and not (configured or own):
            username = upload_wording.typed_username(username)
        return consent.text(username)

    release.check_certificates(entry)
    _refuse_several_tokens(release, entry, upload.commands, context)
    _warn_of_plain_password(upload, context.note)
    run = _with_pin(run, upload)._replace(
        release=release,
        listing=consent.listing,
        username=decide_username,
        named=named,
        check_secret=upload.check_secret,
    )
    asks = upload.narrows and not named and asks_username(target, entry)
    prefix = PREFIX if asks else ""
    return run, {"describe": describe, "inspect": release.inspect, "token_prefix": prefix}


def _with_pin(run: PreparedRun, upload: Upload) -> PreparedRun:
    """The run with what forces the shown destination on the tool."""
    launch = _pinned(run.launch, upload)._replace(recheck=upload.recheck)
    obtained = {name for one in run.deliveries for name in one.by.variables}
    lines = tuple(_pin_lines(run.launch.argv, launch.argv, upload.pin, obtained))
    return run._replace(launch=launch, pinned=lines, make_files=upload.make_empty)


def _lease_terms(
    plan: DeliveryPlan, fingerprint: tuple[int | str, ...], context: Context
) -> Terms | None:
    """What the user may agree to for a while, if that is configured; None for a publishing command.

    There the Yes is for what is uploaded now.
    """
    entries = context.configuration.having("confirm", str).values()
    if (
        plan.publishes
        or context.ancestors is None
        or all(one.confirm is None or isinstance(one.confirm, bool) for one in entries)
    ):
        return None
    from ..processes import ancestry
    from .leases import Terms

    agent = context.agent.process.pid if context.agent is not None else 0
    root = ancestry.root(context.ancestors(), agent)
    try:
        return Terms(plan.program, fingerprint, root, context.environ) if root.pid else None
    except OSError:  # the folder was deleted: each use is a question of its own
        return None


def _must_confirm(upload: Upload, entry: Entry) -> bool:
    """Whether a secret that is used without a question would go where only the project says.

    A token of PyPI's kind says itself which index made it.
    """
    from ..publishing.pypi_token import PREFIX

    target = upload.destination
    if entry.confirm is not False or entry.prefix == PREFIX or not upload.is_named_by_project:
        return False
    return {target.host, target.shown}.isdisjoint(entry.hosts)


def _named_username(plan: DeliveryPlan, given: PlanInput) -> str:
    """The reference that gives the tool its user name; empty if none was given."""
    row = given.invocation.row if given.invocation else None
    if row is None or row.username is None or given.upload is None:
        return ""
    variable = given.upload.variable(row.username)
    found = [
        str(request.reference)
        for one in plan.deliveries
        if variable in one.by.variables and not is_username(one.value)
        for request in one.requests
    ]
    return " and ".join(found)


def _refuse_several_tokens(
    release: Release, entry: Entry, commands: Callable[[], list[str]], context: Context
) -> None:
    """Refuse an upload of several projects that have a token each, and none together.

    :param commands: the commands that upload one project after another.
    :raises Refused: with the commands.
    """
    secret, projects = release.destination.secret, release.projects or ()
    if len(projects) < 2:
        return
    names = NameList(context)
    there = {*context.configuration.secrets, *names.names}
    if not all(f"{secret}/{project}" in there for project in projects):
        return
    if names.find(secret) is not None or entry.source is not None:
        return
    by_hand = "move the files of the other projects elsewhere"
    if release.packages is not None:
        by_hand = "name one package at a time"
    raise Refused(
        f"each project of this upload has a token of its own: {escape(', '.join(projects))}",
        f"upload one after another: {'; '.join(commands()) or by_hand}",
    )


def _pinned(launch: Launch, upload: Upload) -> Launch:
    """The launch with the words and variables that force the shown destination on the tool."""
    pin, typed = upload.pin, len(upload.arguments)
    # An env file or a profile may set what the pin removes.
    kept = {name: value for name, value in launch.environ.items() if name not in pin.removes}
    return launch._replace(
        argv=(*launch.argv[: len(launch.argv) - typed], *pin.arguments),
        environ=Environ({**kept, **pin.environ}),
        removes=(*launch.removes, *pin.removes),
    )


def _pin_lines(
    typed: Sequence[str], argv: Sequence[str], pin: Pin, obtained: Collection[str]
) -> Iterator[str]:
    """What forces the destination on the tool, in words.

    :param obtained: the variables that get a value later.
    """
    if tuple(typed) != tuple(argv):
        yield f"runs: {format_command(argv, 400)}"
    for name, value in pin.environ.items():
        if name in obtained:
            continue
        yield f"{escape(name)}: set to {escape(value) or 'nothing'}, for this upload"
    for name in pin.removes:
        yield f"{escape(name)}: removed, for this upload"


def _narrower_first(delivery: Delivery, projects: Sequence[str]) -> Delivery:
    """The delivery, which tries the secret of the one project first that is uploaded."""
    if not delivery.by_project or len(projects) != 1:
        return delivery
    return delivery.with_requests(
        lambda one: one._replace(names=(f"{one.reference.path}/{projects[0]}",))
    )


def _real_path(program: str) -> str:
    """The program's path, and, if that is a link, where it leads."""
    path, real = os.path.abspath(program), os.path.realpath(program)
    return escape(path if path == real else f"{path} -> {real}")


def _warn_of_plain_password(upload: Upload, note: Callable[[str], None]) -> None:
    try:
        path, section = upload.plain_password()
    except Refused:  # the index is known without that file
        return
    destination = upload.destination
    if path:
        from .usernames import TOKEN

        named = destination.username
        own = f" --username {shell_quote(named)}" if named and named != TOKEN else ""
        note(
            f"{escape(path)} holds a password for {escape(destination.shown)} in plain text. "
            f"To fix: 1) secretly set {shell_quote(destination.secret)}{own} 2) remove `password` "
            f"under [{escape(section)}] 3) revoke the old token"
        )
