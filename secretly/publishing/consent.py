"""The upload summary, which the user reads and agrees to."""

from __future__ import annotations

from ..asking import assuan, upload_wording
from ..errors import Refused
from ..record import Record
from ..text import escape

#: The width of the dialog's lines.
WIDTH = 72

#: What a line begins with that continues another.
_MARK = "> "

#: The bytes of the description that the question above this text may take.
_RESERVED = 200


class Consent(Record):
    """What the user sees before an upload.

    :param before: the lines above that with the user name.
    :param after: the lines below it.
    :param listing: the lines for standard error, if the dialog has no room for the files.
    :param named: whether the tool sends a user name.
    :param asked_by: the lines that the question has below this text.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    listing: tuple[str, ...] = ()
    named: bool = True
    asked_by: str = ""

    def text(self, username: str) -> str:
        """The text for the dialog.

        :raises Refused: if it does not fit into one.
        """
        if not self.fits(username):
            raise Refused(
                "the upload summary is too long for the prompt",
                "upload fewer projects at a time, or use a program with a shorter path",
            )
        return self._wrapped(username)

    def fits(self, username: str) -> bool:
        """Whether all of it fits into one line of the dialogue with pinentry."""
        whole = f"{self._wrapped(username)}\n\n{self.asked_by}" + "x" * _RESERVED
        return assuan.fits("SETDESC", whole, keep="\n")

    def _wrapped(self, username: str) -> str:
        user = [upload_wording.user_line(escape(username))] if self.named else []
        lines = (*self.before, *user, *self.after)
        return wrap("\n".join(lines), WIDTH)


def wrap(text: str, width: int) -> str:
    """Return *text* in lines of at most *width* characters. No character is lost.

    Dialogs wrap only at white space, and a long path runs out of the window. A mark begins each
    line that continues another, so that no name can look like a line of its own. The mark is
    not white space, which pinentry-curses drops.

    >>> wrap("/a/long/path", 8).splitlines()
    ['/a/long/', '> path']
    """
    lines = []
    for line in text.split("\n"):
        lines.append(line[:width])
        rest, room = line[width:], width - len(_MARK)
        lines += [f"{_MARK}{rest[at : at + room]}" for at in range(0, len(rest), room)]
    return "\n".join(lines)
