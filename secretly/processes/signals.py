"""The signals that end the command: tidy up, then die of the signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Interrupted", "Signals"]


class Interrupted(BaseException):
    """A signal came that ends the command."""


class Signals:
    """INT, TERM, HUP and QUIT. What was ignored at the start (nohup) stays so.

    Its attributes are what ``eventloop.run`` wants of one (``Interruptions``): a
    handler raises only while something is waited for in place, and else cancels
    what the reactor runs, or leaves a note that is looked at before the next step.
    """

    _HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def __init__(self) -> None:
        self.pending = False
        self.waiting = False
        self.cancel: Callable[[], object] | None = None
        self._number = signal.SIGINT

    def install(self) -> None:
        """Handle them from here on."""
        for number in self._HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._came)

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.pending, self._number = True, signal.Signals(number)
        if self.cancel is not None:
            self.cancel()
        elif self.waiting:
            raise Interrupted

    def check(self) -> None:
        """Raise :class:`Interrupted` if one came."""
        if self.pending:
            raise Interrupted

    def release(self) -> None:
        """From here on a signal ends the process by itself: there is nothing to tidy up."""
        for number in self._HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        self.check()

    def die(self) -> NoReturn:
        """End this process by the signal that came."""
        signal.signal(self._number, signal.SIG_DFL)
        os.kill(os.getpid(), self._number)
        raise SystemExit(128 + self._number)  # it was blocked
