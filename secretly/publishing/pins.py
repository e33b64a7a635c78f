"""An empty file and an empty folder, with which pins switch a tool's settings files off."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from .. import safefiles
from ..config import places
from ..errors import Refused
from ..text import escape


def empty_folder(environ: Mapping[str, str]) -> str:
    """The path of an empty folder that is only this user's. It is made if it isn't there.

    :raises Refused: if it can't be made, has something in it, or could be changed by others.
    """
    folder = os.path.join(_own_folder(environ), "empty")
    _make(folder)
    _check(folder, bool(os.listdir(folder)))
    return folder


def empty_file(environ: Mapping[str, str]) -> str:
    """The path of an empty file that is only this user's. It is made if it isn't there.

    :raises Refused: if it can't be made, has something in it, or could be changed by others.
    """
    path = os.path.join(_own_folder(environ), "empty.toml")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
    except OSError as error:
        raise Refused(
            f"can't make the empty file {escape(path)}: {error.strerror}", "check its folder"
        ) from None
    facts = os.lstat(path)
    _check(path, not stat.S_ISREG(facts.st_mode) or facts.st_size > 0)
    return path


def _own_folder(environ: Mapping[str, str]) -> str:
    folder = places.secretly_folder("state", environ)
    _make(folder)
    return folder


def _make(folder: str) -> None:
    try:
        safefiles.make_private_folder(folder)
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
