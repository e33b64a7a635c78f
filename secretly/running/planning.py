"""The plan of a run: which variable gets what. It reads no file and starts no process.

Who decides about a variable, highest first:

1. ``-e``
2. the profile's secrets
3. the profile's plain variables
4. env files: plain values and references
5. the inherited environment
6. the known command's own secrets

A known command's own plain variables come after env files, and replace inherited ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ..config.command_line import Invocation
from ..config.model import Command, Profile
from ..config.values import steers
from ..errors import Refused
from ..record import Record
from ..redacted import Environ
from ..reference import Reference, parse
from ..resolving.request import SecretRequest
from ..text import escape
from .delivery import Delivery, Environment, Username
from .launch import LaunchPlan
from .plain import PlainVariable, plain_variables, texts

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination
    from ..publishing.upload import Upload
    from .delivery import DeliveryMethod
    from .env_file import EnvFile

    #: References, by where the value of each goes.
    References = Mapping[DeliveryMethod, str]


class PlanInput(Record):
    """All that a plan depends on.

    :param program: the program's path.
    :param argv: the command line, as it was typed.
    :param common: what all requests of this run have in common.
    :param invocation: what is known of the command.
    :param profile: the profile that was chosen.
    :param explicit: the references that ``-e`` gives, by where each value goes.
    :param env_file: what the env files contain.
    :param inherited: the names of the inherited variables.
    :param destination: the index of an upload: it names variables and the secret.
    :param upload: the look at the upload that found it. The plan itself does not use it.
    """

    program: str
    argv: Sequence[str]
    common: SecretRequest
    invocation: Invocation | None = None
    profile: Profile | None = None
    explicit: Mapping[DeliveryMethod, str] = {}
    env_file: EnvFile | None = None
    inherited: AbstractSet[str] = frozenset()
    destination: Destination | None = None
    upload: Upload | None = None

    @property
    def publishes(self) -> bool:
        """Whether the command may publish, whatever its subcommand: ``npm run release`` may."""
        return self.invocation is not None and self.invocation.row.publishes

    def variable(self, name: str) -> str:
        """A variable as it is named for this index: ``{REPOSITORY}`` is replaced."""
        return self.destination.filled(name) if self.destination else name


class DeliveryPlan(Record):
    """What a run does.

    :param program: the program's path.
    :param argv: its command line.
    :param deliveries: the values to obtain, and how each travels.
    :param plain: the variables that are set without a secret.
    :param blanked: the variables that are set to nothing.
    :param removed: the variables that are removed, unless a delivery sets them.
    :param publishes: whether the command may publish.
    :param seal_keyring: give it a kernel keyring that stores nothing.
    """

    program: str
    argv: Sequence[str]
    deliveries: tuple[Delivery, ...] = ()
    plain: Mapping[str, PlainVariable] = {}
    blanked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    publishes: bool = False
    seal_keyring: bool = False

    @property
    def launch(self) -> LaunchPlan:
        """The launch without its secrets."""
        environ = Environ({**dict.fromkeys(self.blanked, ""), **texts(self.plain)})
        return LaunchPlan(self.program, self.argv, environ, self.removed, self.seal_keyring)


def plan_delivery(given: PlanInput) -> DeliveryPlan:
    """Decide which variable gets what, and which variables are removed.

    :raises BadConfiguration: for a way of delivery that can't take a secret.
    :raises BadReference: for a reference that can't be read.
    :raises Refused: if an env file changes how a program with a secret loads.
    """
    row = _known(given)
    plain = plain_variables(row, given.profile, given.env_file)
    by_profile = _profile_references(given, row)
    explicit = _explicit_references(given, by_profile)
    chosen = {*plain, *_variables(by_profile), *_variables(explicit)}
    present = plain.keys() | given.inherited
    if not (chosen | given.inherited).isdisjoint(row.alternatives):
        present |= row.secrets.keys()  # they are there under another name
    by_row = _row_references(row, by_profile, present)
    # A reference that replaces another keeps its place in the order of the prompts.
    secrets = [
        Delivery(given.common._replace(reference=parse(explicit[by])), by)
        if by in explicit
        else _delivery(by, by_row[by], given)
        for by in {**by_row, **explicit}
    ]
    if secrets:
        _check_env_file(given)
    for secret in secrets:
        secret.by.check()
    own = row.secrets.keys() - (plain.keys() - _variables(by_profile))
    set_here = _variables(delivery.by for delivery in secrets)
    blanked, removed = _stale(row, plain, chosen, bool(own & set_here))
    return DeliveryPlan(
        given.program,
        given.argv,
        tuple(_with_usernames(secrets, None if row.username in chosen else row.username, own)),
        plain,
        blanked=tuple(name for name in blanked if name not in plain),
        removed=tuple(name for name in removed if name not in plain.keys() | set_here),
        publishes=given.publishes,
        seal_keyring=row.seal_keyring,
    )


def _variables(ways: Iterable[DeliveryMethod]) -> set[str]:
    """The environment variables that deliveries set."""
    return {name for by in ways for name in by.variables}


def _known(given: PlanInput) -> Command:
    """What is known of the command, with its variables named as they are for this index.

    Nothing is known of a call that needs no secret: it is like any other command.
    """
    if given.invocation is None or not given.invocation.needs_secret:
        return Command("")
    row, named = given.invocation.row, given.variable
    return row._replace(
        secrets={named(name): reference for name, reference in row.secrets.items()},
        username=named(row.username) if row.username else None,
        alternatives=tuple(map(named, row.alternatives)),
        removes=tuple(map(named, row.removes)),
        blanks=tuple(map(named, row.blanks)),
    )


def _profile_references(given: PlanInput, row: Command) -> References:
    """The profile's secrets, for a call that needs one."""
    if given.profile is None or not row.name:
        return {}
    secrets = given.profile.secrets.items()
    return {Environment(given.variable(name)): reference for name, reference in secrets}


def _explicit_references(given: PlanInput, by_profile: References) -> References:
    """The references of ``-e``, and those of env files that no profile decides about."""
    decided = _variables(by_profile) | (given.profile or Profile()).env.keys()
    filed = given.env_file.references if given.env_file else {}
    left: References = {
        Environment(name): text for name, text in filed.items() if name not in decided
    }
    return {**left, **given.explicit}


def _row_references(row: Command, by_profile: References, present: AbstractSet[str]) -> References:
    """The command's own secrets, and the profile's, which replace them.

    :param present: the variables that need no secret of the command's own.
    """
    own: References = {Environment(name): text for name, text in row.secrets.items()}
    return {
        by: text
        for by, text in {**own, **by_profile}.items()
        if by in by_profile or present.isdisjoint(by.variables)
    }


def _delivery(by: DeliveryMethod, reference: str, given: PlanInput) -> Delivery:
    """The delivery of a secret that a row or a profile names; without a name, the index's."""
    target = given.destination
    found = Reference("", target.secret) if target and not reference else parse(reference)
    by_project = target is not None and found.is_plain
    return Delivery(given.common._replace(reference=found), by, by_project)


def _with_usernames(
    secrets: Iterable[Delivery], username: str | None, own: AbstractSet[str]
) -> Iterator[Delivery]:
    """Each secret; after one for a variable of the command's own, its user name as well."""
    for secret in secrets:
        yield secret
        if username is not None and not own.isdisjoint(secret.by.variables):
            yield secret._replace(value=Username(secret.request), by=Environment(username))


def _stale(
    row: Command, plain: Mapping[str, PlainVariable], chosen: AbstractSet[str], own_is_set: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """The variables to blank and to remove: the command could use them in place of ours."""
    if own_is_set or not plain.keys().isdisjoint(row.secrets):
        return row.blanks, (*row.alternatives, *row.removes)
    if not chosen.isdisjoint(row.alternatives):
        return (), (*row.secrets, *row.alternatives, *row.removes)
    return (), ()


#: The loader's variables, and those that a shell reads before its first line; ENV most often
#: means something else.
_LOADING = tuple("LD_ DYLD_ BASH_ENV".split())

#: The variables that say which certificates OpenSSL, requests, the publishing tools, cargo and
#: npm trust.
_TRUSTING = (
    r"(?i)SSL_CERT_(FILE|DIR)|(\w*_)?CA_?(BUNDLE|CERTS?|FILE|INFO)|\w+_CERT|NPM_CONFIG_CA"
    r"|\w*(INSECURE|STRICT_SSL|REJECT_UNAUTHORIZED)\w*"
)


def _check_env_file(given: PlanInput) -> None:
    """Refuse env files that have another program get the secret than the user means.

    ``PATH`` and ``PYTHONPATH`` are usual in a project's file. But a user who agrees to an
    upload agrees to this program as it is, and to this index.

    :raises Refused: if one does.
    """
    for name in given.env_file.plain if given.env_file else ():
        does = ""
        if name.upper().startswith(_LOADING) or (
            given.publishes and name != "ENV" and steers(name)
        ):
            does = "changes how programs load"
        elif given.publishes and re.fullmatch(_TRUSTING, name):
            does = "changes whom programs trust"
        if does:
            raise Refused(
                f"the env file sets {escape(name)}, which {does}: not allowed next to a secret",
                f"remove it from the file; if you mean it, export {escape(name)} in the shell",
            )
