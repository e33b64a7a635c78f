"""A terminal: take turns on it with other processes, and ask on it with echo off."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import sys
import termios
import time

from ..errors import Cancelled, PinentryFailed, PromptTimeout
from ..text import escape
from ..waiting import requests
from ..waiting.blocks import asynccontextmanager, contextmanager, suppress
from . import assuan, wording
from .pastes import LINE_LIMIT, modes_of, more_lines_follow, read_line
from .questions import Patience, agreed, no_answer, pasted, several_lines

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any

    from ..waiting import turns

__all__ = ["CONTROLLING", "Terminal", "terminal_gone"]

#: The keys that suspend a job: Ctrl-Z, and macOS's Ctrl-Y (VDSUSP, which termios does not name).
_SUSPENDING = (termios.VSUSP, 11) if sys.platform == "darwin" else (termios.VSUSP,)

#: How long, in seconds, to wait for a terminal that accepts no output.
_OUTPUT_TIMEOUT = 2.0

#: How often, in seconds, to try again to take the turn, and to write.
_TURN_INTERVAL, _WRITE_INTERVAL = 0.1, 0.05


#: The controlling terminal, whatever its own name is (tty(4)).
CONTROLLING = "/dev/tty"


class Terminal:
    """A terminal with a name, such as ``/dev/pts/3``, or the controlling one without a name.

    After ``su``, in a container or with another ``/dev/pts`` the controlling terminal can't be
    opened by its own name. Then ``/dev/tty`` works, except on macOS, where kqueue refuses it. After
    ``su -c``, or without that file, only a standard stream leads to the terminal.

    :param path: the path to open, or to show.
    :param number: the device number of the controlling terminal, if it has no name here.
    :param stream: the standard stream to use in place of the path.
    """

    def __init__(self, path: str, number: int = 0, stream: int | None = None) -> None:
        self.path, self._number, self._stream = path, number, stream

    @property
    def named(self) -> bool:
        """Whether other processes can open the terminal by this name, as a pinentry must."""
        return self.path != CONTROLLING and self._stream is None

    @contextmanager
    def opened(
        self, asking: bool = True, drop_typed: Callable[[], bool] | None = None
    ) -> Iterator[int]:
        """Open the terminal so that nothing blocks, and restore its modes at the end.

        Never wait for output to drain: the user may have stopped the output with Ctrl-S.

        :param asking: whether a prompt uses the terminal. Then Ctrl-Z suspends nothing, because the
            shell would turn echo on, and leave it on after ``fg``. Unread input is dropped
            at the end.
        :param drop_typed: called at the end; returns whether to drop unread input.
        """
        descriptor = self._open(os.O_RDWR | os.O_NONBLOCK)
        try:
            modes = termios.tcgetattr(descriptor)
            try:
                if asking:
                    _disable_suspending(descriptor)
                yield descriptor
            finally:
                with suppress(termios.error, OSError):
                    if asking and self.in_foreground():
                        if drop_typed is None or drop_typed():
                            # The rest of a paste must reach no other program.
                            termios.tcflush(descriptor, termios.TCIFLUSH)
                        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
                    elif termios.tcgetattr(descriptor) != modes:
                        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
        except termios.error:
            raise terminal_gone() from None
        finally:
            os.close(descriptor)

    def _open(self, flags: int) -> int:
        """Open the terminal without making it the controlling one.

        A copy of a standard stream has the flags of the stream, which other programs share.

        :raises PinentryFailed: if it no longer exists.
        """
        try:
            if self._stream is not None:
                return fcntl.fcntl(self._stream, fcntl.F_DUPFD_CLOEXEC, 3)
            return os.open(self.path, flags | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            raise terminal_gone() from None

    def in_foreground(self) -> bool:
        """Return whether this process may use the terminal: reading in the background stops it.

        A terminal that no longer exists can't be used either.
        """
        try:
            descriptor = self._open(os.O_RDONLY)
        except PinentryFailed:
            return False
        try:
            return os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError as error:
            return error.errno == errno.ENOTTY  # not the controlling terminal: no such rule
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def turn(self, timeout: float, ours: turns.Turn) -> AsyncIterator[None]:
        """Keep other processes of secretly from asking on this terminal meanwhile.

        :param timeout: how long to wait for the other processes, in seconds.
        :param ours: our turn in this process. If another coroutine gets it, release this one.
        :raises PromptTimeout: if the wait takes longer.
        :raises PinentryFailed: if the terminal no longer exists, or goes away meanwhile.
        """
        deadline = time.monotonic() + timeout
        descriptor = self._open(os.O_RDONLY if self.named else os.O_RDWR)
        kept, process = ours.release, os.getpid()
        try:
            ours.release = lambda: self._lock(descriptor, False)
            while True:
                try:
                    self._lock(descriptor)
                    break
                except BlockingIOError:
                    if modes_of(descriptor) is None:
                        raise terminal_gone() from None
                    if time.monotonic() > deadline:
                        raise PromptTimeout(
                            f"another secretly still has a prompt on {self.path}",
                            "answer it or end it, then try again",
                        ) from None
                    await requests.sleep(_TURN_INTERVAL)
            yield
        finally:
            ours.release = kept
            if os.getpid() == process:
                # Unlock, because a forked process has the descriptor too, which keeps the lock.
                self._lock(descriptor, False)
            os.close(descriptor)

    def _lock(self, descriptor: int, take: bool = True) -> None:
        """Take the lock of this terminal, or release it.

        :raises BlockingIOError: if another process has it.
        """
        if self.named or sys.platform != "linux":
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if take else fcntl.LOCK_UN)
            return
        # All terminals share the file /dev/tty: lock one byte for each terminal (struct flock).
        kind = fcntl.F_WRLCK if take else fcntl.F_UNLCK
        import struct

        lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, self._number, 1, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)

    async def ask(self, text: str, label: str, patience: Patience) -> assuan.Data:
        """Ask for a secret with echo off, and return what was typed.

        :param patience: how long the user has.
        :raises Cancelled: at an end of file (Ctrl-D).
        :raises PromptTimeout: if the user does not answer in time.
        :raises Refused: if several lines were pasted.
        """
        with self.opened() as descriptor:
            _hide_typed(descriptor, termios.ECHONL)
            line = assuan.Data(await _ask_line(descriptor, text, label, patience))
            if await more_lines_follow(descriptor):
                raise several_lines()
            return line

    async def confirm(self, question: str, patience: Patience, longer: str = "") -> str:
        """Ask a question; return the answer, empty for No. Only ``y`` and ``yes`` mean Yes.

        The terminal shows only what was understood: the input may be a secret, pasted by mistake.

        :param longer: what else the user may type in place of Yes.
        :raises NotConfirmed: if more input follows a Yes, as after a paste of several lines.
        """
        with self.opened() as descriptor:
            _hide_typed(descriptor)
            line = await _ask_line(descriptor, question, wording.yes_or_no(longer), patience)
            answer = agreed(line, longer)
            followed = await more_lines_follow(descriptor)
            shown = wording.LETTERS[answer != "" and not followed]
            if answer == longer != "" and not followed:
                shown = longer
            await _write(descriptor, f"{shown}\n".encode(), _OUTPUT_TIMEOUT)
            if answer and followed:
                raise pasted()
            return answer


def _hide_typed(descriptor: int, newline: int = 0) -> None:
    """Turn echo off, except *newline* (ECHONL), and drop what was typed before."""
    modes: list[Any] = termios.tcgetattr(descriptor)
    modes[3] = modes[3] & ~(termios.ECHO | termios.ECHONL) | newline | termios.ICANON | termios.ISIG
    termios.tcflush(descriptor, termios.TCIFLUSH)
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def _disable_suspending(descriptor: int) -> None:
    modes: list[Any] = termios.tcgetattr(descriptor)
    for key in _SUSPENDING:
        modes[6][key] = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)


async def _ask_line(descriptor: int, text: str, label: str, patience: Patience) -> bytes:
    seconds = patience.left()
    deadline = time.monotonic() + seconds
    shown = f"{escape(text, keep=chr(10))}\n" if text else ""
    question = f"{shown}{escape(label)} ".encode()
    await _write(descriptor, question, min(seconds, _OUTPUT_TIMEOUT))
    line = await read_line(descriptor, deadline)
    if line is None:
        _end_line(descriptor)
        raise no_answer(patience)
    too_long = len(line) >= LINE_LIMIT - 1
    if line.endswith(b"\n") and not too_long:
        return line[:-1]
    if not line.endswith(b"\n"):  # Ctrl-D: the terminal has echoed no end of line
        _end_line(descriptor)
    line = b""  # a traceback may show locals
    await more_lines_follow(descriptor)  # keep the input from the shell
    if not too_long:
        raise Cancelled("cancelled at the prompt", "nothing was done")
    raise PinentryFailed(
        f"what you entered is longer than a line on a terminal can be ({LINE_LIMIT} bytes)",
        "install pinentry-tty, which accepts longer secrets",
    )


def _end_line(descriptor: int) -> None:
    """End the line of the prompt, so that what follows has a line of its own."""
    with suppress(OSError):
        os.write(descriptor, b"\n")


async def _write(descriptor: int, data: bytes, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    while data:
        try:
            if not room.poll(0):  # a standard stream would block
                raise BlockingIOError
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise PinentryFailed(
                    "the terminal accepts no output", "if you stopped it with Ctrl-S, press Ctrl-Q"
                ) from None
            await requests.sleep(_WRITE_INTERVAL)


def terminal_gone() -> PinentryFailed:
    """Return the error for a terminal that no longer exists."""
    return PinentryFailed("the terminal was closed", "open a terminal and try again")
