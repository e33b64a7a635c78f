"""What a pinentry's answer means, and how long the user has."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
import time

import pytest

from secretly.asking import assuan, pastes, prompting, wording
from secretly.asking.questions import DOCTOR, Patience, check_code, with_caller
from secretly.asking.terminal import Terminal
from secretly.errors import Cancelled, NotConfirmed, PinentryFailed, PromptTimeout
from secretly.waiting.turns import Turns

CODES = [
    (assuan.TIMEOUT, PromptTimeout, "30 s"),
    (assuan.NOT_CONFIRMED, NotConfirmed, "No"),
    (assuan.CANCELED, Cancelled, "cancelled"),
    (assuan.FULLY_CANCELED, Cancelled, "cancelled"),
    (assuan.WINDOW_TOO_SMALL, PinentryFailed, "no room"),
    (assuan.GENERAL, PinentryFailed, "error 1"),
    (4711, PinentryFailed, "error 4711"),
]


@pytest.mark.parametrize(("code", "kind", "said"), CODES)
def test_each_code_of_a_pinentry_has_its_error(code: int, kind: type[Exception], said: str) -> None:
    """What the user did is not a failure of the pinentry. OK raises nothing."""
    check_code(0, "pinentry-x", Patience(30))
    with pytest.raises(kind, match=said) as caught:
        check_code(code, "pinentry-x", Patience(30))
    assert type(caught.value) is kind
    if kind is PinentryFailed:
        assert "pinentry-x" in str(caught.value)
        assert caught.value.hint == DOCTOR  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["wants", "limits"], "wants\nlimits\nasked by: zsh"),
        (["", "wants", ""], "wants\nasked by: zsh"),
        (["upload\n\na file", "", "offer"], "upload\n\na file\n\noffer\nasked by: zsh"),
        (["1 of 2", "upload\n\na file"], "1 of 2\nupload\n\na file\n\nasked by: zsh"),
        (["x" * 990], f"asked by: zsh\n{'x' * 990}"),
    ],
)
def test_who_asks_is_below_the_text_and_not_a_part_of_its_list(
    lines: list[str], shown: str
) -> None:
    """It is above a text whose end a pinentry would cut."""
    assert with_caller(lines, wording.asked_by_line("zsh")) == shown
    assert with_caller(["upload\n\na file"], "") == "upload\n\na file"


def test_no_time_is_left_after_the_deadline() -> None:
    """The next question gets what is left, at most its own time; then the error names that time."""
    assert Patience(5).left() == 5
    assert 0 < Patience(5, time.monotonic() + 1).left() <= 1
    with pytest.raises(PromptTimeout, match="5 s"):
        Patience(5, time.monotonic() - 1).left()


def test_no_repr_shows_what_was_typed() -> None:
    """A traceback with local variables may show these objects."""
    for shown in (
        repr(prompting._Typed(bytearray(b"canary-1"))),
        repr(assuan.Data(b"canary-1")),
        repr(assuan.Answer(0, bytearray(b"canary-1"))),
        repr(assuan.Reader()),
    ):
        assert shown
        assert "canary" not in shown


# -- what is not a terminal, or none any more ------------------------------------


def test_what_is_not_a_terminal_counts_as_one_that_is_gone() -> None:
    """A missing file, and one that is not a terminal, are the same error."""
    for path in ("/nonexistent/terminal", "/dev/null"):
        with pytest.raises(PinentryFailed, match="closed"), Terminal(path).opened():
            raise AssertionError("it was opened")
    assert not Terminal("/nonexistent/terminal").in_foreground()


def test_nothing_follows_on_a_pipe() -> None:
    """Only a terminal has more lines, also if the descriptor can be read."""
    reading, writing = os.pipe()
    os.write(writing, b"canary-1\ncanary-2\n")
    try:
        assert asyncio.run(pastes.more_lines_follow(reading)) is False
        assert os.read(reading, 8) == b"canary-1"
    finally:
        os.close(reading)
        os.close(writing)


def test_nothing_follows_on_a_terminal_that_is_closed() -> None:
    """The end of the file is not a line."""
    master, slave = os.openpty()
    try:
        os.close(master)
        assert asyncio.run(pastes.more_lines_follow(slave)) is False
    finally:
        os.close(slave)


def test_a_paste_that_the_end_of_the_terminal_cuts_off_is_one() -> None:
    """Lines came before the terminal was closed."""
    master, slave = os.openpty()

    async def main() -> bool:
        os.write(master, b"canary-1\n")
        following = asyncio.ensure_future(pastes.more_lines_follow(slave))
        await asyncio.sleep(0.05)
        os.close(master)
        return await following

    try:
        assert asyncio.run(main()) is True
    finally:
        os.close(slave)


def test_a_paste_that_does_not_end_is_one() -> None:
    """secretly drops what comes for some seconds, and no more."""
    master, slave = os.openpty()
    os.set_blocking(master, False)

    async def main() -> bool:
        following = asyncio.ensure_future(pastes.more_lines_follow(slave))
        while not following.done():
            with contextlib.suppress(BlockingIOError):
                os.write(master, b"canary-1\n")
            await asyncio.sleep(0.02)
        return await following

    try:
        assert asyncio.run(main()) is True
    finally:
        os.close(master)
        os.close(slave)


def test_who_waits_for_a_terminal_that_is_closed_gets_an_error() -> None:
    """Another program has the turn, and the terminal goes away meanwhile."""
    master, slave = os.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX)

    async def wait() -> None:
        async with Turns().take(5) as own, Terminal(os.ttyname(slave)).turn(30, own):
            raise AssertionError("it has the turn")

    async def main() -> None:
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.3)
        os.close(master)
        with pytest.raises(PinentryFailed, match="closed"):
            await waiting

    started = time.monotonic()
    try:
        asyncio.run(main())
    finally:
        os.close(slave)
    assert time.monotonic() - started < 15


def test_modes_that_something_else_changed_are_restored() -> None:
    """Also where no prompt of ours used the terminal, as for a program that asks itself."""
    master, slave = os.openpty()
    try:
        before = termios.tcgetattr(slave)
        with Terminal(os.ttyname(slave)).opened(asking=False) as descriptor:
            modes = termios.tcgetattr(descriptor)
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSANOW, modes)
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("label", "in_emacs"),
    [
        (wording.secret_label("corp"), "Password for corp:"),
        (wording.secret_label("PyPI", "pypi-"), "Password for PyPI (pypi-…):"),
        ("Master password", "Enter the master password:"),
        ("PIN", "Password for PIN:"),
        (wording.username_label("corp"), f"{wording.username_label('corp')}:"),
    ],
)
def test_emacs_recognizes_the_label_of_what_it_must_hide(label: str, in_emacs: str) -> None:
    """A user name may be shown. Elsewhere the label is as it is."""
    assert wording.entry_label(label, emacs=True) == in_emacs
    assert wording.entry_label(label) == f"{label}:"
