"""Read a line on a terminal, and notice more lines after it, as a paste of several lines has."""

from __future__ import annotations

import os
import sys
import termios
import time

from ..waiting import requests

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LINE_LIMIT", "modes_of", "more_lines_follow", "read_line"]

#: The longest line, in bytes with its LF, that a terminal passes on whole:
#: Linux's N_TTY_BUF_SIZE, and macOS's TTYHOG (MAX_CANON).
LINE_LIMIT = 4096 if sys.platform == "linux" else 1024

#: How long, in seconds, to wait for the next line of a paste. Terminals send a paste in pieces of
#: some kilobytes, so the next line is there already, or nearly.
_PASTE_GAP = 0.05

#: After the next line, how long, in seconds, to wait for more of the paste: how long it may pause,
#: and how long all of it may take.
_REST_GAP, _REST_LIMIT = 0.2, 2.0


async def read_line(descriptor: int, deadline: float) -> bytes | None:
    """Return a line, nothing at an end of file, or None if no line came in time."""
    while (left := deadline - time.monotonic()) > 0:
        if await requests.readable(descriptor, left):
            try:
                return os.read(descriptor, LINE_LIMIT + 1)
            except BlockingIOError:
                await requests.sleep(0.05)  # another reader took it
            except OSError:
                return b""
    return None


async def more_lines_follow(descriptor: int) -> bool:
    """Return whether more input follows the first line, as after a paste of several lines.

    The terminal no longer shows the input. The last line may lack an end, and the terminal
    gives such a line only without ICANON. Drop all input, also the part that arrives later when
    the terminal has room, so that nothing reaches the shell. Empty lines don't count.
    """
    if (modes := modes_of(descriptor)) is None:
        return False
    modes[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON)
    modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)
    followed, deadline = False, time.monotonic() + _REST_LIMIT
    while time.monotonic() < deadline:
        if not await requests.readable(descriptor, _REST_GAP if followed else _PASTE_GAP):
            break
        try:
            if not (more := os.read(descriptor, LINE_LIMIT)):
                break
        except OSError:  # another process read the input, or the terminal was closed
            break
        followed = followed or bool(more.strip())
    return followed


def modes_of(descriptor: int) -> list[Any] | None:
    """Return an open terminal's modes; None if the terminal was closed."""
    try:
        return termios.tcgetattr(descriptor)
    except termios.error:
        return None
