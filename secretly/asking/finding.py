"""Find the terminal of this process, also where it has no name."""

from __future__ import annotations

import fcntl
import os
import stat
import sys

from ..waiting.blocks import suppress
from .terminal import CONTROLLING, Terminal

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_terminal", "name_from_ps", "usable_terminal"]


def find_terminal() -> Terminal | None:
    """Find the terminal of this process: the controlling one, else one on a standard stream."""
    streams = []
    for descriptor in range(3):
        with suppress(OSError):
            streams.append(os.ttyname(descriptor))
    streams = [path for path in streams if path != CONTROLLING]
    try:
        os.close(os.open(CONTROLLING, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        named = next(filter(None, map(usable_terminal, streams)), None)
        return named or next(filter(None, map(_stream, range(3))), None)
    device = _controlling_device()
    for path in (*streams, *_names_of(device)):
        if _is_controlling(path):
            return Terminal(path)
    return None if sys.platform == "darwin" else Terminal(CONTROLLING, device or 0)


def _names_of(device: int | None) -> Iterator[str]:
    """Yield the names that the controlling terminal may have."""
    if device is None:
        yield f"/dev/{name_from_ps()}"
        return
    major, minor = os.major(device), os.minor(device)
    yield f"/dev/pts/{minor}"
    with suppress(OSError):
        yield "/dev/" + os.path.basename(os.readlink(f"/sys/dev/char/{major}:{minor}"))


def _is_controlling(path: str) -> bool:
    """Return whether that name opens the controlling terminal, for reading and writing.

    In a container, another terminal may have the same name and even the same number. The
    system gives the foreground group only for the controlling terminal (tcgetpgrp(3)).
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.tcgetpgrp(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def usable_terminal(path: str) -> Terminal | None:
    """Return the terminal of that name, or None if it can't be read and written."""
    try:
        if stat.S_ISCHR(os.stat(path).st_mode) and os.access(path, os.R_OK | os.W_OK):
            return Terminal(path)
    except OSError:
        pass
    return None


def _stream(descriptor: int) -> Terminal | None:
    """Return the terminal of a standard stream that can be read and written, or None."""
    with suppress(OSError):
        both = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
        if both and os.isatty(descriptor):
            return Terminal(CONTROLLING, stream=descriptor)
    return None


def _controlling_device() -> int | None:
    """Return the device number of the controlling terminal, where proc(5) shows it."""
    try:
        with open("/proc/self/stat", "rb") as file:
            number = int(file.read().rpartition(b")")[2].split()[4])
    except (OSError, IndexError, ValueError):
        return None
    return os.makedev((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00))


def name_from_ps() -> str:
    """Return the name of the controlling terminal as ps(1) has it, on macOS."""
    from ..processes import ps

    return ps.show("-o", "tty=", "-p", str(os.getpid())).decode().strip()
