"""The signals that end the command: clean up, then die of the signal."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn
else:
    import _signal as signal  # signal wraps it in enum, which takes a tenth of a start to load

__all__ = ["Interrupted", "Signals", "signals"]


class Interrupted(BaseException):
    """A signal came that ends the command; no error, so nothing handles it by mistake."""


class Signals:
    """Handles INT, TERM, HUP and QUIT. A signal that was ignored at the start (nohup) stays so.

    This is the ``Interruptions`` of :func:`secretly.waiting.driving.drive`. A signal that comes
    while the coroutine waits in place raises; one that comes while an event loop runs cancels the
    coroutine; any other is noted, and checked before the next step.

    :ivar pending: whether a signal came.
    :ivar waiting: whether the handler may raise.
    :ivar cancel: what the handler calls instead, if not None.
    :ivar ignores_children: whether the command was started with SIGCHLD ignored.
    """

    _HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def __init__(self) -> None:
        self.pending = False
        self.waiting = False
        self.cancel: Callable[[], object] | None = None
        self._number: int = signal.SIGINT
        self.ignores_children = False

    def see_children(self) -> None:
        """Let the system keep the exit status of each child, also for a parent that ignores it.

        Where SIGCHLD is ignored, a failed program looks like any other (waitpid(2)).
        """
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            self.ignores_children = True
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def install(self) -> None:
        """Install the handlers."""
        for number in self._HANDLED:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._came)

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.pending, self._number = True, number
        if self.cancel is not None:
            self.cancel()
        elif self.waiting:
            raise Interrupted

    def check(self) -> None:
        """Raise :class:`Interrupted` if a signal came."""
        if self.pending:
            raise Interrupted

    def release(self) -> None:
        """Let signals end the process again: there is nothing left to clean up."""
        for number in self._HANDLED:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        self.check()

    def die(self) -> NoReturn:  # pragma: no cover - what was measured ends with the signal
        """End this process by the signal that came."""
        signal.signal(self._number, signal.SIG_DFL)
        os.kill(os.getpid(), self._number)
        raise SystemExit(128 + self._number)  # the signal is blocked


#: The signals of the command's own process.
signals = Signals()
