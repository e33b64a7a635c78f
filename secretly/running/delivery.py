"""The ways in which a value reaches the program."""

from __future__ import annotations

from ..config.values import check_variable
from ..record import Record
from ..redacted import Environ
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Protocol

    from ..resolving.request import SecretRequest
    from .launch import LaunchPlan

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

        def apply(self, launch: LaunchPlan, value: str) -> LaunchPlan:
            """The launch plan with the value added."""


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

    def apply(self, launch: LaunchPlan, value: str) -> LaunchPlan:
        """The launch plan with the variable set."""
        return launch._replace(environ=Environ({**launch.environ, self.name: value}))


class Username(Record):
    """The user name that belongs to a secret, as a value to deliver."""

    request: SecretRequest


class Delivery(Record):
    """A value, and how it travels.

    :param value: the secret, or the user name that belongs to one.
    :param by: the way.
    :param by_project: try the secret of the project that is uploaded first:
        ``PyPI/demo`` before ``PyPI``.
    """

    value: SecretRequest | Username
    by: DeliveryMethod
    by_project: bool = False

    @property
    def request(self) -> SecretRequest:
        """The request whose result the value comes from."""
        return self.value.request if isinstance(self.value, Username) else self.value
