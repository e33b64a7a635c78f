"""Where configured secrets come from: one module a scheme.

Another package adds one through an entry point of the group ``secretly.sources``, whose
name is the scheme, and which loads a :class:`Source`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from .. import concurrency
from ..display import visible
from ..errors import BadReference, SourceFailed
from ..redacted import Secret
from ..references import Reference
from .command import Command
from .programs import (
    Ambiguous,
    Locked,
    NoField,
    NoItem,
    NotInstalled,
    Program,
    Run,
    SignedOut,
    Source,
    Unreachable,
    operand,
)

__all__ = [
    "SCHEMES",
    "Ambiguous",
    "Item",
    "Items",
    "Locked",
    "NoField",
    "NoItem",
    "NotInstalled",
    "Program",
    "Run",
    "SignedOut",
    "Source",
    "Unreachable",
    "find",
    "operand",
    "schemes",
]

#: The schemes that come with secretly, and the module here for each.
SCHEMES = {
    "bw": "bw",
    "env": "env",
    "file": "file",
    "keepassxc": "keepassxc",
    "keyring": "keychain",
    "lpass": "lpass",
    "op": "op",
    "pass": "passwordstore",
}

#: The entry points' group.
GROUP = "secretly.sources"

#: The names that the default field of an item has, in the order in which they are tried.
_PASSWORD = ("password", "credential")


def _others() -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def schemes() -> list[str]:
    """The schemes that can be read."""
    return sorted({*SCHEMES, *_others()})


def find(scheme: str) -> Source:
    """Return the source for a scheme.

    :raises BadReference: if there is none.
    """
    if scheme in SCHEMES:
        return cast(Source, import_module(f".{SCHEMES[scheme]}", __name__))
    if scheme in (others := _others()):
        try:
            return cast(Source, others[scheme].load())
        except Exception as error:  # another's code
            raise SourceFailed(
                f"the source {scheme}:// cannot be loaded: {type(error).__name__}",
                f"mend or uninstall what brings it: {visible(others[scheme].value)}",
            ) from None
    raise BadReference(
        f"there is no source '{visible(scheme)}://'",
        f"known: {', '.join(f'{name}://' for name in schemes())}",
    )


class Item(dict[str, str]):
    """The fields of an item, whose repr shows no value."""

    def __repr__(self) -> str:
        return f"<item with {len(self)} fields>"

    def chosen(self, field: str, title: str, path: str) -> Secret:
        """The value of a field; of the default one, an API credential's if it has no password.

        :raises NoField: naming those that it has.
        """
        names = {name.casefold(): name for name in reversed(self)}
        for name in (field,) if field not in ("", "password") else _PASSWORD:
            found = names.get(name.casefold(), "")
            if self.get(found):  # an empty one is none
                return _checked(Secret(self[found]), title, path)
        has = ", ".join(map(visible, self)) or "none"
        raise NoField(
            f"{title}: {visible(path)} has no field '{visible(field or 'password')}'",
            f"its fields: {has}",
        )


def _checked(value: Secret, title: str, path: str) -> Secret:
    """A value that can be handed over: JSON can hold what no variable can."""
    try:
        value.encode("utf-8", "surrogateescape")
        wrong = "has a NUL byte in it" if "\0" in value else ""
    except UnicodeEncodeError:
        wrong = "is no Unicode text"
    if wrong:
        raise SourceFailed(f"what {title} has for {visible(path)} {wrong}", "a secret is a text")
    return value


class Items:
    """The items that one run needs: each is fetched once, whatever is wanted of it.

    :param run: what the sources share.
    :param wanted: the references that will be asked for.
    :param commands: the commands that are configured, by the secrets' names.
    """

    def __init__(
        self,
        run: Run,
        wanted: Sequence[Reference] = (),
        commands: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._run, self._commands = run, commands or {}
        self._fields: dict[tuple[str, str], dict[str, None]] = {}
        self._turns: dict[tuple[str, str], concurrency.Turns] = {}
        self._found: dict[tuple[str, str], tuple[tuple[str, ...], Item]] = {}
        self._failed: dict[tuple[str, str], Exception] = {}
        for reference in wanted:
            self._note(reference)

    def _note(self, reference: Reference) -> tuple[str, str]:
        key = (reference.scheme, reference.path)
        self._fields.setdefault(key, {})[reference.field] = None
        return key

    async def get(self, reference: Reference) -> tuple[Secret, str | None]:
        """Return what *reference* names, and the user name that the item has, if any.

        :raises SourceFailed: if its source does not give it.
        :raises BadReference: if there is no such source.
        """
        source = self._source(reference)
        item = await self._item(self._note(reference), source)
        value = item.chosen(reference.field, source.title, reference.path)
        return value, item.get("username") or None

    def _source(self, reference: Reference) -> Source:
        if reference.scheme == "command" and reference.path in self._commands:
            return Command(self._commands[reference.path])
        return find(reference.scheme)

    async def _item(self, key: tuple[str, str], source: Source) -> Item:
        async with self._turns.setdefault(key, concurrency.Turns()).one():
            if key in self._failed:
                raise self._failed[key]
            fields = tuple(self._fields[key])
            asked, item = self._found.get(key, ((), Item()))
            if asked != fields:  # the first time, or for a field that was not wanted then
                try:
                    item = Item(await source.fetch(key[1], fields, self._run))
                except SourceFailed as error:
                    self._failed[key] = error
                    raise
                self._found[key] = fields, item
            return item
