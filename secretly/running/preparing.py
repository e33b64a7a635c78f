"""The steps between the plan and the secrets: look at the program, and at what it uploads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ..config.command_line import Invocation
from ..errors import Refused
from ..record import Record
from ..resolving.request import Context
from ..text import escape, format_command, shell_quote
from . import program
from .delivery import Delivery
from .launch import LaunchPlan
from .planning import DeliveryPlan, PlanInput

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.release import Release
    from ..publishing.upload import Upload


class PreparedRun(Record):
    """A run that only its secrets are missing from.

    :param launch: the launch without its secrets.
    :param deliveries: the values to obtain, and how each travels.
    :param release: what would be uploaded, if it is a publishing command that gets a secret.
    :param listing: the files, where the dialog has no room for them.
    """

    launch: LaunchPlan
    deliveries: tuple[Delivery, ...] = ()
    release: Release | None = None
    listing: tuple[str, ...] = ()


def look_at_upload(invocation: Invocation | None, environ: Mapping[str, str]) -> Upload | None:
    """The upload of a call; None if this call publishes nothing.

    :param environ: the environment that the command will have.
    """
    if invocation is None or not invocation.needs_secret:
        return None
    from ..publishing.tools import tool_for

    # Not 'publishes': that is configured, and this keeps the stored token from the tool.
    if tool_for(invocation.row.name) is None:
        return None
    from ..publishing import upload  # only publishing tools pay for loading it

    return upload.upload_of(invocation, environ)


def prepare(plan: DeliveryPlan, given: PlanInput, context: Context) -> PreparedRun:
    """Look at what the user is going to agree to, and put it into the requests.

    :raises Refused: if the program or the upload must not get a secret.
    """
    launch = plan.launch
    if not plan.deliveries:
        return PreparedRun(launch)
    # Taken before anything is shown: the launch compares it.
    fingerprint = program.fingerprint(plan.program, content=plan.publishes)
    launch = launch._replace(fingerprint=fingerprint)
    release, consent = None, ""
    listing: tuple[str, ...] = ()
    path, command = _real_path(plan.program), format_command(plan.argv)
    if given.upload is not None:
        release = given.upload.release
        consent, listing = release.consent(path, plan.argv)
        launch = launch._replace(recheck=given.upload.recheck)
        _warn_of_plain_password(given.upload, context.note)
    shown = {
        "publishes": plan.publishes,
        "purpose": consent,
        "command": (command, path),
        "inspect": release.inspect if release else None,
    }
    deliveries = tuple(
        _narrower_first(delivery, release).with_requests(lambda one: one._replace(**shown))
        for delivery in plan.deliveries
    )
    program.check_program(plan.program, context.environ)
    return PreparedRun(launch, deliveries, release, listing)


def _narrower_first(delivery: Delivery, release: Release | None) -> Delivery:
    """The delivery, which tries the secret of the one project first that is uploaded."""
    projects = (release.projects if release else None) or ()
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
        note(
            f"{escape(path)} holds a password for {escape(destination.shown)} in plain text. "
            f"To fix: 1) secretly set {shell_quote(destination.secret)} 2) remove `password` "
            f"under [{escape(section)}] 3) revoke the old token"
        )
