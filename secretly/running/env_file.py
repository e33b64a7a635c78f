"""``.env`` files: lines of ``NAME=value``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from typing import NamedTuple

from .. import safefiles
from ..errors import Refused
from ..reference import without_secrets
from ..text import escape

__all__ = ["EnvFile", "read_env_files"]


class EnvFile(NamedTuple):
    """The contents of ``.env`` files.

    :param values: the variables, and their values as they are written: plain texts, references,
        and texts with references in braces.
    """

    values: dict[str, str]

    def __repr__(self) -> str:
        return f"<env file of {len(self.values)} variables>"


def read_env_files(paths: Sequence[str]) -> EnvFile:
    """Read ``.env`` files; if two set the same variable, the later one counts.

    The syntax is python-dotenv's; ``${OTHER}`` is left as it is.

    :raises Refused: for a file that can't be read or isn't a ``.env`` file, and for one that
        other users could change: it decides where secrets go.
    """
    found: dict[str, str] = {}
    for path in paths:
        values = _values(path)
        # A variable has its place where it was last set: that is the order of the prompts.
        found = {name: found[name] for name in found if name not in values} | values
    return EnvFile(found)


def _values(path: str) -> dict[str, str]:
    from dotenv.parser import parse_stream

    shown = escape(without_secrets(path))
    why, text = "", ""
    try:
        text = safefiles.read_file(path).decode("utf-8-sig")
        why = "it contains a NUL byte" if "\0" in text else ""
    except OSError as error:
        raise Refused(
            f"can't read the env file {shown}: {error.strerror}", "check its name"
        ) from None
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    if why:
        raise Refused(f"can't read the env file {shown}: {why}", "it should be lines of NAME=value")
    safefiles.refuse_if_others_can_write(path, "the env file")
    values = {}
    # As python-dotenv opens a file: each end of a line is read as a newline, in quotes as well.
    for line in parse_stream(StringIO(text, newline=None)):
        if line.key is None and not line.error:
            continue  # a comment
        name, value = line.key or "", line.value
        if value is None or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise Refused(
                f"can't read line {line.original.line} of the env file {shown}",
                "each line has to be NAME=value, or a comment; quote a value of several lines",
            )
        values[name] = value
    return values
