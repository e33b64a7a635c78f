"""The protocol of a store of secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..redacted import Secret


class SecretStore(Protocol):
    """A store of secrets: the :class:`~.keychain.Keychain`, or a double of it.

    *prompt_timeout* is how long, in seconds, the user may take to unlock the store; None: the
    store must not ask.
    """

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the stored secret, or None."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str | None:
        """Store a secret; return the backend that has it, for the list of stored names."""

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""

    async def describe(self) -> str:
        """Return the store's name."""


class PlannedStore(SecretStore, Protocol):
    """A store that is told about a run before its first look-up, as the keychain is."""

    def end_by(self, until: float) -> None:
        """Have each call end before *until*, a time of the monotonic clock, in seconds."""

    def expect(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Announce items (*service* and *username*), so that one read fetches all of them."""
