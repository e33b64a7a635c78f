"""A release: what would be uploaded, the consent to it, and the token for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..asking import assuan
from ..config.model import Entry
from ..errors import BadToken, Refused
from ..redacted import Secret
from ..text import escape, format_command, format_size, format_time, shell_quote, shorten, wrap
from . import pypi_token
from .archives import Distribution, normalize_project
from .destination import Destination

#: How long the token is good that a tool gets, in seconds: if it uploads what is there,
#: and if it builds first.
LIFETIME, LIFETIME_BUILDING = 900.0, 3600.0

#: How much earlier it is good, in seconds, for an index whose clock is behind.
SKEW = 60

#: The slowest upload that is reckoned with, in bytes a second.
SLOWEST = 1_000_000

#: How wide the lines of the dialog are, and how many of them may name files.
_WIDTH, _ROWS = 72, 8

#: The bytes of a description that the question above this text may take.
_RESERVED = 200

_DIGITS = 16


class Consent(NamedTuple):
    """What a person is shown.

    :param text: for the dialog.
    :param listing: the lines for standard error, where the dialog has no room for the files.
    """

    text: str
    listing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """What would be uploaded.

    :param tool: the publishing command's name.
    :param files: none, if the tool builds them first.
    :param project: the project's name by its settings, where there are no files yet.
    :param version: its version, if the settings have it.
    :param builds: whether the tool builds first.
    :param expires: how long the token is good, in seconds; 0: no end is put on.
    :param launcher: what of a project starts it: ``"uv run"``.
    """

    tool: str
    destination: Destination
    files: tuple[Distribution, ...] = ()
    project: str = ""
    version: str = ""
    builds: bool = False
    expires: float = LIFETIME
    launcher: str = ""

    @property
    def projects(self) -> list[str] | None:
        """The projects, normalised; None if not all are known."""
        names = [file.project for file in self.files] if self.files else [self.project]
        return sorted(set(map(normalize_project, names))) if all(names) else None

    @property
    def _names(self) -> list[str]:
        """Each project with its versions."""
        found: dict[str, list[str]] = {}
        for name, version in self._releases:
            found.setdefault(name, []).append(version)
        if not self.files and self.project:
            found[normalize_project(self.project)] = [self.version or "(version not yet known)"]
        return [f"{name} {' and '.join(versions)}" for name, versions in found.items()]

    @property
    def _releases(self) -> list[tuple[str, str]]:
        """Each project and version that there is a file of."""
        return sorted({(normalize_project(f.project), f.version) for f in self.files if f.project})

    def check(self) -> None:
        """Refuse what the index would refuse only once it has been sent.

        :raises Refused: for a local version (PEP 440) on its way to PyPI.
        """
        for version in {file.version for file in self.files} | {self.version}:
            if "+" in version and self.destination.pypis:
                raise Refused(
                    f"{self.destination.secret} takes no local version: {escape(version)}",
                    "build it without the part from the '+'",
                )

    # -- consent -----------------------------------------------------------------

    def consent(self, program: str, argv: Sequence[str]) -> Consent:
        """What the person consents to: head and files, or a summary of them.

        :param program: the program's real path, harmless already.
        :param argv: the command line.
        :raises Refused: if what must be seen whole has no room.
        """
        what, where, *notes = self._head
        head = [what, where, f"program: {program}", *notes]
        command = f"for: {format_command(argv, _WIDTH - 5)}"
        for files, listing in self._bodies():
            for more in ([command], []):
                lines = [*head, *more, *files]
                if _fits(lines):
                    return Consent(_laid_out(lines), listing)
        raise Refused(
            "what would be uploaded where does not fit into a dialog",
            "upload fewer projects at a time, or with a program that has a shorter path",
        )

    def _bodies(self) -> Iterator[tuple[list[str], tuple[str, ...]]]:
        """The files one by one; then, for want of room, what they are together, and the list."""
        rows = self._rows
        if len(rows) <= _ROWS:
            yield (["", *rows] if rows else []), ()
        if rows:
            listing = tuple(f"{file.sha256}  {escape(file.path)}" for file in self.files)
            digest = hashlib.sha256("".join(f"{line}\n" for line in listing).encode()).hexdigest()
            total = format_size(sum(file.size for file in self.files))
            counted = f"{len(listing)} files, {total}, sha256 of their list {digest[:_DIGITS]}"
            yield ["", counted], listing

    def described(self) -> list[str]:
        """The same, with nothing left out, for a listing."""
        good = f"{self.expires / 60:.0f} minutes" if self.expires else "as long as it was"
        return [*self._head, f"token of PyPI's: narrowed, good for {good}", *self._rows]

    @property
    def _head(self) -> list[str]:
        return [
            f"upload: {escape(', '.join(self._names) or 'a project that is not known')}",
            f"to: {escape(self._target)}",
            *(f"note: {escape(note)}" for note in self._notes),
        ]

    @property
    def _rows(self) -> list[str]:
        rows = []
        for file in self.files:
            path = escape(file.path)
            facts = f"{format_size(file.size)}, sha256 {file.sha256[:_DIGITS]}"
            one_line = len(path) + len(facts) + 3 <= _WIDTH
            rows += [f"{path} ({facts})"] if one_line else [path, f"  {facts}"]
        return rows

    @property
    def _target(self) -> str:
        name = self.destination.repository
        if self.destination.builtin or not name or name == self.destination.shown:
            return self.destination.shown
        return f"{self.destination.shown} ({name})"

    @property
    def _notes(self) -> Iterator[str]:
        from packaging.version import Version

        if self.launcher:
            yield f"{self.launcher} starts it, and the project may say how"
        if self.builds:
            yield "builds first; files not yet known"
        if self.destination.plaintext:
            yield "http: what is sent can be read on the way"
        versions = {version for _, version in self._releases} or {self.version} - {""}
        if len(self._releases) > len({name for name, _ in self._releases}):
            yield "files of several versions"
        for version in sorted(versions):
            try:
                if Version(version).is_devrelease:
                    yield f"{version} is a development version"
            except ValueError:  # InvalidVersion; a number of thousands of digits
                yield f"{shorten(version, 40)} is no version that PEP 440 knows"

    # -- the token ---------------------------------------------------------------

    def inspect(self, value: Secret, entry: Entry) -> None:
        """Refuse a token that this release is not to be uploaded with; other secrets pass.

        :param entry: what is configured for it.
        :raises BadToken: if it should be a token and is none.
        :raises Refused: if it was made by another index, is not for the project, or ended.
        """
        if not pypi_token.is_pypi_token(value):
            return
        name = escape(entry.name)
        try:
            token = pypi_token.token_scope(value)
        except BadToken as error:
            raise BadToken(f"{name}: {error}", error.hint) from None
        self._check_index(token.location, entry)
        if lacking := token.lacks(self.projects or ()):
            raise Refused(
                f"the token for {name} is not for the project {lacking[0]}",
                "secretly set " + shell_quote(f"{entry.name.partition('/')[0]}/{lacking[0]}"),
            )
        now = time.time()
        if token.expires is not None and token.expires <= now:
            raise Refused(
                f"the token for {name} has expired", f"secretly set {shell_quote(entry.name)}"
            )
        if token.not_before is not None and token.not_before > now:
            raise Refused(
                f"the token for {name} is not good before {format_time(token.not_before)}",
                "check this machine's clock",
            )

    def _check_index(self, location: str, entry: Entry) -> None:
        target = self.destination
        if target.host:
            good = target.host in (location, f"upload.{location}")
        else:
            good = target.builtin and location.startswith("test.") == (target.secret != "PyPI")
        if not good and not {target.host or target.shown, target.shown} & set(entry.hosts):
            name, where = escape(entry.name), escape(target.shown)
            raise Refused(
                f"the token for {name} was made by {escape(location)}, "
                f"and {self.tool} would send it to {where}",
                f"secretly set {shell_quote(target.secret)}, or, if it is meant: "
                f'[secrets."{name}"] hosts = ["{where}"]',
            )

    def narrowed(self, value: Secret, now: float) -> Secret:
        """The token that the tool gets; a secret of another kind is returned as it is.

        :param now: in seconds since 1970.
        """
        if not pypi_token.is_pypi_token(value):
            return value
        end = int(now + self.expires) if self.expires else None
        return pypi_token.narrow(
            value, not_before=int(now) - SKEW, expires=end, projects=self.projects
        )

    def said(self, token: Secret) -> str:
        """The line that says what the tool gets, by what the narrowed token says itself."""
        got = pypi_token.token_scope(token)
        until = f"until {format_time(got.expires)}" if got.expires is not None else "without an end"
        if got.projects is None:
            return f"{self.tool} gets a token {until}; for which project is not known"
        names = escape(", ".join(sorted(got.projects)))
        return f"{self.tool} gets a token for {shorten(names, 200)} only, {until}"


def _fits(lines: Sequence[str]) -> bool:
    text = _laid_out(lines)
    return assuan.fits("SETDESC", text + "x" * _RESERVED, keep="\n")


def _laid_out(lines: Sequence[str]) -> str:
    return wrap("\n".join(lines), _WIDTH)


def changed(before: Release, after: Release) -> str:
    """What is another than it was, for a message; empty if nothing is."""
    if before == after:
        return ""
    files = {file.path: file for file in before.files}
    for file in after.files:
        if files.pop(file.path, None) != file:
            return f"{escape(file.path)} was changed"
    for path in files:
        return f"{escape(path)} was taken away"
    if before.destination != after.destination:
        return f"the upload would go to {escape(after.destination.shown)}"
    return "the project's settings were changed"
