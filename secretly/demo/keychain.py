"""The keychain of the demo: a secret in memory."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Refused
from ..redacted import Secret


class PracticeKeychain(NamedTuple):
    """A keychain that has one secret, and stores no other.

    :param name: the name of the secret.
    :param username: the user name of the secret.
    """

    name: str
    username: str
    secret: Secret

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Return the secret, or None."""
        return self.secret if (service, username) == (self.name, self.username) else None

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> str | None:
        """Store nothing.

        :raises Refused: always.
        """
        raise Refused("the demo stores nothing", "to store a secret: secretly set NAME")

    async def delete(self, service: str, username: str, prompt_timeout: float | None) -> bool:
        """Delete nothing."""
        return False

    async def describe(self) -> str:
        """Name it."""
        return "the demo's memory"
