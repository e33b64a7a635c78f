"""What was measured of pinentries, with real keys: how each one answers a question.

A pinentry's flavor is what it says of itself, and many wrappers say what GnuPG wants to hear. So
nothing that must be right rests on the flavor alone: the program must be one that was measured.
"""

from __future__ import annotations

import contextlib
import enum
import os
from pathlib import Path

__all__ = ["Question", "asks_on_terminal", "name_of", "opens_window", "question"]

#: The version whose questions were measured. In another one Return may press another button.
VERSION = "1.2.1"


class Question(enum.Enum):
    """How a pinentry asks to confirm, so that no key that is pressed by habit means Yes."""

    #: OK says Yes: Return cancels (gtk2, qt).
    BUTTONS = enum.auto()
    #: Return presses OK, which therefore says No. Closing the dialog is neither button.
    EXCHANGED = enum.auto()
    #: The user types a word: the buttons were not measured, Return agrees (gnome3), or any ``y``
    #: agrees, also one in a paste, as each PyPI token has it (tty).
    WORD = enum.auto()
    #: Escape answers OK, so the terminal asks.
    NEVER = enum.auto()


#: By the program's name, and by what it says of itself: without a screen most of them ask with
#: curses.
_QUESTIONS = {
    "pinentry-curses": {"curses": Question.EXCHANGED},
    "pinentry-tty": {"tty": Question.WORD},
    "pinentry-gtk-2": {"gtk2": Question.BUTTONS, "gtk2:curses": Question.EXCHANGED},
    "pinentry-qt": {"qt": Question.BUTTONS, "qt:curses": Question.EXCHANGED},
    "pinentry-gnome3": {"gnome3": Question.WORD, "gnome3:curses": Question.EXCHANGED},
}

#: Those that never open a window.
TEXTUAL = ("pinentry-curses", "pinentry-tty")


def name_of(program: Path | None) -> str:
    """Return the name of a pinentry that was measured; empty for any other program.

    A script is another program, whatever its name is.
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

    :param flavor: what it says it is.
    :param version: what it says its version is.
    """
    if "fltk" in flavor:
        return Question.NEVER
    if version != VERSION:
        return Question.WORD
    return _QUESTIONS.get(name_of(program), {}).get(flavor, Question.WORD)


def opens_window(program: Path | None, flavor: str) -> bool:
    """Return whether a pinentry certainly asks in a window, and leaves the terminal alone."""
    name = name_of(program)
    return name not in TEXTUAL and ":" not in flavor and flavor in _QUESTIONS.get(name, {})


def asks_on_terminal(flavor: str) -> bool:
    """Return whether a pinentry says that it asks on the terminal."""
    return flavor.rpartition(":")[2] in ("curses", "tty")
