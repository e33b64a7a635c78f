"""Remember for a minute that a person said No to an agent, so that it does not ask on and on.

This is for manners, and no wall: another program of the user can delete the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from ..config import places
from ..safefiles import shared

__all__ = ["DURATION", "is_refused", "note"]

#: How long a No counts, in seconds.
DURATION = 60.0

#: How many agents are remembered.
_MOST = 64

#: How long to wait for another process that has the file locked, in seconds.
_LOCK_TIMEOUT = 1.0

#: An agent's process: its ID, and when it started.
Process = tuple[int, int]


def is_refused(agent: Process, environ: Mapping[str, str], now: float) -> bool:
    """Whether a person said No to an agent less than a minute ago.

    :param now: the time, in seconds since 1970.
    """
    with contextlib.suppress(OSError), _opened(environ) as descriptor:
        return any(one == agent for one, _ in _read(descriptor, now))
    return False


def note(agent: Process, environ: Mapping[str, str], now: float) -> None:
    """Note a No. If the file can't be written, the next question is asked."""
    with contextlib.suppress(OSError), _opened(environ) as descriptor:
        found = [(one, until) for one, until in _read(descriptor, now) if one != agent]
        lines = [
            f"{pid} {started} {until:.0f}\n"
            for (pid, started), until in [*found, (agent, now + DURATION)][-_MOST:]
        ]
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, "".join(lines).encode(), 0)


def _read(descriptor: int, now: float) -> Iterator[tuple[Process, float]]:
    """The agents that count as refused, and until when."""
    for line in os.pread(descriptor, 64 * _MOST, 0).decode("ascii", "replace").splitlines():
        with contextlib.suppress(ValueError):
            pid, started, until = map(int, line.split())
            if now < until <= now + DURATION + 1:  # the clock may have been set back
                yield (pid, started), until


@contextlib.contextmanager
def _opened(environ: Mapping[str, str]) -> Iterator[int]:
    """Open the file, and lock it: what is done with it takes no time."""
    path = os.path.join(places.shared_folder(environ), "refused")
    descriptor = shared.open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        shared.lock(descriptor, _LOCK_TIMEOUT)
        yield descriptor
    finally:
        os.close(descriptor)
