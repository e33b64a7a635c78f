"""The door to publishing: what the rest of secretly asks about an upload."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ..config.command_line import Invocation
from .destination import Destination, find_destination
from .examine import examine_release
from .release import Release, changed
from .tool_call import ToolCall
from .tools import tool_for

__all__ = ["Upload", "changed", "destination_of", "plain_password", "release_of", "upload_of"]


class Upload:
    """One look at an upload: it reads each file once, and the command line once.

    To look again, make another one with :func:`upload_of`.
    """

    def __init__(self, call: ToolCall) -> None:
        self._call = call

    @functools.cached_property
    def destination(self) -> Destination:
        """The index.

        :raises Refused: if a settings file can't be read, or a URL has no host.
        """
        return find_destination(self._call)

    @functools.cached_property
    def release(self) -> Release:
        """What would be uploaded.

        :raises Refused: if there is nothing to upload, or a file that can't be uploaded.
        """
        return examine_release(self._call, self.destination)

    def plain_password(self) -> tuple[str, str]:
        """The ``.pypirc`` and its section with a password in plain text for the index.

        Both are empty if there is none.

        :raises Refused: if the file can't be read.
        """
        pypirc = self._call.pypirc
        section = pypirc.section_with_password(self.destination.repository, self.destination.url)
        return (pypirc.path, section) if section else ("", "")


def upload_of(call: Invocation, environ: Mapping[str, str]) -> Upload | None:
    """Look at the upload of a call; None if the command is not a publishing tool.

    :param environ: the environment that the tool will have.
    """
    tool = tool_for(call.row.name)
    return None if tool is None else Upload(ToolCall(call, tool, environ))


def destination_of(call: Invocation, environ: Mapping[str, str]) -> Destination | None:
    """The index that a call would upload to; None if the command is not a publishing tool."""
    upload = upload_of(call, environ)
    return None if upload is None else upload.destination


def release_of(call: Invocation, target: Destination, environ: Mapping[str, str]) -> Release:
    """What a call would upload there.

    :raises Refused: if there is nothing to upload, or a file that can't be uploaded.
    """
    upload = upload_of(call, environ)
    assert upload is not None
    return upload.release


def plain_password(
    call: Invocation, target: Destination, environ: Mapping[str, str]
) -> tuple[str, str]:
    """The ``.pypirc`` and its section with a password in plain text for the index."""
    upload = upload_of(call, environ)
    assert upload is not None
    return upload.plain_password()
