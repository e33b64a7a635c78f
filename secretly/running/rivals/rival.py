"""The record of a rival credential, and the helpers of the modules in this package."""

from __future__ import annotations

from ... import safefiles
from ...config import places
from ...record import Record
from ...text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


class Rival(Record):
    """A credential that a tool would use in place of the one that secretly gives it.

    :param what: the credential, in words, with its file or its option.
    :param fix: what the user can do about it.
    """

    what: str
    fix: str


def read_settings(path: str) -> str | None:
    """The text of a tool's settings file; None if the tool can't read it either.

    Bytes that are not UTF-8 are replaced: only names of keys count here.
    """
    try:
        return safefiles.read_file(path).decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return None


def home_path(below: str, environ: Mapping[str, str]) -> str:
    """A path below the user's home folder."""
    return places.expand_user(f"~/{below}", environ)


def in_file(path: str, key: str, section: str = "") -> Rival:
    """The rival that is a key of a settings file."""
    where = f"{escape(path)}{f' ([{escape(section)}])' if section else ''}"
    return Rival(f"the {key} in {where}", f"remove {key} there")


def unknown(path: str, why: str) -> Rival:
    """The rival that may be in a file that can't be read for certain."""
    return Rival(f"the credential in {escape(path)}, if it has one ({why})", "correct that file")
