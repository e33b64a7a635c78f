"""The last use of the same secret for the same upload, from the receipts.

secretly becomes the tool, so it can't see that the index refuses a token. The next upload of the
same files can say what to do if it did.
"""

from __future__ import annotations

import time

from ..text import from_json
from . import past_receipts, receipts
from .receipt_file import ReceiptFile
from .receipts import FILES, HANDED_OVER, utc

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..publishing.archives import Distribution
    from ..resolving.request import Context

__all__ = ["LastUse"]

#: For how long, in seconds, an upload may have been the one before.
_RECENT = 3600


class LastUse:
    """The earlier hand-overs to an upload.

    :param command: the known command and its subcommand, as a receipt has them.
    :param folder: the folder that the tool runs in.
    :param files: what it uploads; empty if it builds the files first.
    """

    def __init__(
        self, context: Context, command: str, folder: str, files: Sequence[Distribution]
    ) -> None:
        self._context, self._command, self._folder = context, command, folder
        self._digests = {one.sha256 for one in files[:FILES]}

    def minutes_ago(self, name: str) -> int | None:
        """How many minutes ago the same upload had the secret of this name.

        None: it had not, or the secret was stored again since then.
        """
        now = time.time()
        file = ReceiptFile(receipts.folder(self._context.environ, self._context.policy))
        for line in reversed(past_receipts.last_lines(file)):
            # Most lines are about something else.
            if not all(text.encode() in line for text in (HANDED_OVER, *self._digests)):
                continue
            try:
                receipt = from_json(line.decode())
                if self._is_same(receipt, name):
                    return self._minutes(receipt["time"], name, now)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                continue  # not a line of secretly's
        return None

    def _is_same(self, receipt: Any, name: str) -> bool:
        files = {one["sha256"] for one in receipt.get("files", ())}
        where = (receipt["command"], receipt["folder"])
        return (
            receipt["outcome"] == HANDED_OVER
            and any(secret["name"] == name for secret in receipt["secrets"])
            and files == self._digests
            and (bool(files) or where == (self._command, self._folder))
        )

    def _minutes(self, moment: str, name: str, now: float) -> int | None:
        """How many minutes ago that was; None if it is too long ago, or of an older secret."""
        if not utc(now - _RECENT) <= moment <= utc(now):
            return None
        item = self._context.stored_names.find(name)
        if item is not None and item.stored[:_SECOND] > moment[:_SECOND]:
            return None
        # Less than a day, so the times of day are enough: to read dates takes a while to load.
        return (_time_of_day(utc(now)) - _time_of_day(moment)) % 86400 // 60


def _time_of_day(moment: str) -> int:
    """The seconds since midnight."""
    hours, minutes, seconds = map(int, moment[:_SECOND].partition("T")[2].split(":"))
    return (hours * 60 + minutes) * 60 + seconds


#: The length of a time to the second, in ISO 8601.
_SECOND = len("1970-01-01T00:00:00")
