"""The ways in which a value reaches the program."""

from __future__ import annotations

from ..config.values import check_variable
from ..record import Record
from ..redacted import Environ, Secret
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from ..resolving.request import SecretRequest
    from .launch import Launch

    class DeliveryMethod(Protocol):
        """One way. It is hashable: two equal ones are the same place, which takes one value."""

        @property
        def variables(self) -> tuple[str, ...]:
            """The environment variables that this delivery sets; may be empty."""

        def check(self) -> None:
            """Refuse a place that can't take a secret.

            :raises SecretlyError: if it can't.
            """

        def describe(self) -> str:
            """Its name in ``--dry-run`` and ``-v``: safe to print."""

        def apply(self, launch: Launch, value: str) -> Launch:
            """The launch with the value added."""


class Environment(Record):
    """The value of an environment variable.

    :param name: the variable.
    """

    name: str

    @property
    def variables(self) -> tuple[str, ...]:
        """The variable itself."""
        return (self.name,)

    def check(self) -> None:
        """Refuse a variable that changes how programs load.

        :raises BadConfiguration: for ``PATH``, ``LD_*`` and the like, or an invalid name.
        """
        check_variable(self.name)

    def describe(self) -> str:
        """The variable's name."""
        return escape(self.name)

    def apply(self, launch: Launch, value: str) -> Launch:
        """The launch with the variable set."""
        return launch._replace(environ=Environ({**launch.environ, self.name: value}))


class UsernameOf(Record):
    """The user name that belongs to a secret, as a value to deliver."""

    request: SecretRequest


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
        return f"<text with {len(self.inserted)} secrets>"

    @property
    def inserted(self) -> tuple[Inserted, ...]:
        """The secrets in it."""
        return tuple(part for part in self.parts if isinstance(part, Inserted))

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


class Delivery(Record):
    """A value, and how the command gets it.

    :param value: the secret, the user name that belongs to one, or a text with secrets in it.
    :param by: the way.
    :param by_project: try the secret of the project that is uploaded first:
        ``PyPI/demo`` before ``PyPI``.
    """

    value: SecretRequest | UsernameOf | Composed
    by: DeliveryMethod
    by_project: bool = False

    @property
    def requests(self) -> tuple[SecretRequest, ...]:
        """The requests whose results the value is made of."""
        value = self.value
        if isinstance(value, Composed):
            return tuple(one.request for one in value.inserted)
        return (value.request if isinstance(value, UsernameOf) else value,)

    def with_requests(self, change: Callable[[SecretRequest], SecretRequest]) -> Delivery:
        """The same delivery, of changed requests."""
        value = self.value
        if isinstance(value, Composed):
            parts = tuple(
                part if isinstance(part, str) else part._replace(request=change(part.request))
                for part in value.parts
            )
            return self._replace(value=Composed(parts))
        if isinstance(value, UsernameOf):
            return self._replace(value=UsernameOf(change(value.request)))
        return self._replace(value=change(value))
