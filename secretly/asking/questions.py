"""Questions to the user, and the meaning of a pinentry's answers."""

from __future__ import annotations

import time

from ..errors import Cancelled, NotConfirmed, PinentryFailed, PromptTimeout, Refused
from ..record import Record
from . import assuan, wording

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "DOCTOR",
    "MACHINE_TIMEOUT",
    "NEVER",
    "Patience",
    "Prompt",
    "agreed",
    "check_code",
    "check_room",
    "no_answer",
    "pasted",
    "said_no",
    "several_lines",
    "with_caller",
]

#: How long, in seconds, a pinentry may take to start, and to answer what the user does not answer.
MACHINE_TIMEOUT = 30.0

#: When what has no limit must have ended: a time of the monotonic clock, in seconds.
NEVER = float("inf")

#: What to do about a pinentry that does not work.
DOCTOR = "run 'secretly doctor': it shows the pinentry and how to choose another"


class Prompt(Record):
    """What the user is asked.

    :param prompt: the label of the entry field, without a colon.
    :param error: what was wrong with the last answer.
    :param repeat: ask for it twice, as for a new password.
    :param whole: refuse rather than cut the description: the user consents to all of it.
    :param longer: what the user may type in place of Yes: a duration, to agree for so long, or
        ``wording.ANOTHER``, to type another secret.
    """

    title: str
    description: str
    prompt: str
    error: str = ""
    repeat: bool = False
    whole: bool = False
    longer: str = ""


def _as_it_is(text: str) -> str:
    return text


def with_caller(
    lines: Sequence[str], asked_by: str, framed: Callable[[str], str] = _as_it_is
) -> str:
    """Return a description that ends with who asks. If its end would be cut, it begins with that.

    :param lines: the other lines; those that are empty are left out. An empty line follows a text
        of several paragraphs: the last one may be a list.
    :param framed: makes the whole text from all lines.
    """
    parts = [f"{line}\n" if "\n\n" in line else line for line in lines]
    text = framed("\n".join(filter(None, (*parts, asked_by))).rstrip("\n"))
    if assuan.fits("SETDESC", text, keep="\n"):
        return text
    return framed("\n".join(filter(None, (asked_by, *lines))))


class Patience(Record):
    """How long the user may take.

    :param seconds: for each question, as the user set it; messages show this number.
    :param until: when the last question must end: a time of the monotonic clock, in seconds.
    """

    seconds: float
    until: float = NEVER

    def left(self) -> float:
        """Return how long the user has for the next question, in seconds.

        :raises PromptTimeout: if the time is over.
        """
        left = min(self.seconds, self.until - time.monotonic())
        if left <= 0:
            raise no_answer(self)
        return left


def check_room(prompt: Prompt) -> None:
    """Refuse a description that would be cut, if the user must see all of it."""
    if prompt.whole and not assuan.fits("SETDESC", prompt.description, keep="\n"):
        raise Refused(
            "the text that you must confirm is too long for the prompt",
            "shorten the command's path or the secret's name, or do less in one command",
        )


def no_answer(patience: Patience) -> PromptTimeout:
    """Return the error for a user who did not answer in time."""
    return PromptTimeout(
        f"you did not answer the prompt in {patience.seconds:g} s",
        "try again; for more time: secretly run --prompt-timeout, or timeout= in Python",
    )


def agreed(typed: bytes | bytearray, longer: str = "") -> str:
    """Return what an answer agrees to: Yes, or what else was offered; empty for a No.

    >>> agreed(b" Y "), agreed(b"30m", "30m"), agreed(b"30m")
    ('yes', '30m', '')
    """
    said = bytes(typed).strip().lower()
    if said in (b"y", wording.YES.encode()):
        return wording.YES
    return longer if longer and said == longer.encode() else ""


def said_no() -> NotConfirmed:
    """Return the error for a user who answered No."""
    return NotConfirmed("cancelled: you answered No", "nothing was run and no secret was used")


def pasted() -> NotConfirmed:
    """Return the error for a Yes with more input after it, which may be a paste."""
    return NotConfirmed(
        "cancelled: more input followed your answer, and a paste is not an answer",
        "nothing was run and no secret was used; try again and type the answer alone",
    )


def several_lines() -> Refused:
    """Return the error for a secret of several lines: a prompt reads only one line."""
    return Refused(
        "you entered several lines, or the first of several: a prompt takes one line",
        "store it from a file: secretly set NAME --stdin < FILE",
    )


def check_code(code: int, name: str, patience: Patience) -> None:
    """Raise the error that a pinentry's answer to a prompt means; return if it means OK.

    :param code: the answer's code.
    :param name: the pinentry's name.
    :param patience: how long the user had.
    :raises PinentryFailed: if the code doesn't come from the user.
    """
    if code == 0:
        return
    if code == assuan.TIMEOUT:
        raise no_answer(patience)
    if code == assuan.NOT_CONFIRMED:
        raise said_no()
    if code in (assuan.CANCELED, assuan.FULLY_CANCELED):
        raise Cancelled("cancelled at the prompt", "nothing was done")
    if code == assuan.WINDOW_TOO_SMALL:
        raise PinentryFailed(f"{name} has no room on this terminal", DOCTOR)
    raise PinentryFailed(f"{name} failed with error {code}", DOCTOR)
