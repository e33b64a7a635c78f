"""Our end of the socket pair on which a pinentry speaks.

pexpect's ``fdspawn`` reads the user's answer. It takes longer to load than the question takes to
appear, so it loads while the user reads the question, and what comes before needs no more than the
socket.
"""

from __future__ import annotations

import _socket  # socket loads array, and much more where nothing else has
import os

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Channel"]

#: How many bytes are read at a time.
_CHUNK = 4096


class Channel:
    """One end of a socket pair.

    :ivar theirs: the other end, until the pinentry has it.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = _socket.socketpair()
        self._ours.setblocking(False)  # a pinentry that reads nothing must not stop us
        self._spawn: Any = None
        self._process = os.getpid()

    @property
    def descriptor(self) -> int:
        """The descriptor of our end."""
        return self._ours.fileno()

    def close(self) -> None:
        """Close our end."""
        self._ours.close()

    def expect_answer(self) -> None:
        """Read with pexpect from now on: the user has the question."""
        from pexpect.fdpexpect import fdspawn

        self._spawn = fdspawn(self.descriptor, timeout=0)

    def has_more(self) -> bool:
        """Whether there is something to read."""
        try:
            return bool(self._ours.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT))
        except OSError:
            return False

    def send(self, line: bytes) -> int:
        """Send a line; return how many of its bytes were taken.

        A process that was forked sends nothing: the dialogue is its parent's.

        :raises OSError: if the pinentry has ended.
        """
        if os.getpid() != self._process:
            return len(line)
        try:
            return self._ours.send(line)
        except BlockingIOError:
            return 0

    def read(self) -> bytes | None:
        """Read what is there: None if that is nothing yet, and no bytes at the end."""
        try:
            return self._ours.recv(_CHUNK) if self._spawn is None else self._answer()
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _answer(self) -> bytes | None:
        import pexpect

        try:
            chunk: bytes = self._spawn.read_nonblocking(_CHUNK, 0)
            return chunk
        except pexpect.TIMEOUT:
            return None
        except pexpect.EOF:
            return b""
