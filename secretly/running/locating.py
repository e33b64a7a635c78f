"""The index that made each stored token: an upload by URL may be for one of them."""

from __future__ import annotations

from ..errors import SecretlyError
from ..reference import Reference
from ..resolving.lookup import NameList
from ..resolving.obtain import look_up_each
from ..resolving.request import Context, SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..publishing.destination import Destination


def is_unknown(destination: Destination, context: Context) -> bool:
    """Whether the index has a URL, and no secret is stored or configured for it."""
    name = destination.secret
    if not destination.url or destination.pypis:
        return False
    return name not in context.configuration.secrets and NameList(context).find(name) is None


def has_secret(name: str, context: Context) -> bool:
    """Whether a secret is stored, or comes from a configured source, for all or for one project."""
    sources = [one for one, entry in context.configuration.secrets.items() if entry.source]
    return any(one.partition("/")[0] == name for one in (*sources, *NameList(context).names))


async def token_locations(context: Context) -> dict[str, str]:
    """The names of the stored tokens, by the index that made each.

    What can't be read now, is sealed, or is not a token, is left out. No password manager is
    asked: it would have you unlock it for a token that may not be wanted.
    """
    from ..publishing import pypi_token

    found: dict[str, str] = {}
    for name in NameList(context).names:
        entry = context.configuration.entry(name)
        if entry.prefix != pypi_token.PREFIX or entry.source is not None:
            continue
        try:
            (token,) = await look_up_each([SecretRequest(Reference("", name))], context)
            if isinstance(token, SecretlyError) or token.shut:
                continue
            location = pypi_token.token_scope(token.secret).location
        except SecretlyError:
            continue
        found.setdefault(location, name.partition("/")[0])
    return found
