"""The OS keychain, with a deadline: read directly where possible, used by keyring otherwise."""

from __future__ import annotations

import os
import time

from .. import safefiles
from ..config import places
from ..errors import KeychainUnavailable
from ..redacted import Secret
from ..text import escape
from ..waiting.request import in_thread_if_needed
from .stored_names import NameTable, StoredNames

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from . import keyring_calls, secret_service
    from .foreign import OtherItem

    T = TypeVar("T")

#: How long, in seconds, a keychain may take if it does not ask the user.
MACHINE_TIMEOUT = 30.0

#: Variables that begin so change the names that keyring's backends use.
_PROPERTIES = "KEYRING_PROPERTY_"

#: The variable that names keyring's backend.
_VARIABLE = "PYTHON_KEYRING_BACKEND"


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
        return await self._calls().get(service, username, prompt_timeout)

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
            first, *more = await in_thread_if_needed(
                lambda: reader.read([item, *others], seconds),
                seconds,
                lambda done: reader.read_in_thread([item, *others], seconds, done),
            )
        except TimeoutError:
            from . import keyring_calls

            raise keyring_calls.wedged(seconds) from None
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
        return await self._calls().set(service, username, value, prompt_timeout)

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""
        return await self._calls().delete(service, username, prompt_timeout)

    async def others(self) -> list[OtherItem] | None:
        """Return the items of other programs, without their values; None if it can't list them.

        :raises KeychainUnavailable: if the keychain can't be used.
        """
        stored = {(one.name, one.username) for one in self._listed(lambda listed: listed.items)}
        return await self._calls().others(stored, MACHINE_TIMEOUT)

    async def describe(self) -> str:
        """Return the name of the backend that secretly would use.

        :raises KeychainUnavailable: if that backend can't store secrets safely.
        """
        return await self._calls().describe(MACHINE_TIMEOUT)

    def _calls(self) -> keyring_calls.KeyringCalls:
        from . import keyring_calls, secret_service

        name = backend_name(self._environ, self._allowed)
        address = self._bus = self._bus or secret_service.session_bus(self._environ)
        return keyring_calls.KeyringCalls(
            self._environ, name, address, self._machine, self._limited
        )


def backend_name(environ: Mapping[str, str], allowed: tuple[str, ...]) -> str | None:
    """Return the backend that the environment or ``keyringrc.cfg`` names, or None.

    Both can name any installed class, and so run any code: secretly's configuration must allow
    a backend that is not one of keyring's own. It must allow keyring's chainer too, which uses
    every other installed backend.

    :raises KeychainUnavailable: if the configuration does not allow the backend.
    """
    found = named_backend(environ)
    if found is None:
        return None
    where, named = found
    chainer = named.startswith("keyring.backends.chainer.")
    if named in allowed or (named.startswith("keyring.backends.") and not chainer):
        return named
    why = "uses any installed backend" if chainer else "is not one of keyring's own"
    raise KeychainUnavailable(
        f"{escape(where)} names the backend '{escape(named)}', which {why}",
        "unset it, or allow it with [keychain] backends in secretly's configuration",
    )


def named_backend(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what names the backend (the variable, or keyring's file), and the name; or None.

    :raises KeychainUnavailable: if keyring's configuration can't be read.
    :raises Refused: if others could change it.
    """
    if _VARIABLE in environ:
        return _VARIABLE, environ[_VARIABLE]
    path = _keyringrc_path(environ)
    named = _configured_backend(path)
    return None if named is None else (path, named)


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
