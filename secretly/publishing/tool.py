"""The records that the adapters of publishing tools return."""

from __future__ import annotations

from ..errors import Refused
from ..record import Record
from .archives import Distribution

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

#: The endings that most versions of twine have taken.
ENDINGS = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".exe")


class Artifacts(Record):
    """Which files a publishing tool uploads.

    :param arguments: the words after the subcommand name files.
    :param patterns: whether such a word is a pattern for names of files: never, always, or if
        no file has that name.
    :param folders: such a word may name a folder, whose files the tool uploads.
    :param skips: the tool skips a word if a file of that name doesn't exist.
    :param strict: the tool refuses any other file, and any folder, among those that it collects.
    :param stops: the endings of source distributions at which the tool stops. It skips a file whose
        name isn't that of a release.
    :param folder: the folder whose files the tool uploads when no file is named; empty if
        files must be named.
    :param folder_options: options that name another such folder.
    :param elsewhere_options: options before the subcommand, and ``$VARIABLE``, that move the
        tool to a folder which the command line doesn't show. secretly refuses such a call.
    :param endings: the endings of the file names that the tool uploads.
    :param anywhere: the endings of the archives in which the tool takes the first metadata file,
        in whatever folder it is.
    :param signatures: the tool uploads a collected signature, ``FILE.asc``, with its file.
    :param attestation_options: options with which the tool uploads the attestations of a file,
        ``FILE.*.attestation``, if it collects them.
    :param no_attestation_options: options without which it does.
    :param leaving_out: how to leave the attestations out, in words.
    :param root: the tool works in the project's folder, the nearest with a ``pyproject.toml``.
    :param newest_only: the tool uploads only the newest version of the project's own files.
    :param manifest_options: options that name the project's file, such as flit's ``--ini-file``.
    :param names: the keys of the project's settings from which the tool takes its name, the one
        that counts first.
    :param versions: those from which it takes the version.
    :param builds: the subcommands that build the files first.
    :param build_options: these subcommands build only with one of these options; empty if they
        always build.
    :param no_build_options: these subcommands don't build with one of these options.
    :param separately: the two commands that build first and then upload.
    """

    arguments: bool = False
    patterns: Literal["never", "missing", "always"] = "never"
    folders: bool = False
    skips: bool = False
    strict: bool = False
    stops: tuple[str, ...] = ()
    folder: str = ""
    folder_options: tuple[str, ...] = ()
    elsewhere_options: tuple[str, ...] = ()
    endings: tuple[str, ...] = ENDINGS
    anywhere: tuple[str, ...] = ()
    signatures: bool = False
    attestation_options: tuple[str, ...] = ()
    no_attestation_options: tuple[str, ...] = ()
    leaving_out: str = ""
    root: bool = False
    newest_only: bool = False
    manifest_options: tuple[str, ...] = ()
    names: tuple[str, ...] = ("project.name",)
    versions: tuple[str, ...] = ("project.version",)
    builds: tuple[str, ...] = ()
    build_options: tuple[str, ...] = ()
    no_build_options: tuple[str, ...] = ()
    separately: str = ""


class Packages(Record):
    """What a call sends to a registry that takes no PyPI tokens, or changes there.

    :param releases: each package with its version; the version is empty if none is meant.
    :param action: what the call does with them, in words.
    :param files: the files, if the call names them.
    :param safer: the commands with which no code of the project sees the token, in words.
    :param notes: what else is unusual, in words: which settings file chose the registry.
    """

    releases: tuple[tuple[str, str], ...]
    action: str = "upload"
    files: tuple[Distribution, ...] = ()
    safer: str = ""
    notes: tuple[str, ...] = ()


class Pin(Record):
    """How the destination that was shown is forced on the tool.

    :param arguments: the tool's arguments, in place of the typed ones.
    :param environ: the variables to set. None of them holds a secret.
    :param removes: the variables to remove.
    """

    arguments: tuple[str, ...]
    environ: Mapping[str, str] = {}
    removes: tuple[str, ...] = ()


class Network(Record):
    """What changes the connection.

    :param settings: the user's own settings, in words: ``a client certificate``.
    :param unverified: the setting that switches certificates off; empty if none does.
    """

    settings: tuple[str, ...] = ()
    unverified: str = ""


class Variable(Record):
    """A variable that a launcher sets.

    :param value: its value; None if only the launcher knows it.
    :param set_by: the setting that says so, in words.
    """

    value: str | None
    set_by: str


class Launched(Record):
    """What the launchers of a call add to it.

    :param variables: the variables that they set, whatever the environment has.
    :param code: the project's own code that sees the token, in words.
    :param replaced: texts in arguments that a launcher replaces, each with the launcher.
    :param problem: why the call can't be known; None if it can.
    """

    variables: Mapping[str, Variable] = {}
    code: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    problem: Refused | None = None
