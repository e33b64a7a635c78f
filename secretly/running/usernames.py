"""The user name that a command sends with a secret."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..config.model import Entry
    from ..publishing.destination import Destination
    from ..resolving.candidates import ResolvedSecret
    from ..resolving.request import SecretRequest

#: The user name of PyPI's tokens. Other indexes took it over.
TOKEN = "__token__"


def upload_username(
    destination: Destination, entry: Entry, configured: str | None, own: str | None
) -> str:
    """The user name of an upload.

    What the bare tool would send for this call counts first; then the one that is configured for
    the secret; the one that the index requires, whatever a password manager's item says; the
    secret's own.

    :param entry: what is configured for the secret of the index.
    :param configured: the user name that is configured for the secret that is sent.
    :param own: that secret's own: the one that it is stored under, or that its item has.
    """
    if destination.username is not None:
        return destination.username
    required = entry.username if destination.pypis else None
    return configured or required or own or TOKEN


def sent_username(
    variables: Sequence[str],
    request: SecretRequest,
    result: ResolvedSecret,
    environ: Mapping[str, str],
) -> str | None:
    """The user name that a command gets whose index isn't known; None: the command knows best.

    :param variables: those that the user name goes into.
    :param environ: secretly's own environment, where they may have one.
    """
    inherited = next(filter(None, map(environ.get, variables)), None)
    chosen = result.entry.username or result.username or inherited
    return chosen or (TOKEN if request.publishes else None)


def asks_username(destination: Destination, entry: Entry) -> bool:
    """Whether the user types the user name, if what they type is not a token.

    :param entry: what is configured for the secret of the index.
    """
    return destination.username is None and not destination.pypis and entry.username is None
