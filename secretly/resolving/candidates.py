"""The candidates for a request: the names and the places that its secret may come from.

Everything here is pure: nothing is looked up, and the user is not asked.
"""

from __future__ import annotations

from ..config.model import Configuration, Entry
from ..errors import BadReference
from ..keeping.stored_names import StoredName
from ..record import Record
from ..redacted import Secret, is_sealed
from ..reference import Reference, parse
from ..text import escape
from .request import SecretRequest, login_name

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: What the list of stored names has under a name, or None.
    StoredUnder = Callable[[str], StoredName | None]

#: The origins of a secret that are not a source's scheme.
MEMORY, KEYCHAIN, CONFIGURATION, TYPED = "memory", "keychain", "configuration", "typed"


class Username(Record):
    """The user name that a secret is stored under.

    :param is_own: whether it belongs to the secret, and is not just the login name.
    """

    name: str
    is_own: bool

    @property
    def if_own(self) -> str | None:
        """The name, if it belongs to the secret."""
        return self.name if self.is_own else None


class Candidate(Record):
    """A name, and one place that the secret may come from under this name.

    :param origin: what :class:`ResolvedSecret` will say.
    :param entry: what is configured for the name.
    :param username: the user name that the stores have it under; None: the source has its own.
    :param source: the source's reference, if it comes from one.
    :param value: the value, where the configuration or the list of stored names has it.
    """

    origin: str
    name: str
    entry: Entry
    username: Username | None = None
    source: Reference | None = None
    value: Secret | None = None


class ResolvedSecret(Record):
    """A secret, and the candidate that it came from.

    :param username: the secret's own user name, if it has one.
    :param answer: how you allowed this use; empty if secretly did not ask.
    :param sealed: whether the keychain has it as an age file, which your passphrase opens.
    """

    secret: Secret
    username: str | None
    candidate: Candidate
    answer: str = ""
    sealed: bool = False

    @property
    def shut(self) -> bool:
        """Whether it is sealed, and not opened yet."""
        return self.sealed and is_sealed(self.secret)

    @property
    def name(self) -> str:
        """The name that it was found under."""
        return self.candidate.name

    @property
    def origin(self) -> str:
        """``"typed"``, ``"memory"``, ``"keychain"``, ``"configuration"`` or a source's scheme."""
        return self.candidate.origin

    @property
    def entry(self) -> Entry:
        """What is configured for its name."""
        return self.candidate.entry


def username_for(given: str | None, entry: Entry, stored: StoredName | None = None) -> Username:
    """Decide which user name a secret has.

    It is the one that the caller gave, else the configured one, else the one that the secret
    was stored with, else the login name.
    """
    for name in (given, entry.username):
        if name is not None:
            return Username(name, True)
    if stored is not None:
        return Username(stored.username, stored.has_own_username)
    return Username(login_name(), False)


def own_username(candidate: Candidate, of_source: str | None = None) -> str | None:
    """Decide which user name belongs to a secret; None: it has none.

    It is the one that the stores have it under, else the configured one, else the source's.

    :param of_source: the user name of the item that the source has.
    """
    if candidate.username is not None:
        return candidate.username.if_own
    return candidate.entry.username or of_source


def find_candidates(
    request: SecretRequest,
    configuration: Configuration,
    stored_under: StoredUnder,
    environ: Mapping[str, str],
) -> tuple[Candidate, ...]:
    """Decide under which names and from where a secret may come, in order.

    A source is always the last candidate: if it fails, nothing takes its place. Without a
    source, the last candidate is the user, who types the secret.

    :param stored_under: the list of stored names, parsed once for all requests.
    :param environ: the environment that the variables in a configured source come from.
    :raises BadReference: if it asks for a field that the keychain doesn't have, or if a variable
        in a configured source is not set.
    """
    reference, found = request.reference, list[Candidate]()
    if reference.scheme and not request.ignore_stored:
        return (_from_source(reference.name, Entry(reference.name), reference),)
    for name in (reference.name,) if request.ignore_stored else (*request.names, reference.name):
        entry = configuration.entry(name)
        if entry.source is not None and not request.ignore_stored:
            source = configured_source(entry.source, environ)
            field = reference.field or source.field
            return (*found, _from_source(name, entry, source._replace(field=field)))
        known = request.username is not None or entry.username is not None
        username = username_for(request.username, entry, None if known else stored_under(name))
        if not request.ignore_stored:
            found += _stored(name, entry, username, reference)
    return (*found, Candidate(TYPED, name, entry, username))


def configured_source(source: Reference, environ: Mapping[str, str]) -> Reference:
    """A configured source with its variables replaced; a command has none."""
    return source if source.scheme == "command" else parse(str(source), environ)


def _from_source(name: str, entry: Entry, source: Reference) -> Candidate:
    value = None
    if source.usual == "username" and entry.username is not None:
        value = Secret(entry.username)
    return Candidate(source.scheme, name, entry, source=source, value=value)


def _stored(name: str, entry: Entry, username: Username, reference: Reference) -> list[Candidate]:
    """What memory and the keychain may have. Memory is first: what it has was typed later.

    A sealed secret is never in memory, which each of the user's programs can read and write.
    """
    if reference.usual == "password":
        origins = (KEYCHAIN,) if entry.sealed else (MEMORY, KEYCHAIN)
        return [Candidate(origin, name, entry, username) for origin in origins]
    if reference.usual != "username":
        raise BadReference(
            f"a stored secret has no field '{escape(reference.field)}'",
            "its fields are password and username",
        )
    if not username.is_own:
        return []
    return [Candidate(CONFIGURATION, name, entry, username, value=Secret(username.name))]
