"""``file://PATH``: a file that only its owner can read, without its last newline."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence

from .. import safefiles
from ..config import places
from ..errors import SourceFailed
from ..text import escape, shell_quote
from .failures import NoItem
from .runs import Run

title = "the file"

_LIMIT = 1 << 20


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the file's text, as the password."""
    name = escape(path)
    try:
        place = places.expand_user(path, run.environ)
        with open(place, "rb", opener=safefiles.open_without_waiting) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise SourceFailed(f"{name} is no file", "name a plain file")
            if facts.st_mode & 0o077 or facts.st_uid not in (0, os.geteuid()):
                raise SourceFailed(
                    f"others can read {name}", f"make it yours alone: chmod 600 {shell_quote(path)}"
                )
            text, wrong = _text(file.read(_LIMIT + 1))
            if wrong:
                raise SourceFailed(f"the file {name} {wrong}", "a secret is a text")
            return {"password": text}
    except FileNotFoundError:
        raise NoItem(f"the file {name} is not there", "check its name") from None
    except OSError as error:
        raise SourceFailed(
            f"the file {name} cannot be read: {error.strerror}", "check its name and permissions"
        ) from None


def _text(data: bytes) -> tuple[str, str]:
    """The text, or what is wrong with it: an error has none of the bytes in its frames."""
    if not data:
        return "", "is empty"
    if len(data) > _LIMIT:
        return "", "is longer than 1 MiB"
    try:
        return data.decode("utf-8").removesuffix("\n"), ""
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
