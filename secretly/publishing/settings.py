"""The settings files of publishing tools."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import safefiles
from ..config.command_line import Words
from ..config.model import PackageIndex
from ..errors import Refused
from ..text import escape


def folder_of(words: Words, options: tuple[str, ...], environ: Mapping[str, str]) -> Path:
    """The folder that the last of these options names, or a ``$VARIABLE`` among them."""
    try:
        return Path(named_value(words, options, environ) or ".").absolute()
    except OSError:
        raise Refused("the working folder has gone", "cd to one that is there") from None


def named_value(words: Words, options: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The value of the last of these options, or else of a ``$VARIABLE`` among them."""
    variables = (name[1:] for name in options if name.startswith("$"))
    found = words.last(options)
    return next(filter(None, map(environ.get, variables)), None) if found is None else found


#: What uv takes for 'no' in a variable.
_OFF = ("", "0", "f", "false", "n", "no", "off")


def settings_values(
    places: tuple[str, ...],
    name: str,
    words: Words,
    index: PackageIndex,
    environ: Mapping[str, str],
) -> Iterator[tuple[str, bool]]:
    """The values that the tool's settings files have, and whether the project's own has it.

    The nearest comes first.
    """
    switches = [option for option in index.no_settings_options if option.startswith("-")]
    switched = named_value(words, index.no_settings_options, environ) or ""
    given = [place for place in places if _is_named(place) and _value_of(place, words, environ)]
    # An option goes before the variable for it.
    given = [place for place in given if place.partition(" ")[0] == given[0].partition(" ")[0]]
    if given and index.replaces:  # uv reads it with --no-config, too
        places = tuple(given)
    elif words.has(switches) or switched.lower() not in _OFF:
        return
    elif given:  # in place of the person's
        places = tuple(place for place in places if place in given or _is_relative(place))
    folder = folder_of(words, index.folder_options, environ)
    folder = folder / (named_value(words, index.project_options, environ) or "")
    done = False
    for place in places:
        if not _is_relative(place):
            yield from _values(_files_named(place, words, environ), place, name, False)
        elif not done:
            done = True
            own = tuple(filter(_is_relative, places))
            yield from _of_project(own, name, folder, index.nearest)


def _of_project(
    places: tuple[str, ...], name: str, folder: Path, nearest: bool
) -> Iterator[tuple[str, bool]]:
    """The values that the project's own settings files have."""
    folders = (folder, *folder.parents)
    root = next((f for f in folders if (f / "pyproject.toml").is_file()), folder)
    if not nearest:
        for place in places:
            yield from _values([root / place.rpartition(" ")[0]], place, name, True)
        return
    # A project's own settings hide those of its folders, a workspace's its members', if it is
    # one, and they are.
    spaces = [
        f for f in folders if value_at(read_toml(f / "pyproject.toml"), _WORKSPACE) is not None
    ]
    found = [next(_of_nearest(places, name, start), None) for start in (folder, root, *spaces)]
    if len(set(found)) > 1:
        urls = " and ".join(escape(one[0]) if one else "none" for one in dict.fromkeys(found))
        raise Refused(
            f"a project or workspace and a part of it name different indexes: {urls}",
            "say which on the command line: --publish-url",
        )
    yield from filter(None, found[:1])


_WORKSPACE = ["tool", "uv", "workspace"]


def _of_nearest(places: tuple[str, ...], name: str, start: Path) -> Iterator[tuple[str, bool]]:
    """The values of the nearest settings file, which hides all others."""
    for folder in (start, *start.parents):
        for place in places:
            file, _, key = place.rpartition(" ")
            path = folder / file
            table = key.split(".")[:2] if path.name == "pyproject.toml" else []
            if path.exists() and value_at(read_toml(path), table) is not None:
                yield from _values([path], place, name, True)
                return


def _values(paths: list[Path], place: str, name: str, projects: bool) -> Iterator[tuple[str, bool]]:
    keys = [name if part == "{name}" else part for part in place.rpartition(" ")[2].split(".")]
    for path in paths:
        value = value_at(read_toml(path), keys)
        if isinstance(value, str) and value:
            yield value, projects


def _is_named(place: str) -> bool:
    """Whether an option or a variable of the tool's names the file."""
    return place.startswith(("-", "$")) and not place.startswith("$XDG_")


def _is_relative(place: str) -> bool:
    return not place.startswith(("-", "$", "~", "/"))


def _value_of(place: str, words: Words, environ: Mapping[str, str]) -> str | None:
    option = place.partition(" ")[0]
    if option.startswith("-"):
        return words.last([option])
    return environ.get(option[1:].partition("/")[0])


def value_at(value: Any, keys: list[str]) -> object:
    """What stands under *keys*; in a list of tables, a key is the ``name`` of one."""
    for key in keys:
        if isinstance(value, list):
            value = next((v for v in value if isinstance(v, dict) and v.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def home_folder(environ: Mapping[str, str]) -> str:
    """The person's folder: without HOME, the one that the system knows, as the tools do."""
    return environ.get("HOME") or os.path.expanduser("~")


def _files_named(place: str, words: Words, environ: Mapping[str, str]) -> list[Path]:
    """The files outside the project that a place is, as far as it is known."""
    file = place.partition(" ")[0] if place.startswith(("-", "$")) else place.rpartition(" ")[0]
    if file.startswith("$XDG_CONFIG_DIRS/"):
        folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        paths = [Path(folder, file.partition("/")[2]) for folder in folders]
        return [path for path in paths if path.exists()][:1]
    if _is_named(place):
        named = _value_of(place, words, environ)
        if not named:
            return []
        return [Path(os.path.expanduser(named), *file.split("/")[1:])]
    if file.startswith("~/.config/") and environ.get("XDG_CONFIG_HOME"):
        return [Path(environ["XDG_CONFIG_HOME"], file.removeprefix("~/.config/"))]
    return [Path(home_folder(environ), file[2:]) if file.startswith("~/") else Path(file)]


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file; nothing if there is none.

    :raises OSError: if it cannot be read, or is no file: a pipe would be waited for.
    :raises ValueError: if it is no text.
    """
    try:
        return safefiles.read_file(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_toml(path: Path) -> dict[str, Any]:
    """What a settings file has; nothing if there is none.

    :raises Refused: if it cannot be read.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return tomllib.loads(read_text(path))
    raise Refused(
        f"{escape(os.fspath(path))} cannot be read",
        "mend it: it may name the index or the project",
    )
