"""The keys of the configuration, and what each of them takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..errors import BadConfiguration, SecretlyError
from ..reference import Reference, looks_secret, parse
from ..text import escape
from .model import Artifacts, Command, Configuration, Entry, PackageIndex, Profile
from .values import check_variable, duration, is_variable

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

    from .model import Remember


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
    if not is_variable(name):
        raise _Bad(f"cannot set '{escape(name)}': no name for an environment variable")
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


class ConfigFile:
    """One configuration file, whose name stands in every message."""

    def __init__(self, path: str) -> None:
        self.path = path

    def bad(self, key: str, what: str) -> BadConfiguration:
        return BadConfiguration(
            f"{escape(self.path)}: {escape(key)} {what}",
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
            raise self.bad(f"{key}.default", f"names no profile: '{escape(row.default)}'")
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
