"""The real pinentry-tty and pinentry-curses, each on a terminal."""

from __future__ import annotations

import os
import re
import signal
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import need
from ptys import DEEP, SOON, Asking, command_of, consent, running

from secretly.asking import wording
from secretly.testing import FakePinentry
from secretly.testing.pinentry import _executable

pytestmark = [pytest.mark.real, pytest.mark.outside]

BOTH = pytest.mark.parametrize("program", ["pinentry-tty", "pinentry-curses"])
ONLY_CURSES = pytest.mark.parametrize("program", ["pinentry-curses"])
KEY = "-----BEGIN PRIVATE KEY-----\rcanary-1\r-----END PRIVATE KEY-----"


def asking(folder: Path, program: str, what: str = "ask", **more: Any) -> Asking:
    """Ask with *program* on a terminal."""
    need(program)
    variables = {"PINENTRY": program, **more.pop("variables", {})}
    return Asking(folder, what, variables=variables, **more)


# -- typing ----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("text", ["canary-1", "canary a%b%25", "canary-é€😀", "D x"])
def test_a_typed_text_comes_back(program: str, text: str, tmp_path: Path) -> None:
    """Plain, percent and UTF-8: the text comes back as it is, and is never shown."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        assert "a description" in terminal.shown
        terminal.type(text + "\r")
        assert terminal.result()["value"] == text
        assert text not in terminal.shown


@BOTH
def test_an_empty_answer_is_empty(program: str, tmp_path: Path) -> None:
    """Return alone is an empty text."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        terminal.type("\r")
        assert terminal.result()["value"] == ""


@BOTH
def test_an_empty_secret_is_asked_for_again(program: str, tmp_path: Path) -> None:
    """The library accepts no empty secret: the user is asked again."""
    with asking(tmp_path, program, "secret", reference="Demo") as terminal:
        terminal.prompted("Demo")
        terminal.type("\r")
        terminal.wait_for(wording.NOTHING_ENTERED)
        terminal.until(lambda: not terminal.echoes())
        terminal.type("canary-1\r")
        assert terminal.result()["value"] == "canary-1"


@BOTH
@pytest.mark.parametrize("paste", ["canary-1\rls -l\r", "canary-1\rx", KEY])
@pytest.mark.parametrize("repeat", [False, True])
def test_a_paste_of_several_lines_is_refused(
    program: str, paste: str, repeat: bool, tmp_path: Path
) -> None:
    """secretly refuses the paste, and no other program gets the other lines."""
    with asking(tmp_path, program, repeat=repeat) as terminal:
        terminal.prompted()
        terminal.type(paste)
        found = terminal.result()
        assert found["error"] == "Refused"
        assert "--stdin" in found["said"]


@BOTH
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n\r"])
def test_a_pasted_token_may_have_its_newline(program: str, end: str, tmp_path: Path) -> None:
    """White space around a pasted token is dropped.

    Terminals paste a newline as Return; a bare LF is a character like others to
    pinentry-curses, until Return is pressed.
    """
    with asking(tmp_path, program, "secret", reference="PyPI") as terminal:
        terminal.prompted("pypi-")
        terminal.type("  pypi-canary-1 " + end)
        assert terminal.result()["value"] == "pypi-canary-1"


def test_a_long_secret_comes_whole(tmp_path: Path) -> None:
    """pinentry-tty accepts 3000 bytes."""
    with asking(tmp_path, "pinentry-tty") as terminal:
        terminal.prompted()
        terminal.type("canary" * 500 + "\r")
        assert terminal.result()["value"] == "canary" * 500


@pytest.mark.parametrize("length", [2046, 2047, 2048, 3000])
def test_curses_cuts_no_secret_unnoticed(length: int, tmp_path: Path) -> None:
    """A text that pinentry-curses would cut is an error, never a wrong secret."""
    with asking(tmp_path, "pinentry-curses") as terminal:
        terminal.prompted()
        terminal.type("x" * length + "\r")
        found = terminal.result()
        if length < 2047:
            assert found["value"] == "x" * length
        else:
            assert found["error"] == "PinentryFailed"
            assert "2047" in found["said"]


@BOTH
def test_a_latin1_byte_is_an_error(program: str, tmp_path: Path) -> None:
    """A text that is not UTF-8 is refused."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        terminal.type(b"canary\xe9x\r")
        found = terminal.result()
        assert found["error"] == "PinentryFailed"
        assert "UTF-8" in found["said"]


@BOTH
def test_texts_are_shown_escaped(program: str, tmp_path: Path) -> None:
    """Lines stay lines; escapes and bidi characters are visible, and do nothing."""
    description = "first line\nsecond line \x1b]0;x\x07 \u202eabc 100%0A"
    with asking(tmp_path, program, description=description, error="because") as terminal:
        terminal.prompted()
        shown = terminal.shown
        for text in ("first line", "second line", "\\x1b]0;x\\x07", "\\u202eabc", "100%0A"):
            assert text in shown
        assert "because" in shown
        assert "\x1b]0" not in terminal.read()
        assert "\u202e" not in shown
        terminal.type("canary-1\r")
        assert terminal.result()["value"] == "canary-1"


# -- twice -----------------------------------------------------------------------


def twice(terminal: Asking, program: str, first: str, second: str) -> None:
    """Type one text, and when it is asked for again, the other."""
    terminal.prompted()
    terminal.type(first + "\r")
    terminal.wait_for("gain")
    terminal.until(lambda: not terminal.echoes())
    terminal.forget()
    terminal.type(second + "\r")


@BOTH
def test_a_new_secret_is_asked_for_twice(program: str, tmp_path: Path) -> None:
    """Two equal texts are the secret; neither is shown."""
    with asking(tmp_path, program, repeat=True) as terminal:
        twice(terminal, program, "canary-1", "canary-1")
        assert terminal.result()["value"] == "canary-1"
        assert "canary" not in terminal.shown


@BOTH
def test_two_different_texts_are_asked_for_again(program: str, tmp_path: Path) -> None:
    """The pinentry says that they differ, and both are asked for again."""
    with asking(tmp_path, program, repeat=True) as terminal:
        twice(terminal, program, "canary-1", "canary-2")
        terminal.wait_for(wording.REPEAT_DIFFERS)
        if program == "pinentry-tty":  # which asks again itself
            terminal.wait_for("a prompt:")
        terminal.until(lambda: not terminal.echoes())
        terminal.forget()
        terminal.type("canary-3\r")
        terminal.wait_for("gain")
        terminal.until(lambda: not terminal.echoes())
        terminal.type("canary-3\r")
        assert terminal.result()["value"] == "canary-3"


# -- endings ---------------------------------------------------------------------


@BOTH
def test_ctrl_c_cancels(program: str, tmp_path: Path) -> None:
    """Ctrl-C at the prompt cancels, and does nothing else."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        started = time.monotonic()
        terminal.type("can\x03")
        assert terminal.result()["error"] in ("Cancelled", "KeyboardInterrupt")
        assert time.monotonic() - started < SOON


@ONLY_CURSES
def test_the_cancel_button_cancels(program: str, tmp_path: Path) -> None:
    """The Cancel button of pinentry-curses cancels."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        terminal.type("\t\t\r")
        assert terminal.result()["error"] == "Cancelled"


@BOTH
def test_a_prompt_without_an_answer_times_out(program: str, tmp_path: Path) -> None:
    """That is an error, and the terminal is free again."""
    with asking(tmp_path, program, seconds=1) as terminal:
        terminal.prompted()
        found = terminal.result()
        assert found["error"] == "PromptTimeout"
        assert 0.9 < found["took"] < SOON


@BOTH
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_pinentry_is_an_error(program: str, number: int, tmp_path: Path) -> None:
    """Whatever signal ends it: an error soon, and the terminal as it was."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        terminal.type("can")
        (pid,) = terminal.pinentries()
        started = time.monotonic()
        os.kill(pid, number)
        assert terminal.result()["error"] in ("PinentryFailed", "Cancelled")
        assert time.monotonic() - started < SOON


@BOTH
def test_a_cancelled_prompt_gives_the_terminal_back(program: str, tmp_path: Path) -> None:
    """A task that is cancelled ends the pinentry, which leaves the terminal as it was."""
    with asking(tmp_path, program) as terminal:
        terminal.prompted()
        terminal.type("can")
        (pid,) = terminal.pinentries()
        os.kill(terminal.pid, signal.SIGUSR1)
        assert terminal.result()["error"] == "CancelledError"
        assert not running(pid)


@BOTH
def test_a_suspended_pinentry_is_ended(program: str, tmp_path: Path) -> None:
    """A pinentry that was suspended does not answer: the deadline ends it."""
    with asking(tmp_path, program, seconds=1) as terminal:
        terminal.prompted()
        (pid,) = terminal.pinentries()
        os.kill(pid, signal.SIGSTOP)
        assert terminal.result()["error"] == "PromptTimeout"
        assert not running(pid)


@BOTH
def test_no_pinentry_outlives_its_time(program: str, tmp_path: Path) -> None:
    """When the asking program is killed with -9, its pinentry ends when its time is over."""
    with asking(tmp_path, program, seconds=2, shell='"$@"; exec sleep 60') as terminal:
        terminal.prompted()
        (pid,) = terminal.pinentries()
        started = time.monotonic()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert "pinentry" in command_of(parent)
        os.kill(parent, signal.SIGKILL)
        terminal.until(lambda: not running(pid))
        assert time.monotonic() - started < SOON


# -- consent ---------------------------------------------------------------------

#: On the terminal. Without a screen, the last three use curses.
EVERY = pytest.mark.parametrize(
    "program",
    ["pinentry-tty", "pinentry-curses", "pinentry-gtk-2", "pinentry-qt", "pinentry-gnome3"],
)


@EVERY
@pytest.mark.parametrize("typed", ["yes\r", "Y\r", "no\r", "\r", "\x03"])
def test_consent_is_given_by_a_word(program: str, typed: str, tmp_path: Path) -> None:
    """The user types the word. Return alone means No, and Ctrl-C cancels."""
    with asking(tmp_path, program, "confirm") as terminal:
        terminal.prompted(wording.TYPE_YES)
        terminal.type(typed)
        error = terminal.result().get("error")
        if typed == "\x03":
            assert error in ("Cancelled", "KeyboardInterrupt")
        else:
            assert error == ("NotConfirmed" if typed in ("no\r", "\r") else None)


#: Lines that pressed the Yes button of a pinentry, and what password managers type.
LINES = [
    *("pypi-canary-1\r", "canary\t1\r", "\t\r", "\t\t\r", "a\tb c\r", "canary \r"),
    *("ada\tcanary-1\r", "y canary\r", "yes-canary\r", "canary\tyes\r"),
]


@BOTH
@pytest.mark.parametrize("line", LINES)
def test_a_pasted_line_is_not_an_answer(program: str, line: str, tmp_path: Path) -> None:
    """No line with Tabs, spaces and letters agrees, unless it starts with the word itself."""
    with asking(tmp_path, program, "confirm") as terminal:
        terminal.prompted(wording.TYPE_YES)
        terminal.type(line)
        assert terminal.result()["error"] in ("NotConfirmed", "Cancelled")
        assert "canary" not in terminal.shown


@EVERY
@pytest.mark.parametrize("paste", ["yes\rcanary-1\r", "yes\rcanary-1", "canary\t1\rcanary-2\r"])
def test_a_paste_of_several_lines_is_not_an_answer(
    program: str, paste: str, tmp_path: Path
) -> None:
    """More input after a Yes makes the answer a No, and no other program gets that input."""
    with asking(tmp_path, program, "confirm") as terminal:
        terminal.prompted(wording.TYPE_YES)
        terminal.type(paste)
        assert terminal.result()["error"] == "NotConfirmed"
        assert "canary" not in terminal.shown


#: What is pressed by habit, before anything was read.
HABITS = pytest.mark.parametrize("key", ["\r", " ", "\x1b"], ids=["Return", "space", "Escape"])


def shows(terminal: Asking, text: str) -> bool:
    """Return whether every character of a text is shown, in its order, whatever the layout.

    The frame of a dialog is drawn with ``x`` in the terminal's other character set; a ``>``
    stands before what goes on in the next line.
    """
    shown, wanted = (re.sub(r"[\sx>\x0e\x0f]", "", part) for part in (terminal.shown, text))
    return wanted in shown


#: A small terminal, of a kind that has no short form for characters that are repeated.
SMALL: dict[str, Any] = {"rows": 24, "columns": 80, "variables": {"TERM": "vt100"}}


@BOTH
@pytest.mark.parametrize("what", ["ask", "confirm"])
def test_a_text_to_consent_to_can_be_read_whole(program: str, what: str, tmp_path: Path) -> None:
    """With 80 columns and 24 lines every character is shown, those of a long path too."""
    text = consent()
    with asking(tmp_path, program, what, description=text, whole=True, **SMALL) as terminal:
        terminal.prompted(wording.TYPE_YES if what == "confirm" else "")
        terminal.until(lambda: shows(terminal, text))
        assert shows(terminal, DEEP)
        (pid,) = terminal.pinentries()
        assert program in command_of(pid)
        terminal.type("\x03")
        assert terminal.result()["error"] in ("Cancelled", "KeyboardInterrupt")


@BOTH
@HABITS
def test_no_key_that_is_pressed_by_habit_agrees(program: str, key: str, tmp_path: Path) -> None:
    """Return means No, and the space bar or Escape alone doesn't confirm."""
    text = consent()
    with asking(
        tmp_path, program, "confirm", seconds=1, description=text, whole=True, **SMALL
    ) as terminal:
        terminal.prompted(wording.TYPE_YES)
        terminal.type(key)
        assert terminal.result()["error"] in ("PromptTimeout", "NotConfirmed", "Cancelled")


# -- whose terminal it is --------------------------------------------------------


@BOTH
def test_in_the_background_no_prompt_starts(program: str, tmp_path: Path) -> None:
    """A background job gets an error, without waiting; it is not suspended."""
    with asking(tmp_path, program, shell='set -m; "$@" & wait') as terminal:
        found = terminal.result()
        assert found["error"] == "NoPinentry"
        assert "background" in found["said"]
        assert found["took"] < SOON
        assert "a prompt" not in terminal.shown


def test_in_the_background_a_window_may_open(tmp_path: Path) -> None:
    """A graphical pinentry asks for a background job too, and is told of no terminal."""
    with (
        FakePinentry(["canary-1"]) as fake,
        asking(tmp_path, "sh", shell='set -m; "$@" & wait', variables=fake.environ) as terminal,
    ):
        assert terminal.result()["value"] == "canary-1"
        assert not [line for line in fake.lines if b"ttyname" in line]


def test_lines_on_the_terminal_are_not_a_paste_into_a_window(tmp_path: Path) -> None:
    """If a script may have opened a window, typed lines on the terminal are not a paste."""
    with (
        FakePinentry(["canary-1"]) as fake,
        asking(
            tmp_path, "sh", shell='read go; "$@"', variables={**CLAIMED, **fake.environ}
        ) as terminal,
    ):
        terminal.type("go\nls -l\n")
        assert terminal.result()["value"] == "canary-1"


@BOTH
def test_two_processes_take_turns(program: str, tmp_path: Path) -> None:
    """Two programs on one terminal ask one after the other."""
    shell = '"$@" & "$@" & wait'
    with asking(tmp_path, program, shell=shell) as terminal:
        for number in (1, 2):
            terminal.prompted()
            deadline = time.monotonic() + 0.4
            while time.monotonic() < deadline:
                assert len(terminal.pinentries()) == 1
                terminal.read(0.02)
            terminal.forget()
            terminal.type(f"canary-{number}\r")
            terminal.until(terminal.results.exists)
            # The other one may have changed the terminal's modes already.
            assert f'"canary-{number}"' in terminal.results.read_text()
            terminal.results.unlink()
        assert terminal.wait() == 0
        assert terminal.modes() == terminal.before


# -- what a program's behavior shows ----------------------------------------------

#: DISPLAY is set, but no window can open.
CLAIMED = {"DISPLAY": ":fake"}

WRAPPER = """#!/bin/sh
exec {program} "$@"
"""


def script(folder: Path, name: str, text: str) -> str:
    """Make a program, and return its path."""
    path = folder / name
    _executable(path, text)
    return str(path)


def wrapper_of(folder: Path, program: str) -> str:
    """Make a script that runs this pinentry, and return its path."""
    need(program)
    return script(folder, "pinentry-wrapper", WRAPPER.format(program=program))


@BOTH
def test_a_wrapper_on_a_screen_shows_no_secret_after_ctrl_z(program: str, tmp_path: Path) -> None:
    """Even with DISPLAY set, secretly guards the terminal against Ctrl-Z."""
    wrapper = wrapper_of(tmp_path, program)
    with asking(tmp_path, wrapper, shell='set -m; "$@"', variables=CLAIMED) as terminal:
        terminal.refuses_ctrl_z("\r")


@BOTH
def test_a_wrapper_in_the_background_is_told_so(program: str, tmp_path: Path) -> None:
    """The error says that this is a background job, not that the user cancelled."""
    wrapper = wrapper_of(tmp_path, program)
    shell = 'set -m; "$@" & wait'
    with asking(tmp_path, wrapper, shell=shell, variables=CLAIMED) as terminal:
        found = terminal.result()
        assert found["error"] == "NoPinentry"
        assert "background" in found["said"]


@BOTH
def test_a_wrapper_is_cancelled_by_its_own_keys(program: str, tmp_path: Path) -> None:
    """A wrapper that changed the terminal's modes has asked there, so Ctrl-C counts."""
    wrapper = wrapper_of(tmp_path, program)
    with asking(tmp_path, wrapper) as terminal:
        terminal.prompted()
        time.sleep(0.5)  # the time that a user takes to read
        terminal.type("\x03")
        assert terminal.result()["error"] in ("Cancelled", "KeyboardInterrupt")


@pytest.mark.parametrize("program", ["pinentry-qt", "pinentry-gtk-2", "pinentry-gnome3"])
@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_without_its_screen_the_terminal_is_asked(name: str, program: str, tmp_path: Path) -> None:
    """The pinentry dies, fails or uses the terminal, and in each case the user can answer there."""
    variables = {name: {"DISPLAY": ":65000", "WAYLAND_DISPLAY": "/nonexistent/wayland-0"}[name]}
    variables |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "QT_QPA_PLATFORM": "xcb"}
    with asking(tmp_path, program, variables=variables) as terminal:
        terminal.prompted()
        terminal.type("canary-1\r")
        assert terminal.result()["value"] == "canary-1"
        if program == "pinentry-qt":
            assert name in terminal.shown


# -- a terminal that does not fit ------------------------------------------------


def test_on_a_small_terminal_secretly_asks_itself(tmp_path: Path) -> None:
    """If pinentry-curses has no room, secretly asks on the terminal."""
    with asking(tmp_path, "pinentry-curses", rows=4) as terminal:
        terminal.prompted()
        terminal.type("canary-1\n")
        assert terminal.result()["value"] == "canary-1"
        assert "canary-1" not in terminal.shown


@pytest.mark.parametrize(("rows", "columns"), [(15, 80), (24, 60)])
@pytest.mark.parametrize("keys", ["\n", " \n", "\x1b\n", "y\n"])
def test_a_text_without_room_is_consented_to_on_the_terminal(
    keys: str, rows: int, columns: int, tmp_path: Path
) -> None:
    """It is shown there whole, and no key that is pressed by habit agrees."""
    text = consent()
    with asking(
        tmp_path,
        "pinentry-curses",
        "confirm",
        **{**SMALL, "rows": rows, "columns": columns},
        description=text,
        whole=True,
    ) as terminal:
        terminal.wait_for(wording.YES_OR_NO)
        assert shows(terminal, text)
        assert terminal.pinentries() == []
        terminal.type(keys)
        assert terminal.result().get("error") == (None if keys == "y\n" else "NotConfirmed")


# -- keys that stop things -------------------------------------------------------


@BOTH
def test_ctrl_z_shows_no_secret(program: str, tmp_path: Path) -> None:
    """Ctrl-Z suspends nothing (a shell would turn echo on), and is refused in a secret."""
    with asking(tmp_path, program, shell='set -m; "$@"') as terminal:
        terminal.refuses_ctrl_z("\r")


@BOTH
def test_on_a_stopped_terminal_the_prompt_has_a_deadline(program: str, tmp_path: Path) -> None:
    """After Ctrl-S a pinentry can't show its prompt: it is ended in time."""
    with asking(tmp_path, program, seconds=1) as terminal:
        termios.tcflow(terminal.slave, termios.TCOOFF)
        found = terminal.result()
        assert found["error"] == "PromptTimeout"
        assert found["took"] < SOON
        assert terminal.pinentries() == []
