"""Stores that keep secrets in memory only."""

from __future__ import annotations

import time

from ..errors import KeychainLocked, KeychainUnavailable
from ..keeping.kernel_keyring import TOO_SHORT, HeldSecret
from ..redacted import Secret


class MemoryKeychain:
    """A keychain in memory. It passes :class:`KeychainContract`.

    :param locked: behave like a keychain that is locked and stays locked.
    :param absent: behave like a machine without a keychain.
    """

    def __init__(self, *, locked: bool = False, absent: bool = False) -> None:
        self.items: dict[tuple[str, str], Secret] = {}
        self._locked, self._absent = locked, absent

    def _check(self) -> None:
        if self._absent:
            raise KeychainUnavailable("no keychain is available", "install one")
        if self._locked:
            raise KeychainLocked("the keychain is locked", "unlock it")

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the stored secret, or None."""
        self._check()
        return self.items.get((service, username))

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Store a secret."""
        self._check()
        self.items[service, username] = Secret(value)

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""
        self._check()
        return self.items.pop((service, username), None) is not None

    async def describe(self) -> str:
        """Name it."""
        self._check()
        return "memory"


class MemorySession:
    """A double of the kernel keyring, which holds secrets for a while.

    :param absent: behave like a machine without a kernel keyring, such as a Mac.
    """

    def __init__(self, *, absent: bool = False) -> None:
        self._items: dict[tuple[str, str], tuple[Secret, float]] = {}
        self._absent = absent

    def get(self, name: str, username: str) -> Secret | None:
        """Return the held secret, or None."""
        value, end = self._items.get((name, username), (None, 0.0))
        return value if time.time() < end else None

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret."""
        if self._absent or seconds <= 0:
            why = "can't hold it in memory: no kernel keyring" if self._absent else TOO_SHORT
            raise KeychainUnavailable(why, "type it each time")
        self._items[name, username] = Secret(value), time.time() + seconds

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop the secrets of *name* and *username*; None matches any. Return how many."""
        gone = [
            item
            for item in self.held()
            if name in (None, item.name) and username in (None, item.username)
        ]
        for item in gone:
            del self._items[item.name, item.username]
        return len(gone)

    def held(self) -> list[HeldSecret]:
        """Return the held secrets, sorted by name."""
        now = time.time()
        return sorted(
            HeldSecret(name, username, f"{end - now:.0f} s")
            for (name, username), (_, end) in self._items.items()
            if now < end
        )
