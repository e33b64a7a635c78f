"""This process closed to the user's other ones, while there may be a secret in it."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["Guard"]

#: prctl(2), from <linux/prctl.h>.
_SET_DUMPABLE = 4


class Guard:
    """What keeps others from reading this process. The command alone has one, not the library.

    On Linux the process is made one that cannot be dumped: its memory, maps and environment
    are then root's, and it leaves no core file. ``execve`` undoes that. The limit on core files
    is for what the first does not reach: macOS, and the children, such as a pinentry, which
    hold secrets too.
    """

    def __init__(self) -> None:
        self._limits: tuple[int, int] | None = None

    def close(self) -> None:
        """Close it, from here to the ``execve``; what was closed stays so."""
        if self._limits is None:
            self._limits = resource.getrlimit(resource.RLIMIT_CORE)
            self._lower(self._limits[1])
            if sys.platform == "linux":
                _prctl(_SET_DUMPABLE, 0)

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        """Have the limits as they were: for ``execve``, after which this is another program."""
        if self._limits is None:
            yield
            return
        resource.setrlimit(resource.RLIMIT_CORE, self._limits)
        try:
            yield
        finally:
            self._lower(self._limits[1])

    def _lower(self, hard: int) -> None:
        # One byte holds no core, and is what also keeps Linux from handing one to the program
        # that core_pattern may name, for which 0 means nothing (fs/coredump.c). The hard limit
        # stays: it could not be raised again.
        resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))


def _prctl(option: int, value: int) -> None:
    try:
        # What ctypes stands on, which is loaded in a fraction of its time.
        from _ctypes import call_function, dlopen, dlsym
    except ImportError:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    else:
        itself: Any = None
        call_function(dlsym(dlopen(itself, 0), "prctl"), (option, value, 0, 0, 0))
