"""Ask on the terminal itself, without a pinentry."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import lacking, need
from ptys import DEADLINE, SOON, Asking, Pty

from secretly.asking import finding, pastes, terminal, wording
from secretly.asking.questions import Patience
from secretly.errors import PromptTimeout
from secretly.testing.pinentry import _executable
from secretly.waiting import requests
from secretly.waiting.turns import Turn, Turns

pytestmark = pytest.mark.process

NOWHERE = {"PATH": "/nonexistent"}
KEY = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----"


def asking(folder: Path, what: str = "ask", **more: Any) -> Asking:
    """Ask on a terminal where no pinentry is installed."""
    return Asking(folder, what, variables={**NOWHERE, **more.pop("variables", {})}, **more)


@pytest.mark.parametrize("text", ["canary-1", " canary %25é€😀 ", ""])
def test_what_is_typed_comes_back(text: str, tmp_path: Path) -> None:
    """Without a pinentry the terminal asks, with echo off, and a line comes as it is."""
    with asking(tmp_path) as screen:
        screen.prompted()
        assert "a description" in screen.shown
        screen.type(text + "\n")
        assert screen.result()["value"] == text
        assert not text.strip() or text.strip() not in screen.shown


def test_stdin_is_left_alone(tmp_path: Path) -> None:
    """A prompt reads nothing of what is piped into the program."""
    reading, writing = os.pipe()
    os.write(writing, b"first\nsecond\n")
    os.close(writing)
    try:
        with asking(tmp_path, stdin=reading) as screen:
            screen.prompted()
            screen.type("canary-1\n")
            found = screen.result()
            assert (found["value"], found["stdin"]) == ("canary-1", "first\nsecond\n")
    finally:
        os.close(reading)


def test_what_was_typed_before_is_not_the_answer(tmp_path: Path) -> None:
    """A line that was typed ahead is dropped: it was meant for something else."""
    with asking(tmp_path, shell='read go; "$@"') as screen:
        screen.type("go\ncanary-0\n")
        screen.prompted()
        screen.type("canary-1\n")
        assert screen.result()["value"] == "canary-1"


@pytest.mark.parametrize("paste", ["canary-1\nrm -rf x\n", "canary-1\nx", "canary-1\n\n\nx\n", KEY])
def test_a_paste_of_several_lines_is_refused(paste: str, tmp_path: Path) -> None:
    """secretly refuses the paste, and no other program gets the other lines."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type(paste)
        found = screen.result()
        assert found["error"] == "Refused"
        assert "--stdin" in found["said"]
        assert "canary" not in screen.shown


def large_paste(folder: Path, what: str, start: str, program: str = "") -> str:
    """Paste 45 kB at a prompt that a program shows in a shell, and then type a line for that shell.

    A terminal takes some kilobytes of the paste: the rest comes when there is room.
    """
    shell = f'"$@"; read -r line; echo "$line" >{folder}/left'
    variables = {"PATH": os.defpath, "PINENTRY": program} if program else {}
    with asking(folder, what, shell=shell, variables=variables) as screen:
        label = {"ask": "a prompt:", "confirm": wording.YES_OR_NO}[what]
        if program and what == "confirm":
            label = wording.TYPE_YES
        screen.prompted(label)
        screen.type(start + "canary-1\r" * 5000)
        screen.until(screen.results.exists)
        assert "error" in screen.results.read_text()
        screen.until(lambda: screen.modes() == screen.before)
        screen.type("end\n")
        screen.wait()
        assert (folder / "left").read_text() == "end\n"
        return screen.shown


@pytest.mark.parametrize("start", ["canary-0\r", "\x04", "canary" * 700 + "\r", "\r\r"])
def test_a_large_paste_reaches_no_shell(start: str, tmp_path: Path) -> None:
    """The whole paste is dropped and hidden, also if it begins with Ctrl-D or a very long line."""
    assert "canary" not in large_paste(tmp_path, "ask", start)


@pytest.mark.parametrize("start", ["canary-0\r", "y\r", "\x04"])
def test_a_large_paste_at_a_question_reaches_no_shell(start: str, tmp_path: Path) -> None:
    """The whole paste is dropped, whether its first line answers the question or not."""
    assert "canary" not in large_paste(tmp_path, "confirm", start)


@pytest.mark.real
@pytest.mark.parametrize("what", ["ask", "confirm"])
@pytest.mark.parametrize("program", ["pinentry-tty", "pinentry-curses"])
def test_a_large_paste_in_a_pinentry_reaches_no_shell(
    program: str, what: str, tmp_path: Path
) -> None:
    """secretly drops the rest of a paste that a pinentry has not read."""
    need(program)
    large_paste(tmp_path, what, "canary-0\r", program)


@pytest.mark.parametrize(
    ("keys", "error", "shown"),
    [
        *(("y\n", None, "y"), ("YES\n", None, "y"), ("canary-1\n", "NotConfirmed", "n")),
        *(("y\ncanary-1\n", "NotConfirmed", "n"), ("y\ncanary-1", "NotConfirmed", "n")),
        *(("yes\ny\n", "NotConfirmed", "n"), ("\ny\n", "NotConfirmed", "n")),
    ],
)
def test_a_paste_is_not_an_answer(keys: str, error: str | None, shown: str, tmp_path: Path) -> None:
    """A pasted secret is neither an answer nor shown."""
    with asking(tmp_path, "confirm") as screen:
        screen.prompted(wording.YES_OR_NO)
        screen.type(keys)
        found = screen.result()
        assert found.get("error") == error
        assert screen.shown.endswith(f"{wording.YES_OR_NO} {shown}\r\n")


@pytest.mark.parametrize("paste", ["canary-1\n\n", "canary-1\n \n"])
def test_empty_lines_after_a_secret_are_dropped(paste: str, tmp_path: Path) -> None:
    """Empty lines after the secret belong to the paste, and are dropped."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type(paste)
        assert screen.result()["value"] == "canary-1"


def test_a_typing_error_can_be_corrected(tmp_path: Path) -> None:
    """The terminal's own editing works: erase a character, and erase the line."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type("nonsense\x15canary-x\x7f1\n")
        assert screen.result()["value"] == "canary-1"


def test_the_error_is_shown_above_the_prompt(tmp_path: Path) -> None:
    """The error and the description are shown, and their escapes are harmless."""
    with asking(tmp_path, error="because", description="two\nlines \x1b[2J") as screen:
        screen.prompted()
        for text in ("because", "two\r\nlines", "\\x1b[2J"):
            assert text in screen.shown
        screen.type("canary-1\n")
        screen.result()


@pytest.mark.parametrize(("length", "kind"), [(4000, None), (4093, None), (4095, "PinentryFailed")])
def test_what_a_terminal_would_cut_is_an_error(
    length: int, kind: str | None, tmp_path: Path
) -> None:
    """Linux passes on 4095 characters of a line: a longer one is refused."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type("x" * length + "\n")
        found = screen.result()
        assert found.get("error") == kind
        assert found.get("value") in (None, "x" * length)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [("\x04", "Cancelled"), ("\x03", "KeyboardInterrupt"), ("c\x04\x04", "Cancelled")],
)
def test_ending_the_prompt_is_not_an_answer(keys: str, kind: str, tmp_path: Path) -> None:
    """Ctrl-D cancels, also in the middle of a line; Ctrl-C interrupts the program."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type(keys)
        assert screen.result()["error"] == kind
        # The message has a line of its own. After Ctrl-C the shell ends the line.
        assert kind != "Cancelled" or screen.shown.endswith("\n")


def test_a_prompt_without_an_answer_times_out(tmp_path: Path) -> None:
    """The time is over also in the middle of a line."""
    with asking(tmp_path, seconds=3) as screen:
        screen.prompted()
        screen.type("can")
        assert screen.result()["error"] == "PromptTimeout"


def test_a_cancelled_prompt_gives_the_terminal_back(tmp_path: Path) -> None:
    """A task that is cancelled leaves the terminal as it was."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type("can")
        os.kill(screen.pid, signal.SIGUSR1)
        assert screen.result()["error"] == "CancelledError"


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("y\n", None),
        ("Yes\n", None),
        ("\n", "NotConfirmed"),
        ("n\n", "NotConfirmed"),
        ("yesterday\n", "NotConfirmed"),
        ("\x04", "Cancelled"),
    ],
)
def test_only_yes_is_yes(keys: str, kind: str | None, tmp_path: Path) -> None:
    """Only y and yes agree to a question."""
    with asking(tmp_path, "confirm") as screen:
        screen.wait_for("[y/N]")
        screen.type(keys)
        assert screen.result().get("error") == kind


def test_a_yes_that_was_typed_ahead_does_not_count(tmp_path: Path) -> None:
    """A y that was typed before the question does not agree to it."""
    with asking(tmp_path, "confirm", shell='read go; "$@"', seconds=3) as screen:
        screen.type("go\ny\n")
        screen.wait_for("[y/N]")
        assert screen.result()["error"] == "PromptTimeout"


def test_a_new_secret_is_asked_for_twice(tmp_path: Path) -> None:
    """Without a pinentry, too, a new secret is asked for twice."""
    with asking(tmp_path, repeat=True) as screen:
        screen.prompted()
        screen.type("canary-1\n")
        screen.wait_for("(again)")
        screen.until(lambda: not screen.echoes())
        screen.type("canary-1\n")
        assert screen.result()["value"] == "canary-1"


def test_in_the_background_no_prompt_starts(tmp_path: Path) -> None:
    """A background job gets an error, without waiting; it is not suspended."""
    with asking(tmp_path, shell='set -m; "$@" & wait') as screen:
        found = screen.result()
        assert found["error"] == "NoPinentry"
        assert "background" in found["said"]
        assert found["took"] < SOON


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """Two programs on one terminal ask one after the other; the second is not lost."""
    with asking(tmp_path, shell='"$@" & "$@" & wait') as screen:
        for number in (1, 2):
            screen.prompted()
            # The other one waits for its turn, or has not come that far: never two prompts.
            screen.read(0.3)
            assert screen.shown.count("a prompt:") == 1
            screen.forget()
            screen.type(f"canary-{number}\n")
            assert screen.until(screen.results.exists)
            assert f'"canary-{number}"' in screen.results.read_text()
            screen.results.unlink()
        assert screen.wait() == 0


def test_waiting_for_the_others_has_a_deadline(tmp_path: Path) -> None:
    """If a program holds the terminal for too long, the next one's error names the terminal."""
    with asking(tmp_path, name="first") as screen:
        screen.prompted()

        async def turn() -> None:
            async with terminal.Terminal(screen.path).turn(0.2, Turn()):
                pass

        with pytest.raises(PromptTimeout, match=screen.path):
            asyncio.run(turn())
        screen.type("canary-1\n")
        screen.result()
        asyncio.run(turn())


# -- which terminal --------------------------------------------------------------

WHICH = """
import sys
from secretly.asking import finding
found = finding.find_terminal()
with open(sys.argv[1], "w") as file:
    file.write(f"{found.path} {found.in_foreground()}" if found else "none")
"""


@pytest.fixture
def null() -> Iterator[int]:
    """A descriptor of /dev/null."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("streams", ["all", "stdout", "stderr", "none"])
def test_the_terminal_is_found_by_its_real_name(streams: str, null: int, tmp_path: Path) -> None:
    """Whatever was redirected, the controlling terminal is found; never as /dev/tty."""
    given = {
        name: None if streams in ("all", name) else null for name in ("stdin", "stdout", "stderr")
    }
    argv = [sys.executable, "-c", WHICH, str(tmp_path / "found")]
    with Pty(argv, {"PATH": os.defpath}, **given) as screen:
        assert screen.wait() == 0
        assert (tmp_path / "found").read_text() == f"{screen.path} True"


#: As where the system has no /proc, or a name that is not the terminal's.
WITHOUT_PROC = """
import builtins, io
def no_proc(path, *more, **others):
    if str(path).startswith("/proc/"):
        raise FileNotFoundError(path)
    return io.open(path, *more, **others)
builtins.open = no_proc
"""


@pytest.mark.real
def test_without_proc_ps_names_the_terminal(null: int, tmp_path: Path) -> None:
    """On such a system ps has the name. Without ps, /dev/tty is used."""
    need("ps")
    given = dict.fromkeys(("stdin", "stdout", "stderr"), null)
    missing = (
        "import subprocess\ndef run(*_, **__): raise FileNotFoundError\nsubprocess.run = run\n"
    )
    for more, path in (("", "{}"), (missing, "/dev/tty")):
        code = WITHOUT_PROC + WHICH.replace("found =", f"{more}found =", 1)
        argv = [sys.executable, "-c", code, str(tmp_path / "found")]
        with Pty(argv, {"PATH": os.defpath}, **given) as screen:
            assert screen.wait() == 0
            assert (tmp_path / "found").read_text() == f"{path.format(screen.path)} True"


def test_another_terminal_is_not_asked_on(null: int, tmp_path: Path) -> None:
    """The controlling terminal takes precedence over another one on a stream."""
    master, slave = os.openpty()
    argv = [sys.executable, "-c", WHICH, str(tmp_path / "found")]
    try:
        with Pty(argv, {"PATH": os.defpath}, stdin=slave) as screen:
            assert screen.wait() == 0
            assert (tmp_path / "found").read_text() == f"{screen.path} True"
    finally:
        os.close(master)
        os.close(slave)


def test_a_daemon_has_no_terminal(tmp_path: Path) -> None:
    """No terminal is found for a daemon or a cron job."""
    argv = [sys.executable, "-c", WHICH, str(tmp_path / "found")]
    subprocess.run(argv, start_new_session=True, stdin=subprocess.DEVNULL,
                   timeout=DEADLINE, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    assert (tmp_path / "found").read_text() == "none"


def test_a_terminal_on_a_stream_may_be_used(tmp_path: Path) -> None:
    """A terminal on a stream of a process without a controlling one is asked on."""
    master, slave = os.openpty()
    argv = [sys.executable, "-c", WHICH, str(tmp_path / "found")]
    try:
        subprocess.run(argv, start_new_session=True, stdin=slave, timeout=DEADLINE, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        assert (tmp_path / "found").read_text() == f"{os.ttyname(slave)} True"
    finally:
        os.close(master)
        os.close(slave)


def test_modes_are_restored_and_unread_input_is_dropped() -> None:
    """At the end of ``opened`` the modes are as they were, whatever the block did to them."""
    master, slave = os.openpty()
    try:
        before = termios.tcgetattr(slave)
        opened = terminal.Terminal(os.ttyname(slave)).opened()
        with pytest.raises(LookupError), opened as descriptor:
            modes = termios.tcgetattr(descriptor)
            modes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
            termios.tcsetattr(descriptor, termios.TCSANOW, modes)
            os.write(master, b"left over\n")
            assert select.select([slave], [], [], DEADLINE)[0]
            raise LookupError
        assert termios.tcgetattr(slave) == before
        os.set_blocking(slave, False)
        with pytest.raises(BlockingIOError):
            os.read(slave, 100)
    finally:
        os.close(master)
        os.close(slave)


#: Run the program without /dev/pts, so that the controlling terminal has no name.
NAMELESS = 'exec unshare -m sh -c "mount -t tmpfs none /dev/pts && exec \\"\\$@\\"" sh "$@"'


def need_namespaces() -> None:
    """Skip the test if this user can't make a mount namespace."""
    need("unshare", "mount")
    trying = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/pts"]
    if subprocess.run(trying, capture_output=True, timeout=DEADLINE).returncode:
        lacking("needs to make a mount namespace")


@pytest.mark.real
def test_a_terminal_without_a_name_is_asked_on(tmp_path: Path) -> None:
    """secretly prompts on a terminal without a name, as in a container, and uses no pinentry.

    No pinentry is used there: it could not open the terminal.
    """
    need_namespaces()
    need("pinentry-tty")
    variables = {"PATH": os.defpath, "PINENTRY": "pinentry-tty"}
    with asking(tmp_path, shell=NAMELESS, variables=variables) as screen:
        screen.prompted()
        assert screen.pinentries() == []
        screen.type("canary-1\n")
        assert screen.result()["value"] == "canary-1"
        assert "canary-1" not in screen.shown


#: Run the program where only its standard streams lead to the terminal.
ONLY_STREAMS = {
    "without /dev/tty": NAMELESS.replace("/dev/pts", "/dev"),
    "in a session without a terminal": NAMELESS.replace("exec \\", "exec setsid -w \\"),
}


@pytest.mark.real
@pytest.mark.parametrize("how", ONLY_STREAMS)
def test_a_terminal_that_only_a_stream_leads_to_is_asked_on(how: str, tmp_path: Path) -> None:
    """The prompt works as getpass does after ``su -c``, and leaves the stream's flags alone."""
    need_namespaces()
    need("setsid", "pinentry-tty")
    shell, variables = ONLY_STREAMS[how], {"PATH": os.defpath, "PINENTRY": "pinentry-tty"}
    with asking(tmp_path, shell=shell, variables=variables) as screen:
        flags = fcntl.fcntl(screen.slave, fcntl.F_GETFL)
        screen.prompted()
        assert screen.pinentries() == []
        assert fcntl.fcntl(screen.slave, fcntl.F_GETFL) == flags
        screen.type("canary-1\n")
        assert screen.result()["value"] == "canary-1"
        assert "canary-1" not in screen.shown
    with asking(tmp_path, shell=shell, variables=variables, what="confirm", name="no") as screen:
        screen.wait_for(wording.YES_OR_NO)
        screen.type("n\n")
        assert screen.result()["error"] == "NotConfirmed"


LOCKS = """
import asyncio
from secretly.asking.terminal import Terminal
from secretly.errors import PromptTimeout
from secretly.waiting.turns import Turn

async def turn(number):
    async with Terminal("/dev/tty", number).turn(0.2, Turn()):
        pass

async def main():
    async with Terminal("/dev/tty", 1).turn(60, Turn()):
        await turn(2)
        try:
            await turn(1)
        except PromptTimeout:
            await turn(2)
            return
    raise AssertionError

asyncio.run(main())
"""


def test_each_terminal_without_a_name_has_its_own_lock() -> None:
    """The terminals share the file /dev/tty, so each one locks its own byte of that file."""
    with Pty([sys.executable, "-c", LOCKS], {"PATH": os.defpath}) as screen:
        assert screen.wait() == 0, screen.shown


FORKED = """
import asyncio, os, signal, sys
from secretly.asking.terminal import Terminal
from secretly.errors import PromptTimeout
from secretly.waiting.turns import Turn

def turn(seconds):
    return Terminal(sys.argv[1] or os.ttyname(0), 1).turn(seconds, Turn())

async def main():
    async with turn(60):
        leaving = os.fork()
        staying = os.fork() if leaving else 0
        if staying:
            os.waitpid(leaving, 0)
            try:
                async with turn(0.2):
                    raise AssertionError("the child has given it back")
            except PromptTimeout:
                pass
        elif leaving:
            signal.pause()
    if not leaving:
        os._exit(0)
    try:
        async with turn(0.2):
            pass
    finally:
        os.kill(staying, signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("path", ["", "/dev/tty"])
def test_a_process_that_was_forked_off_neither_keeps_nor_ends_the_turn(path: str) -> None:
    """A forked process has the lock's descriptor too, but doesn't hold the lock with it."""
    with Pty([sys.executable, "-c", FORKED, path], {"PATH": os.defpath}) as screen:
        assert screen.wait() == 0, screen.shown


def test_the_turn_of_a_stopped_loop_is_passed_on() -> None:
    """When the holder's loop stops, the lock of the terminal passes to the next prompt."""
    ours = Turns()
    master, slave = os.openpty()

    async def hold(seconds: float) -> None:
        place = terminal.Terminal(os.ttyname(slave))
        async with ours.take(DEADLINE) as own, place.turn(0.2, own):
            await requests.sleep(seconds)

    loop = asyncio.new_event_loop()
    try:
        left = loop.create_task(hold(DEADLINE))
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.run(hold(0))
        left.cancel()
        loop.run_until_complete(asyncio.wait([left]))
        asyncio.run(hold(0))
    finally:
        loop.close()
        os.close(master)
        os.close(slave)


# -- Emacs -----------------------------------------------------------------------

#: Emacs 28's ``comint-password-prompt-regexp``, as far as English goes.
COMINT = re.compile(
    r"(^ *|(Enter|enter|Enter same|enter same|Enter the|enter the|Current|Old|old|New|new|'s|login"
    r"|Kerberos|CVS|UNIX| SMB|LDAP|PEM|SUDO|\[sudo]|doas|Repeat|Bad|Retype|Verify) +.*)"
    r"(?:[Pp]assword|[Pp]assphrase|[Pp]ass phrase|PIN|[Rr]esponse|[Pp]asscode)"
    r"(?:(?:, try)? *again| \(empty for no passphrase\)| \(again\))?(?: [A-Za-z]+ .+)?\s*:\s*\Z"
)

LABELS = [
    *(wording.secret_label("Example"), wording.secret_label("PyPI/a-b", "pypi-")),
    *(wording.again_label(wording.secret_label("Example")), wording.secret_label("a for b")),
    *("API key", "Token", "Bearer token for X", "Password of ada"),
    *(wording.MASTER_PASSWORD, wording.DATABASE_PASSWORD, wording.ACCOUNT_PASSWORD),
]


@pytest.mark.parametrize("label", LABELS)
def test_emacs_knows_the_line_as_a_passwords(label: str) -> None:
    """Emacs hides what the user types only after a line that matches its pattern."""
    shown = f"{wording.entry_label(label, emacs=True)} "
    assert COMINT.search(shown)
    assert wording.entry_label(label) == f"{label}:"


def test_the_line_in_emacs_names_the_secret() -> None:
    """The line for Emacs still names the secret."""
    label = wording.entry_label(wording.secret_label("Example"), emacs=True)
    assert label == "Password for Example:"
    assert wording.entry_label(wording.username_label("X"), emacs=True) == "User name for X:"


@pytest.mark.real
@pytest.mark.parametrize("program", ["pinentry-tty", ""])
def test_in_emacs_the_line_ends_in_a_passwords_prompt(program: str, tmp_path: Path) -> None:
    """The terminal's own prompt and pinentry-tty's end in such a line."""
    variables = {"INSIDE_EMACS": "28.2,comint", "TERM": "dumb"}
    if program:
        need(program)
        variables |= {"PATH": os.defpath, "PINENTRY": program}
    label = wording.secret_label("Example")
    with asking(tmp_path, prompt=label, variables=variables) as screen:
        screen.prompted("Password for Example: ")
        assert COMINT.search(screen.shown.splitlines()[-1])
        screen.type("canary-1\n")
        assert screen.result()["value"] == "canary-1"


# -- keys that stop things -------------------------------------------------------


def test_ctrl_z_suspends_nothing_and_is_not_part_of_a_secret(tmp_path: Path) -> None:
    """A shell turns echo on for a suspended job: here Ctrl-Z is a character, and refused."""
    with asking(tmp_path, shell='set -m; "$@"') as screen:
        screen.refuses_ctrl_z("\n")


def test_a_tab_may_be_typed(tmp_path: Path) -> None:
    """A tab, which a paste may have, is a character like any other."""
    with asking(tmp_path) as screen:
        screen.prompted()
        screen.type("canary\t1\n")
        assert screen.result()["value"] == "canary\t1"


@contextlib.contextmanager
def stopped() -> Iterator[str]:
    """The name of a terminal whose output was stopped, as by Ctrl-S."""
    master, slave = os.openpty()
    try:
        termios.tcflow(slave, termios.TCOOFF)
        before = termios.tcgetattr(slave)
        yield os.ttyname(slave)
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


ON_A_STOPPED_ONE = """
import asyncio, sys, time
from secretly.asking import questions, terminal
started = time.monotonic()
try:
    ask = getattr(terminal.Terminal(sys.argv[1]), sys.argv[2])
    asyncio.run(ask(*sys.argv[3:], questions.Patience(0.5)))
except Exception as error:
    print(type(error).__name__, error, "|", error.hint)
print(time.monotonic() - started)
"""


@pytest.mark.parametrize("how", [["ask", "a description", "a prompt"], ["confirm", "a question"]])
def test_a_terminal_that_accepts_no_output_is_an_error(how: list[str]) -> None:
    """After Ctrl-S no prompt can be shown: that is an error, which names Ctrl-Q."""
    with stopped() as path:
        done = subprocess.run(
            [sys.executable, "-c", ON_A_STOPPED_ONE, path, *how],
            stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=True, start_new_session=True,
        )  # fmt: skip
    said, took = done.stdout.splitlines()
    assert said.startswith("PinentryFailed")
    assert "Ctrl-Q" in said
    assert float(took) < SOON


def test_a_program_may_have_many_open_files() -> None:
    """select(2) takes no descriptor above 1023, so secretly doesn't use it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 1100:
        pytest.skip("needs a limit of 1100 open files")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 1100), most))
    master, slave = os.openpty()
    high = fcntl.fcntl(slave, fcntl.F_DUPFD_CLOEXEC, 1050)
    try:
        asyncio.run(terminal._write(high, b"a question", SOON))
        assert os.read(master, 100) == b"a question"
    finally:
        for descriptor in (master, slave, high):
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_terminal_that_goes_on_in_time_is_asked_on() -> None:
    """A terminal that was stopped for a moment shows the whole prompt."""
    master, slave = os.openpty()
    try:
        termios.tcflow(slave, termios.TCOOFF)

        async def ask() -> bytes:
            asking = asyncio.create_task(
                terminal.Terminal(os.ttyname(slave)).ask("a text", "a prompt", Patience(DEADLINE))
            )
            await asyncio.sleep(0.1)
            assert not select.select([master], [], [], 0)[0]
            termios.tcflow(slave, termios.TCOON)
            shown = b""
            while b"a prompt " not in shown:
                assert await asyncio.to_thread(select.select, [master], [], [], DEADLINE)
                shown += os.read(master, 1000)
            assert b"a text" in shown
            os.write(master, b"canary-1\n")
            return await asking

        assert asyncio.run(ask()) == b"canary-1"
    finally:
        os.close(master)
        os.close(slave)


def test_a_line_that_another_reader_took_is_waited_for_again() -> None:
    """A line that another process read first is not the end: the next one counts."""
    master, slave = os.openpty()
    try:

        async def ask() -> bytes:
            asking = asyncio.create_task(
                terminal.Terminal(os.ttyname(slave)).ask("", "a prompt", Patience(DEADLINE))
            )
            while not select.select([master], [], [], 0)[0]:
                await asyncio.sleep(0.01)
            os.write(master, b"theirs\n")
            # In one turn of the loop: it is told that there is a line, and there is none.
            assert select.select([slave], [], [], DEADLINE)[0]
            asyncio.get_running_loop().call_soon(os.read, slave, 100)
            await asyncio.sleep(0.1)
            assert not asking.done()
            os.write(master, b"canary-1\n")
            return await asking

        assert asyncio.run(ask()) == b"canary-1"
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("asked", [True, False])
def test_modes_are_restored_on_a_terminal_that_accepts_no_output(asked: bool) -> None:
    """That does not wait for the output."""
    modes = """
import os, sys, termios
from secretly.asking import terminal
with terminal.Terminal(sys.argv[1]).opened(sys.argv[2] == "True") as descriptor:
    try:
        while os.write(descriptor, b"x" * 100): pass
    except BlockingIOError:
        pass
    modes = termios.tcgetattr(descriptor)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)
"""
    with stopped() as path:
        argv = [sys.executable, "-c", modes, path, str(asked)]
        subprocess.run(argv, timeout=DEADLINE, check=True, start_new_session=True)


@pytest.mark.real
def test_ps_names_the_terminal(tmp_path: Path) -> None:
    """Where the system shows no device number (macOS), ps names the terminal."""
    need("ps")
    code = "import sys; from secretly.asking import finding; "
    code += "open(sys.argv[1], 'w').write(f'/dev/{finding.name_from_ps()}')"
    argv = [sys.executable, "-c", code, str(tmp_path / "found")]
    with Pty(argv, {"PATH": os.defpath}) as screen:
        assert screen.wait() == 0
        assert (tmp_path / "found").read_text() == screen.path


def test_a_file_is_not_used_as_a_terminal(tmp_path: Path) -> None:
    """Nor is a name without a file."""
    assert finding.usable_terminal("/dev/nonexistent") is None
    assert finding.usable_terminal(str(tmp_path)) is None


def test_a_terminal_that_breaks_off_is_at_its_end() -> None:
    """An error while a line is read counts as the end of the file."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.send(b"never read")
        theirs.close()
        assert asyncio.run(pastes.read_line(ours.fileno(), time.monotonic() + DEADLINE)) == b""


# -- a pinentry that lost its screen ----------------------------------------------

#: DISPLAY names a screen that no longer exists, as in a tmux that outlived the desktop.
GONE = {"DISPLAY": ":65000"}

#: Answers without a screen, as pinentry-rofi does.
ROFI = """#!/bin/sh
echo "OK Please go ahead"
while read -r verb rest; do
    case "$verb $rest" in
        "GETINFO flavor") printf 'D curses:curses\\nOK\\n' ;;
        GETPIN* | CONFIRM*) echo "{says}" ;;
        *) echo OK ;;
    esac
done
"""


@pytest.mark.process
@pytest.mark.parametrize("what", ["ask", "confirm"])
@pytest.mark.parametrize("where", ["over ssh", "a screen that is gone"])
@pytest.mark.parametrize("says", ["ERR 83886179 Operation cancelled", "OK"])
def test_a_wrapper_without_its_screen_is_passed_over(
    says: str, what: str, where: str, tmp_path: Path
) -> None:
    """If the wrapper claims an answer without its screen, secretly asks on the terminal instead."""
    rofi = tmp_path / "pinentry-rofi"
    _executable(rofi, ROFI.format(says=says))
    variables = {**GONE, "PINENTRY": str(rofi)}
    if where == "over ssh":
        variables["SSH_TTY"] = "/dev/pts/0"
    with Asking(tmp_path, what, variables=variables) as terminal:
        terminal.wait_for(wording.YES_OR_NO if what == "confirm" else "a prompt:")
        assert terminal.shown.count("pinentry-rofi") == 1
        assert ("DISPLAY" in terminal.shown) is (where != "over ssh")
        if what == "confirm":
            terminal.type("y\n")
            assert terminal.result()["value"] == wording.YES
        else:
            terminal.until(lambda: not terminal.echoes())
            terminal.type("canary-1\n")
            assert terminal.result()["value"] == "canary-1"
