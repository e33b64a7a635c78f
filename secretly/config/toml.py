"""TOML. Plain files are read here, and all others by the standard library.

Loading that takes longer than most runs. For each file that is read here, it has the same tables.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["loads", "plain_tables"]

#: The characters of a key without quotes.
_BARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

#: The bytes of plain files: no control character, not even a tab, and no escape.
_PLAIN = bytes({0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)} - {ord("\\")})

#: How long a line with several parts may be: each is cut off from the rest.
_LONGEST = 4000


class _NotPlain(Exception):
    """The file is not plain. It may be wrong, too."""


def loads(data: bytes) -> dict[str, Any]:
    """Read a file.

    :raises ValueError: if it is not TOML, and for a number of 5000 digits.
    :raises RecursionError: for 1000 brackets.
    """
    tables = plain_tables(data)
    if tables is None:
        import tomllib

        tables = tomllib.loads(data.decode())
    return tables


def plain_tables(data: bytes) -> dict[str, Any] | None:
    """The tables of a file, if each line is plain; else None.

    Plain are headers, comments, and keys with a text, true, false, or a list or a table of these.
    """
    if data.translate(None, _PLAIN):
        return None
    try:
        return _Reader().read(data.decode().split("\n"))
    except (_NotPlain, UnicodeDecodeError):
        return None


class _Reader:
    """Reads one file."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        #: What was before a value, and the key in it.
        self._keys: dict[str, str] = {}
        #: The lines with true or false, and some of those with a text.
        self._pairs: dict[str, tuple[str, Any]] = {}
        #: The tables of tables, by the headers of these up to the last dot.
        self._parents: dict[str, dict[str, Any]] = {}
        #: By their ids: the tables that have no header yet, and those that never have one.
        self._implicit: set[int] = set()
        self._closed: set[int] = set()

    def read(self, lines: list[str]) -> dict[str, Any]:
        """Read all lines."""
        table, keys, pairs = self._root, self._keys, self._pairs
        for line in lines:
            if not line:
                continue
            if line in pairs:
                key, value = pairs[line]
            elif line[0] == "[":
                table = self._begin(line)
                continue
            else:
                parts = line.split('"')
                if len(parts) == 3 and parts[0] in keys and not parts[2]:
                    key, value = keys[parts[0]], parts[1]
                elif _is_end(line):
                    continue
                else:
                    key, value = self._read_pair(line)
            if key in table:
                raise _NotPlain
            table[key] = value
        return self._root

    def _read_pair(self, line: str) -> tuple[str, Any]:
        """The key and the value in a line."""
        key, rest = _key(line.lstrip(" "))
        text = rest[1:].lstrip(" ")
        value, end = _value(text)
        if rest[:1] != "=" or not _is_end(end):
            raise _NotPlain
        if isinstance(value, dict):
            self._closed.add(id(value))
        elif not isinstance(value, list):
            self._pairs[line] = key, value
        self._keys[line.removesuffix(text)] = key
        return key, value

    def _begin(self, line: str) -> dict[str, Any]:
        """The table of a header."""
        before, _, name = line.rpartition(".")
        parent, name = self._parents.get(before), name[:-1]
        if parent is None or line[-1] != "]" or name in parent or not name or name.strip(_BARE):
            return self._begin_slowly(line)
        table: dict[str, Any] = {}
        parent[name] = table
        return table

    def _begin_slowly(self, line: str) -> dict[str, Any]:
        *names, last = path = _path(line)
        parent = self._root
        for name in names:
            if name not in parent:
                parent[name] = {}
                self._implicit.add(id(parent[name]))
            parent = parent[name]
            if not isinstance(parent, dict) or id(parent) in self._closed:
                raise _NotPlain
        if last not in parent:
            parent[last] = {}
        elif id(parent[last]) in self._implicit:
            self._implicit.remove(id(parent[last]))
        else:
            raise _NotPlain
        if names and line == f"[{'.'.join(path)}]":  # without quotes
            self._parents[line.rpartition(".")[0]] = parent
        table: dict[str, Any] = parent[last]
        return table


def _path(line: str) -> list[str]:
    """The keys of a header."""
    if len(line) > _LONGEST:
        raise _NotPlain
    path, rest = [], f".{line[1:]}"
    while rest[:1] == ".":
        key, rest = _key(rest[1:].lstrip(" "))
        path.append(key)
    if rest[:1] != "]" or not _is_end(rest[1:]):
        raise _NotPlain
    return path


def _is_bare(key: str) -> bool:
    return bool(key) and not key.strip(_BARE)


def _is_end(rest: str) -> bool:
    """Whether a line may end so: with nothing or a comment."""
    return rest.lstrip(" ")[:1] in ("", "#")


def _key(text: str) -> tuple[str, str]:
    """The key that a text begins with, and the rest."""
    if text[:1] in ('"', "'"):
        return _quoted(text)
    rest = text.lstrip(_BARE)
    if len(rest) == len(text):
        raise _NotPlain
    return text[: len(text) - len(rest)], rest.lstrip(" ")


def _quoted(text: str) -> tuple[str, str]:
    inside, quote, rest = text[1:].partition(text[0])
    if not quote:
        raise _NotPlain
    return inside, rest.lstrip(" ")


def _value(text: str) -> tuple[Any, str]:
    """The value that a text begins with, and the rest."""
    if text[:1] not in ("[", "{"):
        return _scalar(text)
    if len(text) > _LONGEST:
        raise _NotPlain
    rest = text[1:].lstrip(" ")
    return _list(rest) if text[0] == "[" else _table(rest)


def _scalar(text: str) -> tuple[str | bool, str]:
    if text[:1] in ('"', "'"):
        return _quoted(text)
    for word, value in (("true", True), ("false", False)):
        if text.startswith(word):
            return value, text[len(word) :].lstrip(" ")
    raise _NotPlain


def _list(rest: str) -> tuple[list[str | bool], str]:
    found = []
    while rest[:1] != "]":
        value, rest = _scalar(rest)
        found.append(value)
        if rest[:1] == ",":
            rest = rest[1:].lstrip(" ")
        elif rest[:1] != "]":
            raise _NotPlain
    return found, rest[1:]


def _table(rest: str) -> tuple[dict[str, str | bool], str]:
    found: dict[str, str | bool] = {}
    if rest[:1] == "}":
        return found, rest[1:]
    rest = f",{rest}"
    while rest[:1] == ",":
        key, rest = _key(rest[1:].lstrip(" "))
        if rest[:1] != "=" or key in found:
            raise _NotPlain
        found[key], rest = _scalar(rest[1:].lstrip(" "))
    if rest[:1] != "}":
        raise _NotPlain
    return found, rest[1:]
