"""Findings in a file: secrets, their positions, and the kinds of files that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..config.model import Configuration
from ..redacted import Secret
from .lines import NoParse

__all__ = ["Cut", "Document", "FileKind", "Finding", "Key", "Parsed", "cut_out"]

#: Where a value is: the section and the key, or a path of keys.
Key = tuple[str, ...]

#: The values of a file, by their places, as a program that reads the file sees them.
Parsed = Mapping[Key, str]


class Cut(NamedTuple):
    """A part of a file that goes.

    :param start: the offset of its first byte.
    :param end: the offset after its last byte.
    :param text: what takes its place: a reference, or nothing.
    """

    start: int
    end: int
    text: bytes = b""


class Finding(NamedTuple):
    """A secret in a file.

    :param label: what the file calls it: a key, or a variable.
    :param line: the number of its line.
    :param kind: what it seems to be.
    :param name: the name under which ``secretly run`` looks it up; empty: none is known.
    :param username: the user name that goes with it, if the file has one.
    :param cuts: the parts of the file to take out.
    :param keys: the places that are gone, or changed, when the parts are taken out.
    :param reference: the value that these places have then; empty: the places are gone.
    :param problem: why secretly can't move it; empty: it can.
    :param command: the command that works when the secret is stored.
    :param revoke: where to revoke the old value.
    :param also: what else the user should know.
    """

    label: str
    line: int
    value: Secret
    kind: str = "secret"
    name: str = ""
    username: str | None = None
    cuts: tuple[Cut, ...] = ()
    keys: tuple[Key, ...] = ()
    reference: str = ""
    problem: str = ""
    command: str = ""
    revoke: str = ""
    also: tuple[str, ...] = ()

    @property
    def movable(self) -> bool:
        """Whether secretly can take it out of the file."""
        return not self.problem and bool(self.cuts) and bool(self.name)


class Document(NamedTuple):
    """A file as it was read.

    :param path: the file, with links resolved.
    :param named: the path by which it was named.
    :param data: its bytes.
    :param environ: the user's environment: it moves some files.
    :param configuration: the known commands, which say under which name each secret is stored.
    """

    path: str
    named: str
    data: bytes
    environ: Mapping[str, str]
    configuration: Configuration

    def __repr__(self) -> str:
        return f"<document of {len(self.data)} bytes>"


class FileKind(NamedTuple):
    """A kind of file.

    :param title: what it is called.
    :param usual: where such files usually are; ``$VARIABLE`` names a file, ``~`` is the home.
    :param names: patterns of the names of such files anywhere; without one, only *usual* counts.
    :param find: finds the secrets.
    :param parse: reads the file as its programs do; raises NoParse if they couldn't.
    :param whole: whether the file is nothing but the secret: then the file itself goes.
    """

    title: str
    usual: tuple[str, ...]
    names: tuple[str, ...]
    find: Callable[[Document], Sequence[Finding]]
    parse: Callable[[bytes], Parsed] | None = None
    whole: bool = False


def cut_out(data: bytes, findings: Sequence[Finding], parse: Callable[[bytes], Parsed]) -> bytes:
    """Return the bytes of a file without the secrets that were found in it.

    :raises NoParse: if a program that reads the file would see any other difference. Its text
        says what; it has nothing of a value.
    """
    cuts = sorted(cut for finding in findings for cut in finding.cuts)
    parts, at = [], 0
    for cut in cuts:
        if cut.start < at:
            raise NoParse("two secrets are in the same place")
        parts += [data[at : cut.start], cut.text]
        at = cut.end
    after = b"".join((*parts, data[at:]))
    wanted = dict(parse(data))
    for finding in findings:
        for key in finding.keys:
            if key not in wanted:
                raise NoParse("a secret is not where it seems to be")
            del wanted[key]
            if finding.reference:
                wanted[key] = finding.reference
    if parse(after) != wanted:
        raise NoParse("more than the secret would change")
    return after
