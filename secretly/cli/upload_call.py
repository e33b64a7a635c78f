"""The upload of a call: where it goes, and the list of its files."""

from __future__ import annotations

import sys

from ..publishing.upload import upload_of
from ..running import launch, locating, uploading
from ..running.plain import texts
from ..text import Environ
from .console import drive_in_place

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..config.invocation import Invocation
    from ..publishing.upload import Upload
    from ..resolving.request import Context
    from ..running.delivery import PreparedRun
    from ..running.plain import PlainVariable


def look_at_upload(
    known: Invocation,
    path: str,
    plain: Mapping[str, PlainVariable],
    chosen: Collection[str],
    context: Context,
) -> Upload | None:
    """The upload of a call, whose index a stored token may have made.

    :param plain: the variables that this run sets.
    :param chosen: the variables for which the user chose a secret.
    """
    upload = uploading.look_at_upload(known, plain, context, program=path, chosen=chosen)
    if upload is None or uploading.why_needs_none(upload):
        return upload
    credentials = uploading.credentials(known.row._replace(username=None), upload)
    filled = {name for name, value in {**context.environ, **texts(plain)}.items() if value}
    if credentials & filled:
        return upload  # it has its secret
    if not (upload.narrows and locating.is_unknown(upload.destination, context)):
        return upload
    launch.locale_as_given()  # before hardening: afterwards it can't be read
    locations = drive_in_place(locating.token_locations(context), {})
    return upload.located(locations) if locations else upload


def without_alias(
    known: Invocation,
    environ: Mapping[str, str],
    plain: Mapping[str, PlainVariable],
    chosen: Collection[str],
) -> Sequence[str]:
    """The tool's arguments without an alias of the user's that stands for a call with a secret.

    :param environ: secretly's own environment.
    :param plain: the variables that this run sets.
    :param chosen: the variables for which the user chose a secret.
    :raises Refused: if such an alias is not the user's own.
    """
    upload = upload_of(known, Environ({**environ, **texts(plain)}), chosen=chosen)
    assert upload is not None
    return upload.without_alias


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
