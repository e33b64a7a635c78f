"""A release that a publishing command would upload: what, where to, with which token."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from . import assuan, destination, distributions, macaroon
from .commands import Call, Words
from .configuration import Artifacts, Entry, PackageIndex
from .destination import Destination
from .display import clock, pasted, shortened, shown, size, visible, wrapped
from .distributions import Distribution, normalised
from .errors import BadToken, Refused
from .redacted import Secret

__all__ = ["Consent", "Release", "changed", "examine"]

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
        return sorted(set(map(normalised, names))) if all(names) else None

    @property
    def _names(self) -> list[str]:
        """Each project with its versions."""
        found: dict[str, list[str]] = {}
        for name, version in self._releases:
            found.setdefault(name, []).append(version)
        if not self.files and self.project:
            found[normalised(self.project)] = [self.version or "(version not yet known)"]
        return [f"{name} {' and '.join(versions)}" for name, versions in found.items()]

    @property
    def _releases(self) -> list[tuple[str, str]]:
        """Each project and version that there is a file of."""
        return sorted({(normalised(f.project), f.version) for f in self.files if f.project})

    def check(self) -> None:
        """Refuse what the index would refuse only once it has been sent.

        :raises Refused: for a local version (PEP 440) on its way to PyPI.
        """
        for version in {file.version for file in self.files} | {self.version}:
            if "+" in version and self.destination.pypis:
                raise Refused(
                    f"{self.destination.secret} takes no local version: {visible(version)}",
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
        command = f"for: {shown(argv, _WIDTH - 5)}"
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
            listing = tuple(f"{file.sha256}  {visible(file.path)}" for file in self.files)
            digest = hashlib.sha256("".join(f"{line}\n" for line in listing).encode()).hexdigest()
            total = size(sum(file.size for file in self.files))
            counted = f"{len(listing)} files, {total}, sha256 of their list {digest[:_DIGITS]}"
            yield ["", counted], listing

    def described(self) -> list[str]:
        """The same, with nothing left out, for a listing."""
        good = f"{self.expires / 60:.0f} minutes" if self.expires else "as long as it was"
        return [*self._head, f"token of PyPI's: narrowed, good for {good}", *self._rows]

    @property
    def _head(self) -> list[str]:
        return [
            f"upload: {visible(', '.join(self._names) or 'a project that is not known')}",
            f"to: {visible(self._target)}",
            *(f"note: {visible(note)}" for note in self._notes),
        ]

    @property
    def _rows(self) -> list[str]:
        rows = []
        for file in self.files:
            path = visible(file.path)
            facts = f"{size(file.size)}, sha256 {file.sha256[:_DIGITS]}"
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
                yield f"{shortened(version, 40)} is no version that PEP 440 knows"

    # -- the token ---------------------------------------------------------------

    def inspect(self, value: Secret, entry: Entry) -> None:
        """Refuse a token that this release is not to be uploaded with; other secrets pass.

        :param entry: what is configured for it.
        :raises BadToken: if it should be a token and is none.
        :raises Refused: if it was made by another index, is not for the project, or ended.
        """
        if not macaroon.is_one(value):
            return
        name = visible(entry.name)
        try:
            token = macaroon.allowed(value)
        except BadToken as error:
            raise BadToken(f"{name}: {error}", error.hint) from None
        self._check_index(token.location, entry)
        if lacking := token.lacks(self.projects or ()):
            raise Refused(
                f"the token for {name} is not for the project {lacking[0]}",
                "secretly set " + pasted(f"{entry.name.partition('/')[0]}/{lacking[0]}"),
            )
        now = time.time()
        if token.expires is not None and token.expires <= now:
            raise Refused(f"the token for {name} has expired", f"secretly set {pasted(entry.name)}")
        if token.not_before is not None and token.not_before > now:
            raise Refused(
                f"the token for {name} is not good before {clock(token.not_before)}",
                "check this machine's clock",
            )

    def _check_index(self, location: str, entry: Entry) -> None:
        target = self.destination
        if target.host:
            good = target.host in (location, f"upload.{location}")
        else:
            good = target.builtin and location.startswith("test.") == (target.secret != "PyPI")
        if not good and not {target.host or target.shown, target.shown} & set(entry.hosts):
            name, where = visible(entry.name), visible(target.shown)
            raise Refused(
                f"the token for {name} was made by {visible(location)}, "
                f"and {self.tool} would send it to {where}",
                f"secretly set {pasted(target.secret)}, or, if it is meant: "
                f'[secrets."{name}"] hosts = ["{where}"]',
            )

    def narrowed(self, value: Secret, now: float) -> Secret:
        """The token that the tool gets; a secret of another kind is returned as it is.

        :param now: in seconds since 1970.
        """
        if not macaroon.is_one(value):
            return value
        end = int(now + self.expires) if self.expires else None
        return macaroon.narrowed(
            value, not_before=int(now) - SKEW, expires=end, projects=self.projects
        )

    def said(self, token: Secret) -> str:
        """The line that says what the tool gets, by what the narrowed token says itself."""
        got = macaroon.allowed(token)
        until = f"until {clock(got.expires)}" if got.expires is not None else "without an end"
        if got.projects is None:
            return f"{self.tool} gets a token {until}; for which project is not known"
        names = visible(", ".join(sorted(got.projects)))
        return f"{self.tool} gets a token for {shortened(names, 200)} only, {until}"


def _fits(lines: Sequence[str]) -> bool:
    text = _laid_out(lines)
    return assuan.fits("SETDESC", text + "x" * _RESERVED, keep="\n")


def _laid_out(lines: Sequence[str]) -> str:
    return wrapped("\n".join(lines), _WIDTH)


# -- finding it ------------------------------------------------------------------


def examine(call: Call, target: Destination, environ: Mapping[str, str]) -> Release:
    """Find out what a publishing command would upload.

    :raises Refused: if there is nothing to upload, or something that cannot be.
    """
    row, files, words = call.row, call.row.files, call.taken_apart()
    if files is None:
        return Release(row.name, target, expires=LIFETIME if row.expires is None else row.expires)
    if steered := call.steered(environ):
        raise Refused(
            f"{steered}: what would be uploaded where cannot be told",
            f"run {row.name} by itself, or where that is not needed",
        )
    folder = _folder(call, files, words, environ)
    builds = _builds(files, words)
    release = Release(row.name, target, builds=builds, launcher=call.launcher)
    if builds:
        project, version = _by_settings(folder, words.last(files.manifest_options))
        release = replace(release, project=project, version=version)
        usual = LIFETIME_BUILDING
    else:
        base = os.fspath(folder)
        found = tuple(distributions.read(path, base) for path in _paths(files, words, folder))
        release, usual = replace(release, files=found), LIFETIME
    expires = usual if row.expires is None else row.expires
    if expires:
        # A file's upload begins at the latest when half of the time is over.
        expires = max(expires, 2 * sum(file.size for file in release.files) / SLOWEST)
    release = replace(release, expires=expires)
    release.check()
    return release


def _builds(files: Artifacts, words: Words) -> bool:
    return (
        bool(words.words and words.words[0] in files.builds)
        and (not files.build_options or words.has(files.build_options))
        and not words.has(files.no_build_options)
    )


def _folder(call: Call, files: Artifacts, words: Words, environ: Mapping[str, str]) -> Path:
    """The folder that the tool works in.

    :raises Refused: if that cannot be told.
    """
    option = words._replace(options=words.options[: words.before]).last(files.elsewhere_options)
    named = [name[1:] for name in files.elsewhere_options if name.startswith("$")]
    if option is not None or any(map(environ.get, named)):
        raise Refused(
            "which project would be uploaded cannot be told from a project's name",
            "run it in the project's own folder",
        )
    index = call.row.index or PackageIndex()
    folder = destination.folder_of(words, index.folder_options, environ)
    if (manifest := words.last(files.manifest_options)) is not None:
        return (folder / manifest).parent
    return destination.project_folder(call, environ) if files.root else folder


def _paths(files: Artifacts, words: Words, folder: Path) -> list[str]:
    """The files to upload, as they are named."""
    named = words.words[1:] if files.arguments else []
    if not named:
        if not files.folder:
            raise Refused("there is no file to upload", "name the files, such as dist/*")
        # All that is in it: pdm and hatch upload hidden files, too.
        named = [os.path.join(words.last(files.folder_options) or files.folder, "")]
    found = []
    for pattern in named:
        matching = _matching(pattern, folder)
        if not matching:
            raise _nothing(pattern)
        found += matching
    endings = files.endings or distributions.ENDINGS
    paths = [path for path in dict.fromkeys(found) if path.endswith(endings)]
    if files.own:
        paths = _newest(paths, _by_settings(folder)[0])
    if not paths:
        raise _nothing(" ".join(named))
    return paths


def _nothing(named: str) -> Refused:
    return Refused(
        f"there is no file to upload: {visible(shortened(named, 60))}",
        "build it first (python -m build), or check the name",
    )


def _matching(pattern: str, folder: Path) -> list[str]:
    """The files that a word of the command line, or a pattern in it, names."""
    path = os.path.join(folder, pattern)
    if os.path.isdir(path):
        try:
            return [os.path.join(pattern, name) for name in sorted(os.listdir(path))]
        except OSError as error:
            what = f"{visible(pattern)} cannot be read: {error.strerror}"
            raise Refused(what, "its files would be uploaded") from None
    if os.path.lexists(path):
        return [pattern]
    if "**" in pattern:
        raise Refused(
            f"{visible(pattern)}: which files '**' means differs from tool to tool",
            "have the shell expand it: leave the quotes away",
        )
    return sorted(glob.glob(pattern, root_dir=folder))


def _newest(paths: list[str], project: str) -> list[str]:
    """Of the project's own files those of the newest version, which poetry uploads."""
    from packaging.version import Version

    if not project:
        return paths
    by_version: dict[Version, list[str]] = {}
    start = f"{normalised(project).replace('-', '_')}-"
    for path in paths:
        name = os.path.basename(path)
        version = name.removeprefix(start).removesuffix(".tar.gz").partition("-")[0]
        try:
            if name.startswith(start):
                by_version.setdefault(Version(version), []).append(path)
        except ValueError:
            continue
    return by_version[max(by_version)] if by_version else []


#: Where the settings of a project have its name, and its version.
_NAMES = (
    "project.name",
    "tool.poetry.name",
    "tool.flit.metadata.dist-name",
    "tool.flit.metadata.module",
)
_VERSIONS = ("project.version", "tool.poetry.version")


def _by_settings(folder: Path, manifest: str | None = None) -> tuple[str, str]:
    """The project's name and version, as far as its settings have them."""
    named = os.path.basename(manifest or "Cargo.toml")  # flit's may have any name
    tables = destination.toml(folder / ("pyproject.toml" if named == "Cargo.toml" else named))
    name = _first(tables, _NAMES)
    version = _first(tables, _VERSIONS)
    if not name:
        cargo = destination.toml(folder / "Cargo.toml")
        name, version = _first(cargo, ("package.name",)), _first(cargo, ("package.version",))
    return (name, version) if distributions.is_project(name) else ("", "")


def _first(tables: Mapping[str, object], keys: Sequence[str]) -> str:
    values = (destination.value_at(tables, key.split(".")) for key in keys)
    return next((value for value in values if isinstance(value, str)), "")


def changed(before: Release, after: Release) -> str:
    """What is another than it was, for a message; empty if nothing is."""
    if before == after:
        return ""
    files = {file.path: file for file in before.files}
    for file in after.files:
        if files.pop(file.path, None) != file:
            return f"{visible(file.path)} was changed"
    for path in files:
        return f"{visible(path)} was taken away"
    if before.destination != after.destination:
        return f"the upload would go to {visible(after.destination.shown)}"
    return "the project's settings were changed"
