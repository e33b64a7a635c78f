"""The process list of ps(1), for systems that have no /proc, such as macOS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

__all__ = ["parsed", "programs", "show"]

#: How long ps may take, in seconds.
_PATIENCE = 2.0

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def show(*arguments: str) -> bytes:
    """Return what ps prints for these arguments; empty if it can't be run."""
    command = ["/bin/ps", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, env={"LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout


def programs() -> Iterator[tuple[int, int, str, int, str]]:
    """Yield each process: its number, its parent's, its state, its start and its program.

    The start is a number that grows with the time.
    """
    return parsed(show("-axo", "pid=,ppid=,stat=,lstart=,comm="))


def parsed(shown: bytes) -> Iterator[tuple[int, int, str, int, str]]:
    """Parse the lines of :func:`programs`."""
    for line in shown.decode("utf-8", "replace").splitlines():
        words = line.split(None, 8)
        # The start is in five words: 'Mon Nov 30 02:53:01 2026'.
        if len(words) == 9 and words[0].isdigit() and words[1].isdigit() and words[4] in _MONTHS:
            month = _MONTHS.index(words[4]) + 1
            time = words[6].replace(":", "")
            started = int(f"{words[7]}{month:02}{words[5]:0>2}{time}")
            yield int(words[0]), int(words[1]), words[2], started, words[8].strip()
