"""The real graphical pinentries, on a virtual screen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import lacking, need
from ptys import DEADLINE, SOON, Asking, consent, running

pytestmark = [pytest.mark.real, pytest.mark.outside]

PROGRAMS = pytest.mark.parametrize("program", ["pinentry-gtk-2", "pinentry-qt", "pinentry-gnome3"])
#: Those that leave the terminal alone.
WINDOWS = pytest.mark.parametrize("program", ["pinentry-gtk-2", "pinentry-qt"])


class Screen:
    """A virtual screen, with a keyboard and a clipboard."""

    def __init__(self, display: str) -> None:
        self.environ = {"DISPLAY": display, "PATH": os.environ["PATH"]}

    def xdotool(self, *words: str) -> list[str]:
        """Run xdotool; return the lines that it wrote."""
        done = subprocess.run(
            ["xdotool", *words], env=self.environ, capture_output=True, text=True, timeout=DEADLINE
        )
        return done.stdout.splitlines()

    def windows(self) -> list[str]:
        """The windows that can be seen."""
        return self.xdotool("search", "--onlyvisible", "--name", ".")

    def size(self, window: str) -> list[int]:
        """How wide and how high a window is."""
        geometry = self.xdotool("getwindowgeometry", window)
        return [int(part) for part in geometry[-1].split()[-1].split("x")]

    def dialog(self, terminal: Asking) -> None:
        """Wait for the dialog, and have it hear the keys."""
        window = terminal.until(self.windows)[-1]
        # No window manager is there to do it.
        terminal.until(
            lambda: (
                self.xdotool("windowfocus", window)
                or self.xdotool("getwindowfocus", "-f") == [window]
            )
        )

    def key(self, *keys: str) -> None:
        """Press keys."""
        self.xdotool("key", "--delay", "20", *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self.xdotool("type", "--delay", "20", text)

    @contextlib.contextmanager
    def copied(self, text: str) -> Iterator[None]:
        """Have *text* in the clipboard."""
        with subprocess.Popen(
            ["xclip", "-selection", "clipboard", "-quiet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environ,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(text.encode())
            process.stdin.close()
            paste = ["xclip", "-selection", "clipboard", "-o"]
            deadline = time.monotonic() + DEADLINE
            while (
                subprocess.run(
                    paste, env=self.environ, capture_output=True, timeout=DEADLINE
                ).stdout.decode()
                != text
            ):
                assert time.monotonic() < deadline
            try:
                yield
            finally:
                process.kill()


@pytest.fixture(name="screen", scope="module")
def _screen() -> Iterator[Screen]:
    """A screen for all the tests of this module."""
    with virtual_screen() as found:
        yield found


@contextlib.contextmanager
def virtual_screen() -> Iterator[Screen]:
    """Start a screen, and end it when the ``with`` block ends."""
    need("Xvfb", "xdotool", "xclip")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            "800x600x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        number = os.read(reading, 16).decode().strip()
        assert number
        yield Screen(f":{number}")
    finally:
        os.close(reading)
        server.terminate()
        server.wait(DEADLINE)


def asking(screen: Screen, folder: Path, program: str, what: str = "ask", **more: Any) -> Asking:
    """Ask with *program* on the screen; gnome3 needs a session bus, and gcr's prompter on it."""
    need(program)
    variables = {
        "DISPLAY": screen.environ["DISPLAY"],
        "PINENTRY": program,
        "XDG_RUNTIME_DIR": str(folder),
        "NO_AT_BRIDGE": "1",
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",  # else a bus is started, which stays
        **more.pop("variables", {}),
    }
    if program == "pinentry-gnome3":
        need("dbus-run-session")
        if not Path("/usr/share/dbus-1/services/org.gnome.keyring.SystemPrompter.service").exists():
            lacking("needs gcr's prompter")
        more["shell"] = 'exec dbus-run-session -- "$@"'
    return Asking(folder, what, variables=variables, **more)


@PROGRAMS
@pytest.mark.parametrize("text", ["canary-1", "canary a%25b%"])
def test_a_typed_text_comes_back(program: str, text: str, screen: Screen, tmp_path: Path) -> None:
    """The terminal is left alone."""
    with asking(screen, tmp_path, program, description="two\nlines\n100%0A <b>&amp;") as terminal:
        screen.dialog(terminal)
        screen.type(text)
        screen.key("Return")
        assert terminal.result()["value"] == text
        assert "a prompt" not in terminal.shown


@WINDOWS
@pytest.mark.parametrize("typed", ["ls -l\n", "half"])
def test_what_is_typed_on_the_terminal_meanwhile_is_left(
    typed: str, program: str, screen: Screen, tmp_path: Path
) -> None:
    """Lines typed on the terminal belong to another program, so secretly leaves them there."""
    shell = f'"$@"; read -r line; echo "$line" >{tmp_path}/left'
    with asking(screen, tmp_path, program, shell=shell) as terminal:
        screen.dialog(terminal)
        terminal.type(typed)
        screen.type("canary-1")
        screen.key("Return")
        terminal.until(terminal.results.exists)
        assert json.loads(terminal.results.read_text())["value"] == "canary-1"
        terminal.type("" if typed.endswith("\n") else "\n")
        terminal.wait()
        assert (tmp_path / "left").read_text().strip() == typed.strip()


@PROGRAMS
def test_a_description_has_its_lines(program: str, screen: Screen, tmp_path: Path) -> None:
    """More lines make a higher dialog: line breaks are shown as line breaks."""
    heights = []
    for name, description in (("one", "x"), ("two", "x" + "\nx" * 9)):
        (tmp_path / name).mkdir()
        with asking(screen, tmp_path / name, program, description=description) as terminal:
            screen.dialog(terminal)
            (window,) = screen.windows()[-1:]
            heights.append(screen.size(window)[1])
            screen.key("Escape")
            terminal.result()
    assert heights[1] > heights[0] + 50


def test_two_dialogs_open_one_after_the_other(screen: Screen, tmp_path: Path) -> None:
    """Programs on two terminals share the screen, and never both have a dialog there."""
    with contextlib.ExitStack() as stack:
        asked = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            variables = {"XDG_RUNTIME_DIR": str(tmp_path)}
            one = asking(screen, tmp_path / name, "pinentry-gtk-2", variables=variables)
            asked.append(stack.enter_context(one))
        for number in (1, 2):
            screen.dialog(asked[0])
            deadline = time.monotonic() + 0.4
            while time.monotonic() < deadline:
                assert sum(len(one.pinentries()) for one in asked) == 1
                assert len(screen.windows()) == 1
            screen.type(f"canary-{number}")
            screen.key("Return")
            asked[0].until(lambda: any(one.results.exists() for one in asked))
            first = next(one for one in asked if one.results.exists())
            assert first.result()["value"] == f"canary-{number}"
            asked.remove(first)


@PROGRAMS
def test_escape_cancels(program: str, screen: Screen, tmp_path: Path) -> None:
    """Escape cancels."""
    with asking(screen, tmp_path, program) as terminal:
        screen.dialog(terminal)
        screen.key("Escape")
        assert terminal.result()["error"] == "Cancelled"


@PROGRAMS
def test_a_prompt_without_an_answer_times_out(program: str, screen: Screen, tmp_path: Path) -> None:
    """When the time is over the dialog closes."""
    with asking(screen, tmp_path, program, seconds=1) as terminal:
        screen.dialog(terminal)
        assert terminal.result()["error"] == "PromptTimeout"
        terminal.until(lambda: not screen.windows())


@PROGRAMS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_pinentry_is_an_error(
    program: str, number: int, screen: Screen, tmp_path: Path
) -> None:
    """A graphical pinentry that dies is an error soon."""
    with asking(screen, tmp_path, program) as terminal:
        screen.dialog(terminal)
        (pid,) = terminal.pinentries()
        started = time.monotonic()
        os.kill(pid, number)
        assert terminal.result()["error"] == "PinentryFailed"
        assert time.monotonic() - started < SOON


@PROGRAMS
def test_cancelling_closes_the_dialog(program: str, screen: Screen, tmp_path: Path) -> None:
    """A task that is cancelled ends the pinentry, and its dialog closes."""
    with asking(screen, tmp_path, program) as terminal:
        screen.dialog(terminal)
        (pid,) = terminal.pinentries()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGUSR1)
        assert terminal.result()["error"] == "CancelledError"
        assert not running(pid)
        terminal.until(lambda: not screen.windows())


@PROGRAMS
def test_a_token_is_pasted(program: str, screen: Screen, tmp_path: Path) -> None:
    """With no-grab a copied token can be pasted; the newline that came with it is dropped."""
    with (
        screen.copied(" pypi-canary-1\n"),
        asking(screen, tmp_path, program, "secret", reference="PyPI") as terminal,
    ):
        screen.dialog(terminal)
        screen.key("ctrl+v")
        time.sleep(0.3)  # the clipboard's owner is asked; nothing shows that it answered
        screen.key("Return")
        assert terminal.result()["value"] == "pypi-canary-1"


@PROGRAMS
def test_a_paste_of_a_key_is_refused(program: str, screen: Screen, tmp_path: Path) -> None:
    """secretly refuses a pasted key, whatever the window does to its line ends."""
    key = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----\n"
    with screen.copied(key), asking(screen, tmp_path, program) as terminal:
        screen.dialog(terminal)
        screen.key("ctrl+v")
        time.sleep(0.3)  # wait for the clipboard, which gives no sign
        screen.key("Return")
        found = terminal.result()
        assert found["error"] == "Refused"
        assert "--stdin" in found["said"]


@PROGRAMS
@pytest.mark.parametrize("keys", ["Return", "space", "Escape"])
def test_return_is_not_yes(program: str, keys: str, screen: Screen, tmp_path: Path) -> None:
    """Return, the space bar or Escape alone do not agree to a question, however long.

    All of the text is on the screen: it is not longer than the window.
    """
    with asking(
        screen, tmp_path, program, "confirm", description=consent(), whole=True
    ) as terminal:
        screen.dialog(terminal)
        (window,) = screen.windows()[-1:]
        width, height = screen.size(window)
        assert 400 < width <= 800
        assert 15 * consent().count("\n") < height <= 600
        screen.key(keys)
        if keys == "space":
            screen.key("Return")  # it is a character of the word that agrees
        assert terminal.result()["error"] in ("Cancelled", "NotConfirmed")


@PROGRAMS
def test_a_word_agrees(program: str, screen: Screen, tmp_path: Path) -> None:
    """The user types yes into the entry field."""
    with asking(screen, tmp_path, program, "confirm") as terminal:
        screen.dialog(terminal)
        screen.key("y", "e", "s", "Return")
        assert terminal.result()["value"] == "yes"


@PROGRAMS
def test_a_duration_agrees_for_longer(program: str, screen: Screen, tmp_path: Path) -> None:
    """Where it is offered, the user types the duration in place of yes."""
    with asking(screen, tmp_path, program, "confirm", longer="30m") as terminal:
        screen.dialog(terminal)
        screen.type("30m")
        screen.key("Return")
        assert terminal.result()["value"] == "30m"


@PROGRAMS
@pytest.mark.parametrize(
    "keys",
    ["n o Return", "p y p i Return", "a Tab b Return", "Tab Return", "Tab Tab Return", "alt+y"],
)
def test_no_other_text_agrees(program: str, keys: str, screen: Screen, tmp_path: Path) -> None:
    """Among these are texts that pressed a Yes button, and a user name, a Tab and a password."""
    with asking(screen, tmp_path, program, "confirm", seconds=2) as terminal:
        screen.dialog(terminal)
        screen.key(*keys.split())
        assert terminal.result()["error"] in ("NotConfirmed", "Cancelled", "PromptTimeout")


@PROGRAMS
def test_a_new_secret_is_asked_for_twice(program: str, screen: Screen, tmp_path: Path) -> None:
    """A new secret is typed into both fields of one dialog."""
    with asking(screen, tmp_path, program, repeat=True) as terminal:
        screen.dialog(terminal)
        screen.type("canary-1")
        screen.key("Return" if program == "pinentry-gtk-2" else "Tab")
        screen.type("canary-1")
        screen.key("Return")
        assert terminal.result()["value"] == "canary-1"


@pytest.mark.parametrize("given", [{}, {"DBUS_SESSION_BUS_ADDRESS": ""}])
def test_gnome3_asks_on_the_bus_of_the_login(
    given: dict[str, str], screen: Screen, tmp_path: Path
) -> None:
    """Without the variable pinentry-gnome3 would use the terminal; secretly gives it the bus."""
    need("pinentry-gnome3", "dbus-daemon")
    if not Path("/usr/share/dbus-1/services/org.gnome.keyring.SystemPrompter.service").exists():
        lacking("needs gcr's prompter")
    with tempfile.TemporaryDirectory() as short:
        serve = f'dbus-daemon --session --nofork --nopidfile --address="unix:path={short}/bus"'
        variables = {**screen.environ, "PINENTRY": "pinentry-gnome3", "NO_AT_BRIDGE": "1"}
        variables |= {"XDG_RUNTIME_DIR": short, **given}
        shell = f'{serve} & while [ ! -S {short}/bus ]; do sleep 0.05; done; "$@"; kill $!'
        with Asking(tmp_path, variables=variables, shell=shell) as terminal:
            screen.dialog(terminal)
            screen.type("canary-1")
            screen.key("Return")
            assert terminal.result()["value"] == "canary-1"
            assert "a prompt" not in terminal.shown


@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_TTY"])
def test_over_ssh_the_terminal_asks(variable: str, screen: Screen, tmp_path: Path) -> None:
    """Over SSH no window opens, even if a screen is forwarded."""
    need("pinentry-curses", "pinentry-gtk-2")
    variables = {variable: "198.51.100.1 1 198.51.100.2 22", "PINENTRY": ""}
    with asking(screen, tmp_path, "pinentry-gtk-2", variables=variables) as terminal:
        terminal.prompted()
        assert screen.windows() == []
        terminal.type("canary-1\r")
        assert terminal.result()["value"] == "canary-1"


def test_in_the_background_a_window_opens(screen: Screen, tmp_path: Path) -> None:
    """A background job asks in a window, and does not touch the terminal."""
    shell = 'set -m; "$@" & wait'
    with asking(screen, tmp_path, "pinentry-gtk-2", shell=shell) as terminal:
        screen.dialog(terminal)
        screen.type("canary-1")
        screen.key("Return")
        assert terminal.result()["value"] == "canary-1"
