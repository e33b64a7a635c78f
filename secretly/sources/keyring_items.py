"""``keyring://SERVICE/USERNAME``: an item that another program stored in the keychain.

The user name may be empty: ``keyring://gh:github.com/``.
"""

from __future__ import annotations

from urllib.parse import unquote

from ..errors import BadReference
from ..text import escape, shell_quote
from .failures import NoItem
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "the keychain"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the item's password and its user name."""
    service, _, username = path.rpartition("/")
    service, username = unquote(service), unquote(username)
    if not service:  # an item may have an empty user name, as gh's has
        raise BadReference(
            f"keyring://{escape(path)} does not say which item",
            "write keyring://SERVICE/USERNAME, with a slash inside either as %2F",
        )
    assert run.keychain is not None
    value = await run.keychain.get(service, username, run.prompt_timeout)
    if value is None:
        raise NoItem(
            f"the keychain has no item for {escape(service)}, user {escape(username) or '(empty)'}",
            f"keyring set {shell_quote(service)} {shell_quote(username)}",
        )
    return {"password": value, "username": username} if username else {"password": value}
