"""The plain variables of a command: those that are set without any secret."""

from __future__ import annotations

from collections.abc import Mapping

from ..config.model import Command, Profile
from ..record import Record
from ..redacted import Environ

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .env_file import EnvFile

CONFIGURATION, ENV_FILE = "the configuration", "an env file"


class PlainVariable(Record):
    """The value of a plain variable.

    :param value: its text. Env files may hold secrets, so no ``repr`` shows it.
    :param origin: what sets it: :data:`CONFIGURATION` or :data:`ENV_FILE`.
    """

    value: str
    origin: str = CONFIGURATION

    def __repr__(self) -> str:
        return f"<plain variable from {self.origin}>"


def plain_variables(
    row: Command | None, profile: Profile | None, env_file: EnvFile | None
) -> dict[str, PlainVariable]:
    """The plain variables that a command gets.

    A profile takes precedence over env files, and these over the known command's row.

    :param row: what is known of the command; None for a call that needs no secret.
    """
    found = {name: PlainVariable(value) for name, value in row.env.items()} if row else {}
    if env_file is not None:
        found |= {name: PlainVariable(text, ENV_FILE) for name, text in env_file.plain.items()}
    if profile is not None:
        found |= {name: PlainVariable(value) for name, value in profile.env.items()}
    return found


def texts(variables: Mapping[str, PlainVariable]) -> Environ:
    """The variables as an environment has them."""
    return Environ({name: variable.value for name, variable in variables.items()})
