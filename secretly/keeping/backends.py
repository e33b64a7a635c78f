"""keyring's backends: which one is used, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from .. import safefiles
from ..config import places
from ..errors import Cancelled, KeychainLocked, KeychainUnavailable
from ..redacted import Secret
from ..text import escape

_LINUX = (
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
)
_MACOS = ("keyring.backends.macOS.Keyring",)

START_ONE = "install and start one (gnome-keyring, KWallet); without one, secretly asks each time"

_DOCTOR = "'secretly doctor' says which keychain is used, and why"


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
        where = _keyringrc_path(environ)
        named = _configured_backend(where)
    if named is None:
        return None
    chainer = named.startswith("keyring.backends.chainer.")
    if named in allowed or (named.startswith("keyring.backends.") and not chainer):
        return named
    why = "uses any other that is installed" if chainer else "is not one of keyring's own"
    raise KeychainUnavailable(
        f"{escape(where)} names the backend '{escape(named)}', which {why}",
        "unset it, or allow it with [keychain] backends in secretly's configuration",
    )


def named_by(environ: Mapping[str, str]) -> str:
    """What names the backend: the variable, or keyring's own configuration; empty for neither.

    :raises KeychainUnavailable: if that configuration cannot be read.
    :raises Refused: if others could change it.
    """
    if "PYTHON_KEYRING_BACKEND" in environ:
        return "PYTHON_KEYRING_BACKEND"
    path = _keyringrc_path(environ)
    return "" if _configured_backend(path) is None else path


def _keyringrc_path(environ: Mapping[str, str]) -> str:
    """Where keyring reads its configuration (``keyring.util.platform_``)."""
    root = environ.get("XDG_CONFIG_HOME") or os.path.join(places.home_folder(environ), ".config")
    return os.path.join(root, "python_keyring", "keyringrc.cfg")


def _configured_backend(path: str) -> str | None:
    if not os.path.lexists(path) or os.path.realpath(path) == os.devnull:
        return None
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(safefiles.read_file(path).decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError, OSError):
        raise KeychainUnavailable(f"{escape(path)} cannot be read", "mend or remove it") from None
    if not parser.has_option("backend", "default-keyring"):
        return None
    safefiles.check_only_mine(path, "keyring's configuration")
    return parser.get("backend", "default-keyring").strip()


def load_backend(name: str | None) -> Any:
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
        f"there is no keychain ({escape('; '.join(reasons))[:300]})",
        START_ONE,
    )


def lock_state(backend: Any) -> str | None:
    """Why it would first ask the person, if it would: empty if not.

    None from a backend that does not tell, such as macOS's, which may ask for each item.
    """
    if not has_attributes(backend):
        return None
    import secretstorage

    with contextlib.closing(secretstorage.dbus_init()) as bus:
        try:
            return "locked" if secretstorage.Collection(bus).is_locked() else ""
        except secretstorage.ItemNotFoundException:
            return "not set up: it has no collection yet"


def has_attributes(backend: Any) -> bool:
    """Whether items are found by their attributes, as in the Secret Service."""
    return type(backend).__module__ == "keyring.backends.SecretService"


def read_item(backend: Any, service: str, username: str) -> Secret | None:
    if not has_attributes(backend):
        found = backend.get_password(service, username)
        return None if found is None else Secret(found)
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        for item in _own_items(backend, collection, service, username):
            backend.unlock(item)
            return Secret(item.get_secret().decode("utf-8"))
    return None


def delete_items(backend: Any, service: str, username: str, but: str | None = None) -> None:
    """Delete every item of that name, but not the application *but*'s."""
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        for item in _own_items(backend, collection, service, username):
            if but is None or item.get_attributes().get("application") != but:
                item.delete()


def _own_items(backend: Any, collection: Any, service: str, username: str) -> list[Any]:
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


def full_name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def refuse_unsafe(backend: Any) -> None:
    """Refuse a backend that keeps nothing, or in plain text, or that chains such a one."""
    for part in (backend, *getattr(backend, "backends", ())):
        name = full_name(part)
        nothing = name.startswith(("keyring.backends.null.", "keyring.backends.fail."))
        if nothing or "plaintext" in name.lower():
            what = "keeps nothing" if nothing else "keeps secrets in plain text"
            raise KeychainUnavailable(f"the keychain {name} {what}", f"choose another: {_DOCTOR}")


def explain(error: Exception) -> KeychainUnavailable | Cancelled:
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
