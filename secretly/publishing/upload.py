"""What the rest of secretly asks about an upload: where to, of what, and what else is known."""

from __future__ import annotations

from collections.abc import Mapping

from ..config.command_line import Invocation
from . import destination as destinations
from . import examine
from .destination import Destination
from .release import Release, changed

__all__ = ["changed", "destination_of", "plain_password", "release_of"]


def destination_of(call: Invocation, environ: Mapping[str, str]) -> Destination | None:
    """The index that a call would upload to; None if it is not a publishing tool's."""
    return destinations.find_destination(call, environ) if call.row.index else None


def release_of(call: Invocation, target: Destination, environ: Mapping[str, str]) -> Release:
    """What a call would upload there.

    :raises Refused: if there is nothing to upload, or something that cannot be.
    """
    return examine.examine_release(call, target, environ)


def plain_password(
    call: Invocation, target: Destination, environ: Mapping[str, str]
) -> tuple[str, str]:
    """The ``.pypirc`` and its section with a plain password for the index; both may be empty."""
    return destinations.plain_password(call, target, environ)
