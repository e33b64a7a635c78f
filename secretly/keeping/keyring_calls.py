"""Use keyring: it stores, deletes and describes, and reads what can't be read directly.

keyring is imported and called in a thread: neither its import nor a stuck D-Bus service blocks
the event loop, or keeps the process from exiting.
"""

from __future__ import annotations

from ..errors import KeychainLocked, KeychainTimeout, KeychainUnavailable, SecretlyError
from ..redacted import Secret
from ..text import escape
from ..waiting import requests
from . import backends

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, TypeVar

    from .foreign import OtherItem

    T = TypeVar("T")

__all__ = ["KeyringCalls", "wedged"]


class KeyringCalls:
    """Calls of one of keyring's backends.

    :param name: the backend; None: the one that works best here.
    :param address: the session bus; empty: none.
    :param machine: how long, in seconds, a call may take that doesn't ask the user: it gets the
        user's time to unlock the keychain, or None.
    :param limited: shortens such a time, in seconds, to what is left of the whole call's.
    :raises KeychainUnavailable: if no backend can work here.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        name: str | None,
        address: str,
        machine: Callable[[float | None], float],
        limited: Callable[[float], float],
    ) -> None:
        if name is None:
            backends.check_for_bus(environ)
        self._name, self._address = name, address
        self._machine, self._limited = machine, limited

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the secret of *service* and *username*, or None."""
        seconds = await self._ready(prompt_timeout)
        if seconds is None:
            raise _not_set_up()
        return await self._call(
            lambda backend: backends.read_item(backend, service, username), seconds
        )

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str:
        """Store a secret; return the name of the backend that has it."""
        seconds = await self._ready(prompt_timeout)
        if seconds is None and prompt_timeout is None:
            raise _not_set_up()

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

        def delete(backend: Any) -> bool:
            if backends.read_item(backend, service, username) is None:
                return False
            if backends.has_attributes(backend):
                backends.delete_items(backend, service, username)
            else:
                backend.delete_password(service, username)
            return True

        return await self._call(delete, seconds)

    async def others(
        self, stored: Collection[tuple[str, str]], seconds: float
    ) -> list[OtherItem] | None:
        """Return the items of other programs, without their values; None if it can't list them.

        :param stored: the service and the user name of each item that secretly stored.
        :param seconds: how long the call may take.
        """
        from .others import list_items

        return await self._call(lambda backend: list_items(backend, stored), seconds)

    async def describe(self, seconds: float) -> str:
        """Return the backend's name, and whether it is locked.

        :param seconds: how long the call may take.
        """

        def describe(backend: Any) -> str:
            backends.refuse_unsafe(backend)
            state = backends.lock_state(backend)
            name = backends.full_name(backend)
            return f"{name}, {state}" if state else name

        return await self._call(describe, seconds)

    async def _ready(self, prompt_timeout: float | None) -> float | None:
        """Check that the keychain answers; return how long, in seconds, the next call may take.

        None: it has no collection, and so no item. To make one, it would ask the user.
        """
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
        name, address = self._name, self._address

        def explained() -> T:
            # A backend's error may repeat the secret, so it never leaves the thread.
            answers = not address or backends.check_bus(address)
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
            raise wedged(seconds) from None


def _not_set_up() -> KeychainUnavailable:
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


def wedged(seconds: float) -> KeychainTimeout:
    """The error of a keychain that did not answer in time."""
    return KeychainTimeout(
        f"the keychain did not answer within {seconds:.0f} s",
        "its service may be stuck: log out and in again, or restart it",
    )
