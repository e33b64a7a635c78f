"""The keys of the configuration, and the values that each takes."""

from __future__ import annotations

from ..errors import BadConfiguration, SecretlyError
from ..reference import OWN, Reference, looks_secret, parse
from ..text import escape
from .model import Command, Configuration, Entry, Profile
from .values import check_variable, duration, is_variable

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from .model import Remember
else:
    from _collections_abc import Mapping  # loaded already; collections is not


class _Bad(Exception):
    """A value is wrong; the text says why."""


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
        raise _Bad("contains what looks like a secret: other users can see the words of a command")
    return words


def _source(value: object) -> Reference:
    reference = parse(_text(value))
    if not reference.scheme:
        raise _Bad("takes scheme://path: where the secret comes from")
    return reference


def _reference_text(value: object) -> str:
    text = _text(value)
    if text and "{{" not in text and text != f"{OWN}://":  # the plan reads these
        parse(text)
    return text


def _remember(value: object) -> Remember:
    if isinstance(value, bool) or value == "ask":
        return value
    if not isinstance(value, str):
        raise _Bad('takes true, false, "ask" or a duration such as "15m"')
    return duration(value)


def _confirm(value: object) -> bool | float:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _Bad('takes true, false or a duration such as "30m"')
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
    if not is_variable(name):
        raise _Bad(f"can't set '{escape(name)}': not a valid name for an environment variable")
    return name


def _secret_variable(name: str) -> str:
    check_variable(name.replace("{REPOSITORY}", "X"))
    return name


_ENTRY: dict[str, Any] = {
    "source": _source,
    "username": _text,
    "remember": _remember,
    "confirm": _confirm,
    "prefix": _text,
    "hosts": _texts,
    "unverified": _flag,
    "command": _command,
    "narrow": _flag,
}
_PROFILE: dict[str, Any] = {
    "env": _table(_text, _plain_variable),
    "secrets": _table(_reference_text, _secret_variable),
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


class ConfigFile:
    """Reads the tables of one configuration file.

    :param path: the file, for the error messages.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def bad(self, key: str, what: str) -> BadConfiguration:
        return BadConfiguration(
            f"{escape(self.path)}: {escape(key)} {what}",
            "see docs/reference/configuration for the keys and their values",
        )

    def table(self, key: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.bad(key, "takes a table")
        return value

    def read(self, key: str, value: object, schema: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, item in self.table(key, value).items():
            if name not in schema:
                known = ", ".join(sorted(schema))
                raise self.bad(f"{key}.{name}", f"is not a known key (known: {known})")
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
        row = Command(name, **self.read(key, table, _COMMAND), profiles=profiles)
        if row.default is not None and row.default not in profiles:
            raise self.bad(f"{key}.default", f"names an unknown profile: '{escape(row.default)}'")
        return row

    def configuration(self, tables: Mapping[str, Any]) -> Configuration:
        for name in tables:
            if name not in ("secrets", "commands", "prompt", "keychain"):
                raise self.bad(
                    name, "is not a known table (known: commands, keychain, prompt, secrets)"
                )
        prompt = self.read("prompt", tables.get("prompt", {}), {"pinentry": _text})
        keychain = self.read("keychain", tables.get("keychain", {}), {"backends": _texts})
        secrets = self.table("secrets", tables.get("secrets", {}))
        commands = _Commands(self, self.table("commands", tables.get("commands", {})))
        return Configuration(
            secrets={name: self.entry(name, value) for name, value in secrets.items()},
            commands=commands,
            path=self.path or None,
            **prompt,
            **keychain,
        )


class _Commands(Mapping[str, Command]):
    """The known commands. Each is read when it is first used: a run needs one or two."""

    def __init__(self, file: ConfigFile, tables: Mapping[str, Any]) -> None:
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
