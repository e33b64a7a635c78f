"""The keys of the configuration, and the values that each takes."""

from __future__ import annotations

from ..errors import BadConfiguration, SecretlyError
from ..text import escape
from . import known_commands
from .model import Command, Configuration, Entry, Profile, Tables
from .values import check_variable, duration, is_variable

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ..reference import Reference
    from .model import Remember


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
    from ..reference import looks_secret

    if any(map(looks_secret, words)):
        raise _Bad("contains what looks like a secret: other users can see the words of a command")
    return words


def _format(value: object) -> str:
    if value not in ("text", "json"):
        raise _Bad('takes "text" or "json"')
    return "json" if value == "json" else ""


def _source(value: object) -> Reference:
    from ..reference import parse

    reference = parse(_text(value))
    if not reference.scheme:
        raise _Bad("takes scheme://path: where the secret comes from")
    return reference


def _reference_text(value: object) -> str:
    text = _text(value)
    if text:  # the rows of publishing tools have none
        from ..reference import OWN, parse

        if "{{" not in text and text != f"{OWN}://":  # the plan reads these
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
    "format": _format,
    "narrow": _flag,
    "sealed": _flag,
}
#: The keys of an entry that go with all others.
_INDEPENDENT = _ENTRY.keys() - {"source", "command", "format", "sealed"}

_PROFILE: dict[str, Any] = {
    "env": _table(_text, _plain_variable),
    "secrets": _table(_reference_text, _secret_variable),
}
#: The tables with settings of secretly itself.
_SMALL_TABLES: dict[str, dict[str, Any]] = {
    "prompt": {"pinentry": _text},
    "keychain": {"backends": _texts},
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
    "beaten_by": _texts,
    "publishes": _flag,
    "seal_keyring": _flag,
    "expires": _lifetime,
    "default": _text,
}


def _unclear(tables: Mapping[str, Any]) -> list[str]:
    """The names of the entries that may be wrong, in their order.

    To read each takes ten times as long, and a run needs one or two.
    """
    right: set[tuple[str, str | bool]] = set()
    sources: list[str] = []
    unclear = [name for name, table in tables.items() if not _is_clear(table, right, sources)]
    return unclear if not sources or are_right(sources) else list(tables)


def _is_clear(table: object, right: set[tuple[str, str | bool]], sources: list[str]) -> bool:
    """Whether an entry is surely right, if its source is.

    :param right: the keys with their values that were read before.
    :param sources: gets the source.
    """
    if not isinstance(table, dict):
        return False
    for key, value in table.items():
        if type(value) is str and key == "source":
            sources.append(value)
        elif type(value) is not str and type(value) is not bool:  # 1 == True
            return False
        elif (key, value) not in right:
            if not _is_right(key, value):
                return False
            right.add((key, value))
    return True


def _is_right(key: str, value: object) -> bool:
    if key not in _INDEPENDENT:
        return False
    try:
        _ENTRY[key](value)
    except (_Bad, SecretlyError):
        return False
    return True


def are_right(texts: Sequence[str]) -> bool:
    """Whether :func:`~secretly.reference.parse` surely finds a scheme in each text, and no error.

    For many texts, this takes a tenth of the time.
    """
    from ..reference import OWN, is_scheme, looks_secret

    if not "".join(texts).isprintable() or looks_secret("\n".join(texts)):
        return False
    schemes: set[str] = set()
    for text in texts:
        scheme, _, path = text.partition("://")
        if not path or path[0] == "#" or path[-1] in "# ":
            return False
        if scheme not in schemes:
            if not is_scheme(scheme) or scheme.lower() == OWN:
                return False
            schemes.add(scheme)
    return True


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
        if entry.format and not entry.command:
            raise self.bad(f"secrets.{name}.format", "needs command: it is about its output")
        if entry.command and entry.source is not None:
            raise self.bad(f"secrets.{name}", "takes source or command, not both")
        if entry.command:
            from ..reference import Reference

            entry = entry._replace(source=Reference("command", name))
        if entry.sealed:
            self._check_sealed(f"secrets.{name}", entry)
        return entry

    def _check_sealed(self, key: str, entry: Entry) -> None:
        """Refuse what a sealed secret can't have: it is in the keychain, and never in memory."""
        if entry.source is not None:
            raise self.bad(key, "takes sealed or a source, not both: a source is not sealed")
        if isinstance(entry.remember, float):
            raise self.bad(key, "takes sealed or a duration in remember, not both")

    def command(self, name: str, value: object) -> Command:
        if value is known_commands.COMMANDS.get(name):  # nothing of it is the user's
            value = known_commands.row(name)
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

    def unknown(self, name: str) -> BadConfiguration:
        """The error about something at the top of the file that is not a table."""
        for table, schema in _SMALL_TABLES.items():
            if name in schema:
                error = self.bad(name, f"is a key of the table [{table}]")
                error.hint = f"write [{table}] in the line above it"
                return error
        return self.bad(name, "is not a known table (known: commands, keychain, prompt, secrets)")

    def configuration(self, tables: Mapping[str, Any]) -> Configuration:
        for name in tables:
            if name not in ("secrets", "commands", *_SMALL_TABLES):
                raise self.unknown(name)
        prompt, keychain = (
            self.read(name, tables.get(name, {}), schema) for name, schema in _SMALL_TABLES.items()
        )
        secrets = self.table("secrets", tables.get("secrets", {}))
        for name in _unclear(secrets):
            self.entry(name, secrets[name])  # find errors now, even if this run doesn't need it
        commands = self.table("commands", tables.get("commands", {}))
        return Configuration(
            secrets=Tables(self.entry, secrets),
            commands=Tables(self.command, commands),
            path=self.path or None,
            **prompt,
            **keychain,
        )
