"""Take turns on a screen: one dialog at a time, whichever process opens it."""

from __future__ import annotations

import fcntl
import os
import sys
import time

from ..config import places
from ..errors import PromptTimeout
from ..safefiles import shared
from ..waiting import requests
from ..waiting.blocks import asynccontextmanager, suppress
from . import screens

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from ..waiting import turns

__all__ = ["Lock", "NoTurn", "screen_names", "turn"]

#: How often, in seconds, to try again, and after how long to say what secretly waits for.
_INTERVAL, _SILENT = 0.1, 1.0

#: A process ID has at most so many digits.
_DIGITS = 10


class NoTurn(PromptTimeout):
    """The dialog of another process stays on the screen."""


def screen_names(environ: Mapping[str, str]) -> list[str]:
    """The names of the screens that a dialog may open on, sorted. Each is a part of a file's name.

    A desktop under Wayland has a name for X as well, and a program may know only one of them.
    """
    names = []
    if wayland := environ.get("WAYLAND_DISPLAY"):
        names.append(f"wayland-{os.path.basename(wayland)}")
    if display := environ.get("DISPLAY"):
        names.append(f"x11-{screens.without_screen_number(display)}")
    found = ["".join(c if c.isalnum() or c in "-." else "_" for c in name) for name in names]
    return sorted(found) or [sys.platform]


class Lock:
    """The lock of the screens: a file for each, locked by the process that has a dialog there.

    :param paths: the files, in the order in which every process takes them.
    """

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths
        self._held: list[tuple[str, int]] = []

    def take(self) -> None:
        """Take all locks, or none.

        :raises BlockingIOError: if another process has one.
        :raises OSError: if a file can't be opened.
        """
        try:
            for path in self._paths:
                self._take_one(path)
        except OSError:
            self.release()
            raise

    def _take_one(self, path: str) -> None:
        """Lock one file, and write down which process did."""
        descriptor = shared.open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                raise BlockingIOError  # it was deleted, and another process has made a new one
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except FileNotFoundError:
            os.close(descriptor)
            raise BlockingIOError from None
        except OSError:
            os.close(descriptor)
            raise
        self._held.append((path, descriptor))

    def release(self) -> None:
        """Delete the files, and release their locks.

        A forked process has the descriptors too, which would keep the locks.
        """
        for path, descriptor in self._held:
            with suppress(OSError):
                os.unlink(path)
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)
        self._held.clear()

    def close(self) -> None:
        """Close the files in a forked process: the lock is its parent's."""
        while self._held:
            os.close(self._held.pop()[1])

    def holder(self) -> str:
        """Which process has the lock, in words; empty if that is not known."""
        for path in self._paths:
            with suppress(OSError):
                descriptor = shared.open_own(path, os.O_RDONLY)
                try:
                    number = os.read(descriptor, _DIGITS).strip()
                finally:
                    os.close(descriptor)
                if number.isdigit() and int(number) != os.getpid():
                    return f" (process {int(number)})"
        return ""


@asynccontextmanager
async def turn(
    environ: Mapping[str, str], timeout: float, ours: turns.Turn, tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep other processes of secretly from opening a dialog on this screen meanwhile.

    If the files for that can't be made, dialogs may lie on top of each other, but secretly asks.

    :param timeout: how long to wait for the other processes, in seconds.
    :param ours: our turn in this process. If another coroutine gets it, release this one.
    :param tell: called with what secretly waits for, if that takes a while.
    :raises PromptTimeout: if the wait takes longer.
    """
    folder = places.shared_folder(environ)
    lock = Lock([os.path.join(folder, f"screen-{name}.lock") for name in screen_names(environ)])
    kept, process = ours.release, os.getpid()
    try:
        ours.release = lock.release
        with suppress(OSError):
            await _wait(lock, timeout, tell)
        yield
    finally:
        ours.release = kept
        if os.getpid() == process:
            lock.release()
        else:
            lock.close()


async def _wait(lock: Lock, timeout: float, tell: Callable[[str], None]) -> None:
    started, told = time.monotonic(), False
    while True:
        try:
            return lock.take()
        except BlockingIOError:
            waited = time.monotonic() - started
        if waited > timeout:
            raise NoTurn(
                f"another secretly still has a dialog on this screen{lock.holder()}",
                "answer it or end it, then try again",
            )
        if waited > _SILENT and not told:
            told = True
            tell(f"waiting until another dialog on this screen is answered{lock.holder()}")
        await requests.sleep(_INTERVAL)
