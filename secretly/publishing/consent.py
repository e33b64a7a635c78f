"""The upload summary, which the user reads and agrees to."""

from __future__ import annotations

from ..asking import assuan, upload_wording
from ..errors import Refused
from ..record import Record
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def text(self, username: str, others: str = "") -> str:
        """The text for the dialog about the secret of the upload.

        :param others: the names of other variables that it goes into, escaped.
        :raises Refused: if it does not fit into one.
        """
        also = [upload_wording.others_line(others)] if others else []
        return self._checked(self._user(username) + also)

    def text_of_another(self, places: str) -> str:
        """The text for the dialog about another secret that the tool gets.

        :param places: the names of the variables that it goes into, escaped.
        :raises Refused: if it does not fit into one.
        """
        return self._checked([upload_wording.variable_line(places)])

    def fits(self, username: str) -> bool:
        """Whether all of it fits into one line of the dialogue with pinentry."""
        return self._fits(self._wrapped(self._user(username)))

    def _user(self, username: str) -> list[str]:
        return [upload_wording.user_line(escape(username))] if self.named else []

    def _fits(self, text: str) -> bool:
        return assuan.fits("SETDESC", f"{text}\n\n{self.asked_by}" + "x" * _RESERVED, keep="\n")

    def _checked(self, lines: Sequence[str]) -> str:
        text = self._wrapped(lines)
        if not self._fits(text):
            raise Refused(
                "the upload summary is too long for the prompt",
                "upload fewer projects at a time, or use a program with a shorter path",
            )
        return text

    def _wrapped(self, lines: Sequence[str]) -> str:
        return wrap("\n".join((*self.before, *lines, *self.after)), WIDTH)


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
