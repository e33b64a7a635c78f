"""Read items from the Secret Service directly, in a tenth of the time that keyring takes.

Only keyring writes. It also reads wherever this module might return another value than keyring
would: an item that is locked, missing, or odd.
"""

from __future__ import annotations

import _thread  # threading is slow to load
import os
import sys
import time
from _weakref import ref  # weakref loads more

from ..config.places import BUS_VARIABLE
from ..redacted import NotASecret, Secret, to_secret
from . import dbus

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Container, Mapping, Sequence
    from typing import Any

    #: An item: its service and its user name.
    _Item = tuple[str, str]
    _Found = list["Secret | Missing | None"]

__all__ = [
    "BACKEND",
    "MISSING",
    "ItemReader",
    "Missing",
    "is_own",
    "other_user",
    "session_bus",
    "shared_reader",
]

#: keyring's backend for the Secret Service.
BACKEND = "keyring.backends.SecretService.Keyring"

# https://specifications.freedesktop.org/secret-service-spec/latest/
_BUS, _INTERFACE = "org.freedesktop.secrets", "org.freedesktop.Secret."
_SERVICE = "/org/freedesktop/secrets"
_ITEM, _COLLECTION = f"{_INTERFACE}Item", f"{_INTERFACE}Collection"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_PLAIN = ("plain", ("s", ""))

#: Of so many items, each is looked at. For more, one search finds out which keyring stored:
#: gnome-keyring takes 2 ms to describe one of a thousand items, and 8 ms to search all of them.
_FEW = 4

#: The application that keyring stores with each item (``keyring.backends.SecretService``).
APPLICATION = "Python keyring library"

#: The application of items that uv stores itself (its preview ``native-auth``). Each has a target.
UV = "uv"


def is_own(
    attributes: Mapping[str, str], wanted: Mapping[str, str], application: str = APPLICATION
) -> bool:
    """Whether keyring stored an item, or the item has no attributes of another program.

    A search also finds other tools' items, which have more attributes than the search. But if
    keyring's *application* is there, the service may have added the other attributes, as
    KeePassXC does to every item.

    :param wanted: the attributes that were searched for.
    """
    if not wanted.items() <= attributes.items():
        return False
    if attributes.get("application") == application:
        return True
    if attributes.get("application") == UV and wanted.get("service", "").startswith("uv:"):
        return attributes.get("target") == "default"
    return {"application", "xdg:schema", "service", "username", *wanted}.issuperset(attributes)


def session_bus(environ: Mapping[str, str]) -> str:
    """Return the address of the user's session bus; empty without one.

    If the variable is unset or empty (cron, ``su -l``, a program that passes no environment
    on), use the bus of the user's login, if it exists. The variable may have several
    addresses: the first that takes a connection counts (D-Bus Specification, Server Addresses).
    """
    if given := [part for part in environ.get(BUS_VARIABLE, "").strip().split(";") if part]:
        return given[0] if len(given) == 1 else next(filter(_takes_connections, given), given[0])
    from ..config import login_bus

    return login_bus.address(environ)


def _takes_connections(address: str) -> bool:
    try:
        dbus.connect(address, time.monotonic() + 1).close()
    except (OSError, ValueError):
        return False
    return True


class Missing:
    """The answer for an item that certainly does not exist. There is one: :data:`MISSING`."""


MISSING = Missing()


class ItemReader:
    """Reads items over one connection to the session bus.

    :param address: the bus's address, as in ``DBUS_SESSION_BUS_ADDRESS``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock, self._shared_lock = _thread.allocate_lock(), _thread.allocate_lock()
        self._bus: Any = None
        self._process = 0
        self._session = self._collection = ""
        self._shared: Any = None  # the reads for several calls

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def read(self, wanted: Sequence[_Item], seconds: float) -> _Found:
        """Return what keyring would return for each *service* and *username*.

        :param wanted: other threads may add to it until all that it has was searched for.
        :param seconds: how long the whole call may take.
        :returns: for each of these items the secret, or ``Missing`` if it certainly does not
            exist, or None if only keyring can tell.
        :raises TimeoutError: if the call took longer.
        """
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        try:
            used_before = self._bus is not None
            try:
                return self._read(wanted, until)
            except TimeoutError:
                raise
            except Exception:  # the service or the bus may have started anew
                if not used_before:
                    raise
            self._close()
            return self._read(wanted, until)
        except TimeoutError:
            self._close()
            raise
        except Exception:  # keyring meets the same error, and explain() knows it from there
            self._close()
            return [None] * len(wanted)
        finally:
            self._lock.release()

    def read_in_thread(
        self, wanted: Sequence[_Item], seconds: float, done: Callable[[Any], None]
    ) -> None:
        """Read items in a thread, with those that other calls want at the same time.

        :param done: gets what :meth:`read` returns, and its error or None.
        """
        from . import shared_reads

        with self._shared_lock:
            if self._shared is None:
                self._shared = shared_reads.SharedReads()
        call = shared_reads.WaitingCall(wanted, time.monotonic() + seconds, done)
        self._shared.add(call, self.read)

    def _read(self, wanted: Sequence[_Item], until: float) -> _Found:
        """Search for each item, look at all that was found, and get the values in one call."""
        if self._bus is None or self._process != os.getpid():  # a forked child needs its own
            self._bus, self._process = _connection(self._address, until), os.getpid()
            self._open()
        self._bus.until = until
        searched = self._search_each(wanted)
        wanted = wanted[: len(searched)]
        paths = [path for found in searched for path in found or ()]
        plain = self._plain(paths)
        asked = {
            path: self._property(path, "GetAll", "a{sv}", "s", _ITEM)
            for path in dict.fromkeys(paths)
            if path not in plain
        }
        known = {path: answer[0] for path, answer in asked.items() if answer}
        chosen = [
            None if found is None else _chosen(found, known, plain, _attributes(*one))
            for one, found in zip(wanted, searched, strict=True)
        ]
        missing = MISSING if "" in chosen and self._unlocked() else None
        values = self._values([path for path in chosen if path])
        return [
            _text(values.get(path)) if path else missing if path == "" else None for path in chosen
        ]

    def _search(self, wanted: Mapping[str, str]) -> list[str] | None:
        found = self._call(self._collection, "Collection", "SearchItems", "ao", "a{ss}", wanted)
        return None if found is None else list(found[0])

    def _search_each(self, wanted: Sequence[_Item]) -> list[list[str] | None]:
        found: list[list[str] | None] = []
        while len(found) < len(wanted):  # which may have grown
            found += self._search_some([_attributes(*one) for one in wanted[len(found) :]])
        return found

    def _search_some(self, wanted: Sequence[Mapping[str, str]]) -> list[list[str] | None]:
        if len(wanted) <= _FEW:
            return [self._search(one) for one in wanted]
        from . import batch

        target = (_BUS, self._collection, _COLLECTION)
        calls = ((one,) for one in wanted)
        answers = batch.call_each(self._bus, target, "SearchItems", ("ao", "a{ss}"), calls)
        return [None if found is None else list(found[0]) for found in answers]

    def _plain(self, paths: Sequence[str]) -> frozenset[str]:
        """Return those of many items that are unlocked, and that need no look."""
        stored = self._search({"application": APPLICATION}) if len(paths) > _FEW else None
        if not stored or not self._unlocked():
            return frozenset()
        from . import batch

        return batch.stored_once(paths, stored)

    def _values(self, paths: list[str]) -> dict[str, Any]:
        """Get the values of items. If that fails for several, one of them may have gone."""
        if not paths:
            return {}
        types = ("a{o(oayays)}", "aoo")
        got = self._call(_SERVICE, "Service", "GetSecrets", *types, paths, self._session)
        if got is not None:
            return dict(got[0])
        if len(paths) == 1:
            return {}
        return {name: value for path in paths for name, value in self._values([path]).items()}

    def _open(self) -> None:
        """Begin to speak with the service.

        gnome-keyring sometimes answers nonsense where a collection is named by its alias. So the
        default collection is called by a path of its own. On a busy machine it may not yet know its
        caller at the first call: an OpenSession then ends it ("assertion 'client' failed").
        """
        default = self._call(_SERVICE, "Service", "ReadAlias", "o", "s", "default")
        opened = self._call(_SERVICE, "Service", "OpenSession", "vo", "sv", *_PLAIN)
        if opened is None or default is None or default[0] == "/":
            raise LookupError("the service has no default collection, or opens no session")
        self._session, self._collection = opened[1], default[0]

    def _unlocked(self) -> bool:
        locked = self._property(self._collection, "Get", "v", "ss", _COLLECTION, "Locked")
        return locked is not None and locked[0][1] is False

    def _call(
        self, path: str, interface: str, member: str, returns: str, signature: str, *values: object
    ) -> tuple[Any, ...] | None:
        """Call a method of the service; None is an error."""
        target = (_BUS, path, _INTERFACE + interface)
        answer: tuple[Any, ...] | None = self._bus.call(target, member, returns, signature, *values)
        return answer

    def _property(
        self, path: str, member: str, returns: str, signature: str, *values: str
    ) -> tuple[Any, ...] | None:
        target = (_BUS, path, _PROPERTIES)
        answer: tuple[Any, ...] | None = self._bus.call(target, member, returns, signature, *values)
        return answer


_readers: dict[tuple[int, str], ref[ItemReader]] = {}


def shared_reader(address: str) -> ItemReader:
    """Return the reader of a bus that calls at the same time share; a forked child has its own."""
    key = os.getpid(), address
    known = _readers.get(key)
    reader = known() if known is not None else None
    if reader is None:
        for dead in [one for one, there in _readers.items() if there() is None]:
            del _readers[dead]
        reader = ItemReader(address)
        _readers[key] = ref(reader)
    return reader


def _attributes(service: str, username: str) -> dict[str, str]:
    return {"service": service, "username": username}


def _chosen(
    paths: Sequence[str],
    known: Mapping[str, Mapping[str, Any]],
    plain: Container[str],
    wanted: Mapping[str, str],
) -> str | None:
    """Return the item that keyring would use; empty: none exists; None: only keyring can tell.

    :param known: the properties of items.
    :param plain: the items that can be used and need no look.
    """
    for path in paths:
        if path in plain:
            return path
        if path not in known:
            return None
        if is_own(dict(known[path]["Attributes"][1]), wanted):
            return None if known[path]["Locked"][1] else path
    return ""


def _text(secret: Sequence[Any] | None) -> Secret | None:
    if secret is None:
        return None
    try:
        return to_secret(bytes(secret[2]), limit=None, nul=True)
    except NotASecret:
        return None


def _connection(address: str, until: float) -> dbus.Connection:
    """Connect to the bus, if it is this user's."""
    sock = dbus.connect(address, until)
    try:
        if other_user(sock) is not None:
            raise PermissionError("the bus is another user's")
        return dbus.Connection(sock, until)
    except BaseException:
        sock.close()
        raise


def other_user(bus: _socket.socket) -> int | None:
    """Return the user who listens, if neither root nor this user (unix(7), SO_PEERCRED)."""
    if sys.platform != "linux":
        return None
    import _socket

    facts = bus.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    user = int.from_bytes(facts[4:8], sys.byteorder)  # struct ucred: process, user, group
    return None if user in (0, os.geteuid()) else user
