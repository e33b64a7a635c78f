"""A D-Bus client that is just large enough to read items of the Secret Service.

jeepney does the same and more, but loading it takes a quarter of a whole run of ``secretly run``.
The tests compare the two: both write and read the same messages.
"""

from __future__ import annotations

import _socket  # socket loads selectors, enum and more
import os
import time

from ..config import places
from .dbus_messages import (
    ANSWERS,
    FIXED,
    LARGEST,
    REPLY_SERIAL,
    Malformed,
    call_message,
    message_size,
    parse_message,
)

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

    from .dbus_messages import Target

__all__ = ["Connection", "connect"]


def connect(address: str, until: float) -> _socket.socket:
    """Connect to the first of these addresses at which a server listens.

    :param until: when to give up, a time of the monotonic clock in seconds.
    :raises OSError: if no server listens; ``TimeoutError`` after *until*.
    :raises ValueError: if no address names a Unix socket.
    """
    failure: Exception = ValueError("no address of a Unix socket")
    for path in places.socket_paths(address):
        made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            _await(made, until)
            made.connect(path)
            return made
        except OSError as error:
            made.close()
            failure = error
    raise failure


def _await(sock: _socket.socket, until: float) -> None:
    """Limit the next call to that time."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)


class Connection:
    """A connection to a bus that sends one call after another.

    gnome-keyring crashes, once in some hundred times, if a call comes before the answer to the
    previous call. So each call waits for its answer.

    :param sock: a socket of :func:`connect`; closing it is the connection's task from then on.
    :param until: when to give up, a time of the monotonic clock in seconds. It can be changed.
    :raises OSError: if the bus ends the connection or doesn't let this user in; ``TimeoutError``
        after *until*.
    """

    def __init__(self, sock: _socket.socket, until: float) -> None:
        self.until = until
        self._sock = sock
        self._read = bytearray()
        self.serial = 0
        self._senders: dict[str, str] = {}
        user = str(os.geteuid()).encode().hex().encode()
        self._send(b"\0AUTH EXTERNAL " + user + b"\r\n")
        while b"\r\n" not in self._read:
            self._receive()
        line, _, self._read = self._read.partition(b"\r\n")
        if not line.startswith(b"OK "):
            raise ConnectionRefusedError("the bus does not let this user in")
        self._send(b"BEGIN\r\n")
        bus = "org.freedesktop.DBus"
        if self.call((bus, "/org/freedesktop/DBus", bus), "Hello", "s") is None:
            raise ConnectionRefusedError("the bus does not say hello")

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _send(self, data: bytes) -> None:
        _await(self._sock, self.until)
        self._sock.sendall(data)

    def _receive(self) -> None:
        """Add what comes next to what was read."""
        _await(self._sock, self.until)
        more = self._sock.recv(65536)
        if not more:
            raise ConnectionResetError("the bus has ended the connection")
        self._read += more
        if len(self._read) > LARGEST:
            raise Malformed("the bus sends too much")

    def call(
        self, target: Target, member: str, returns: str, signature: str = "", *values: Any
    ) -> tuple[Any, ...] | None:
        """Call a method, and return what it returns: None if that is an error.

        :param target: the name of a service on the bus, an object's path, and an interface.
        :param returns: the types of what it returns.
        :raises Malformed: if it returns other types, or if a service that answered before has
            another process now, which doesn't know what was agreed on.
        """
        self.send_call(call_message(self.serial + 1, target, member, signature, values))
        return self.returned(self.answer(), target, returns)

    def send_call(self, message: bytes) -> None:
        """Send a call, the number of which follows on the last one's, :attr:`serial`."""
        self.serial += 1
        self._send(message)

    def answer(self) -> bytes:
        """Return the answer to the last call; other messages are skipped."""
        while True:
            message = self._message()
            number = self.serial.to_bytes(4, "little" if message[:1] == b"l" else "big")
            field = bytes((REPLY_SERIAL, 1)) + b"u\0" + number  # its only form
            if message[1] in ANSWERS and field in message:
                return message
            parse_message(message)  # says if it is malformed

    def returned(
        self, answer: bytes, target: Target, returns: str, before: int = 0
    ) -> tuple[Any, ...] | None:
        """Read an answer, as :meth:`call` does.

        :param before: how many calls were sent after the one that it answers.
        """
        serial, sender, types, returned = parse_message(answer)
        if serial != self.serial - before:
            raise Malformed("an answer to another call")
        if returned is not None and types != returns:
            raise Malformed("an answer with other types")
        if returned is not None and self._senders.setdefault(target[0], sender) != sender:
            raise Malformed("an answer of another process")
        return returned

    def _message(self) -> bytes:
        """Return the next message of any kind."""
        while len(self._read) < FIXED:
            self._receive()
        size = message_size(bytes(self._read[:FIXED]))
        while len(self._read) < size:
            self._receive()
        message = bytes(self._read[:size])
        del self._read[:size]
        return message
