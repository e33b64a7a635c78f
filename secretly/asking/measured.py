"""Facts about the measured pinentries: which of them open a window.

A pinentry's flavor is its own claim, and many wrappers claim a flavor that GnuPG expects. So
secretly never relies on the flavor alone: the program must be a measured one too. Consent relies
on neither: in every pinentry the user types a word.
"""

from __future__ import annotations

import os

from ..waiting.blocks import suppress

__all__ = ["NEEDS_CURSES", "TEXTUAL", "asks_on_terminal", "may_confirm", "name_of", "opens_window"]

#: The flavors of each measured pinentry, version 1.2.1. Without a screen, most use curses.
_FLAVORS = {
    "pinentry-curses": ("curses",),
    "pinentry-tty": ("tty",),
    "pinentry-gtk-2": ("gtk2", "gtk2:curses"),
    "pinentry-qt": ("qt", "qt:curses"),
    "pinentry-gnome3": ("gnome3", "gnome3:curses"),
}

#: The pinentries that never open a window.
TEXTUAL = ("pinentry-curses", "pinentry-tty")

#: The pinentries that draw a dialog on the terminal, at least without a screen.
NEEDS_CURSES = tuple(name for name in _FLAVORS if name != "pinentry-tty")


def name_of(program: str | None) -> str:
    """Return the name of a measured pinentry; empty for any other program.

    A script is never a measured program, whatever its name is.
    """
    path = os.path.realpath(program or "")
    name = os.path.basename(path)
    if name in _FLAVORS:
        with suppress(OSError), open(path, "rb") as file:
            if file.read(2) != b"#!":
                return name
    return ""


def may_confirm(flavor: str) -> bool:
    """Return whether a pinentry of this flavor may ask to confirm.

    In pinentry-fltk Escape answers OK, so the terminal asks.
    """
    return "fltk" not in flavor


def opens_window(program: str | None, flavor: str) -> bool:
    """Return whether a pinentry certainly opens a window, and doesn't use the terminal."""
    name = name_of(program)
    return name not in TEXTUAL and ":" not in flavor and flavor in _FLAVORS.get(name, ())


def asks_on_terminal(flavor: str) -> bool:
    """Return whether a flavor means that the pinentry asks on the terminal."""
    return flavor.rpartition(":")[2] in ("curses", "tty")
