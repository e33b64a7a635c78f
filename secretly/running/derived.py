"""Values that are made from secrets: the user name of a secret, and a text with secrets in it."""

from __future__ import annotations

from ..record import Record
from ..redacted import Secret
from ..resolving.request import SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self


class UsernameOf(Record):
    """The user name that belongs to a secret, as a value to deliver."""

    request: SecretRequest

    @property
    def requests(self) -> tuple[SecretRequest, ...]:
        """The request of the secret."""
        return (self.request,)

    def with_requests(self, change: Callable[[SecretRequest], SecretRequest]) -> Self:
        """The same value, of a changed request."""
        return self._replace(request=change(self.request))


class Inserted(Record):
    """A secret in a longer text.

    :param encoded: whether it is percent-encoded, as a part of a URL.
    """

    request: SecretRequest
    encoded: bool = False


class Composed(Record):
    """A text with secrets in it.

    :param parts: plain texts, and the secrets between them. The texts may hold secrets as well,
        so no ``repr`` shows them.
    """

    parts: tuple[str | Inserted, ...]

    def __repr__(self) -> str:
        return f"<text with {len(self.requests)} secrets>"

    @property
    def requests(self) -> tuple[SecretRequest, ...]:
        """The requests of the secrets in it."""
        return tuple(part.request for part in self.parts if isinstance(part, Inserted))

    def with_requests(self, change: Callable[[SecretRequest], SecretRequest]) -> Self:
        """The same text, of changed requests."""
        parts = tuple(
            part if isinstance(part, str) else part._replace(request=change(part.request))
            for part in self.parts
        )
        return self._replace(parts=parts)

    def text(self, secrets: Mapping[SecretRequest, str]) -> Secret:
        """The text with the secrets in their places."""
        return Secret("".join(_filled(part, secrets) for part in self.parts))


def _filled(part: str | Inserted, secrets: Mapping[SecretRequest, str]) -> str:
    if isinstance(part, str):
        return part
    secret = Secret(secrets[part.request])
    if not part.encoded:
        return secret
    from urllib.parse import quote

    return Secret(quote(secret, safe="", errors="surrogateescape"))
