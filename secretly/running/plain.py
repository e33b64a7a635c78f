"""A command's variables that are set without a secret's name: most have plain texts."""

from __future__ import annotations

from ..config.model import Command, Profile
from ..config.values import is_variable
from ..errors import BadReference, Refused
from ..record import Record
from ..redacted import is_sealed
from ..text import Environ, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from ..resolving.request import SecretRequest
    from .derived import Composed
    from .env_file import EnvFile

CONFIGURATION, ENV_FILE, INHERITED = "the configuration", "an env file", "the environment"


class PlainVariable(Record):
    """The value of a variable, as it is written.

    :param value: its text. Env files may hold secrets, so no ``repr`` shows it.
    :param origin: one of :data:`CONFIGURATION`, :data:`ENV_FILE` and :data:`INHERITED`.
    """

    value: str
    origin: str = CONFIGURATION

    def __repr__(self) -> str:
        return f"<plain variable from {self.origin}>"

    @property
    def is_from_file(self) -> bool:
        """Whether an env file sets it."""
        return self.origin == ENV_FILE


def plain_variables(
    row: Command | None, profile: Profile | None, env_file: EnvFile | None
) -> dict[str, PlainVariable]:
    """The variables that a command gets. Some of the texts may hold references.

    A profile takes precedence over env files, and these over the known command's row.

    :param row: the command's row; None for a call that needs no secret.
    """
    found = {name: PlainVariable(value) for name, value in row.env.items()} if row else {}
    if env_file is not None:
        found |= {name: PlainVariable(text, ENV_FILE) for name, text in env_file.values.items()}
    if profile is not None:
        found |= {name: PlainVariable(value) for name, value in profile.env.items()}
    return found


#: What each reference of another tool's own form has in it.
_OTHER_FORMS = ("encrypted:", "ENC[", "vault:", "bao:")


def may_refer(text: str) -> bool:
    """Whether a text may hold a reference: most don't, and their reader takes long to load."""
    *starts, _ = text.split("://")
    if not all(map(_ends_with_web, starts)):
        return True
    return any(mark in text for mark in _OTHER_FORMS)


def _ends_with_web(text: str) -> bool:
    """Whether a text ends with ``http`` or ``https``, which no source has as its scheme."""
    before = text.lower().removesuffix("s").removesuffix("http")
    if len(text) - len(before) < len("http"):
        return False
    return not before or not (before[-1].isalnum() or before[-1] in "+.-")


class Separated(Record):
    """Variables with plain texts, and variables with references.

    :param plain: variables with a plain text.
    :param secret: variables whose text is a reference, or has references in braces.
    """

    plain: Mapping[str, PlainVariable]
    secret: Mapping[str, SecretRequest | Composed]


def separate(
    variables: Mapping[str, PlainVariable],
    common: SecretRequest,
    environ: Mapping[str, str],
    literal: Collection[str] = (),
) -> Separated:
    """Find the references in the texts of variables.

    :param common: what all requests of this run have in common.
    :param environ: the environment that variables in references come from.
    :param literal: the names of the variables whose text is plain, whatever it looks like.
    :raises BadReference: for a reference that can't be read, or would not be resolved.
    :raises Refused: for a sealed secret.
    """
    for name, one in variables.items():
        if one.origin != INHERITED and is_sealed(one.value) and name not in literal:
            raise Refused(
                f"{one.origin} has a sealed secret, an age file, as the text of {escape(name)}",
                f"name a secret there (secretly://NAME), or pass it on: --literal {name}",
            )
    names = [n for n, one in variables.items() if n not in literal and may_refer(one.value)]
    if not names:
        return Separated(variables, {})
    from .templates import ValueReader

    reader, secret = ValueReader(common, environ), {}
    for name in names:
        value = reader.read(variables[name].value, name, variables[name].origin)
        if value is not None:
            _check_variables(name, variables, environ)
            secret[name] = value
    return Separated({name: variables[name] for name in variables if name not in secret}, secret)


def inherited_references(
    names: Iterable[str],
    environ: Mapping[str, str],
    common: SecretRequest,
    read_by_it: Container[str | None],
) -> list[str]:
    """Return those inherited variables whose text is a reference, or has references in braces.

    ``env://`` and ``file://`` count only in variables that the command reads itself.

    :param environ: the environment that has the variables.
    :param common: what all requests of this run have in common.
    :param read_by_it: the variables that the command reads itself.
    """
    from .templates import ValueReader

    reader = ValueReader(common, environ)

    def counts(name: str) -> bool:
        if not is_variable(name):  # bash exports functions under other names
            return False
        holds = reader.holds_reference if name in read_by_it else reader.names_store
        return holds(environ[name])

    return list(filter(counts, names))


def _check_variables(
    name: str, variables: Mapping[str, PlainVariable], environ: Mapping[str, str]
) -> None:
    """Refuse a reference with a variable that has another value next to it than in our environment.

    :raises BadReference: for such a variable: it is not clear which one is meant.
    """
    from ..reference import variables as named_in

    text = variables[name].value
    if "{{" in text:  # outside of braces, a dollar is only a dollar
        import re

        text = "".join(re.findall(r"\{\{((?:\$\{[^{}]*\}|[^{}])*)\}\}", text))
    for used in sorted(named_in(text) & variables.keys()):
        if environ.get(used) != variables[used].value:
            raise BadReference(
                f"{escape(name)} has ${used} in its reference, and {variables[used].origin} sets "
                f"{used} to another value than your environment",
                f"references take variables from your environment: export {used} as well",
            )


def texts(variables: Mapping[str, PlainVariable]) -> Environ:
    """The variables as an environment has them."""
    return Environ({name: variable.value for name, variable in variables.items()})
