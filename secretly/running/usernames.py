"""The user name that a command sends with a secret."""

from __future__ import annotations

from ..config.model import Configuration
from ..resolving.candidates import own_username

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..publishing.destination import Destination
    from ..resolving.candidates import Candidate, ResolvedSecret, StoredUnder
    from ..resolving.request import Context, SecretRequest

#: The user name of PyPI's tokens. Other indexes took it over.
TOKEN = "__token__"


def upload_username(
    destination: Destination,
    entries: Configuration,
    configured: str | None,
    own_username: str | None,
) -> str:
    """The user name of an upload.

    What the bare tool would send for this call counts first; then the one that is configured for
    the secret; the one that the index requires, whatever a password manager's item says; the
    secret's own.

    :param configured: the user name that is configured for the secret.
    :param own_username: the secret's own: where it is stored, or from its password manager.
    """
    if destination.username is not None:
        return destination.username
    required = entries.entry(destination.secret).username if destination.pypis else None
    return configured or required or own_username or TOKEN


def sent_username(
    variables: Sequence[str],
    request: SecretRequest,
    result: ResolvedSecret,
    destination: Destination | None,
    context: Context,
) -> str | None:
    """The user name that the command gets with a secret; None: the command knows best.

    :param variables: those that the user name goes into.
    :param destination: the index, if secretly knows what the command uploads.
    """
    configured, own = result.entry.username, result.username
    if destination is not None:
        return upload_username(destination, context.configuration, configured, own)
    inherited = next(filter(None, map(context.environ.get, variables)), None)
    return configured or own or inherited or (TOKEN if request.publishes else None)


def expected_username(
    destination: Destination,
    entries: Configuration,
    candidates: Sequence[Candidate],
    stored_under: StoredUnder,
    remembered: Collection[str] = (),
) -> str:
    """The user name of an upload whose secret is not looked up: a source may have another one.

    :param candidates: those of the secret: the first that something is known to be stored under
        counts, or else the last.
    :param remembered: the names that secrets are remembered under.
    """
    one = next(
        (c for c in candidates if c.source or c.name in remembered or stored_under(c.name)),
        candidates[-1],
    )
    return upload_username(destination, entries, one.entry.username, own_username(one))


def asks_username(destination: Destination, entries: Configuration) -> bool:
    """Whether the user types the user name, if what they type is not a token."""
    known = destination.username is not None or destination.pypis
    return not known and entries.entry(destination.secret).username is None
