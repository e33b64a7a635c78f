"""This process closed to the user's other ones, while there may be a secret in it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Hardening", "before_exec"]

#: prctl(2), from <linux/prctl.h>.
_SET_PDEATHSIG, _SET_DUMPABLE = 1, 4

_before_exec: Callable[[], None] | None = None


class Hardening:
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
        global _before_exec
        import resource

        if self._limits is None:
            self._limits = resource.getrlimit(resource.RLIMIT_CORE)
            self._lower(self._limits[1])
            if sys.platform == "linux":
                prctl = _prctl()
                prctl(_SET_DUMPABLE, 0)
                _before_exec = _tied(prctl)

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        """Have the limits as they were: for ``execve``, after which this is another program."""
        if self._limits is None:
            yield
            return
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, self._limits)
        try:
            yield
        finally:
            self._lower(self._limits[1])

    def _lower(self, hard: int) -> None:
        # One byte holds no core, and is what also keeps Linux from handing one to the program
        # that core_pattern may name, for which 0 means nothing (fs/coredump.c). The hard limit
        # stays: it could not be raised again.
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))


def before_exec() -> Callable[[], None] | None:
    """Return what a child does before it becomes its program: nothing, where nothing is closed.

    In a closed process, on Linux, a child gets INT when this one dies, be it by KILL. A pinentry
    that outlives its caller would go on reading the terminal until its time is over, and then
    turn echo on under whoever asks there next. It is no thing for the library: in a program
    with threads, Python code between fork and exec may lock up.
    """
    return _before_exec


def _tied(prctl: Callable[[int, int], object]) -> Callable[[], None]:
    parent = os.getpid()

    def tied() -> None:  # pragma: no cover - what was measured is gone with the exec
        prctl(_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before
            os._exit(1)

    return tied


def _prctl() -> Callable[[int, int], object]:
    """Return prctl(2), for an option and its value: ready to be called."""
    try:
        # What ctypes stands on, which is loaded in a fraction of its time.
        from _ctypes import call_function, dlopen, dlsym
    except ImportError:
        import ctypes

        function = ctypes.CDLL(None).prctl
        return lambda option, value: function(option, value, 0, 0, 0)
    itself: Any = None
    place = dlsym(dlopen(itself, 0), "prctl")
    return lambda option, value: call_function(place, (option, value, 0, 0, 0))
