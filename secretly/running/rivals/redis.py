"""``redis-cli``: a password in an option hides ``REDISCLI_AUTH``.

Tried with redis-cli 7. The options end at the first word, which is Redis's command.
"""

from __future__ import annotations

from ...config.invocation import Invocation
from .rival import Rival

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The option with a password."""
    for name, value in known.parsed.options[: known.parsed.before]:
        if name in ("-a", "--pass", "--askpass"):
            return Rival(f"the password of {name}", f"leave out {name}")
        if name == "-u" and "@" in (value or ""):
            return Rival("the password in the URL of -u", "take the user and password out of it")
    return None
