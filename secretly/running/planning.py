"""The plan of a run: which variable gets what. It reads no file and starts no process.

These decide about a variable, highest first:

1. ``-e``
2. the profile's secrets
3. the profile's plain variables
4. env files
5. the inherited environment
6. the known command's own secrets

A known command's own plain variables come after env files, and replace inherited ones. The texts of
plain variables, and of inherited ones with ``--resolve-env``, may hold references.
"""

from __future__ import annotations

from ..config.model import Command, Profile
from ..errors import Refused
from ..record import Record
from ..reference import parse
from ..resolving.request import SecretRequest
from ..text import Environ, escape
from .delivery import Delivery, Environment
from .launch import Launch

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from ..config.invocation import Invocation
    from ..publishing.upload import Upload
    from .delivery import DeliveryMethod
    from .derived import Composed
    from .env_file import EnvFile
    from .plain import PlainVariable

    #: References, by where the value of each goes.
    References = Mapping[DeliveryMethod, str]

    #: Values that hold secrets, by the place where each value goes.
    Values = Mapping[DeliveryMethod, SecretRequest | Composed]

    #: The values of variables whose texts hold references.
    SecretVariables = Mapping[str, SecretRequest | Composed]


class PlanInput(Record):
    """Everything that a plan depends on.

    :param program: the program's path.
    :param argv: the command line, as it was typed.
    :param common: what all requests of this run have in common.
    :param invocation: the recognized command.
    :param profile: the profile that was chosen.
    :param explicit: the references that ``-e`` gives, by where each value goes.
    :param env_file: what the env files contain.
    :param inherited: the names of the inherited variables.
    :param environ: secretly's own environment, for the variables in references.
    :param literal: the variables whose text is passed on unchanged.
    :param resolve_env: resolve the references in inherited variables.
    :param projects: the projects, normalized, that the user names for a recipe.
    :param upload: the upload, whose index names variables and the secret.
    :param shown: the command line as prompts show it, if it holds a secret itself.
    """

    program: str
    argv: Sequence[str]
    common: SecretRequest
    invocation: Invocation | None = None
    profile: Profile | None = None
    explicit: Mapping[DeliveryMethod, str] = {}
    env_file: EnvFile | None = None
    inherited: AbstractSet[str] = frozenset()
    environ: Mapping[str, str] = {}
    literal: AbstractSet[str] = frozenset()
    resolve_env: bool = False
    projects: tuple[str, ...] = ()
    upload: Upload | None = None
    shown: Sequence[str] = ()

    @property
    def publishes(self) -> bool:
        """Whether the command may publish, whatever its subcommand: ``npm run release`` may."""
        return self.invocation is not None and self.invocation.row.publishes

    @property
    def uploads(self) -> bool:
        """Whether the prompt shows an upload, because of the configuration or the tool."""
        return self.publishes or self.upload is not None

    def variable(self, name: str) -> str:
        """A variable as it is named for this index: ``{REPOSITORY}`` is replaced."""
        return self.upload.variable(name) if self.upload else name

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The known command's variables with secrets, as they are named for this index."""
        return self.upload.secrets(configured) if self.upload else configured


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
    :param why_none: why the command's own variables get no secret; empty if they get one.
    """

    program: str
    argv: Sequence[str]
    deliveries: tuple[Delivery, ...] = ()
    plain: Mapping[str, PlainVariable] = {}
    blanked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    publishes: bool = False
    seal_keyring: bool = False
    why_none: str = ""

    @property
    def launch(self) -> Launch:
        """The launch without its secrets."""
        environ = Environ(dict.fromkeys(self.blanked, ""))
        if self.plain:
            from .plain import texts

            environ = Environ({**environ, **texts(self.plain)})
        return Launch(self.program, self.argv, environ, self.removed, self.seal_keyring)


def plan_delivery(given: PlanInput) -> DeliveryPlan:
    """Decide which variable gets what, and which variables are removed.

    :raises BadConfiguration: for a way of delivery that can't take a secret.
    :raises BadReference: for a reference that can't be read, or would not be resolved.
    :raises Refused: if an env file changes how a program with a secret loads, or if a secret
        would go into a variable that steers an upload.
    """
    row = _known(given)
    (plain, secret), by_profile = _plain_variables(given, row), _profile_references(given, row)
    explicit = _explicit_values(given, secret, by_profile)
    filled = _filled(plain, row)
    present = filled | {n for n in given.inherited - plain.keys() if given.environ.get(n) != ""}
    chosen = filled.union(_variables(by_profile), _variables(explicit))
    elsewhere = not (chosen | present).isdisjoint(row.alternatives)
    by_row = _row_references(row, by_profile, present.union(row.secrets if elsewhere else ()))
    # A reference that replaces another keeps its place in the order of the prompts.
    secrets = [
        Delivery(explicit[by], by) if by in explicit else _delivery(by, by_row[by], given)
        for by in {**by_row, **explicit}
    ]
    of_row = row.secrets.keys() - (filled - _variables(by_profile))
    set_here = _variables(delivery.by for delivery in secrets)
    blanked, removed = _stale(row, filled, chosen, bool(of_row & set_here))
    secrets += _resolved(given, row, {*plain}.union(chosen, set_here, blanked, removed))
    _check(given, row, plain, secrets)
    set_here = _variables(delivery.by for delivery in secrets)
    blanked, removed = _stale(row, filled, chosen, bool(of_row & set_here))
    given_username = row.username in chosen - {*plain} | set_here or _sets_username(
        given, row, plain
    )
    first = of_row.intersection([*row.secrets][:1])
    username = None if given_username else row.username
    deliveries = _with_username(secrets, username, first, _knows_username(given))
    return DeliveryPlan(
        given.program,
        given.argv,
        tuple(deliveries),
        {name: plain[name] for name in plain if name in filled or name not in {*removed}},
        blanked=tuple(name for name in blanked if name not in filled | set_here),
        removed=tuple(name for name in removed if name not in filled | set_here),
        publishes=given.publishes,
        seal_keyring=row.seal_keyring,
        why_none=_why_none(given, row, present, set_here),
    )


def _sets_username(given: PlanInput, row: Command, plain: Mapping[str, PlainVariable]) -> bool:
    """Whether a plain text is the user name.

    Some tools that upload take an empty one for none. The upload's own name is delivered in its
    place: the one that the dialog shows, which is empty if the tool would send that.
    """
    found = plain.get(row.username or "")
    return found is not None and (found.value != "" or given.upload is None)


def _why_none(
    given: PlanInput, row: Command, present: Container[str], set_here: AbstractSet[str]
) -> str:
    """Why the command's own variables get no secret; empty if one of them does."""
    if given.invocation is not None and given.invocation.why_needs_none:
        return given.invocation.why_needs_none
    own = (*row.secrets, *row.alternatives)
    if not set_here.isdisjoint(own):
        return ""
    return next((f"{name} is set already" for name in own if name in present), "")


def _filled(plain: Mapping[str, PlainVariable], row: Command) -> set[str]:
    """The variables with a plain text that may be a secret.

    An empty variable is none: CI sets one for a secret that isn't there, and so does a copied
    example of an env file. A profile's is what the user wants, but an alternative that is empty
    stands for nothing.
    """
    return {
        name
        for name, found in plain.items()
        if found.value or not (found.is_from_file or name in row.alternatives)
    }


def _check(
    given: PlanInput, row: Command, plain: Mapping[str, PlainVariable], secrets: Sequence[Delivery]
) -> None:
    """Refuse places that can't take a secret, and variables that must not be set next to one.

    :raises BadConfiguration: for a way of delivery that can't take a secret.
    :raises Refused: what ``plan_checks`` refuses.
    """
    for delivery in secrets:
        delivery.by.check()
    if secrets and (plain or given.uploads):  # most runs have neither
        from .plan_checks import check

        check(row, plain, secrets, upload=given.upload, uploads=given.uploads)


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
        secrets=given.secrets(row.secrets),
        username=named(row.username) if row.username else None,
        alternatives=tuple(map(named, row.alternatives)),
        removes=tuple(map(named, row.removes)),
        blanks=tuple(map(named, row.blanks)),
    )


def _plain_variables(
    given: PlanInput, row: Command
) -> tuple[Mapping[str, PlainVariable], SecretVariables]:
    """The variables with a plain text, and the values of those that hold references."""
    if given.profile is None and given.env_file is None and not row.env:
        return {}, {}  # most calls have none
    from .plain import plain_variables, separate

    variables = plain_variables(row, given.profile, given.env_file)
    found = separate(variables, given.common, given.environ, given.literal)
    return found.plain, found.secret


def _profile_references(given: PlanInput, row: Command) -> References:
    """The profile's secrets, for a call that needs one."""
    if given.profile is None or not row.name:
        return {}
    secrets = given.profile.secrets.items()
    return {Environment(given.variable(name)): reference for name, reference in secrets}


def _explicit_values(given: PlanInput, secret: SecretVariables, by_profile: References) -> Values:
    """The values of ``-e``, and the values of variables without a secret in the profile.

    :param secret: the values of plain variables that hold references.
    """
    decided = _variables(by_profile)
    left: Values = {Environment(name): secret[name] for name in secret if name not in decided}
    return {**left, **{by: _value(text, by, given) for by, text in given.explicit.items()}}


def _value(text: str, by: DeliveryMethod, given: PlanInput) -> SecretRequest | Composed:
    """Read a reference, or a text with references in braces."""
    if "://" not in text and "{{" not in text:
        return given.common._replace(reference=parse(text))
    from .templates import ValueReader

    reader = ValueReader(given.common, given.environ)
    return reader.read_reference(text, next(iter(by.variables), ""))


def _resolved(given: PlanInput, row: Command, decided: AbstractSet[str]) -> list[Delivery]:
    """Inherited variables with references that nothing else sets or removes.

    :raises Refused: if the command's own variable holds a reference, without ``--resolve-env``.
    """
    read_by_it = {*row.secrets, *row.alternatives, row.username}
    names = [
        name
        for name, text in given.environ.items()
        if (given.resolve_env or name in read_by_it)
        and ":" in text
        and name not in decided | given.literal
    ]
    if not names:
        return []
    from .plain import INHERITED, PlainVariable, inherited_references, separate

    names = inherited_references(names, given.environ, given.common, read_by_it)
    if names and not given.resolve_env:
        raise Refused(
            f"{names[0]} in the environment holds a reference, which {escape(row.name)} can't read",
            f"resolve it: --resolve-env; or pass it on: --literal {names[0]}",
        )
    inherited = {name: PlainVariable(given.environ[name], INHERITED) for name in names}
    found = separate(inherited, given.common, given.environ, given.literal)
    return [Delivery(value, Environment(name)) for name, value in found.secret.items()]


def _row_references(row: Command, by_profile: References, present: AbstractSet[str]) -> References:
    """The command's own secrets, and the profile's, which replace them.

    :param present: the variables that need no secret of the command's own.
    """
    of_row: References = {Environment(name): text for name, text in row.secrets.items()}
    return {
        by: text
        for by, text in {**of_row, **by_profile}.items()
        if by in by_profile or present.isdisjoint(by.variables)
    }


def _delivery(by: DeliveryMethod, reference: str, given: PlanInput) -> Delivery:
    """The delivery of a secret that a row or a profile names; without a name, the index's."""
    if given.upload and not reference:
        reference = given.upload.secret
    value = _value(reference, by, given)
    one = isinstance(value, SecretRequest) and value.reference.is_plain
    by_project = one and (given.upload is not None or given.projects != ())
    return Delivery(value, by, by_project)


def _knows_username(given: PlanInput) -> bool:
    return given.upload is not None and given.upload.knows_username


def _with_username(
    secrets: Iterable[Delivery], username: str | None, first: AbstractSet[str], is_known: bool
) -> Iterator[Delivery]:
    """Each secret; after the one for the command's first variable, its user name as well.

    :param first: that variable. The user's own table may add others, for other secrets.
    :param is_known: whether the call itself has the user name, whatever the secret is made of.
    """
    for secret in secrets:
        yield secret
        is_first = not first.isdisjoint(secret.by.variables)
        if username is not None and is_first and (is_known or len(secret.requests) == 1):
            from .derived import UsernameOf

            yield secret._replace(value=UsernameOf(secret.requests[0]), by=Environment(username))


def _stale(
    row: Command, filled: AbstractSet[str], chosen: AbstractSet[str], own_is_set: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """The variables to blank and to remove: the command could use them in place of ours.

    :param filled: the variables with a plain text; not those that an env file leaves empty.
    :param chosen: these, and the variables with secrets that the user chose.
    """
    if own_is_set or not filled.isdisjoint(row.secrets):
        return row.blanks, (*row.alternatives, *row.removes)
    if not chosen.isdisjoint(row.alternatives):
        return (), (*row.secrets, *row.alternatives, *row.removes)
    return (), ()
