"""How each measured pinentry asks a question. The measurements used real keys.

A pinentry's flavor is its own claim, and many wrappers claim a flavor that GnuPG expects. So
consent never relies on the flavor alone: the program must be a measured one too.
"""

from __future__ import annotations

import contextlib
import enum
import os
from pathlib import Path

__all__ = ["Question", "asks_on_terminal", "name_of", "opens_window", "question"]

#: The version whose questions were measured. In other versions, Return may press another button.
VERSION = "1.2.1"


class Question(enum.Enum):
    """How a pinentry asks to confirm, so that no key that is pressed by habit means Yes."""

    #: OK says Yes: Return cancels (gtk2, qt).
    BUTTONS = enum.auto()
    #: Return presses OK, which therefore says No. Closing the dialog is neither button.
    EXCHANGED = enum.auto()
    #: The user types a word: nothing is known of the buttons, Return means Yes (gnome3),
    #: or any ``y`` does, also in a pasted PyPI token (tty).
    WORD = enum.auto()
    #: Escape answers OK, so the terminal asks.
    NEVER = enum.auto()


#: By the program's name and its flavor. Without a screen, most pinentries use curses.
_QUESTIONS = {
    "pinentry-curses": {"curses": Question.EXCHANGED},
    "pinentry-tty": {"tty": Question.WORD},
    "pinentry-gtk-2": {"gtk2": Question.BUTTONS, "gtk2:curses": Question.EXCHANGED},
    "pinentry-qt": {"qt": Question.BUTTONS, "qt:curses": Question.EXCHANGED},
    "pinentry-gnome3": {"gnome3": Question.WORD, "gnome3:curses": Question.EXCHANGED},
}

#: The pinentries that never open a window.
TEXTUAL = ("pinentry-curses", "pinentry-tty")


def name_of(program: Path | None) -> str:
    """Return the name of a measured pinentry; empty for any other program.

    A script is never a measured program, whatever its name is.
    """
    path = os.path.realpath(program or "")
    name = os.path.basename(path)
    if name in _QUESTIONS:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if file.read(2) != b"#!":
                return name
    return ""


def question(program: Path | None, flavor: str, version: str) -> Question:
    """Return how a pinentry may ask to confirm.

    :param flavor: the flavor that the pinentry reports.
    :param version: the version that the pinentry reports.
    """
    if "fltk" in flavor:
        return Question.NEVER
    if version != VERSION:
        return Question.WORD
    return _QUESTIONS.get(name_of(program), {}).get(flavor, Question.WORD)


def opens_window(program: Path | None, flavor: str) -> bool:
    """Return whether a pinentry certainly opens a window, and doesn't use the terminal."""
    name = name_of(program)
    return name not in TEXTUAL and ":" not in flavor and flavor in _QUESTIONS.get(name, {})


def asks_on_terminal(flavor: str) -> bool:
    """Return whether a flavor means that the pinentry asks on the terminal."""
    return flavor.rpartition(":")[2] in ("curses", "tty")
