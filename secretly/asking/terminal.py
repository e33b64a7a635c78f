"""The terminal: which it is, whose turn it is on it, and asking on it with echo off."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..errors import Cancelled, PinentryFailed, PromptTimeout
from ..text import escape
from ..waiting import requests

__all__ = ["Terminal", "find_terminal", "is_gone", "terminal_gone"]

#: The longest line, in bytes with its LF, that a terminal hands over whole:
#: Linux's N_TTY_BUF_SIZE, and macOS's TTYHOG (MAX_CANON).
_LINE_LIMIT = 4096 if sys.platform == "linux" else 1024

#: The keys that stop a job: Ctrl-Z, and macOS's Ctrl-Y (VDSUSP, which termios does not name).
_SUSPENDING = (termios.VSUSP, 11) if sys.platform == "darwin" else (termios.VSUSP,)

#: How long, in seconds, a terminal that takes no output is waited for.
_STOPPED = 2.0


class Terminal:
    """A terminal that a person sits at, by its real name.

    Never ``/dev/tty``: a pinentry is told the name, and macOS's kqueue refuses it.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @contextlib.contextmanager
    def opened(self, asking: bool = True) -> Iterator[int]:
        """Open it, not to be blocked on, and at the end put its modes back.

        Nothing here waits for output to drain: a person may have stopped it (Ctrl-S).

        :param asking: whether it is asked on. Ctrl-Z then stops nothing, for the shell
            would turn echo on, and leave it on after ``fg``; and what was not read is
            dropped at the end.
        """
        descriptor = self._open(os.O_RDWR | os.O_NONBLOCK)
        try:
            modes = termios.tcgetattr(descriptor)
            try:
                if asking:
                    _without_suspending(descriptor)
                yield descriptor
            finally:
                with contextlib.suppress(termios.error, OSError):
                    if asking and self.in_foreground():
                        # What a paste left over must reach no other program.
                        termios.tcflush(descriptor, termios.TCIFLUSH)
                        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
                    elif termios.tcgetattr(descriptor) != modes:
                        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
        except termios.error:
            raise terminal_gone() from None
        finally:
            os.close(descriptor)

    def _open(self, flags: int) -> int:
        """Open it without making it this process's.

        :raises PinentryFailed: if it is no longer there.
        """
        try:
            return os.open(self.path, flags | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            raise terminal_gone() from None

    def in_foreground(self) -> bool:
        """Whether this process may use it: reading in the background would stop it.

        One that is no longer there is not to be used either.
        """
        try:
            descriptor = self._open(os.O_RDONLY)
        except PinentryFailed:
            return False
        try:
            return os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError as error:
            return error.errno == errno.ENOTTY  # not our controlling one: no such rule
        finally:
            os.close(descriptor)

    @contextlib.asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[None]:
        """Keep other processes that ask on this terminal waiting.

        :param seconds: how long to wait for the others at most.
        :raises PromptTimeout: if they took longer.
        :raises PinentryFailed: if it is no longer there, or goes away meanwhile.
        """
        deadline = time.monotonic() + seconds
        descriptor = self._open(os.O_RDONLY)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if is_gone(descriptor):
                        raise terminal_gone() from None
                    if time.monotonic() > deadline:
                        raise PromptTimeout(
                            f"another secretly keeps asking on {self.path}",
                            "answer it, or end it, and try again",
                        ) from None
                    await requests.sleep(0.1)
            yield
        finally:
            os.close(descriptor)

    async def ask(self, text: str, prompt: str, seconds: float) -> bytes:
        """Ask for a secret, with echo off, and return what was typed.

        :raises Cancelled: at an end of file (Ctrl-D).
        """
        with self.opened() as descriptor:
            modes: list[Any] = termios.tcgetattr(descriptor)
            modes[3] = (modes[3] & ~termios.ECHO) | termios.ECHONL | termios.ICANON | termios.ISIG
            termios.tcflush(descriptor, termios.TCIFLUSH)
            termios.tcsetattr(descriptor, termios.TCSANOW, modes)
            return await _line(descriptor, text, prompt, seconds)

    async def confirm(self, text: str, seconds: float) -> bool:
        """Ask a question; only ``y`` or ``yes`` says yes."""
        with self.opened() as descriptor:
            termios.tcflush(descriptor, termios.TCIFLUSH)
            answer = await _line(descriptor, text, "[y/N]", seconds)
            return answer.strip().lower() in (b"y", b"yes")


def _without_suspending(descriptor: int) -> None:
    modes: list[Any] = termios.tcgetattr(descriptor)
    for key in _SUSPENDING:
        modes[6][key] = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)


async def _line(descriptor: int, text: str, prompt: str, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    shown = f"{escape(text, keep=chr(10))}\n" if text else ""
    await _write(descriptor, f"{shown}{escape(prompt)} ".encode(), min(seconds, _STOPPED))
    line = await _read(descriptor, deadline)
    if line is None:
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\n")
        raise PromptTimeout(
            f"nobody answered within {seconds:.0f} s", "try again; --prompt-timeout gives more time"
        )
    too_long = len(line) >= _LINE_LIMIT - 1
    if line.endswith(b"\n") and not too_long:
        return line[:-1]
    line = b""  # a traceback may show locals
    if not too_long:
        raise Cancelled("the prompt was ended", "nothing was done")
    raise PinentryFailed(
        f"what was entered is longer than a terminal's line ({_LINE_LIMIT} bytes)",
        "install a pinentry (pinentry-tty takes long secrets)",
    )


async def _write(descriptor: int, data: bytes, patience: float) -> None:
    deadline = time.monotonic() + patience
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise PinentryFailed(
                    "the terminal takes no output", "Ctrl-Q lets it go on after a Ctrl-S"
                ) from None
            await requests.sleep(0.05)


async def _read(descriptor: int, deadline: float) -> bytes | None:
    """Return a line, or nothing at an end of file; None if none came in time."""
    while (left := deadline - time.monotonic()) > 0:
        if await requests.readable(descriptor, left):
            try:
                return os.read(descriptor, _LINE_LIMIT + 1)
            except BlockingIOError:
                await requests.sleep(0.05)  # another reader took it
            except OSError:
                return b""
    return None


def is_gone(descriptor: int) -> bool:
    """Whether the terminal that is open there has gone: its window was closed, say."""
    try:
        termios.tcgetattr(descriptor)
    except termios.error:
        return True
    return False


def terminal_gone() -> PinentryFailed:
    """The error for a terminal that has gone."""
    return PinentryFailed("the terminal has gone away", "nothing was handed over")


def find_terminal() -> Terminal | None:
    """Find the terminal of this process: its controlling one, else a standard stream."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        controlling = True
    except OSError:
        controlling = False
    device = _controlling_device() if controlling else None
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            path = os.ttyname(descriptor)
            if device in (None, os.stat(path).st_rdev):
                return _usable(path)
    if device is not None:
        major, minor = os.major(device), os.minor(device)
        paths = [f"/dev/pts/{minor}"]
        with contextlib.suppress(OSError):
            paths.append("/dev/" + os.path.basename(os.readlink(f"/sys/dev/char/{major}:{minor}")))
        for path in paths:
            with contextlib.suppress(OSError):
                if os.stat(path).st_rdev == device:
                    return _usable(path)
    elif controlling:
        return _usable(f"/dev/{_ps_name()}")
    return None


def _usable(path: str) -> Terminal | None:
    try:
        if stat.S_ISCHR(os.stat(path).st_mode) and os.access(path, os.R_OK | os.W_OK):
            return Terminal(path)
    except OSError:
        pass
    return None


def _controlling_device() -> int | None:
    """The device number of the controlling terminal, where the system tells (proc(5))."""
    try:
        with open("/proc/self/stat", "rb") as file:
            number = int(file.read().rpartition(b")")[2].split()[4])
    except (OSError, IndexError, ValueError):
        return None
    return os.makedev((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00))


def _ps_name() -> str:
    command = ["/bin/ps", "-o", "tty=", "-p", str(os.getpid())]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, timeout=2).stdout.decode().strip()
    return ""
