"""What a store of secrets does."""

from __future__ import annotations

from typing import Protocol

from ..redacted import Secret


class SecretStore(Protocol):
    """What keeps secrets: the :class:`Keychain`, or a double of it.

    *prompt_timeout* is how long, in seconds, it may take to ask the person to unlock it;
    None: it must not ask.
    """

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return what is kept, or None."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str | None:
        """Keep a secret; return what keeps it, for the list of kept names."""

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete an item; return whether there was one."""

    async def describe(self) -> str:
        """Name it."""
