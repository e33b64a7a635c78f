"""Protect this process from the user's other processes while it may hold a secret."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any
else:
    import _signal as signal  # signal loads enum

__all__ = ["Hardening", "before_exec", "hardening"]

#: prctl(2), from <linux/prctl.h>.
_SET_PDEATHSIG, _SET_DUMPABLE = 1, 4

_before_exec: Callable[[], None] | None = None


class Hardening:
    """Keeps other processes from reading this one. Only the command has it, not the library.

    On Linux the process becomes one that can't be dumped: its memory, maps and environment
    then belong to root, and it leaves no core file. ``execve`` undoes that. The limit on core
    files is for macOS, and for children that hold secrets too, such as a pinentry.
    """

    def __init__(self) -> None:
        self._limits: tuple[int, int] | None = None

    def apply(self) -> None:
        """Protect the process from here to the ``execve``. A second call does nothing."""
        global _before_exec
        import resource

        if self._limits is None:
            self._limits = resource.getrlimit(resource.RLIMIT_CORE)
            self._lower(self._limits[1])
            if sys.platform == "linux":
                prctl = _prctl()
                prctl(_SET_DUMPABLE, 0)
                _before_exec = _die_with_parent(prctl)

    def lifted(self) -> Hardening:
        """Restore the limits for a ``with`` block: after ``execve`` this is another program."""
        return self

    def __enter__(self) -> None:
        if self._limits is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, self._limits)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._limits is not None:
            self._lower(self._limits[1])

    def _lower(self, hard: int) -> None:
        # One byte holds no core. It also keeps Linux from piping one to the program that
        # core_pattern may name, to which a limit of 0 does not apply (fs/coredump.c). The hard
        # limit stays: we could not raise it again.
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))


#: That of the command's own process.
hardening = Hardening()


def before_exec() -> Callable[[], None] | None:
    """Return what a child runs before it becomes its program: None without hardening.

    In a hardened process, on Linux, a child gets INT when this process dies, even by KILL. A
    pinentry that outlives its caller would go on reading the terminal until its time is over,
    and then turn echo on under the next program that asks there. The library has none of this:
    in a program with threads, Python code between fork and exec may deadlock.
    """
    return _before_exec


def _die_with_parent(prctl: Callable[[int, int], object]) -> Callable[[], None]:
    parent = os.getpid()

    def die_with_parent() -> None:  # pragma: no cover - the exec drops what was measured
        prctl(_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return die_with_parent


def _prctl() -> Callable[[int, int], object]:
    """Return prctl(2) as a function of an option and its value."""
    try:
        # The C module under ctypes, which loads in a fraction of the time.
        from _ctypes import call_function, dlopen, dlsym
    except ImportError:
        import ctypes

        function = ctypes.CDLL(None).prctl
        return lambda option, value: function(option, value, 0, 0, 0)
    itself: Any = None
    address = dlsym(dlopen(itself, 0), "prctl")
    return lambda option, value: call_function(address, (option, value, 0, 0, 0))
