"""``.env`` files: plain values, and references to secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import NamedTuple

from .. import safefiles
from ..config.values import check_variable
from ..errors import BadReference, Refused
from ..reference import parse, without_secrets
from ..sources import registry
from ..text import escape

__all__ = ["EnvFile", "doubtful_lines", "read_env_files"]

#: Names of password managers that users may take for a scheme.
_NEARLY = (
    "1password|onepassword|1pass|bitwarden|rbw|lastpass|keepass|keepassxc-cli|kdbx|passwordstore"
    "|password-store|keychain|gopass"
)


class EnvFile(NamedTuple):
    """The contents of ``.env`` files.

    :param plain: the variables with a plain value.
    :param references: the variables whose value is a reference, ``scheme://…``.
    """

    plain: dict[str, str]
    references: dict[str, str]

    def __repr__(self) -> str:
        return f"<env file of {len(self.plain) + len(self.references)} variables>"


def read_env_files(paths: Sequence[str]) -> EnvFile:
    """Read ``.env`` files; if two set the same variable, the later one counts.

    The syntax is python-dotenv's; ``${OTHER}`` is left as it is.

    :raises Refused: for a file that can't be read or isn't a ``.env`` file, and for one that
        other users could change: it decides where secrets go.
    :raises BadReference: for a reference that can't be read.
    """
    found = EnvFile({}, {})
    known = "|".join(map(re.escape, registry.schemes()))
    for path in paths:
        for name, value in _values(path).items():
            found.plain.pop(name, None)
            found.references.pop(name, None)
            if re.match(rf"({known})://", value, re.IGNORECASE):
                found.references[check_variable(name)] = _checked(value, name)
            else:
                found.plain[name] = value
    return found


def _checked(reference: str, name: str) -> str:
    try:
        parse(reference)
    except BadReference as error:
        raise BadReference(f"{name} in an env file: {error}", error.hint) from None
    return reference


def doubtful_lines(file: EnvFile) -> Iterator[str]:
    """A line for each plain value that may be meant as a reference."""
    known = "|".join(map(re.escape, registry.schemes()))
    for name, value in file.plain.items():
        why = ""
        if found := re.match(rf"\s*({_NEARLY})://", value, re.IGNORECASE):
            why = f"secretly has no source {found[1].lower()}://"
        if re.match(rf"\s+({known})://", value, re.IGNORECASE):
            why = "it begins with white space"
        if why:
            yield f"{name} looks like a reference, but {why}: secretly passes it on unchanged"


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
    for line in parse_stream(StringIO(text)):
        if line.key is None and not line.error:
            continue  # a comment
        name, value = line.key or "", line.value
        if value is None or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise Refused(
                f"can't read line {line.original.line} of the env file {shown}",
                "each line has to be NAME=value, or a comment",
            )
        values[name] = value
    return values
