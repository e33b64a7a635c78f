"""An empty file and an empty folder, with which pins switch a tool's settings files off."""

from __future__ import annotations

import os
import stat

from .. import safefiles
from ..config import places
from ..errors import Refused
from ..safefiles import shared
from ..text import escape
from .tool import Pin

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def empty_folder(environ: Mapping[str, str]) -> str:
    """The path of an empty folder that is only this user's; :func:`make` makes it.

    :raises Refused: if it has something in it, or could be changed by others.
    """
    path = _path(environ, "empty")
    if os.path.lexists(path):
        _check(path, not os.path.isdir(path) or bool(os.listdir(path)))
    return path


def empty_file(environ: Mapping[str, str]) -> str:
    """The path of an empty file that is only this user's; :func:`make` makes it.

    :raises Refused: if it has something in it, or could be changed by others.
    """
    path = _path(environ, "empty.toml")
    if os.path.lexists(path):
        facts = os.lstat(path)
        _check(path, not stat.S_ISREG(facts.st_mode) or facts.st_size > 0)
    return path


def make(pin: Pin, environ: Mapping[str, str]) -> None:
    """Make the empty file or folder that a pin names, if it isn't there.

    :raises Refused: if it can't be made, or what :func:`empty_file` refuses.
    """
    texts = [*pin.arguments, *pin.environ.values()]
    file, folder = _path(environ, "empty.toml"), _path(environ, "empty")
    if any(text.endswith(file) for text in texts):
        _make(os.path.dirname(file))
        try:
            os.close(os.open(file, os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
        except OSError as error:
            raise Refused(
                f"can't make the empty file {escape(file)}: {error.strerror}", "check its folder"
            ) from None
        empty_file(environ)
    if folder in texts:
        _make(folder)
        empty_folder(environ)


def _path(environ: Mapping[str, str], name: str) -> str:
    return os.path.join(places.secretly_folder("state", environ), name)


def _make(folder: str) -> None:
    try:
        shared.make_private_folder(folder)
    except OSError as error:
        raise Refused(
            f"can't make the folder {escape(folder)}: {error.strerror}",
            "check the folders above it",
        ) from None


def _check(path: str, filled: bool) -> None:
    safefiles.refuse_if_others_can_write(path, "the empty settings for the tool")
    if filled:
        raise Refused(
            f"{escape(path)} must be empty: the tool would read it as its settings",
            "remove it: secretly makes it again",
        )
