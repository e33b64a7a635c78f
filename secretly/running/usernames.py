"""The user name that a command sends with a secret."""

from __future__ import annotations

from ..config.model import Configuration

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination

#: The user name of PyPI's tokens. Other indexes took it over.
TOKEN = "__token__"


def upload_username(
    destination: Destination, entries: Configuration, configured: str | None, own: str | None
) -> str:
    """The user name of an upload.

    What the bare tool would send for this call counts first; then the one that is configured for
    the secret; the one that the index requires, whatever a password manager's item says; the
    secret's own.

    :param configured: the user name that is configured for the secret.
    :param own: the secret's own user name: where it is stored, or from its password manager.
    """
    if destination.username is not None:
        return destination.username
    required = entries.entry(destination.secret).username if destination.pypis else None
    return configured or required or own or TOKEN


def asks_username(destination: Destination, entries: Configuration) -> bool:
    """Whether the user types the user name, if what they type is not a token."""
    known = destination.username is not None or destination.pypis
    return not known and entries.entry(destination.secret).username is None
