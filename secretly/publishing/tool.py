"""What the adapters of publishing tools answer with: small records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

#: The endings that most versions of twine have taken.
ENDINGS = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".exe")


class PackageIndex(NamedTuple):
    """How a publishing tool chooses the package index that it uploads to.

    An entry of a *settings* field is ``FILE KEY``. ``{name}`` in the key is the index's name, a
    relative FILE belongs to the project, and ``$VARIABLE`` and ``--option`` are replaced by
    their values. An entry of an *options* field may be a ``$VARIABLE`` too.

    :param default: the tool's own name for the index that it uses by default.
    :param names: the tool's own names, and the secret that belongs to each.
    :param name_options: options whose value is the name of an index.
    :param name_variables: variables whose value is the name of an index.
    :param name_settings: the settings that name the default index.
    :param url_options: options whose value is the URL of an index.
    :param url_variables: variables whose value is the URL of an index. ``{REPOSITORY}`` in one
        is the index's name.
    :param settings: the settings that give the URL for a name.
    :param url_settings: the settings that give the URL where no name is given, for a tool with
        *named_only*.
    :param named_only: *settings* count only for a name that is given.
    :param fixed: no setting changes the URL of the tool's own *names*.
    :param nearest: the nearest settings file of a folder or its parents hides all others of the
        project. Otherwise only the project's own folder counts.
    :param replaces: a settings file named by an option or a variable replaces all others.
    :param no_settings_options: options without a value that switch the settings files off.
    :param pypirc: the tool looks names up in ``~/.pypirc``.
    :param pypirc_options: options that name another file in place of ``~/.pypirc``.
    :param pypirc_servers: the sections that count unless ``index-servers`` lists some; empty
        if all sections count.
    """

    default: str = "pypi"
    names: Mapping[str, str] = {}
    name_options: tuple[str, ...] = ()
    name_variables: tuple[str, ...] = ()
    name_settings: tuple[str, ...] = ()
    url_options: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    url_settings: tuple[str, ...] = ()
    named_only: bool = False
    fixed: bool = False
    nearest: bool = False
    replaces: bool = False
    no_settings_options: tuple[str, ...] = ()
    pypirc: bool = False
    pypirc_options: tuple[str, ...] = ()
    pypirc_servers: tuple[str, ...] = ()


class Artifacts(NamedTuple):
    """Which files a publishing tool uploads.

    :param arguments: the words after the subcommand name files.
    :param patterns: whether such a word is a pattern for names of files: never, always, or if
        no file has that name.
    :param folders: such a word may name a folder, whose files the tool uploads.
    :param strict: the tool refuses any other file, and any folder, among those that it collects.
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
    :param own: the tool uploads only the newest version of the project's own files.
    :param manifest_options: options that name the project's file, such as flit's ``--ini-file``.
    :param builds: the subcommands that build the files first.
    :param build_options: these subcommands build only with one of these options; empty if they
        always build.
    :param no_build_options: these subcommands don't build with one of these options.
    :param separately: the two commands that build first and then upload.
    """

    arguments: bool = False
    patterns: Literal["never", "missing", "always"] = "never"
    folders: bool = False
    strict: bool = False
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
    own: bool = False
    manifest_options: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    build_options: tuple[str, ...] = ()
    no_build_options: tuple[str, ...] = ()
    separately: str = ""


class Pin(NamedTuple):
    """How the destination that was shown is forced on the tool.

    :param arguments: the tool's arguments, in place of the typed ones.
    :param environ: the variables to set. None of them holds a secret.
    :param removes: the variables to remove.
    """

    arguments: tuple[str, ...]
    environ: Mapping[str, str] = {}
    removes: tuple[str, ...] = ()


class Network(NamedTuple):
    """What changes the connection.

    :param settings: the user's own settings, in words: ``a client certificate``.
    :param unverified: the setting that switches certificates off; empty if none does.
    """

    settings: tuple[str, ...] = ()
    unverified: str = ""
