"""A release: what would be uploaded, your consent to it, and the token for it."""

from __future__ import annotations

import os

from ..asking import upload_wording
from ..config.model import Entry
from ..errors import Refused
from ..record import Record, computed
from ..redacted import Secret
from ..safefiles import hashing
from ..text import escape, format_command, format_size, format_time, shell_quote, shorten
from . import metadata, pypi_token, token_use
from .archives import Distribution, normalize_project
from .consent import WIDTH, Consent
from .destination import Destination, made_by
from .tool import Packages

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How long the tool's token is good, in seconds: for files that exist, and if the tool builds
#: first.
LIFETIME, LIFETIME_BUILDING = 900.0, 3600.0

#: The longest lifetime of a token, in seconds, that the files' sizes can cause.
LONGEST = 3600.0

#: The slowest upload that the token's lifetime allows for, in bytes a second.
SLOWEST = 1_000_000

#: The most lines that name files.
_ROWS = 8

_DIGITS = 12

#: The length of a user name that there is room for, before it is known.
_USERNAME = 40


class Release(Record):
    """What would be uploaded.

    :param tool: the name of the publishing command.
    :param destination: the index.
    :param files: the files; empty if the tool builds them first.
    :param project: the project's name in its settings, if the files don't exist yet.
    :param version: its version, if the settings give it.
    :param builds: whether the tool builds first.
    :param expires: the lifetime of the tool's token, in seconds.
    :param separately: the two commands that build first and then upload; empty if the tool builds
        nothing.
    :param attestations: how to leave out the attestations, in words; empty if there are none.
    :param launcher: the launcher in the project's environment, as in ``"uv run"``.
    :param code: the project's own code that sees the token, in words.
    :param network: what the user's own settings change about the connection, in words.
    :param unverified: the setting of the user's that switches the check of certificates off.
    :param packages: what goes to a registry that takes no PyPI tokens; None if the index does.
    """

    tool: str
    destination: Destination
    files: tuple[Distribution, ...] = ()
    project: str = ""
    version: str = ""
    builds: bool = False
    expires: float = LIFETIME
    separately: str = ""
    attestations: str = ""
    launcher: str = ""
    code: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    unverified: str = ""
    packages: Packages | None = None

    @computed
    def projects(self) -> list[str] | None:
        """The normalized names of the projects; None if one is not known."""
        names = [self.project]
        if self.packages is not None:
            names = [name for name, _ in self.packages.releases]
        elif self.files:
            names = [file.project for file in self.files if not file.accompanies]
        return sorted(set(map(normalize_project, names))) if all(names) else None

    @computed
    def releases(self) -> list[tuple[str, str]]:
        """Each project and version of the files, or each package."""
        if self.packages is not None:
            return sorted(set(self.packages.releases))
        return sorted({(normalize_project(f.project), f.version) for f in self.files if f.project})

    def check(self) -> None:
        """Refuse files that the index would refuse after the upload.

        :raises Refused: for a local version (PEP 440), an attestation or an empty user name on
            its way to PyPI.
        """
        if self.destination.pypis:
            self._check_attestations(self.destination.secret)
            self._check_username(self.destination.secret)
        for version in {file.version for file in self.files} | {self.version}:
            if "+" in version and self.destination.pypis:
                raise Refused(
                    f"{self.destination.secret} rejects local versions: {escape(version)}",
                    "build the release without the '+' and what follows it",
                )

    def _check_attestations(self, index: str) -> None:
        """Refuse attestations, which PyPI accepts from trusted publishing only."""
        if self.attestations:
            raise Refused(
                f"{escape(index)} rejects attestations that come with an API token",
                f"leave them out: {self.attestations}",
            )

    def _check_username(self, index: str) -> None:
        """Refuse an empty user name: the tool sends it, and PyPI accepts ``__token__`` alone."""
        if self.destination.username == "":
            raise Refused(
                f"{self.tool} would send an empty user name, and {escape(index)} takes __token__",
                "leave out --username, and unset its variable",
            )

    # -- consent -----------------------------------------------------------------

    def consent(self, program: str, argv: Sequence[str], asked_by: str = "") -> Consent:
        """What the user agrees to.

        All of it fits into one dialog: the command is left out first, then the files make
        room for their number and one hash. What else is here is never left out.

        :param program: the program's real path, escaped.
        :param argv: the command line.
        :param asked_by: the lines that say who asks, for which there must be room.
        :raises Refused: if the rest does not fit.
        """
        what, where, token, *notes = self._head
        before, named = (what, where), self.packages is None
        head = (token, upload_wording.program_line(program), *notes)
        # 5: the width of the words before the command.
        command = upload_wording.command_line(format_command(argv, WIDTH - 5))
        username = self.destination.username or "x" * _USERNAME
        made = [
            Consent(before, lines, listing, named, asked_by)
            for files, listing in self._bodies()
            for lines in ((*head, command, *files), (*head, *files))
        ]
        fitting = next((one for one in made if one.fits(username)), made[-1])
        fitting.text(username)
        return fitting

    def _bodies(self) -> Iterator[tuple[list[str], tuple[str, ...]]]:
        """The files one by one, if they are few; then their sum, with the list."""
        rows = self._rows
        if len(rows) <= _ROWS:
            yield (["", *rows] if rows else []), self._many
        if rows:
            listing = tuple(f"{file.sha256}  {escape(file.path)}" for file in self.files)
            total = format_size(sum(file.size for file in self.files))
            yield ["", upload_wording.files_line(len(listing), total, _digest(listing))], listing

    def described(self, username: str) -> list[str]:
        """The whole of it in lines, for ``--dry-run``.

        :param username: the user name that the tool would send.
        """
        what, where, *rest = self._head
        user = [upload_wording.user_line(escape(username))] if self.packages is None else []
        return [what, where, *user, *rest, *self._rows, *self._many]

    @property
    def _head(self) -> list[str]:
        names, action = escape(", ".join(self._names)), escape(self.action)
        unnamed = self.packages is not None and not names  # the call is about no package
        return [
            action if unnamed else upload_wording.upload_line(names, action),
            upload_wording.index_line(escape(self._index)),
            self._limits,
            *(upload_wording.note_line(escape(note)) for note in self.notes()),
        ]

    @property
    def action(self) -> str:
        """What happens to the projects, in words."""
        return "upload" if self.packages is None else self.packages.action

    @property
    def _limits(self) -> str:
        if self.packages is not None:
            return upload_wording.NOT_LIMITED
        count = None if self.projects is None else len(self.projects)
        return upload_wording.limits_line(count, self.expires / 60, certain=self.destination.pypis)

    @property
    def _names(self) -> list[str]:
        """Each project with its versions."""
        found: dict[str, list[str]] = {}
        for name, version in self.releases:
            found.setdefault(name, []).append(version)
        if self._many:
            return [upload_wording.packages_line(len(self._many), _digest(self._many))]
        if self.packages is not None:
            return self._packages
        if not self.files and self.project:
            version = self.version or upload_wording.UNKNOWN_VERSION
            found[normalize_project(self.project)] = [version]
        return [f"{name} {' and '.join(versions)}" for name, versions in found.items()]

    @property
    def _packages(self) -> list[str]:
        return [f"{name} {version}".rstrip() for name, version in self.releases]

    @property
    def _many(self) -> tuple[str, ...]:
        """The packages in lines, if the dialog has no room for them."""
        names = self._packages if self.packages is not None else []
        return tuple(map(escape, names)) if len(names) > _ROWS else ()

    @property
    def _index(self) -> str:
        name, shown = self.destination.repository, self.destination.shown
        if self.destination.pypis and self.destination.url:
            return f"{self.destination.secret} ({shown})"
        return shown if self.destination.builtin or name in ("", shown) else f"{shown} ({name})"

    @property
    def _rows(self) -> list[str]:
        rows = []
        for file in self.files:
            path = escape(file.path)
            facts = upload_wording.file_facts(format_size(file.size), file.sha256[:_DIGITS])
            one_line = len(path) + len(facts) + 3 <= WIDTH
            rows += [f"{path} ({facts})"] if one_line else [path, f"  {facts}"]
        return rows

    def notes(self) -> Iterator[str]:
        """What is unusual about this upload."""
        if self.launcher:
            yield upload_wording.launcher_note(self.launcher, self.tool)
        if self.code:
            yield upload_wording.project_code(", ".join(self.code))
            safer = upload_wording.SAFER if self.packages is None else self.packages.safer
            if safer and not (self.builds and self.separately):
                yield upload_wording.safer(safer)
        if network := (*self.network, *([upload_wording.UNVERIFIED] if self.unverified else [])):
            yield upload_wording.network(", ".join(network))
        if self.builds:
            yield upload_wording.BUILDS_FIRST
            if self.separately:
                yield f"{upload_wording.BUILD_READS} {self.separately}"
        if self.destination.plaintext:
            yield upload_wording.PLAIN_HTTP
        yield from self._file_notes() if self.packages is None else self.packages.notes

    def _file_notes(self) -> Iterator[str]:
        unread = [file.path for file in self.files if not (file.project or file.accompanies)]
        if unread:
            yield upload_wording.unread(shorten(os.path.basename(unread[0]), 60), len(unread))
        if len(self.releases) > len({name for name, _ in self.releases}):
            yield upload_wording.SEVERAL_VERSIONS
        versions = {version for _, version in self.releases} or {self.version} - {""}
        yield from filter(None, map(_version_note, sorted(versions)))

    # -- the token ---------------------------------------------------------------

    def check_certificates(self, entry: Entry) -> None:
        """Refuse an upload whose tool would not check the index's certificate.

        :param entry: the configuration of the index's secret, which may allow it.
        :raises Refused: naming the setting that switches the check off.
        """
        if self.unverified and not entry.unverified:
            name = escape(entry.name)
            raise Refused(
                f"{self.tool} is told not to check the index's certificate: {self.unverified}",
                f'remove that setting, or allow it: [secrets."{name}"] unverified = true',
            )

    def inspect(self, value: Secret, entry: Entry) -> None:
        """Refuse a token that is not for this release; a secret that isn't a token passes.

        :param entry: the configuration of the secret.
        :raises BadToken: if the token is malformed.
        :raises Refused: if another index made the token, or the token is for another project
            or another time.
        """
        if not pypi_token.is_pypi_token(value):
            if self.packages is None:
                self._check_code()
            return
        if self.packages is not None:
            raise Refused(
                f"{escape(entry.name)} is a PyPI token, and {self.tool} would send it to "
                f"{escape(self.destination.shown)}",
                f"store a token of that registry: secretly set {shell_quote(entry.name)}",
            )
        token = token_use.read_scope(value, entry)
        self._check_index(token.location, entry)
        self._check_attestations(token.location)
        token_use.check_scope(token, entry, self.projects or ())

    def _check_code(self) -> None:
        """Refuse to give a secret that can't be limited to code of the project."""
        what = ", ".join(self.code) or ("its build" if self.builds else "")
        if what:
            raise Refused(
                f"code of this project could read a secret that can't be limited: {escape(what)}",
                "build first, then upload: "
                + (self.separately or "secretly run twine upload dist/*"),
            )

    def _check_index(self, location: str, entry: Entry) -> None:
        """Refuse a token that another index made, unless the configuration allows it."""
        target = self.destination
        if target.host:
            good = made_by(target.host, location)
        else:
            good = target.builtin and location.startswith("test.") == (target.secret != "PyPI")
        if not good and not {target.host or target.shown, target.shown} & set(entry.hosts):
            name, where = escape(entry.name), escape(target.shown)
            raise Refused(
                f"the token for {name} was made by {escape(location)}, "
                f"and {self.tool} would send it to {where}",
                f"store another token: secretly set {shell_quote(target.secret)}, or allow it: "
                f'[secrets."{name}"] hosts = ["{where}"]',
            )

    def narrowed(self, value: Secret, now: float) -> Secret:
        """The token for the tool; a secret that isn't a token is returned unchanged.

        :param now: the time, in seconds since 1970.
        """
        if not pypi_token.is_pypi_token(value):
            return value
        end = int(now + self.expires)
        return pypi_token.narrow(
            value, not_before=int(now) - token_use.SKEW, expires=end, projects=self.projects
        )

    def said(self, token: Secret) -> str:
        """The line about the tool's token, from what the token itself allows."""
        got = pypi_token.token_scope(token)
        names = None if got.projects is None else escape(", ".join(sorted(got.projects)))
        return upload_wording.gets_token(
            self.tool,
            None if names is None else shorten(names, 200),
            "" if got.expires is None else format_time(got.expires),
        )


def _digest(lines: Sequence[str]) -> str:
    """The beginning of the hash of some lines."""
    return hashing.of_bytes("".join(f"{line}\n" for line in lines).encode())[:_DIGITS]


def _version_note(version: str) -> str:
    """A note about an unusual version; empty for others."""
    if metadata.is_plain_version(version):
        return ""
    from packaging.version import Version

    try:
        return upload_wording.development_version(version) if Version(version).is_devrelease else ""
    except ValueError:  # InvalidVersion, or a number with thousands of digits
        return upload_wording.odd_version(shorten(version, 40))
