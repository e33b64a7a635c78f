"""``file://PATH``: the text of a file that only its owner can read, without its last line end."""

from __future__ import annotations

import os

from .. import safefiles
from ..config import places
from ..errors import SourceFailed
from ..redacted import NotASecret, Secret, to_secret
from ..text import escape
from .failures import NoItem
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "the file"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the file's text, as the password."""
    name = escape(path)

    def check(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        if facts.st_mode & 0o077 or facts.st_uid not in (0, os.geteuid()):
            from .private_files import refuse_if_others_can_read

            refuse_if_others_can_read(descriptor, path)

    try:
        place = places.expand_user(path, run.environ)
        return {"password": _text(safefiles.read_regular(place, check), name)}
    except FileNotFoundError:
        raise NoItem(f"the file {name} does not exist", "check its name") from None
    except OSError as error:
        raise SourceFailed(
            f"can't read the file {name}: {error.strerror}", "check its name and permissions"
        ) from None


def _text(data: bytes, name: str) -> Secret:
    """Return the text as a secret."""
    wrong = "is empty"
    try:
        if found := to_secret(data, trim=True):
            return found
    except NotASecret as error:
        wrong = str(error)
    data = b""  # a traceback may show locals
    raise SourceFailed(f"the file {name} {wrong}", "put the secret in it, as text")
