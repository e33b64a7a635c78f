"""The settings files of publishing tools."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import places
from ..errors import Refused
from ..text import escape
from .tool_call import ToolCall

#: The values with which uv reads a variable as 'no'.
_OFF = ("", "0", "f", "false", "n", "no", "off")

_WORKSPACE = ("tool", "uv", "workspace")


class Found(NamedTuple):
    """A value from a settings file.

    :param by_project: whether the file belongs to the project, and not to the user.
    """

    value: str
    by_project: bool


class Setting(NamedTuple):
    """A settings file, and the key in it.

    :param file: as in :class:`.tool.PackageIndex`.
    :param keys: the tables, and the key in the last of them.
    """

    file: str
    keys: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, name: str) -> Setting:
        """Read ``FILE KEY``, with *name* for ``{name}`` in the key."""
        file, _, key = text.rpartition(" ")
        return cls(file, tuple(name if part == "{name}" else part for part in key.split(".")))

    @property
    def is_named(self) -> bool:
        """Whether an option or a variable of the tool names the file."""
        return self.file.startswith(("-", "$")) and not self.file.startswith("$XDG_")

    @property
    def is_projects(self) -> bool:
        """Whether the file belongs to the project."""
        return not self.file.startswith(("-", "$", "~", "/"))


def settings_values(call: ToolCall, texts: Sequence[str], name: str) -> Iterator[Found]:
    """The values that the tool's settings files give, the one that counts first.

    :param texts: the settings, each ``FILE KEY``.
    :param name: the name of the index.
    :raises Refused: if a file can't be read, or the files contradict each other.
    """
    settings = _counting(call, [Setting.parse(text, name) for text in texts])
    of_project = [setting for setting in settings if setting.is_projects]
    for setting in settings:
        if not setting.is_projects:
            yield from _values(call, _files(call, setting), setting, by_project=False)
        elif setting is of_project[0]:
            yield from _project_values(call, of_project)


def _counting(call: ToolCall, settings: list[Setting]) -> list[Setting]:
    """The settings that count for this call."""
    named = [setting for setting in settings if setting.is_named and _named_file(call, setting)]
    # An option takes precedence over a variable.
    named = [setting for setting in named if setting.file == named[0].file]
    if named and call.index.replaces:  # uv reads the file even with --no-config
        return named
    switches = call.index.no_settings_options
    flags = [option for option in switches if option.startswith("-")]
    if call.words.has(flags) or (call.value(switches) or "").lower() not in _OFF:
        return []
    if named:  # the file replaces the user's own settings
        return [setting for setting in settings if setting in named or setting.is_projects]
    return settings


def _named_file(call: ToolCall, setting: Setting) -> str | None:
    """The file or folder that an option or a variable of the tool names."""
    if setting.file.startswith("-"):
        return call.words.last([setting.file])
    return call.environ.get(setting.file[1:].partition("/")[0])


def _files(call: ToolCall, setting: Setting) -> list[Path]:
    """The files of a setting that doesn't belong to the project."""
    file, environ = setting.file, call.environ
    if setting.is_named:
        named = _named_file(call, setting)
        below = file.split("/")[1:]
        return [Path(places.expand_user(named, environ), *below)] if named else []
    if file.startswith("$XDG_CONFIG_DIRS/"):
        first, *others = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        folders = [
            places.full_path(one, "XDG_CONFIG_DIRS") for one in (first, *filter(None, others))
        ]
        paths = [Path(folder, file.partition("/")[2]) for folder in folders]
        return [path for path in paths if path.exists()][:1]
    if file.startswith("~/.config/") and (named := environ.get("XDG_CONFIG_HOME")):
        folder = places.full_path(named, "XDG_CONFIG_HOME")
        return [Path(folder, file.removeprefix("~/.config/"))]
    return [Path(places.expand_user(file, environ))]


def _project_values(call: ToolCall, settings: list[Setting]) -> Iterator[Found]:
    """The values that the project's own settings files give."""
    if not call.index.nearest:
        for setting in settings:
            paths = [call.project_folder / setting.file]
            yield from _values(call, paths, setting, by_project=True)
        return
    # uv: the settings of a project hide those of its folders. The settings of a workspace hide
    # those of its members, if the project is one: so all must agree.
    folder = call.named_folder
    workspaces = [
        f
        for f in (folder, *folder.parents)
        if value_at(call.read_toml(f / "pyproject.toml"), _WORKSPACE) is not None
    ]
    starts = (folder, call.project_folder, *workspaces)
    found = [next(_nearest_values(call, settings, start), None) for start in starts]
    if len(set(found)) > 1:
        urls = " and ".join(
            escape(one.value.rpartition("@")[2]) if one else "none" for one in dict.fromkeys(found)
        )
        raise Refused(
            f"the settings of this project and of its workspace name different indexes: {urls}",
            "choose one on the command line: --publish-url URL",
        )
    yield from filter(None, found[:1])


def _nearest_values(call: ToolCall, settings: list[Setting], start: Path) -> Iterator[Found]:
    """The values of the nearest settings file, which hides all others."""
    for folder in (start, *start.parents):
        for setting in settings:
            path = folder / setting.file
            table = setting.keys[:2] if path.name == "pyproject.toml" else ()
            if path.exists() and value_at(call.read_toml(path), table) is not None:
                yield from _values(call, [path], setting, by_project=True)
                return


def _values(
    call: ToolCall, paths: Iterable[Path], setting: Setting, *, by_project: bool
) -> Iterator[Found]:
    for path in paths:
        value = value_at(call.read_toml(path), setting.keys)
        if isinstance(value, str) and value:
            yield Found(value, by_project)


def value_at(value: Any, keys: Sequence[str]) -> object:
    """The value under *keys*, or None. In a list of tables, a key is the ``name`` of a table."""
    for key in keys:
        if isinstance(value, list):
            value = next((v for v in value if isinstance(v, dict) and v.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value
