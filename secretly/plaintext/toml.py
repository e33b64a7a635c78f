"""TOML files: a key is found by reading each line alone, and the standard library is the judge."""

from __future__ import annotations

import contextlib
import functools
import tomllib
from collections.abc import Iterator

from .finding import Cut, Key, Parsed
from .ini import check_size
from .lines import NoParse, read_lines

__all__ = ["find_key", "parse"]


@functools.lru_cache(maxsize=2)
def parse(data: bytes) -> Parsed:
    """The values of a file by their paths; an empty table has its own.

    :raises NoParse: if it is not TOML.
    """
    check_size(data)
    with contextlib.suppress(ValueError, RecursionError):
        return dict(_flat((), tomllib.loads(data.decode("utf-8"))))
    raise NoParse("it is not valid TOML")


def _flat(path: Key, value: object) -> Iterator[tuple[Key, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat((*path, str(key)), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat((*path, str(number)), inner)
    else:
        yield path, value if isinstance(value, str) else repr(value)


def find_key(data: bytes, key: Key) -> tuple[int, Cut] | None:
    """Find the line that has this key alone: its number, and the part to cut; None: not found."""
    return _places(data).get(key)


@functools.lru_cache(maxsize=2)
def _places(data: bytes) -> dict[Key, tuple[int, Cut]]:
    """The first line of each key that has one to itself."""
    table: Key = ()
    places = dict[Key, tuple[int, Cut]]()
    for line in read_lines(data):
        with contextlib.suppress(ValueError, RecursionError):
            found = tomllib.loads(line.text.decode("utf-8"))
            if line.text.lstrip().startswith(b"["):
                table = _header(found)
            elif len(paths := [path for path, _ in _flat(table, found)]) == 1:
                places.setdefault(paths[0], (line.number, Cut(line.start, line.end)))
    return places


def _header(found: object) -> Key:
    """The path of the table that a header alone makes."""
    path: Key = ()
    while isinstance(found, (dict, list)) and found:
        if isinstance(found, list):
            path, found = (*path, "?"), found[-1]  # one of several tables: nothing is found in it
        else:
            name, found = next(iter(found.items()))
            path = (*path, name)
    return path
