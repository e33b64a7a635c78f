"""The configuration as typed values."""

from __future__ import annotations

import _collections_abc  # loaded already; collections is not

from ..record import Record

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Literal

    from ..reference import Reference
    from .asking_limits import AskingLimits

    #: Store what was typed: no, yes, ask after it was accepted, or hold it in memory for so many
    #: seconds.
    Remember = bool | float | Literal["ask"]


class Tables(_collections_abc.Mapping[str, "Any"]):
    """Tables of the configuration. Each is read when it is first used: a run needs one or two.

    :param read: what makes the value of a name and its table.
    """

    def __init__(self, read: Callable[[str, Any], Any], tables: Mapping[str, Any]) -> None:
        self._read, self._tables = read, tables
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._read(name, self._tables[name])
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def having(self, key: str, kind: type) -> list[str]:
        """The names of the tables with such a value for a key."""
        tables = self._tables.items()
        return [name for name, table in tables if isinstance(table.get(key), kind)]

    def unread(self) -> Iterator[Mapping[str, Any]]:
        """The tables as they were written."""
        return iter(self._tables.values())


class Entry(Record):
    """A secret in the configuration: ``[secrets.NAME]``.

    :param source: where the secret comes from; None: the keychain, or the user.
    :param username: the user name that goes with the secret.
    :param remember: whether to store a secret that was typed.
    :param confirm: whether you must agree before a stored secret is used; seconds: the same, and
        you may agree for so long.
    :param prefix: how the secret starts, if it is a token.
    :param hosts: the indexes that a token may go to although another index made it.
    :param unverified: allow an upload to its index although the tool is told not to check the
        index's certificate.
    :param command: a command that prints the secret, in place of a source.
    :param format: ``"json"``, if the command prints a JSON object, whose texts are the fields.
    :param narrow: whether a command that is not a known upload gets a PyPI token that ends in an
        hour, in place of the stored one.
    :param sealed: whether the keychain stores it as an age file for the user's identity.
    """

    name: str
    source: Reference | None = None
    username: str | None = None
    remember: Remember | None = None
    confirm: bool | float | None = None
    prefix: str | None = None
    hosts: tuple[str, ...] = ()
    unverified: bool = False
    command: tuple[str, ...] = ()
    format: str = ""
    narrow: bool = True
    sealed: bool = False


class Profile(Record):
    """One way to call a command: ``[commands.NAME.profiles.PROFILE]``.

    :param env: plain variables.
    :param secrets: variables, and the references of the secrets for them.
    """

    env: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}


class Command(Record):
    """A known command: ``[commands.NAME]``.

    :param subcommands: the subcommands that need the secret; empty if all calls do.
    :param exceptions: the first arguments of calls without a secret, if *subcommands* is empty.
    :param values: options that take a value in the following argument.
    :param secrets: variables, and the references of the secrets for them.
    :param username: the variable for the user name.
    :param alternatives: variables that the tool reads in place of the secret's. If the caller
        has set one, it is used; else all are removed.
    :param removes: other variables to remove, so that a stale credential can't win.
    :param blanks: variables to set to nothing, so that the tool doesn't prefer what it finds in
        its own store.
    :param beaten_by: what the tool prefers to the variable: options, and the names of modules of
        ``running/rivals`` that look at the tool's own settings. Such a call is refused.
    :param env: plain variables.
    :param publishes: whether the command publishes something: then you confirm the use of a
        stored secret.
    :param seal_keyring: whether to keep the command from storing its secret in Linux's kernel
        keyring.
    :param expires: how long the narrowed PyPI token is good, in seconds: an hour at most; 0: an
        hour; None: 15 minutes, or 60 if the command builds first.
    :param default: the profile to use if none is chosen.
    :param profiles: the profiles by name.
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
    beaten_by: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    publishes: bool = False
    seal_keyring: bool = False
    expires: float | None = None
    default: str | None = None
    profiles: Mapping[str, Profile] = {}


class Configuration(Record):
    """The whole configuration.

    :param secrets: the secrets by name.
    :param commands: the known commands by name.
    :param pinentry: the pinentry to use, or how a policy limits that; None: secretly finds one.
    :param backends: keyring backends that may be used besides keyring's own.
    :param path: the user's file; None if there is none.
    """

    secrets: Mapping[str, Entry] = {}
    commands: Mapping[str, Command] = {}
    pinentry: str | AskingLimits | None = None
    backends: tuple[str, ...] = ()
    path: str | None = None

    def having(self, key: str, kind: type) -> dict[str, Entry]:
        """The entries with such a value for a key in the file, and maybe others.

        To read all entries takes long, if there are many.
        """
        entries = self.secrets
        names = entries.having(key, kind) if isinstance(entries, Tables) else entries
        return {name: entries[name] for name in names}

    def entry(self, name: str) -> Entry:
        """Return the entry of a secret.

        ``PyPI/demo`` inherits from ``PyPI``, except for its source.
        """
        if name in self.secrets:
            return self.secrets[name]
        parent = self.secrets.get(name.partition("/")[0])
        if parent is None:
            return Entry(name)
        return parent._replace(name=name, source=None, command=(), format="")
