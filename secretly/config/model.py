"""What can be configured, as typed values."""

from __future__ import annotations

from collections.abc import Mapping

from ..record import Record
from ..reference import Reference

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Literal

    #: Keep what was typed: no, yes, ask after it was accepted, or in memory for so many seconds.
    Remember = bool | float | Literal["ask"]


class Entry(Record):
    """A secret that has a name: ``[secrets.NAME]``.

    :param prefix: what it begins with, if it is a token.
    :param command: a command that writes it, in place of a source.
    :param hosts: the indexes that it may go to though another made it.
    """

    name: str
    source: Reference | None = None
    username: str | None = None
    remember: Remember | None = None
    confirm: bool | None = None
    prefix: str | None = None
    hosts: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class Profile(Record):
    """One way of calling a command: ``[commands.NAME.profiles.PROFILE]``."""

    env: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}


class PackageIndex(Record):
    """How a publishing tool chooses its index: ``[commands.NAME.index]``.

    :param default: the tool's own name for the index that it uses unless told otherwise.
    :param names: the tool's own names and the secrets that belong to them.
    :param name_options: options whose value is such a name; so for the others.
    :param settings: where its settings files give the URL for a name, each
        ``FILE KEY``, with ``{name}`` in the key; a relative FILE is the project's,
        ``$VARIABLE`` and ``--option`` are replaced by their values.
    :param named_only: whether these count only for a name that is given; else
        *url_settings* do.
    :param url_settings: where they give the URL that is used without a name.
    :param fixed: whether no setting moves the names that the tool knows by itself.
    :param nearest: whether the nearest settings file of a folder or its parents hides all
        others of the project; else only the project's own folder is looked at.
    :param replaces: whether a settings file that is named replaces all the others.
    :param no_settings_options: options, and ``$VARIABLE``, with which no settings count.
    :param name_settings: where they give the name that is used unless told otherwise.
    :param folder_options: options, and ``$VARIABLE``, that name the folder to start from.
    :param project_options: those that name the project's, from there.
    :param pypirc: whether a name is also looked up in ``~/.pypirc``.
    :param pypirc_servers: the sections of it that count unless its ``index-servers`` says
        which; none: all do.
    """

    default: str = "pypi"
    names: Mapping[str, str] = {}
    name_options: tuple[str, ...] = ()
    name_variables: tuple[str, ...] = ()
    url_options: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    folder_options: tuple[str, ...] = ()
    pypirc_options: tuple[str, ...] = ()
    name_settings: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    named_only: bool = False
    url_settings: tuple[str, ...] = ()
    fixed: bool = False
    nearest: bool = False
    replaces: bool = False
    no_settings_options: tuple[str, ...] = ()
    project_options: tuple[str, ...] = ()
    pypirc: bool = False
    pypirc_servers: tuple[str, ...] = ()


class Artifacts(Record):
    """What a publishing tool uploads: ``[commands.NAME.files]``.

    :param arguments: whether the words after the subcommand name files.
    :param folder: the folder whose files it uploads when none is named; empty: some must be.
    :param folder_options: options that name another one.
    :param elsewhere_options: options, and ``$VARIABLE``, with which it works in a folder that
        cannot be told from the command line: such a call is refused.
    :param endings: how the names of the files end that it uploads; none: as twine has them.
    :param root: whether it works in the project's folder: the nearest with a
        ``pyproject.toml``.
    :param own: only the newest version of the project's own files is uploaded.
    :param manifest_options: options that name the project's file, as flit's ``--ini-file``.
    :param builds: the subcommands that build the files first.
    :param build_options: the options with which alone they do; none: they always do.
    :param no_build_options: the options with which they do not.
    """

    arguments: bool = False
    folder: str = ""
    folder_options: tuple[str, ...] = ()
    elsewhere_options: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    root: bool = False
    own: bool = False
    manifest_options: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    build_options: tuple[str, ...] = ()
    no_build_options: tuple[str, ...] = ()


class Command(Record):
    """A command that is known: ``[commands.NAME]``.

    :param subcommands: the ones that need the secret; none: every call does.
    :param exceptions: where no subcommands are named, the first arguments that need none.
    :param values: options that take a value in the following argument.
    :param secrets: variables and the references of what goes into them.
    :param username: the variable that takes the user name.
    :param alternatives: variables that the tool would take instead: used if the
        caller set one, else removed.
    :param removes: other variables to remove, so that a stale one cannot win.
    :param blanks: variables to set to nothing: without them the tool would look into its own store,
        and take what it finds there before what is delivered.
    :param env: plain variables.
    :param publishes: whether it publishes: then a stored secret is confirmed.
    :param seal_keyring: keep it from storing what it is given in Linux's kernel keyring.
    :param expires: how long the API token that it gets is good, in seconds; 0: as long as
        the one that it is made of; None: 15 minutes, or 60 if it builds first.
    """

    name: str
    subcommands: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    secrets: Mapping[str, str] = {}
    username: str | None = None
    alternatives: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    publishes: bool = False
    seal_keyring: bool = False
    expires: float | None = None
    index: PackageIndex | None = None
    files: Artifacts | None = None
    default: str | None = None
    profiles: Mapping[str, Profile] = {}


class Configuration(Record):
    """All of it."""

    secrets: Mapping[str, Entry] = {}
    commands: Mapping[str, Command] = {}
    pinentry: str | None = None
    backends: tuple[str, ...] = ()
    path: str | None = None

    def entry(self, name: str) -> Entry:
        """Return the entry for *name*; ``PyPI/demo`` takes after ``PyPI``."""
        if name in self.secrets:
            return self.secrets[name]
        parent = self.secrets.get(name.partition("/")[0])
        if parent is None:
            return Entry(name)
        return parent._replace(name=name, source=None, command=())
