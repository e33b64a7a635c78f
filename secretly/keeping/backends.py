"""keyring's backends: choose one, use it, and explain its errors."""

from __future__ import annotations

import _thread  # threading is slow to load
import os
import sys
import time

from ..config.places import BUS_VARIABLE
from ..errors import Cancelled, KeychainLocked, KeychainUnavailable, Refused
from ..redacted import NotASecret, Secret, to_secret
from ..text import escape
from . import dbus
from .secret_service import is_own, other_user, session_bus

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LINUX = (
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
)
_MACOS = ("keyring.backends.macOS.Keyring",)

START_ONE = "install and start one (gnome-keyring, KWallet), or let secretly ask each time"

#: The part of an error about a Secret Service that has never stored anything.
NO_COLLECTION = "not set up yet (it has no collection)"

_DOCTOR = "run: secretly doctor, which shows the keychain in use, and why"


def check_for_bus(environ: Mapping[str, str]) -> None:
    """Check that one of keyring's backends can find the session bus, and so a keychain, on Linux.

    The bindings under KWallet's and libsecret's backends, ``dbus`` and ``gi``, can also find the
    bus without its address.

    :raises KeychainUnavailable: if no backend can.
    """
    if sys.platform != "linux" or session_bus(environ):
        return
    from _frozen_importlib_external import PathFinder  # importlib.machinery's; importlib is slow

    if not any(map(PathFinder.find_spec, ("dbus", "gi"))):
        from ..config import login_bus
        from ..safefiles import permissions

        raise KeychainUnavailable(
            f"no keychain: can't reach D-Bus: {BUS_VARIABLE} is not set, can't find the socket"
            f" {escape(login_bus.path(environ))}",
            f"{permissions.WITHOUT_SUDO}: root has a keychain of its own"
            if permissions.sudo_user()
            else f"log in to the desktop, or set {BUS_VARIABLE}; without a keychain, secretly can"
            " only ask you each time",
        )


def check_bus(address: str) -> bool:
    """Return whether the session bus takes a connection, and refuse another user's bus.

    That user would get the secrets that are stored there.

    When a bus ends, anyone can take its address if that is an abstract socket, or a socket in a
    folder that others can write; and a variable can outlive the bus that it names.

    :raises Refused: if the bus is another user's.
    """
    try:
        bus = dbus.connect(address, time.monotonic() + 1)
    except OSError:
        return False
    except ValueError:
        return ":" in address  # keyring's backends may know another transport
    try:
        other = other_user(bus)
    finally:
        bus.close()
    if other is not None:
        raise Refused(
            f"the session bus {escape(address)} belongs to another user ({other})",
            "set DBUS_SESSION_BUS_ADDRESS to your own bus, or unset it",
        )
    return True


_handing = _thread.allocate_lock()
_handed: list[str] = []
_before: list[str | None] = []


class HandOverBus:
    """Lets keyring find this bus until the end of the ``with`` block, through the variable.

    When the last of several blocks ends, the variable gets its old value back.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        with _handing:
            if not _handed:
                _before[:] = [os.environ.get(BUS_VARIABLE)]
            _handed.append(self._address)
            if self._address and os.environ.get(BUS_VARIABLE) != self._address:
                os.environ[BUS_VARIABLE] = self._address

    def __exit__(self, *_: object) -> None:
        with _handing:
            _handed.remove(self._address)
            if not _handed and os.environ.get(BUS_VARIABLE) != _before[0]:
                if _before[0] is None:
                    del os.environ[BUS_VARIABLE]
                else:
                    os.environ[BUS_VARIABLE] = _before[0]


def load_backend(name: str | None) -> Any:
    """Load the backend of that name; None: the one that works best here.

    :raises KeychainUnavailable: if none works.
    """
    from keyring.core import load_keyring

    if name is not None:
        return load_keyring(name)
    found, reasons = [], []
    for candidate in _MACOS if sys.platform == "darwin" else _LINUX:
        try:
            found.append(load_keyring(candidate))
        except Exception as error:
            reasons.append(f"{candidate.split('.')[2]}: {error}")
    if found:
        return max(found, key=lambda backend: type(backend).priority)
    raise KeychainUnavailable(
        f"no keychain works here ({escape('; '.join(reasons))[:300]})",
        START_ONE,
    )


def lock_state(backend: Any) -> str | None:
    """Return why the keychain would ask the user before it answers; empty: it would not.

    None: the backend can't tell. macOS's, for one, may ask for each item.
    """
    if not has_attributes(backend):
        return None
    import contextlib

    import secretstorage

    with contextlib.closing(secretstorage.dbus_init()) as bus:
        try:
            return "locked" if secretstorage.Collection(bus).is_locked() else ""
        except secretstorage.ItemNotFoundException:
            return NO_COLLECTION


def has_attributes(backend: Any) -> bool:
    """Whether the backend finds items by their attributes, as in the Secret Service."""
    return type(backend).__module__ == "keyring.backends.SecretService"


def read_item(backend: Any, service: str, username: str) -> Secret | None:
    """Return the secret of *service* and *username*, or None."""
    if not has_attributes(backend):
        found = backend.get_password(service, username)
        return None if found is None else Secret(found)
    collection = backend.get_preferred_collection()
    import contextlib

    with contextlib.closing(collection.connection):
        for item in _own_items(backend, collection, service, username):
            backend.unlock(item)
            return to_secret(item.get_secret(), limit=None, nul=True)
        return _read_foreign(backend, collection, service, username)


def _read_foreign(backend: Any, collection: Any, service: str, username: str) -> Secret | None:
    """Return the password of git or docker that is named so, or None."""
    from . import foreign

    wanted = foreign.named_attributes(service, username)
    for item in collection.search_items(wanted) if wanted else ():
        found = foreign.recognized(item.get_attributes())
        if found is not None and found.reference == foreign.reference(service, username):
            backend.unlock(item)
            value = to_secret(item.get_secret(), limit=None, nul=True)
            return foreign.password_of(found.tool, value)
    return None


def store_item(backend: Any, service: str, username: str, value: str) -> bool:
    """Store a secret in place of every item of that name; return whether it can be read back.

    In the Secret Service the item is keyring's. Read the secret back over the same connection:
    KeePassXC asks the user before another connection may read a new item.
    """
    if not has_attributes(backend):
        backend.set_password(service, username, value)
        return bool(backend.get_password(service, username) == value)
    collection = backend.get_preferred_collection()
    import contextlib

    with contextlib.closing(collection.connection):
        attributes = {**_wanted(backend, service, username), "application": backend.appid}
        label = f"Password for '{username}' on '{service}'"
        stored = collection.create_item(label, attributes, value, replace=True)
        items = _own_items(backend, collection, service, username)
        for item in items:
            # Another program's item of that name would hide the new item.
            if item.item_path != stored.item_path:
                item.delete()
        paths = [item.item_path for item in items]
        return stored.item_path in paths and stored.get_secret() == value.encode()


def delete_items(backend: Any, service: str, username: str) -> None:
    """Delete every item of that name."""
    collection = backend.get_preferred_collection()
    import contextlib

    with contextlib.closing(collection.connection):
        for item in _own_items(backend, collection, service, username):
            item.delete()


def _own_items(backend: Any, collection: Any, service: str, username: str) -> list[Any]:
    """Return the items of that name.

    The Secret Service also finds items of other tools, which keyring would read and delete.
    """
    wanted = _wanted(backend, service, username)
    found = collection.search_items(wanted)
    return [item for item in found if is_own(item.get_attributes(), wanted, backend.appid)]


def _wanted(backend: Any, service: str, username: str) -> dict[str, str]:
    """Return an item's attributes. ``KEYRING_PROPERTY_SCHEME`` can change their names."""
    scheme = backend.schemes[backend.scheme]
    return {scheme["service"]: service, scheme["username"]: username}


def full_name(backend: Any) -> str:
    """Return a backend's name as keyring's settings spell it."""
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def refuse_unsafe(backend: Any) -> None:
    """Refuse a backend that stores nothing, or stores plain text, or chains such a backend."""
    for part in (backend, *getattr(backend, "backends", ())):
        name = full_name(part)
        nothing = name.startswith(("keyring.backends.null.", "keyring.backends.fail."))
        if nothing or "plaintext" in name.lower():
            what = "stores nothing" if nothing else "stores secrets in plain text"
            raise KeychainUnavailable(f"the keychain {name} {what}", f"use another one; {_DOCTOR}")


def explain(error: Exception) -> KeychainUnavailable | Cancelled:
    """Return secretly's own error for one of keyring, of its backends, or of D-Bus."""
    import re

    name, text = type(error).__name__, str(error)
    if re.search(r"(?<!\d)-128(?!\d)", text):
        return Cancelled(
            "cancelled: you did not allow access to the keychain", "allow it when macOS asks"
        )
    if "-25308" in text:
        return KeychainLocked(
            "the keychain is locked, and macOS can't ask you here", "run: security unlock-keychain"
        )
    if name in ("KeyringLocked", "LockedException", "PromptDismissedException") or (
        name == "InitError" and "dismissed" in text.lower()
    ):
        return KeychainLocked(
            "the keychain is locked", "unlock it (log in to the desktop), or type the secret"
        )
    if isinstance(error, (NotASecret, UnicodeDecodeError)):
        return KeychainUnavailable(
            "the keychain's item of that name is not UTF-8 text",
            "run: secretly forget NAME, then secretly set NAME",
        )
    if isinstance(error, (ModuleNotFoundError, AttributeError)) or (
        isinstance(error, ValueError) and "module" in text
    ):
        return KeychainUnavailable(
            "can't load the chosen keyring backend",
            f"check PYTHON_KEYRING_BACKEND and keyringrc.cfg; {_DOCTOR}",
        )
    return KeychainUnavailable(f"can't use the keychain ({name})", _DOCTOR)
