"""The upload of a call: where it goes, whether it gets a secret, and the list of its files."""

from __future__ import annotations

import sys

from ..errors import Refused
from ..running import launch, locating, uploading
from ..text import escape
from .console import drive_in_place

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..config.invocation import Invocation
    from ..config.model import Command
    from ..publishing.upload import Upload
    from ..resolving.request import Context
    from ..running.delivery import DeliveryMethod, PreparedRun
    from ..running.plain import PlainVariable


def look_at_upload(
    known: Invocation,
    path: str,
    plain: Mapping[str, PlainVariable],
    context: Context,
) -> Upload | None:
    """The upload of a call, whose index a stored token may have made."""
    upload = uploading.look_at_upload(known, plain, context, program=path)
    if upload is None or uploading.why_needs_none(upload):
        return upload
    credentials = uploading.credentials(known.row._replace(username=None), upload)
    if credentials & {*plain, *(name for name, value in context.environ.items() if value)}:
        return upload  # it has its secret
    if not (upload.narrows and locating.is_unknown(upload.destination, context)):
        return upload
    launch.locale_as_given()  # before hardening: afterwards it can't be read
    locations = drive_in_place(locating.token_locations(context), {})
    return upload.located(locations) if locations else upload


def with_listing(prepared: PreparedRun) -> PreparedRun:
    """The run that prints the files before its first prompt: they are part of the question."""
    lines = list(prepared.listing)  # escaped already

    def show() -> None:
        while lines:
            print(lines.pop(0), file=sys.stderr)

    deliveries = (
        one.with_requests(lambda request: request._replace(before_prompt=show))
        for one in prepared.deliveries
    )
    return prepared._replace(deliveries=tuple(deliveries))


def why_gets_none(
    explicit: Iterable[DeliveryMethod], row: Command, upload: Upload, context: Context
) -> str:
    """Why an upload gets no secret from secretly, in words; empty if it gets one.

    :raises Refused: if the user gives a secret twice: in the call, and with ``-e``.
    """
    named = {name for by in explicit for name in by.variables}
    credentials = uploading.credentials(row._replace(username=None), upload) if named else set()
    if twice := named & credentials:
        if upload.given_by:
            raise Refused(
                f"{upload.given_by} gives a secret, and so does -e {escape(min(twice))}",
                "leave one of them out",
            )
        return ""
    needs_none = uploading.why_needs_none(upload)
    trusted = "" if needs_none else uploading.why_trusted(upload, context)
    if trusted or upload.given_by or (needs_none and upload.wants_identity):
        upload.refuse_unseen(uploading.credentials(row, upload))
    return needs_none or trusted
