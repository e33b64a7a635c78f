"""Find an archive's metadata as every upload tool would.

Each tool has its own rules for the member to read, and some rules changed between versions. If
tools could choose different members, all of these must name the same release.
"""

from __future__ import annotations

import io

from ..record import Record

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST", "BadArchive", "Candidates", "Named", "is_project_name", "normalize_project"]

#: The most metadata to read, in bytes: with a README. The fields before the README are short.
MOST, _FIELDS = 4 << 20, 4 << 20

#: The most candidates that an archive may have.
_CANDIDATES = 50

#: The bytes that the name of a field may have, and the characters of a project's name.
_FIELD_NAME = frozenset(range(0x21, 0x7F)) - {*b":"}
_PROJECT_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")

#: The longest version that is seen to be an ordinary one without reading it.
_PLAIN_VERSION = 40

#: The text by which twine recognizes metadata.
_SAYS = b"Metadata-Version"


class BadArchive(Exception):
    """An archive is broken, or programs read it differently. The text says why."""


class Named(Record):
    """The project and the version that metadata names."""

    project: str
    version: str

    def same(self, other: Named) -> bool:
        """Whether both are the same release."""
        one, two = normalize_project(self.project), normalize_project(other.project)
        return one == two and self.version == other.version


class _Candidate(Record):
    """A member that a tool could take for the metadata.

    :param parts: its name's parts.
    :param found: its project and version, or why these are unknown.
    :param says: whether twine would accept the member as metadata.
    """

    parts: tuple[str, ...]
    found: Named | str
    says: bool

    @property
    def rank(self) -> tuple[int, tuple[str, ...]]:
        """The order in which twine looks at the members."""
        return len(self.parts), self.parts

    @property
    def name(self) -> str:
        """The member's name."""
        return "/".join(self.parts)

    @property
    def named(self) -> Named:
        """The project and the version.

        :raises BadArchive: if the member doesn't name them.
        """
        if isinstance(self.found, str):
            raise BadArchive(f"its {self.name} {self.found}")
        return self.found


def normalize_project(name: str) -> str:
    """A project's name as the index compares it (PEP 503).

    >>> normalize_project("My.Proj_1")
    'my-proj-1'
    """
    words = name.replace("_", "-").replace(".", "-")
    while "--" in words:
        words = words.replace("--", "-")
    return words.lower()


def is_project_name(name: str) -> bool:
    """Whether *name* is a valid name for a project, by the rule of the core metadata."""
    ends = name[:1].isalnum() and name[-1:].isalnum()
    return ends and _PROJECT_NAME.issuperset(name)


def is_plain_version(version: str) -> bool:
    """Whether a version is certainly a valid one, and not for development: numbers and dots."""
    numbers = version.split(".")
    return len(version) <= _PLAIN_VERSION and all(n.isascii() and n.isdigit() for n in numbers)


class Candidates:
    """The members of an archive that a tool could take for the metadata, in their order.

    :param wheel: whether the archive is a wheel.
    :param anywhere: whether the tool takes the first metadata file in any folder.
    """

    def __init__(self, *, wheel: bool, anywhere: bool = False) -> None:
        self._wheel, self._anywhere = wheel, anywhere
        self._file = "METADATA" if wheel else "PKG-INFO"
        self._found: list[_Candidate] = []
        self._fields = 0

    @property
    def mark(self) -> bytes:
        """The text in the name of each candidate."""
        return self._file.encode()

    def wants(self, name: str) -> bool:
        """Whether a tool could choose this member, whose name contains the mark.

        :raises BadArchive: if a metadata file's name is not in normal form, because only some
            tools normalize names.
        """
        parts = name.split("/")
        plain = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        odd = plain != parts or ".." in parts
        if "\0" in name or (odd and plain and plain[-1] == self._file):
            raise BadArchive(f"programs disagree about the name of its member {name}")
        # twine takes any name that contains the mark, unless it is deeper than the usual name.
        return len(parts) <= 2 or (self._anywhere and self._is_file(parts))

    def add(self, name: str, data: bytes | None) -> None:
        """Add a wanted member.

        :param data: its content; None for a link or a device.
        :raises BadArchive: if the content is too large.
        """
        if data is not None and len(data) > MOST:
            raise BadArchive(f"its {name} is larger than {MOST >> 20} MiB")
        fields = _before_blank_line(data or b"")
        self._fields += len(fields)
        if len(self._found) == _CANDIDATES or self._fields > _FIELDS:
            raise BadArchive("it has too many metadata files")
        found = "is not a file" if data is None else _read_fields(fields)
        says = data is None or _SAYS in data
        self._found.append(_Candidate(tuple(name.split("/")), found, says))

    def choose(self) -> Named:
        """The project and the version.

        :raises BadArchive: if they are missing, or tools could choose different ones.
        """
        shown = next((found for found in self._found if self._is_central(found)), None)
        if shown is None:
            where = "*.dist-info/METADATA" if self._wheel else "PKG-INFO in its folder"
            raise BadArchive(f"it has no {where}")
        named, first = shown.named, self._anywhere
        for found in self._found:
            first = first and found is not shown
            if found is shown or not self._could_be_chosen(found, shown, first):
                continue
            if not named.same(found.named):
                raise BadArchive(
                    f"its {shown.name} and its {found.name} differ, and programs disagree about "
                    "which one counts"
                )
        return named

    def _could_be_chosen(self, found: _Candidate, shown: _Candidate, first: bool) -> bool:
        """Whether a tool could choose *found* instead of *shown*.

        :param first: whether the first in the archive counts, and *found* comes before *shown*.
        """
        if self._is_central(found) or (first and self._is_file(found.parts)):
            return True
        # pdm looks only at the name, twine also at the content.
        return found.rank < shown.rank and (found.parts == ("PKG-INFO",) or found.says)

    def _is_central(self, found: _Candidate) -> bool:
        return len(found.parts) == 2 and self._is_file(found.parts)

    def _is_file(self, parts: Sequence[str]) -> bool:
        """Whether this is the name of a metadata file in any folder."""
        folder = parts[-2] if len(parts) > 1 else ""
        return parts[-1] == self._file and (not self._wheel or folder.endswith(".dist-info"))


def _before_blank_line(data: bytes) -> bytes:
    """The lines before the first blank one, which may end with a carriage return."""
    found = [at for at in (data.find(b"\n\n"), data.find(b"\n\r\n")) if at >= 0]
    return data[: min(found) + 1] if found else data


def _read_fields(data: bytes) -> Named | str:
    """Return the project and the version, or why they are unknown.

    Parsers disagree about a field that occurs twice, about a line that is not a field, and about
    a lone carriage return.
    """
    values: dict[bytes, bytes | None] = {}
    key = b""
    for line in io.BytesIO(data):
        line, value = line.removesuffix(b"\n").removesuffix(b"\r"), None
        if line[:1] not in (b" ", b"\t"):
            key, colon, value = line.partition(b":")
            if not (key and colon and _FIELD_NAME.issuperset(key)):
                return "is not metadata"
            key, value = key.lower(), value.lstrip(b" \t")
        if b"\r" in line:
            return "is not metadata"
        if key in (b"name", b"version", b"metadata-version"):
            values[key] = None if key in values else value
    project, version = (
        (values.get(key) or b"").decode("utf-8", "replace") for key in (b"name", b"version")
    )
    if not values.get(b"metadata-version"):
        return "is not metadata"
    if not is_project_name(project) or not version or "\ufffd" in version:
        return "has no project and version"
    return Named(project, version)
