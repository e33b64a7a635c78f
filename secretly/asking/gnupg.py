"""The pinentry of GnuPG's own settings."""

from __future__ import annotations

import os

from .. import safefiles
from ..config import places
from ..errors import Refused
from ..waiting.blocks import suppress
from . import assuan

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    #: Notes why a setting was skipped, and whether that is because others could change a file.
    Note = Callable[[str, bool], None]

__all__ = ["agent_setting", "from_gpgconf", "pinentry_program"]

#: How long, in seconds, gpgconf may take.
_GPGCONF_TIMEOUT = 2.0


def pinentry_program(settings: bytes) -> str:
    r"""Return the pinentry that a ``gpg-agent.conf`` names, as gpg does; empty without one.

    The last line counts. White space around the value goes, and one quote at each end.

    >>> pinentry_program(b'pinentry-program\t"/opt/my pinentry"\n')
    '/opt/my pinentry'
    """
    named = b""
    for line in settings.split(b"\n"):
        words = line.split(None, 1)
        if words[:1] == [b"pinentry-program"] and len(words) == 2:
            named = words[1].rstrip()
            if named.startswith(b'"'):
                named = named[1:].removesuffix(b'"')
    return os.fsdecode(named)


def agent_setting(environ: Mapping[str, str], note: Note) -> str | None:
    """Return the pinentry that gpg-agent's settings name."""
    home = environ.get("GNUPGHOME") or os.path.join(places.home_folder(environ), ".gnupg")
    if not os.path.isabs(home):
        note("GNUPGHOME is not a full path, so its gpg-agent.conf is not read", False)
        return None
    path = os.path.join(home, "gpg-agent.conf")
    with suppress(OSError):
        named = pinentry_program(safefiles.read_file(path))
        if os.path.isabs(named):
            return named if _trusted(path, "gpg-agent.conf", note) else None
        if named:
            note("gpg-agent.conf names a pinentry without its full path", False)
    return None


async def from_gpgconf(environ: Mapping[str, str], note: Note) -> AsyncIterator[str]:
    """Yield the pinentry that gpgconf names."""
    program = safefiles.program_on_path("gpgconf", environ)
    if program is None or not _trusted(program, "gpgconf", note):
        return
    from ..processes import output  # most settings name the pinentry

    command = [program, "--list-components"]
    with suppress(OSError, TimeoutError):
        found = await output.read_output(command, timeout=_GPGCONF_TIMEOUT, environ=environ)
        for line in found.stdout.decode("utf-8", "replace").splitlines():
            name, _, rest = line.partition(":")
            if name == "pinentry":
                path = assuan.unescape(rest.rpartition(":")[2].encode()).decode("utf-8", "replace")
                if os.path.isabs(path):
                    yield path


def _trusted(path: str, what: str, note: Note) -> bool:
    """Return whether others can't change a file; if they can, note it."""
    try:
        safefiles.refuse_if_others_can_write(path, what)
    except Refused as error:
        note(str(error), True)
        return False
    return True
