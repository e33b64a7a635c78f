"""The OS keychain, by the keyring package, with a deadline.

keyring is imported and called in a thread: neither its import nor a stuck D-Bus service blocks
the event loop, or keeps the process from exiting.
"""

from __future__ import annotations

import os
import time

from .. import safefiles
from ..config import places
from ..errors import KeychainLocked, KeychainTimeout, KeychainUnavailable, SecretlyError
from ..redacted import Secret
from ..text import escape
from ..waiting import requests
from .stored_names import NameTable, StoredNames

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from . import secret_service
    from .foreign import OtherItem

    T = TypeVar("T")

#: How long, in seconds, a keychain may take if it does not ask the user.
MACHINE_TIMEOUT = 30.0

#: Variables that begin so change the names that keyring's backends use.
_PROPERTIES = "KEYRING_PROPERTY_"


class Keychain:
    """The keychain that the configuration and the environment choose.

    :param allowed: other backends than keyring's own that the environment may name.
    :param stored_names: the list that says which backend stored an item. An item that is in the
        Secret Service is read there without loading keyring.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        allowed: tuple[str, ...] = (),
        stored_names: StoredNames | None = None,
    ) -> None:
        self._environ, self._allowed, self._stored_names = environ, allowed, stored_names
        self._reader: secret_service.ItemReader | None = None
        self._expected: list[tuple[str, str]] = []
        self._ahead: dict[tuple[str, str], Secret | secret_service.Missing] = {}
        self._until = float("inf")
        self._bus = ""

    def end_by(self, until: float) -> None:
        """Have each call end before *until*, a time of the monotonic clock, in seconds.

        A call may take half of the time that is left: then the user can still be asked.
        """
        self._until = until

    def _limited(self, seconds: float) -> float:
        return max(0.0, min(seconds, (self._until - time.monotonic()) / 2))

    def _machine(self, prompt_timeout: float | None) -> float:
        """How long a call may take that does not ask the user, in seconds."""
        patience = MACHINE_TIMEOUT if prompt_timeout is None else prompt_timeout
        return self._limited(min(MACHINE_TIMEOUT, patience))

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the secret of *service* and *username*, or None.

        :param prompt_timeout: how long, in seconds, the user may take to unlock the keychain;
            None: the keychain must not ask.
        :raises KeychainUnavailable: if the keychain can't be used.
        :raises KeychainLocked: if the keychain is locked and stays locked.
        """
        from . import secret_service  # a run that has its secrets elsewhere doesn't load it

        found = await self._read_directly(service, username, prompt_timeout)
        if found is not None:
            return None if isinstance(found, secret_service.Missing) else found
        seconds = await self._ready(prompt_timeout)
        if seconds is None:
            raise _not_set_up()
        from . import backends

        return await self._call(
            lambda backend: backends.read_item(backend, service, username), seconds
        )

    def expect(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Announce items (*service* and *username*), so that one read fetches all of them."""
        self._expected = list(wanted)

    async def _read_directly(
        self, service: str, username: str, prompt_timeout: float | None
    ) -> Secret | secret_service.Missing | None:
        """Read an item that keyring stored in the Secret Service, or see that it is missing.

        None: only keyring can tell. It reads an item that exists and is not on the list.
        """
        from . import secret_service

        item = (service, username)
        if item in self._ahead:
            return self._ahead.pop(item)
        address = self._bus = self._bus or secret_service.session_bus(self._environ)
        if (
            not address
            or self._stored_names is None
            or service.startswith(("git:", "docker:"))  # those items have other attributes
            or f"\0{_PROPERTIES}" in "\0".join(("", *self._environ))  # any() takes longer
            or backend_name(self._environ, self._allowed) not in (None, secret_service.BACKEND)
        ):
            return None
        backend = self._backend_of(service, username)
        # On KDE, keyring prefers KWallet, which may have the item.
        kde = "kde" in self._environ.get("XDG_CURRENT_DESKTOP", "").lower().split(":")
        if backend != secret_service.BACKEND and (backend or kde):
            return None
        expected, self._expected = self._expected, []
        ours = [one for one in expected if self._backend_of(*one) == secret_service.BACKEND]
        others = [one for one in ours if one != item]
        reader = self._reader = self._reader or secret_service.shared_reader(address)
        seconds = self._machine(prompt_timeout)
        try:
            first, *more = await requests.in_thread_if_needed(
                lambda: reader.read([item, *others], seconds),
                seconds,
                lambda done: reader.read_in_thread([item, *others], seconds, done),
            )
        except TimeoutError:
            raise _wedged(seconds) from None
        self._ahead |= {one: found for one, found in zip(others, more, strict=True) if found}
        return first if backend or first is secret_service.MISSING else None

    def _listed(self, question: Callable[[NameTable], T]) -> T:
        """Ask the list of stored names; an empty one if it is corrupt: keyring reads then."""
        try:
            listed = NameTable() if self._stored_names is None else self._stored_names.read()
            return question(listed)
        except KeychainUnavailable:
            return question(NameTable())

    def _backend_of(self, service: str, username: str) -> str:
        """The backend that stored a secret; empty: not listed, or unknown."""
        return self._listed(lambda listed: listed.backend_of(service, username))

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str:
        """Store a secret; return the name of the backend that has it.

        :raises KeychainUnavailable: if the keychain can't be used, would store the secret in
            plain text or not at all, or does not return it afterwards.
        """
        seconds = await self._ready(prompt_timeout)
        if seconds is None and prompt_timeout is None:
            raise _not_set_up()
        from . import backends

        def store(backend: Any) -> str:
            backends.refuse_unsafe(backend)
            name = backends.full_name(backend)
            if not backends.store_item(backend, service, username, value):
                raise KeychainUnavailable(
                    f"the keychain ({name}) does not return what was stored in it",
                    "look there for an item of that name, and delete it; use another keychain",
                )
            return name

        try:
            return await self._call(store, self._limited(seconds or prompt_timeout or 0.0))
        except KeychainLocked:
            if seconds is None:  # the user did not choose a password for it
                raise _not_set_up() from None
            raise

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""
        seconds = await self._ready(prompt_timeout)
        if seconds is None:
            raise _not_set_up()
        from . import backends

        def delete(backend: Any) -> bool:
            if backends.read_item(backend, service, username) is None:
                return False
            if backends.has_attributes(backend):
                backends.delete_items(backend, service, username)
            else:
                backend.delete_password(service, username)
            return True

        return await self._call(delete, seconds)

    async def others(self) -> list[OtherItem] | None:
        """Return the items of other programs, without their values; None if it can't list them.

        :raises KeychainUnavailable: if the keychain can't be used.
        """
        from .others import list_items

        stored = {(one.name, one.username) for one in self._listed(lambda listed: listed.items)}
        return await self._call(lambda backend: list_items(backend, stored), MACHINE_TIMEOUT)

    async def describe(self) -> str:
        """Return the name of the backend that secretly would use.

        :raises KeychainUnavailable: if that backend can't store secrets safely.
        """
        from . import backends

        def describe(backend: Any) -> str:
            backends.refuse_unsafe(backend)
            state = backends.lock_state(backend)
            name = backends.full_name(backend)
            return f"{name}, {state}" if state else name

        return await self._call(describe, MACHINE_TIMEOUT)

    async def _ready(self, prompt_timeout: float | None) -> float | None:
        """Check that the keychain answers; return how long, in seconds, the next call may take.

        None: it has no collection, and so no item. To make one, it would ask the user.
        """
        from . import backends

        machine = self._machine(prompt_timeout)
        asks = await self._call(backends.lock_state, machine)
        if asks == backends.NO_COLLECTION:
            return None
        if asks and prompt_timeout is None:
            raise KeychainLocked(f"the keychain is {asks}", "unlock it, or run without --no-input")
        if prompt_timeout is None or asks == "":
            return self._machine(prompt_timeout)
        return self._limited(prompt_timeout)

    async def _call(self, work: Callable[[Any], T], seconds: float) -> T:
        from . import backends, secret_service

        name = backend_name(self._environ, self._allowed)
        if name is None:
            backends.check_for_bus(self._environ)
        address = self._bus = self._bus or secret_service.session_bus(self._environ)

        def explained() -> T:
            # A backend's error may repeat the secret, so it never leaves the thread.
            answers = not address or secret_service.check_bus(address)
            try:
                return work(backends.load_backend(name))
            except SecretlyError as error:
                if answers or not isinstance(error, KeychainUnavailable) or name is not None:
                    raise
                wrong: Exception = _no_answer(address)
            except Exception as error:
                wrong = backends.explain(error)
            raise wrong

        try:
            with backends.HandOverBus(address):
                return await requests.in_thread(explained, seconds)
        except TimeoutError:
            raise _wedged(seconds) from None


def _not_set_up() -> KeychainUnavailable:
    from . import backends

    return KeychainUnavailable(
        f"the keychain is {backends.NO_COLLECTION}",
        "log in to the desktop once, or create a keyring named Default in its password program",
    )


def _no_answer(address: str) -> KeychainUnavailable:
    return KeychainUnavailable(
        f"no keychain: the session bus {escape(address)} doesn't answer",
        "set DBUS_SESSION_BUS_ADDRESS to the bus of your session, or unset it: then secretly looks "
        "for the bus of your login",
    )


def _wedged(seconds: float) -> KeychainTimeout:
    return KeychainTimeout(
        f"the keychain did not answer within {seconds:.0f} s",
        "its service may be stuck: log out and in again, or restart it",
    )


def backend_name(environ: Mapping[str, str], allowed: tuple[str, ...]) -> str | None:
    """Return the backend that the environment or ``keyringrc.cfg`` names, or None.

    Both can name any installed class, and so run any code: secretly's configuration must allow
    a backend that is not one of keyring's own. It must allow keyring's chainer too, which uses
    every other installed backend.

    :raises KeychainUnavailable: if the configuration does not allow the backend.
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
    why = "uses any installed backend" if chainer else "is not one of keyring's own"
    raise KeychainUnavailable(
        f"{escape(where)} names the backend '{escape(named)}', which {why}",
        "unset it, or allow it with [keychain] backends in secretly's configuration",
    )


def named_by(environ: Mapping[str, str]) -> str:
    """Return what names the backend: the variable, or the path of keyring's configuration.

    Empty if neither does.

    :raises KeychainUnavailable: if keyring's configuration can't be read.
    :raises Refused: if others could change it.
    """
    if "PYTHON_KEYRING_BACKEND" in environ:
        return "PYTHON_KEYRING_BACKEND"
    path = _keyringrc_path(environ)
    return "" if _configured_backend(path) is None else path


def _keyringrc_path(environ: Mapping[str, str]) -> str:
    """Return where keyring reads its configuration (``keyring.util.platform_``)."""
    folder = places.xdg_folder("config", environ)
    return os.path.join(folder, "python_keyring", "keyringrc.cfg")


def _configured_backend(path: str) -> str | None:
    if not os.path.lexists(path) or os.path.realpath(path) == os.devnull:
        return None
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(safefiles.read_file(path).decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError, OSError):
        raise KeychainUnavailable(f"can't read {escape(path)}", "fix or remove it") from None
    if not parser.has_option("backend", "default-keyring"):
        return None
    safefiles.refuse_if_others_can_write(path, "keyring's configuration")
    return parser.get("backend", "default-keyring").strip()
