"""Reading an item from the Secret Service by jeepney: a tenth of the time of loading keyring.

keyring stays what writes, and what is asked wherever it is not plain that this would give the
same value: where something is locked, missing, or odd.
"""

from __future__ import annotations

import _thread  # threading is slow to load
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .display import visible
from .errors import Refused
from .redacted import Secret

if TYPE_CHECKING:
    import socket  # it is slow to load

__all__ = ["BACKEND", "Reader", "check_bus", "own_attributes"]

#: The backend of keyring's that keeps its items there.
BACKEND = "keyring.backends.SecretService.Keyring"

# https://specifications.freedesktop.org/secret-service-spec/latest/
_BUS = "org.freedesktop.secrets"
_INTERFACE = "org.freedesktop.Secret."
_DEFAULT = "/org/freedesktop/secrets/aliases/default"
_OWN = frozenset({"service", "username", "application", "xdg:schema"})


def own_attributes(attributes: Mapping[str, str]) -> bool:
    """Whether an item has no attribute that keyring does not give its own.

    The Secret Service also finds those that have more than were asked for, another tool's.
    """
    return _OWN.issuperset(attributes)


class _HandOver(Exception):
    """keyring is to say what this means."""


class Reader:
    """Reads items, over one connection to the bus.

    :param address: the bus's address, as in ``DBUS_SESSION_BUS_ADDRESS``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = _thread.allocate_lock()
        self._bus: Any = None
        self._session = ""

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def read(self, service: str, username: str, seconds: float) -> Secret | None:
        """Return what keyring would return for *service* and *username*.

        :param seconds: how long it may take.
        :returns: None where only keyring can tell.
        :raises TimeoutError: if it took longer.
        """
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            raise TimeoutError
        try:
            return self._read(service, username, until)
        except TimeoutError:
            self._close()
            raise
        except Exception:  # whatever it is, keyring says it in its own words
            self._close()
            return None
        finally:
            self._lock.release()

    def _read(self, service: str, username: str, until: float) -> Secret | None:
        if self._bus is None:
            self._bus = _connection(self._address, until)
            plain = self._call(
                "/org/freedesktop/secrets", "Service", "OpenSession", "sv", ("plain", ("s", ""))
            )
            self._session = plain[1]
        self._bus.until = until
        wanted = {"service": service, "username": username}
        (paths,) = self._call(_DEFAULT, "Collection", "SearchItems", "a{ss}", (wanted,))
        for path in paths:
            (properties,) = self._call(
                path,
                "Item",
                "GetAll",
                "s",
                (f"{_INTERFACE}Item",),
                "org.freedesktop.DBus.Properties",
            )
            if own_attributes(dict(properties["Attributes"][1])):
                if properties["Locked"][1]:
                    return None
                (secret,) = self._call(path, "Item", "GetSecret", "o", (self._session,))
                return Secret(bytes(secret[2]).decode("utf-8"))
        return None

    def _call(
        self,
        path: str,
        interface: str,
        method: str,
        signature: str,
        body: tuple[object, ...],
        other: str = "",
    ) -> Any:
        from jeepney import DBusAddress, MessageType, new_method_call

        address = DBusAddress(path, _BUS, other or _INTERFACE + interface)
        reply = self._bus.send_and_get_reply(new_method_call(address, method, signature, body))
        if reply.header.message_type is not MessageType.method_return:
            raise _HandOver
        return reply.body


def _connection(address: str, until: float) -> Any:
    """Connect to the bus; every wait on it ends at *until*, a time of the monotonic clock."""
    from jeepney.bus import get_bus
    from jeepney.io.blocking import DBusConnection, prep_socket

    class Connection(DBusConnection):  # type: ignore[misc]
        def receive(self, *, timeout: float | None = None) -> Any:
            return super().receive(timeout=self.until - time.monotonic())

    Connection.until = until  # the connection's own greeting waits as well
    sock = prep_socket(get_bus(address), timeout=until - time.monotonic())
    with contextlib.ExitStack() as held:
        held.callback(sock.close)
        if _other_user(sock) is not None:
            raise _HandOver
        connection = Connection(sock)
        held.pop_all()
    return connection


def check_bus(address: str) -> None:
    """Refuse a session bus of another user's: whatever is kept there would be his.

    The name of a bus that has gone can be taken by anybody, where it is an abstract socket
    or one in a folder that others can write; and a variable can outlive the bus that it names.

    :raises Refused: if it is one. Of a bus that is not there nothing is said here.
    """
    import socket

    from jeepney.bus import get_bus

    try:
        path = get_bus(address)
        with socket.socket(socket.AF_UNIX) as bus:
            bus.settimeout(1.0)
            bus.connect(path)
            other = _other_user(bus)
    except (OSError, ValueError, RuntimeError, StopIteration, KeyError):
        return
    if other is not None:
        raise Refused(
            f"the session bus {visible(address)} is another user's ({other})",
            "set DBUS_SESSION_BUS_ADDRESS to your own, or unset it",
        )


def _other_user(bus: socket.socket) -> int | None:
    """The user who listens there, if that is neither root nor this one (unix(7), SO_PEERCRED)."""
    if sys.platform != "linux":
        return None
    import socket
    import struct

    facts = bus.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", facts)
    return None if user in (0, os.geteuid()) else user
