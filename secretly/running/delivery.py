"""The values that a run delivers, and the ways in which they reach the program."""

from __future__ import annotations

from ..config.values import check_variable
from ..record import Record
from ..resolving.request import SecretRequest
from ..text import Environ, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from typing_extensions import TypeIs

    from ..config.model import Entry
    from ..publishing.release import Release
    from ..redacted import Secret
    from .derived import Composed, UsernameOf
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


#: The start of every PyPI token. What does not have it anywhere is not looked at further, as that
#: would take time to load.
_PREFIX = "pypi-"


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


def is_username(value: SecretRequest | UsernameOf | Composed) -> TypeIs[UsernameOf]:
    """Whether a value is the user name of a secret."""
    if isinstance(value, SecretRequest):
        return False
    from .derived import UsernameOf  # most runs deliver only secrets

    return isinstance(value, UsernameOf)


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
        return (value,) if isinstance(value, SecretRequest) else value.requests

    def with_requests(self, change: Callable[[SecretRequest], SecretRequest]) -> Delivery:
        """The same delivery, of changed requests."""
        value = self.value
        if isinstance(value, SecretRequest):
            return self._replace(value=change(value))
        return self._replace(value=value.with_requests(change))


class TokenLimits(Record):
    """How the PyPI tokens of a run are limited whose upload secretly can't see.

    :param command: the command's name, escaped.
    :param projects: the only projects, normalized; empty: the token is not limited to any.
    """

    command: str
    projects: tuple[str, ...] = ()

    def applies(self, value: Secret | None, entry: Entry) -> bool:
        """Whether the command gets a token that is made from this secret.

        :param value: None if the user has not typed it yet.
        """
        if not entry.narrow and not self.projects:
            return False
        if value is None:
            return entry.prefix == _PREFIX
        if _PREFIX not in value:
            return False
        from ..publishing.pypi_token import is_pypi_token

        return is_pypi_token(value)

    def describe(self, value: Secret | None, entry: Entry) -> str:
        """What the command gets, in lines for the prompt; empty if it gets the secret as it is."""
        if not self.applies(value, entry):
            return ""
        from . import limits

        return limits.describe(self.projects)

    def inspect(self, value: Secret, entry: Entry) -> None:
        """Refuse a token that can't be limited.

        :raises BadToken: if it is malformed, or only a part of the secret.
        :raises Refused: if it is for another project or another time.
        """
        if self.applies(value, entry):
            from . import limits

            limits.inspect(value, entry, self.projects)

    def narrowed(self, value: Secret, entry: Entry, now: float) -> Secret:
        """The token for the command; the secret itself if the limits don't apply to it.

        :param now: the time, in seconds since 1970.
        """
        if not self.applies(value, entry):
            return value
        from . import limits

        return limits.narrow(value, self.projects, now)


class PreparedRun(Record):
    """A run that only its secrets are missing from.

    :param launch: the launch without its secrets.
    :param deliveries: the values to obtain, and how each travels.
    :param release: what would be uploaded, if it is a publishing command that gets a secret.
    :param limits: how PyPI tokens are limited, if secretly can't see an upload.
    :param listing: the files, where the dialog has no room for them.
    :param pinned: the words and variables that force the destination on the tool, for ``-v``.
    :param make_files: makes the empty settings that the pin names.
    :param username: decides the upload's user name, from the one that is configured for the secret
        and the secret's own; None: it is not an upload.
    :param named: the reference that the upload's user name comes from; empty if none was given.
    :param check_text: refuses a text for a delivery that the tool would read otherwise.
    """

    launch: Launch
    deliveries: tuple[Delivery, ...] = ()
    release: Release | None = None
    limits: TokenLimits | None = None
    listing: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    make_files: Callable[[], None] | None = None
    username: Callable[[str | None, str | None], str] | None = None
    named: str = ""
    check_text: Callable[[Delivery, str], None] | None = None
