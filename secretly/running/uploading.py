"""The upload of a run: whether it gets a secret, what is shown, and what is forced on the tool."""

from __future__ import annotations

from ..asking import upload_wording
from ..errors import Refused
from ..publishing.pypi_token import PREFIX
from ..resolving.lookup import NameList
from ..text import Environ, escape, format_command, shell_quote
from . import locating
from .delivery import is_username
from .last_use import LastUse
from .plain import texts
from .receipts import current_folder, use_of
from .usernames import TOKEN, asks_username, upload_username

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Container,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from typing import Any

    from ..config.invocation import Invocation
    from ..config.model import Command, Entry
    from ..publishing.release import Release
    from ..publishing.tool import Pin
    from ..publishing.upload import Upload
    from ..resolving.request import Context, SecretRequest
    from .delivery import Delivery, DeliveryMethod, PreparedRun
    from .launch import Launch
    from .plain import PlainVariable
    from .planning import PlanInput


def look_at_upload(
    invocation: Invocation,
    plain: Mapping[str, PlainVariable],
    context: Context,
    *,
    program: str = "",
    chosen: Collection[str] = (),
) -> Upload | None:
    """The upload of a call whose subcommand needs a secret; None if it publishes nothing.

    :param plain: the variables that this run sets.
    :param program: the path of the program that is started.
    :param chosen: the variables for which the user chose a secret.
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
        commands=commands,
        program=program,
        chosen=chosen,
    )


def credentials(row: Command, upload: Upload) -> set[str]:
    """The tool's own variables for the secret and the user name, as named for this index."""
    names = (*row.alternatives, *filter(None, [row.username]))
    return {*upload.secrets(row.secrets), *map(upload.variable, names)}


def why_gets_none(
    explicit: Iterable[DeliveryMethod], row: Command, upload: Upload, context: Context
) -> str:
    """Why an upload gets no secret from secretly, in words; empty if it gets one.

    :raises Refused: if the user gives a secret twice: in the call, and with ``-e``.
    """
    named = {name for by in explicit for name in by.variables}
    secrets = credentials(row._replace(username=None), upload) if named else set()
    if twice := named & secrets:
        if upload.given_by:
            raise Refused(
                f"{upload.given_by} gives a secret, and so does -e {escape(min(twice))}",
                "leave one of them out",
            )
        return ""
    needs_none = why_needs_none(upload)
    trusted = "" if needs_none else why_trusted(upload, context)
    if trusted or upload.given_by or (needs_none and upload.wants_identity):
        upload.refuse_unseen(credentials(row, upload))
    return needs_none or trusted


def why_needs_none(upload: Upload) -> str:
    """Why the call itself needs no secret from secretly, in words; empty if it needs one.

    :raises Refused: if the command line can't be read for certain.
    """
    if given_by := upload.given_by:
        return f"{given_by} gives one, which is used as it is"
    return upload.why_needs_none


def why_trusted(upload: Upload, context: Context) -> str:
    """The CI's identity that takes the place of a secret, in words; empty if none does."""
    identity = upload.identity
    if identity and not locating.has_secret(upload.secret, context):
        return f"{upload.tool} uses trusted publishing: {identity}"
    return ""


def with_upload(
    run: PreparedRun, given: PlanInput, command: tuple[str, Sequence[str]], context: Context
) -> tuple[PreparedRun, dict[str, Any]]:
    """The run with what it uploads, and what the requests need to show and check it.

    :param command: the program's real path, escaped, and the command line as prompts show it.
    :raises Refused: if the upload must not get a secret.
    """
    upload = given.upload
    assert upload is not None
    assert given.invocation is not None
    path, argv = command
    named = _named_username(run, given)
    entry = context.configuration.entry(upload.secret)
    run, shown = _with_release(run, upload, entry, command, context, named=named)
    run = run._replace(check_text=_text_check(upload, given.invocation.row))
    typed = use_of(path, argv, given.invocation, ()).command
    last = LastUse(context, typed, current_folder(), upload.release.files)
    shown["used_before"] = last.minutes_ago
    return run, shown


def _with_release(
    run: PreparedRun,
    upload: Upload,
    entry: Entry,
    command: tuple[str, Sequence[str]],
    context: Context,
    *,
    named: str,
) -> tuple[PreparedRun, dict[str, Any]]:
    """The run with its release, and what the requests need to show and check that.

    :param entry: what is configured for the secret of the index.
    :param named: the reference that the user name comes from; empty if none was given.
    """
    release = upload.release
    consent, target = release.consent(*command, context.asked_by), release.destination

    def decide_username(configured: str | None, own: str | None) -> str:
        return upload_username(target, entry, configured, own)

    def describe(configured: str | None, own: str | None, typed: bool, others: str = "") -> str:
        username = named or decide_username(configured, own)
        if typed and prefix and not (configured or own):
            username = upload_wording.typed_username(username)
        return consent.text(username, others)

    release.check_certificates(entry)
    _refuse_several_tokens(release, entry, upload.commands, context)
    _warn_of_plain_password(upload, context.note)
    run = _with_pin(run, upload)._replace(
        release=release,
        listing=consent.listing,
        username=decide_username,
        named=named,
    )
    asks = upload.narrows and not named and asks_username(target, entry)
    prefix = PREFIX if asks else ""
    return run, {"describe": describe, "inspect": release.inspect, "token_prefix": prefix}


def _text_check(upload: Upload, row: Command) -> Callable[[Delivery, str], None]:
    """What refuses the text of a delivery that the tool would read otherwise."""
    own = credentials(row._replace(username=None), upload)
    name = upload.variable(row.username) if row.username else ""

    def check_text(delivery: Delivery, text: str) -> None:
        if is_username(delivery.value) or name in delivery.by.variables:
            upload.check_secret("", text)
        elif not own.isdisjoint(delivery.by.variables):
            upload.check_secret(text, TOKEN)

    return check_text


def _with_pin(run: PreparedRun, upload: Upload) -> PreparedRun:
    """The run with what forces the shown destination on the tool."""
    launch = _pinned(run.launch, upload)._replace(recheck=upload.recheck)
    obtained = {name for one in run.deliveries for name in one.by.variables}
    typed, argv = upload.masked(run.launch.argv), upload.masked(launch.argv)
    lines = tuple(_pin_lines(typed, argv, upload.pin, obtained))
    return run._replace(launch=launch, pinned=lines, make_files=upload.make_empty)


def shown_by_place(
    deliveries: Sequence[Delivery],
    given: PlanInput,
    command: tuple[str, Sequence[str]],
    context: Context,
) -> tuple[Delivery, ...]:
    """The deliveries, whose requests differ by whether the tool reads the secret for the upload.

    Such a secret is judged by its own configuration, if the upload goes where only the project
    says. Every other secret of the run is judged by the configuration of the index's secret, and
    its dialog says which variable it is for.

    :param command: the program's real path, escaped, and the command line as prompts show it.
    """
    upload = given.upload
    assert upload is not None
    assert given.invocation is not None
    own = set(filter(upload.steers, credentials(given.invocation.row, upload)))
    sent, places = _sent_and_others(deliveries, own)
    entry = context.configuration.entry(upload.secret)

    def of_sent(found: Entry) -> bool:
        return _goes_elsewhere(upload, found)

    def of_others(_: Entry) -> bool:
        return entry.confirm is False and _goes_elsewhere(upload, entry)

    def of_another(names: str) -> dict[str, Any]:
        consent = upload.release.consent(*command, context.asked_by)
        text = consent.text_of_another(names)
        return {"elsewhere": of_others, "describe": lambda *_: text, "token_prefix": ""}

    def changed(request: SecretRequest) -> SecretRequest:
        names = ", ".join(places.get(request, ()))
        if request not in sent:
            return request._replace(**of_another(names))
        return request._replace(elsewhere=of_sent, describe=_also_for(names, request.describe))

    # Those for the same secret stay equal, so that it is asked for once.
    found = {request: changed(request) for request in {*sent, *places}}
    return tuple(delivery.with_requests(found.__getitem__) for delivery in deliveries)


def _sent_and_others(
    deliveries: Sequence[Delivery], own: Container[str]
) -> tuple[set[SecretRequest], dict[SecretRequest, list[str]]]:
    """The requests whose secret the tool reads for the upload, and the other places of each.

    :param own: the variables that the tool reads for the upload.
    """
    sent: set[SecretRequest] = set()
    places: dict[SecretRequest, list[str]] = {}
    for delivery in deliveries:
        if any(name in own for name in delivery.by.variables):
            sent.update(delivery.requests)
            continue
        for request in {*delivery.requests}:
            places.setdefault(request, []).append(delivery.by.describe())
    return sent, places


def _also_for(names: str, describe: Any) -> Any:
    """What describes the upload's own secret, which goes into other variables too."""
    return (lambda *known: describe(*known, names)) if names else describe


def _goes_elsewhere(upload: Upload, entry: Entry) -> bool:
    """Whether a secret that is used without a question would go where only the project says.

    A token of PyPI's kind says itself which index made it.
    """
    target = upload.destination
    if entry.prefix == PREFIX or not upload.is_named_by_project:
        return False
    return {target.host, target.shown}.isdisjoint(entry.hosts)


def _named_username(run: PreparedRun, given: PlanInput) -> str:
    """The reference that gives the tool its user name; empty if none was given."""
    row = given.invocation.row if given.invocation else None
    if row is None or row.username is None or given.upload is None:
        return ""
    variable = given.upload.variable(row.username)
    found = [
        str(request.reference)
        for one in run.deliveries
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


def _warn_of_plain_password(upload: Upload, note: Callable[[str], None]) -> None:
    try:
        path, section = upload.plain_password()
    except Refused:  # the index is known without that file
        return
    destination = upload.destination
    if path:
        named = destination.username
        own = f" --username {shell_quote(named)}" if named and named != TOKEN else ""
        note(
            f"{escape(path)} holds a password for {escape(destination.shown)} in plain text. "
            f"To fix: 1) secretly set {shell_quote(destination.secret)}{own} 2) remove `password` "
            f"under [{escape(section)}] 3) revoke the old token"
        )
