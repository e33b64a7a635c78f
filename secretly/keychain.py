"""The OS keychain, by the keyring package, with a deadline.

keyring is imported in the thread that calls it: neither its import nor a wedged
D-Bus service holds up the event loop or keeps the process from exiting.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from . import eventloop, secretservice, trust
from .display import visible
from .errors import Cancelled, KeychainLocked, KeychainUnavailable, SecretlyError
from .index import Index
from .redacted import Secret

__all__ = ["Keeper", "Keychain", "backend_name", "named_by"]

T = TypeVar("T")

#: How long a keychain may take, in seconds, where it asks nobody.
MACHINE = 30.0

_LINUX = (
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
)
_MACOS = ("keyring.backends.macOS.Keyring",)

#: Variables that change how keyring's backends name things.
_PROPERTIES = "KEYRING_PROPERTY_"

_START_ONE = "install and start one (gnome-keyring, KWallet); without one, secretly asks each time"

_DOCTOR = "'secretly doctor' says which keychain is used, and why"


class Keeper(Protocol):
    """What keeps secrets: the :class:`Keychain`, or a double of it.

    *person* is how long, in seconds, it may take to ask the person to unlock it;
    None: it must not ask.
    """

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Return what is kept, or None."""

    async def set(
        self, service: str, username: str, value: str, person: float | None
    ) -> str | None:
        """Keep a secret; return what keeps it, for the list of kept names."""

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        """Delete an item; return whether there was one."""

    async def describe(self) -> str:
        """Name it."""


class Keychain:
    """The keychain as this configuration and environment name it.

    :param allowed: backends beside keyring's own that may be named in the environment.
    :param index: says which backend stored an item: what is in the Secret Service is read
        there without loading keyring.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        allowed: tuple[str, ...] = (),
        index: Index | None = None,
    ) -> None:
        self._environ, self._allowed, self._index = environ, allowed, index
        self._reader: secretservice.Reader | None = None
        self._expected: list[tuple[str, str]] = []
        self._ahead: dict[tuple[str, str], Secret | secretservice.Missing] = {}

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Return what is kept for *service* and *username*, or None.

        :param person: how long, in seconds, the keychain may take to ask the person
            to unlock it; None: it must not ask.
        :raises KeychainUnavailable: if it cannot be used.
        :raises KeychainLocked: if it is locked and stays so.
        """
        found = await self._read_directly(service, username, person)
        if found is not None:
            return None if found is secretservice.Missing.MISSING else found
        if no_bus(self._environ) and backend_name(self._environ, self._allowed) is None:
            raise KeychainUnavailable(
                "there is no keychain (there is no session bus: DBUS_SESSION_BUS_ADDRESS is unset)",
                _START_ONE,
            )
        seconds = await self._ready(person)
        return await self._call(lambda backend: _read(backend, service, username), seconds)

    def expect(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Say which items (*service* and *username*) will be asked for: they are read at once."""
        self._expected = list(wanted)

    async def _read_directly(
        self, service: str, username: str, person: float | None
    ) -> Secret | secretservice.Missing | None:
        """Read what keyring stored in the Secret Service, or see that nothing is there.

        What is there, and is not on the list, is for keyring to read.
        """
        item = (service, username)
        if item in self._ahead:
            return self._ahead.pop(item)
        address = self._environ.get("DBUS_SESSION_BUS_ADDRESS")
        if (
            not address
            or self._index is None
            or any(name.startswith(_PROPERTIES) for name in self._environ)
            or backend_name(self._environ, self._allowed) not in (None, secretservice.BACKEND)
        ):
            return None
        keeper = self._index.keeper(service, username)
        # KDE's own comes first for keyring there, and may have it.
        kde = "kde" in self._environ.get("XDG_CURRENT_DESKTOP", "").lower().split(":")
        if keeper != secretservice.BACKEND and (keeper or kde):
            return None
        others = [one for one in self._expected if one != item and self._kept(one)]
        self._expected = []
        reader = self._reader = self._reader or secretservice.Reader(address)
        seconds = MACHINE if person is None else min(MACHINE, person)
        try:
            first, *more = await eventloop.bounded(
                lambda: reader.read([item, *others], seconds), seconds
            )
        except TimeoutError:
            raise _wedged(seconds) from None
        self._ahead |= {one: found for one, found in zip(others, more, strict=True) if found}
        return first if keeper or first is secretservice.Missing.MISSING else None

    def _kept(self, item: tuple[str, str]) -> bool:
        return self._index is not None and self._index.keeper(*item) == secretservice.BACKEND

    async def set(self, service: str, username: str, value: str, person: float | None) -> str:
        """Keep a secret; return the name of the backend that does.

        :raises KeychainUnavailable: if it cannot be used, or would keep it in plain
            text or not at all.
        """
        seconds = await self._ready(person)

        def store(backend: Any) -> str:
            _refuse_unsafe(backend)
            backend.set_password(service, username, value)
            if _has_attributes(backend):
                # What was stored counts, not what another program had put under the name.
                _delete_items(backend, service, username, but=backend.appid)
            return _full_name(backend)

        return await self._call(store, seconds)

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        """Delete an item; return whether there was one."""
        seconds = await self._ready(person)

        def delete(backend: Any) -> bool:
            if _read(backend, service, username) is None:
                return False
            if _has_attributes(backend):
                _delete_items(backend, service, username)
            else:
                backend.delete_password(service, username)
            return True

        return await self._call(delete, seconds)

    async def describe(self) -> str:
        """Name the backend that would be used.

        :raises KeychainUnavailable: if it could not keep anything.
        """

        def describe(backend: Any) -> str:
            _refuse_unsafe(backend)
            state = _asks(backend)
            name = _full_name(backend)
            return f"{name}, {state}" if state else name

        return await self._call(describe, MACHINE)

    async def _ready(self, person: float | None) -> float:
        """Find out, within a machine's time, that it answers; return how long it may take."""
        machine = MACHINE if person is None else min(MACHINE, person)
        asks = await self._call(_asks, machine)
        if asks and person is None:
            raise KeychainLocked(f"the keychain is {asks}", "unlock it, or run without --no-input")
        return machine if person is None or asks == "" else person

    async def _call(self, work: Callable[[Any], T], seconds: float) -> T:
        name = backend_name(self._environ, self._allowed)

        def explained() -> T:
            # What a backend raises may repeat the secret: it does not leave the thread.
            try:
                if address := self._environ.get("DBUS_SESSION_BUS_ADDRESS"):
                    secretservice.check_bus(address)
                return work(_backend(name))
            except SecretlyError:
                raise
            except Exception as error:
                wrong = _explained(error)
            raise wrong

        try:
            return await eventloop.in_thread(explained, seconds)
        except TimeoutError:
            raise _wedged(seconds) from None


def _wedged(seconds: float) -> KeychainUnavailable:
    error = KeychainUnavailable(
        f"the keychain did not answer within {seconds:.0f} s",
        "its service may be stuck: log out and in again, or restart it",
    )
    error.answered = False
    return error


def no_bus(environ: Mapping[str, str]) -> bool:
    """Whether no backend of keyring's can find a session bus, and so a keychain, on Linux.

    jeepney takes it from the variable alone; the bindings that KWallet's and libsecret's
    backends stand on know other ways.
    """
    if sys.platform != "linux" or environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return False
    from importlib.machinery import PathFinder

    return not any(map(PathFinder.find_spec, ("dbus", "gi")))


def backend_name(environ: Mapping[str, str], allowed: tuple[str, ...]) -> str | None:
    """Return the backend that the environment or ``keyringrc.cfg`` names, or None.

    Both can name any class there is, and so run any code; what they name beside
    keyring's own backends must be allowed by the configuration. So must keyring's
    chainer, which uses whatever other backends are installed.

    :raises KeychainUnavailable: if it is not.
    """
    named = environ.get("PYTHON_KEYRING_BACKEND")
    where = "PYTHON_KEYRING_BACKEND"
    if named is None:
        where = _keyringrc(environ)
        named = _configured(where)
    if named is None:
        return None
    chainer = named.startswith("keyring.backends.chainer.")
    if named in allowed or (named.startswith("keyring.backends.") and not chainer):
        return named
    why = "uses any other that is installed" if chainer else "is not one of keyring's own"
    raise KeychainUnavailable(
        f"{visible(where)} names the backend '{visible(named)}', which {why}",
        "unset it, or allow it with [keychain] backends in secretly's configuration",
    )


def named_by(environ: Mapping[str, str]) -> str:
    """What names the backend: the variable, or keyring's own configuration; empty for neither.

    :raises KeychainUnavailable: if that configuration cannot be read.
    :raises Refused: if others could change it.
    """
    if "PYTHON_KEYRING_BACKEND" in environ:
        return "PYTHON_KEYRING_BACKEND"
    path = _keyringrc(environ)
    return "" if _configured(path) is None else path


def _keyringrc(environ: Mapping[str, str]) -> str:
    """Where keyring reads its configuration (``keyring.util.platform_``)."""
    home = environ.get("HOME") or os.path.expanduser("~")
    root = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(root, "python_keyring", "keyringrc.cfg")


def _configured(path: str) -> str | None:
    if not os.path.lexists(path) or os.path.realpath(path) == os.devnull:
        return None
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(trust.read(path).decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError, OSError):
        raise KeychainUnavailable(f"{visible(path)} cannot be read", "mend or remove it") from None
    if not parser.has_option("backend", "default-keyring"):
        return None
    trust.check(path, "keyring's configuration")
    return parser.get("backend", "default-keyring").strip()


# -- in the thread ---------------------------------------------------------------


def _backend(name: str | None) -> Any:
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
        f"there is no keychain ({visible('; '.join(reasons))[:300]})",
        _START_ONE,
    )


def _asks(backend: Any) -> str | None:
    """Why it would first ask the person, if it would: empty if not.

    None from a backend that does not tell, such as macOS's, which may ask for each item.
    """
    if not _has_attributes(backend):
        return None
    import secretstorage

    with contextlib.closing(secretstorage.dbus_init()) as bus:
        try:
            return "locked" if secretstorage.Collection(bus).is_locked() else ""
        except secretstorage.ItemNotFoundException:
            return "not set up: it has no collection yet"


def _has_attributes(backend: Any) -> bool:
    """Whether items are found by their attributes, as in the Secret Service."""
    return type(backend).__module__ == "keyring.backends.SecretService"


def _read(backend: Any, service: str, username: str) -> Secret | None:
    if not _has_attributes(backend):
        found = backend.get_password(service, username)
        return None if found is None else Secret(found)
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        for item in _items(backend, collection, service, username):
            backend.unlock(item)
            return Secret(item.get_secret().decode("utf-8"))
    return None


def _delete_items(backend: Any, service: str, username: str, but: str | None = None) -> None:
    """Delete every item of that name, but not the application *but*'s."""
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        for item in _items(backend, collection, service, username):
            if but is None or item.get_attributes().get("application") != but:
                item.delete()


def _items(backend: Any, collection: Any, service: str, username: str) -> list[Any]:
    """The items of that name.

    The Secret Service also finds those that have more attributes than were asked
    for, another tool's, and keyring would read and delete them. What the attributes
    are called is keyring's scheme, which ``KEYRING_PROPERTY_SCHEME`` can change.
    """
    scheme = backend.schemes[backend.scheme]
    wanted = {scheme["service"]: service, scheme["username"]: username}
    own = {*wanted, "application", "xdg:schema", *scheme}
    found = collection.search_items(wanted)
    return [item for item in found if set(item.get_attributes()) <= own]


def _full_name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _refuse_unsafe(backend: Any) -> None:
    """Refuse a backend that keeps nothing, or in plain text, or that chains such a one."""
    for part in (backend, *getattr(backend, "backends", ())):
        name = _full_name(part)
        nothing = name.startswith(("keyring.backends.null.", "keyring.backends.fail."))
        if nothing or "plaintext" in name.lower():
            what = "keeps nothing" if nothing else "keeps secrets in plain text"
            raise KeychainUnavailable(f"the keychain {name} {what}", f"choose another: {_DOCTOR}")


def _explained(error: Exception) -> KeychainUnavailable | Cancelled:
    """Say what an error of keyring's, its backends' or D-Bus's means."""
    name, text = type(error).__name__, str(error)
    if re.search(r"(?<!\d)-128(?!\d)", text):
        return Cancelled("the keychain was told not to give the secret", "nothing was done")
    if "-25308" in text:
        return KeychainLocked(
            "the keychain is locked, and there is nobody to ask", "run: security unlock-keychain"
        )
    if name in ("KeyringLocked", "LockedException", "PromptDismissedException") or (
        name == "InitError" and "dismissed" in text.lower()
    ):
        return KeychainLocked(
            "the keychain is locked", "unlock it (log in to the desktop), or type the secret"
        )
    if isinstance(error, UnicodeDecodeError):
        return KeychainUnavailable(
            "what the keychain keeps under that name is not UTF-8 text",
            "forget it and set it again",
        )
    if isinstance(error, (ModuleNotFoundError, AttributeError)) or (
        isinstance(error, ValueError) and "module" in text
    ):
        return KeychainUnavailable(
            "the keyring backend that is named cannot be loaded",
            f"check PYTHON_KEYRING_BACKEND and keyringrc.cfg; {_DOCTOR}",
        )
    return KeychainUnavailable(f"the keychain cannot be used ({name})", _DOCTOR)
