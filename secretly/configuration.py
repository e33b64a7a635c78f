"""The configuration: the shipped tables and the user's, as typed values.

Both have one schema; the user's tables override the shipped ones key by key.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping

from . import shipped, trust
from .display import visible
from .errors import BadConfiguration, SecretlyError
from .records import Record
from .references import Reference, looks_secret, parse

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import datetime
    from typing import Any, Literal

    #: Keep what was typed: no, yes, ask after it was accepted, or in memory for so many seconds.
    Remember = bool | float | Literal["ask"]

__all__ = [
    "STEERING",
    "STEERING_PREFIXES",
    "Artifacts",
    "Command",
    "Configuration",
    "Entry",
    "PackageIndex",
    "Profile",
    "duration",
    "load",
]

_UNITS = {"s": 1, "m": 60, "h": 3600}

#: Variables that change how programs load or what they run, and what those of others begin with.
STEERING = frozenset(
    "PATH IFS ENV SHELLOPTS PROMPT_COMMAND NODE_OPTIONS GIT_SSH GIT_SSH_COMMAND RUBYOPT "
    "RUBYLIB".split()
)
STEERING_PREFIXES = ("LD_", "DYLD_", "PYTHON", "BASH", "PERL5")


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


def duration(text: str) -> float:
    """Read a duration such as ``60s``, ``15m`` or ``2h``, in seconds.

    :raises BadConfiguration: if it is none.

    >>> duration("15m")
    900.0
    """
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    if not found or int(found[1]) == 0:
        raise BadConfiguration(
            f"'{visible(text)}' is no duration", "durations are written 60s, 15m or 2h"
        )
    return float(int(found[1]) * _UNITS[found[2]])


def _is_variable(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def steers(name: str) -> bool:
    """Whether a variable changes how programs load or what they run."""
    return name.upper() in STEERING or name.upper().startswith(STEERING_PREFIXES)


def check_variable(name: str) -> str:
    """Return *name* if a secret may be put into the environment under it.

    :raises BadConfiguration: for a name that is none, or one that changes how
        programs load (``PATH``, ``LD_*``, ``PYTHON*``…).
    """
    if not _is_variable(name):
        raise BadConfiguration(
            f"'{visible(name)}' is no name for an environment variable",
            "use letters, digits and underscores",
        )
    if steers(name):
        raise BadConfiguration(
            f"a secret is not put into {name}: it changes how programs load",
            "choose another variable",
        )
    return name


# -- reading ---------------------------------------------------------------------


class _Bad(Exception):
    """What is wrong with a value."""


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise _Bad("takes text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Bad("takes true or false")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Bad('takes a list of texts, such as ["a", "b"]')
    return tuple(_text(item) for item in value)


def _command(value: object) -> tuple[str, ...]:
    words = _texts(value)
    if not words or not words[0]:
        raise _Bad('takes a command as a list of its words, such as ["rbw", "get", "PyPI"]')
    if any(map(looks_secret, words)):
        raise _Bad("has what looks like a secret: others see the words of a command")
    return words


def _source(value: object) -> Reference:
    reference = parse(_text(value))
    if not reference.scheme:
        raise _Bad("takes scheme://path: where the secret comes from")
    return reference


def _reference(value: object) -> Reference:
    return parse(_text(value))


def _reference_text(value: object) -> str:
    return str(_reference(value)) if value != "" else ""


def _remember(value: object) -> Remember:
    if isinstance(value, bool) or value == "ask":
        return value
    if not isinstance(value, str):
        raise _Bad('takes true, false, "ask" or a duration such as "15m"')
    return duration(value)


def _lifetime(value: object) -> float:
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str):
        raise _Bad('takes a duration such as "15m", or 0')
    return duration(value)


def _table(values: Callable[[object], Any], keys: Callable[[str], str] = str) -> Any:
    def read(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Bad("takes a table")
        return {keys(name): values(item) for name, item in value.items()}

    return read


def _plain_variable(name: str) -> str:
    if not _is_variable(name):
        raise _Bad(f"cannot set '{visible(name)}': no name for an environment variable")
    return name


def _secret_variable(name: str) -> str:
    check_variable(name.replace("{REPOSITORY}", "X"))
    return name


_ENTRY: dict[str, Any] = {
    "source": _source,
    "username": _text,
    "remember": _remember,
    "confirm": _flag,
    "prefix": _text,
    "hosts": _texts,
    "command": _command,
}
_PROFILE: dict[str, Any] = {
    "env": _table(_text, _plain_variable),
    "secrets": _table(_reference_text, _secret_variable),
}
_INDEX: dict[str, Any] = {
    "default": _text,
    "names": _table(_reference_text),
    "name_options": _texts,
    "name_variables": _texts,
    "url_options": _texts,
    "url_variables": _texts,
    "folder_options": _texts,
    "pypirc_options": _texts,
    "name_settings": _texts,
    "settings": _texts,
    "named_only": _flag,
    "url_settings": _texts,
    "fixed": _flag,
    "nearest": _flag,
    "replaces": _flag,
    "no_settings_options": _texts,
    "project_options": _texts,
    "pypirc": _flag,
    "pypirc_servers": _texts,
}
_ARTIFACTS: dict[str, Any] = {
    "arguments": _flag,
    "folder": _text,
    "folder_options": _texts,
    "elsewhere_options": _texts,
    "endings": _texts,
    "root": _flag,
    "own": _flag,
    "manifest_options": _texts,
    "builds": _texts,
    "build_options": _texts,
    "no_build_options": _texts,
}
_COMMAND: dict[str, Any] = {
    **_PROFILE,
    "subcommands": _texts,
    "exceptions": _texts,
    "values": _texts,
    "username": _text,
    "alternatives": _texts,
    "removes": _texts,
    "blanks": _texts,
    "publishes": _flag,
    "seal_keyring": _flag,
    "expires": _lifetime,
    "default": _text,
}


class _File:
    """One configuration file, whose name stands in every message."""

    def __init__(self, path: str) -> None:
        self.path = path

    def bad(self, key: str, what: str) -> BadConfiguration:
        return BadConfiguration(
            f"{visible(self.path)}: {visible(key)} {what}",
            "the keys and what they take are in docs/reference/configuration",
        )

    def table(self, key: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.bad(key, "takes a table")
        return value

    def read(self, key: str, value: object, schema: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, item in self.table(key, value).items():
            if name not in schema:
                raise self.bad(f"{key}.{name}", f"is no key (known: {', '.join(sorted(schema))})")
            try:
                found[name] = schema[name](item)
            except _Bad as error:
                raise self.bad(f"{key}.{name}", str(error)) from None
            except SecretlyError as error:
                raise self.bad(f"{key}.{name}", f"is wrong: {error}") from None
        return found

    def entry(self, name: str, value: object) -> Entry:
        entry = Entry(name, **self.read(f"secrets.{name}", value, _ENTRY))
        if not entry.command:
            return entry
        if entry.source is not None:
            raise self.bad(f"secrets.{name}", "takes source or command, not both")
        return entry._replace(source=Reference("command", name))

    def command(self, name: str, value: object) -> Command:
        key = f"commands.{name}"
        table = dict(self.table(key, value))
        profiles = {
            profile: Profile(**self.read(f"{key}.profiles.{profile}", item, _PROFILE))
            for profile, item in self.table(f"{key}.profiles", table.pop("profiles", {})).items()
        }
        index, files = table.pop("index", None), table.pop("files", None)
        row = Command(
            name,
            **self.read(key, table, _COMMAND),
            profiles=profiles,
            index=None
            if index is None
            else PackageIndex(**self.read(f"{key}.index", index, _INDEX)),
            files=None
            if files is None
            else Artifacts(**self.read(f"{key}.files", files, _ARTIFACTS)),
        )
        if row.default is not None and row.default not in profiles:
            raise self.bad(f"{key}.default", f"names no profile: '{visible(row.default)}'")
        return row

    def configuration(self, tables: Mapping[str, Any]) -> Configuration:
        for name in tables:
            if name not in ("secrets", "commands", "prompt", "keychain"):
                raise self.bad(name, "is no table (known: commands, keychain, prompt, secrets)")
        prompt = self.read("prompt", tables.get("prompt", {}), {"pinentry": _text})
        keychain = self.read("keychain", tables.get("keychain", {}), {"backends": _texts})
        secrets = self.table("secrets", tables.get("secrets", {}))
        commands = _Rows(self, self.table("commands", tables.get("commands", {})))
        return Configuration(
            secrets={name: self.entry(name, value) for name, value in secrets.items()},
            commands=commands,
            path=self.path or None,
            **prompt,
            **keychain,
        )


class _Rows(Mapping[str, Command]):
    """The rows, each read when it is first looked at: a run needs one or two of them."""

    def __init__(self, file: _File, tables: Mapping[str, Any]) -> None:
        self._file, self._tables = file, tables
        self._read: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._read:
            self._read[name] = self._file.command(name, self._tables[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _merged(shipped: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(shipped)
    for name, value in own.items():
        if isinstance(value, dict) and isinstance(both.get(name), dict):
            value = _merged(both[name], value)
        both[name] = value
    return both


def folder(kind: Literal["config", "state"]) -> str:
    """The user's folder for secretly's configuration, or for what it notes.

    On Linux as the XDG Base Directory Specification has it, and platformdirs, whose import
    takes as long as all else that a run does; elsewhere by platformdirs.
    """
    if sys.platform != "linux":
        import platformdirs

        places = {"config": platformdirs.user_config_dir, "state": platformdirs.user_state_dir}
        return places[kind]("secretly")
    root = os.environ.get(f"XDG_{kind.upper()}_HOME", "").strip()
    if not os.path.isabs(root):  # it is to be ignored then, as the specification says
        root = ""
    fallback = {"config": "~/.config", "state": "~/.local/state"}
    return os.path.join(root or os.path.expanduser(fallback[kind]), "secretly")


def path_of(environ: Mapping[str, str]) -> str:
    """Where the user's configuration is: ``SECRETLY_CONFIG``, else the platform's place."""
    return environ.get("SECRETLY_CONFIG") or os.path.join(folder("config"), "config.toml")


def load(environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the shipped tables and the user's.

    :raises BadConfiguration: naming the file and the line or key.
    :raises Refused: if others could write the file.
    """
    environ = os.environ if environ is None else environ
    tables = {"secrets": shipped.SECRETS, "commands": shipped.COMMANDS}
    path = path_of(environ)
    own = _own(path, named=bool(environ.get("SECRETLY_CONFIG")))
    if own is None:
        return _File("").configuration(tables)
    # What a command's `default` names may be shipped, so the whole is read merged;
    # a shipped value is right, so whatever is wrong is the user's.
    found = _File(path).configuration(_merged(tables, own))
    for name in own.get("commands", ()):
        found.commands[name]  # it is looked at now, though this run may not need it
    return found


def _own(path: str, named: bool) -> dict[str, Any] | None:
    if path == os.devnull:  # the usual way to say: none
        return None
    try:
        data = trust.read(path)
    except FileNotFoundError:
        if named:
            raise BadConfiguration(
                f"there is no configuration file {visible(path)}",
                "SECRETLY_CONFIG names it: create it, or unset the variable",
            ) from None
        return None
    except OSError as error:
        raise BadConfiguration(
            f"the configuration file {visible(path)} cannot be read: {error.strerror}",
            "name a plain file that you may read",
        ) from None
    trust.check(path, "the configuration")
    import tomllib

    try:
        return tomllib.loads(data.decode())
    # ValueError: also a number of 5000 digits. RecursionError: 1000 brackets.
    except (ValueError, RecursionError) as error:
        raise BadConfiguration(
            f"{visible(path)} is not TOML: {visible(str(error))}",
            "mend the line that it names",
        ) from None


def seconds(value: float | datetime.timedelta | None, default: float) -> float:
    """Return a time limit in seconds, from a number of them or a timedelta."""
    if value is None:
        return default
    return value.total_seconds() if hasattr(value, "total_seconds") else float(value)
