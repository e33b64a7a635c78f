"""The OS keychain, by the keyring package, with a deadline.

keyring is imported in the thread that calls it: neither its import nor a wedged
D-Bus service holds up the event loop or keeps the process from exiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import KeychainLocked, KeychainUnavailable, SecretlyError
from ..redacted import Secret
from ..waiting import requests
from . import secret_service
from .backends import (
    START_ONE,
    backend_name,
    delete_items,
    explain,
    full_name,
    has_attributes,
    load_backend,
    lock_state,
    no_bus,
    read_item,
    refuse_unsafe,
)
from .stored_names import StoredNames

T = TypeVar("T")

#: How long a keychain may take, in seconds, where it asks nobody.
MACHINE_TIMEOUT = 30.0

#: Variables that change how keyring's backends name things.
_PROPERTIES = "KEYRING_PROPERTY_"


class Keychain:
    """The keychain as this configuration and environment name it.

    :param allowed: backends beside keyring's own that may be named in the environment.
    :param stored_names: says which backend stored an item: what is in the Secret Service is read
        there without loading keyring.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        allowed: tuple[str, ...] = (),
        stored_names: StoredNames | None = None,
    ) -> None:
        self._environ, self._allowed, self._stored_names = environ, allowed, stored_names
        self._reader: secret_service.Reader | None = None
        self._expected: list[tuple[str, str]] = []
        self._ahead: dict[tuple[str, str], Secret | secret_service.Missing] = {}

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return what is kept for *service* and *username*, or None.

        :param prompt_timeout: how long, in seconds, the keychain may take to ask the person
            to unlock it; None: it must not ask.
        :raises KeychainUnavailable: if it cannot be used.
        :raises KeychainLocked: if it is locked and stays so.
        """
        found = await self._read_directly(service, username, prompt_timeout)
        if found is not None:
            return None if found is secret_service.Missing.MISSING else found
        if no_bus(self._environ) and backend_name(self._environ, self._allowed) is None:
            raise KeychainUnavailable(
                "there is no keychain (there is no session bus: DBUS_SESSION_BUS_ADDRESS is unset)",
                START_ONE,
            )
        seconds = await self._ready(prompt_timeout)
        return await self._call(lambda backend: read_item(backend, service, username), seconds)

    def expect(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Say which items (*service* and *username*) will be asked for: they are read at once."""
        self._expected = list(wanted)

    async def _read_directly(
        self, service: str, username: str, prompt_timeout: float | None
    ) -> Secret | secret_service.Missing | None:
        """Read what keyring stored in the Secret Service, or see that nothing is there.

        What is there, and is not on the list, is for keyring to read.
        """
        item = (service, username)
        if item in self._ahead:
            return self._ahead.pop(item)
        address = self._environ.get("DBUS_SESSION_BUS_ADDRESS")
        if (
            not address
            or self._stored_names is None
            or any(name.startswith(_PROPERTIES) for name in self._environ)
            or backend_name(self._environ, self._allowed) not in (None, secret_service.BACKEND)
        ):
            return None
        backend = self._stored_names.backend_of(service, username)
        # KDE's own comes first for keyring there, and may have it.
        kde = "kde" in self._environ.get("XDG_CURRENT_DESKTOP", "").lower().split(":")
        if backend != secret_service.BACKEND and (backend or kde):
            return None
        others = [one for one in self._expected if one != item and self._kept(one)]
        self._expected = []
        reader = self._reader = self._reader or secret_service.Reader(address)
        seconds = (
            MACHINE_TIMEOUT if prompt_timeout is None else min(MACHINE_TIMEOUT, prompt_timeout)
        )
        try:
            first, *more = await requests.in_thread_if_needed(
                lambda: reader.read([item, *others], seconds), seconds
            )
        except TimeoutError:
            raise _wedged(seconds) from None
        self._ahead |= {one: found for one, found in zip(others, more, strict=True) if found}
        return first if backend or first is secret_service.Missing.MISSING else None

    def _kept(self, item: tuple[str, str]) -> bool:
        return (
            self._stored_names is not None
            and self._stored_names.backend_of(*item) == secret_service.BACKEND
        )

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str:
        """Keep a secret; return the name of the backend that does.

        :raises KeychainUnavailable: if it cannot be used, or would keep it in plain
            text or not at all.
        """
        seconds = await self._ready(prompt_timeout)

        def store(backend: Any) -> str:
            refuse_unsafe(backend)
            backend.set_password(service, username, value)
            if has_attributes(backend):
                # What was stored counts, not what another program had put under the name.
                delete_items(backend, service, username, but=backend.appid)
            return full_name(backend)

        return await self._call(store, seconds)

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""
        seconds = await self._ready(prompt_timeout)

        def delete(backend: Any) -> bool:
            if read_item(backend, service, username) is None:
                return False
            if has_attributes(backend):
                delete_items(backend, service, username)
            else:
                backend.delete_password(service, username)
            return True

        return await self._call(delete, seconds)

    async def describe(self) -> str:
        """Name the backend that would be used.

        :raises KeychainUnavailable: if it could not keep anything.
        """

        def describe(backend: Any) -> str:
            refuse_unsafe(backend)
            state = lock_state(backend)
            name = full_name(backend)
            return f"{name}, {state}" if state else name

        return await self._call(describe, MACHINE_TIMEOUT)

    async def _ready(self, prompt_timeout: float | None) -> float:
        """Find out, within a machine's time, that it answers; return how long it may take."""
        machine = (
            MACHINE_TIMEOUT if prompt_timeout is None else min(MACHINE_TIMEOUT, prompt_timeout)
        )
        asks = await self._call(lock_state, machine)
        if asks and prompt_timeout is None:
            raise KeychainLocked(f"the keychain is {asks}", "unlock it, or run without --no-input")
        return machine if prompt_timeout is None or asks == "" else prompt_timeout

    async def _call(self, work: Callable[[Any], T], seconds: float) -> T:
        name = backend_name(self._environ, self._allowed)

        def explained() -> T:
            # What a backend raises may repeat the secret: it does not leave the thread.
            try:
                if address := self._environ.get("DBUS_SESSION_BUS_ADDRESS"):
                    secret_service.check_bus(address)
                return work(load_backend(name))
            except SecretlyError:
                raise
            except Exception as error:
                wrong = explain(error)
            raise wrong

        try:
            return await requests.in_thread(explained, seconds)
        except TimeoutError:
            raise _wedged(seconds) from None


def _wedged(seconds: float) -> KeychainUnavailable:
    error = KeychainUnavailable(
        f"the keychain did not answer within {seconds:.0f} s",
        "its service may be stuck: log out and in again, or restart it",
    )
    error.answered = False
    return error
