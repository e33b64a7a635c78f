"""The settings files of uv: which of them count for a call, and what they may say."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config import places
from ..errors import Refused
from ..text import escape
from . import user_settings
from .tool_call import ToolCall

#: The keys that the adapter reads, with the types of their values.
_READ = {
    "publish-url": str,
    "check-url": str,
    "index": list,
    "trusted-publishing": str,
    "keyring-provider": str,
    "native-tls": bool,
    "system-certs": bool,
}

#: The keys about the connection: only the user's own files may set them.
_NETWORK = ("http-proxy", "https-proxy", "no-proxy", "allow-insecure-host", "offline")

#: The keys whose values are looked at.
_TYPES = {**_READ, "allow-insecure-host": list}

#: The other keys of all versions: they are about resolving, building and installing.
_HARMLESS = frozenset(
    "required-version no-cache cache-dir preview preview-features python-preference "
    "python-downloads concurrent-downloads concurrent-builds concurrent-installs index-url "
    "extra-index-url no-index find-links index-strategy resolution prerelease prerelease-package "
    "fork-strategy dependency-metadata config-settings config-settings-package "
    "no-build-isolation no-build-isolation-package extra-build-dependencies "
    "extra-build-variables exclude-newer exclude-newer-package link-mode compile-bytecode "
    "no-sources no-sources-package upgrade upgrade-package reinstall reinstall-package no-build "
    "no-build-package no-binary no-binary-package torch-backend python-install-mirror "
    "pypy-install-mirror python-downloads-json-url add-bounds audit pip cache-keys "
    "override-dependencies exclude-dependencies constraint-dependencies "
    "build-constraint-dependencies environments required-environments conflicts workspace sources "
    "managed package default-groups dependency-groups dev-dependencies build-backend "
    "require-build-hashes minimum-libc-version graalpy-install-mirror "
    "pyodide-install-mirror".split()
)

#: The keys of an index.
_INDEX = frozenset(
    "name url explicit default format publish-url authenticate ignore-error-codes cache-control "
    "hash-algorithm exclude-newer".split()
)

#: The values with which uv reads a variable as 'yes'.
_ON = ("1", "t", "true", "y", "yes", "on")


class SettingsFile(NamedTuple):
    """A settings file that counts.

    :param path: the file.
    :param options: its options.
    :param by_project: whether the project's folders led to it, and not the user.
    :param kept: whether the file is the user's own, and lies outside the project: the pin need
        not switch it off.
    """

    path: Path
    options: Mapping[str, Any]
    by_project: bool = False
    kept: bool = True


def settings_files(call: ToolCall) -> tuple[SettingsFile, ...]:
    """The settings files that count for a call, the one that takes precedence first.

    :raises Refused: if one can't be read, or the project's sets what only the user may.
    """
    named = call.value(("--config-file", "$UV_CONFIG_FILE"))
    if named:  # uv reads the file even with --no-config
        return (_named_file(call, call.start_folder / named),)
    if call.words.has(("--no-config", "--isolated")) or _is_on(call, "UV_NO_CONFIG"):
        return ()
    found = [_project_file(call), _user_file(call), _system_file(call)]
    return tuple(file for file in found if file is not None)


def _is_on(call: ToolCall, variable: str) -> bool:
    return call.environ.get(variable, "").lower() in _ON


def _named_file(call: ToolCall, path: Path) -> SettingsFile:
    """The file that the call names."""
    if path == Path(os.devnull):
        return SettingsFile(path, {}, kept=False)
    if not path.is_file():
        raise Refused(f"can't find the settings file {escape(os.fspath(path))}", "check its path")
    folders = (call.start_folder, call.project_folder)
    inside = any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)
    file = SettingsFile(path, call.read_toml(path), kept=not inside)
    check(file)
    return file


def _user_file(call: ToolCall) -> SettingsFile | None:
    user_settings.optional_path(call.environ.get("XDG_CONFIG_HOME", ""), "XDG_CONFIG_HOME")
    path = Path(places.xdg_folder("config", call.environ), "uv", "uv.toml")
    return _own_file(call, path)


def _system_file(call: ToolCall) -> SettingsFile | None:
    if _is_on(call, "UV_NO_SYSTEM_CONFIG"):
        return None
    for folder in user_settings.system_folders(call.environ):
        path = Path(folder, "uv", "uv.toml")
        if path.is_file():
            return _own_file(call, path)
    return _own_file(call, Path("/etc/uv/uv.toml"))


def _own_file(call: ToolCall, path: Path) -> SettingsFile | None:
    """A file of the user's own, or of the system's."""
    if not path.exists():
        return None
    file = SettingsFile(path, call.read_toml(path))
    check(file)
    return file


# -- the project's file ----------------------------------------------------------


def _project_file(call: ToolCall) -> SettingsFile | None:
    """The project's file: the one of its workspace, if the project is in one."""
    folder = call.named_folder
    if folder.name == "pyproject.toml" and folder.is_file():
        folder = folder.parent
    folder = Path(os.path.normpath(folder))
    root = _root(call, folder)
    found = _find(call, root)
    if root != folder and found != _find(call, folder):
        _check_members(call, root)
    if found is not None:
        check(found)
    return found


def _find(call: ToolCall, start: Path) -> SettingsFile | None:
    """The nearest settings file of a folder and those above it: it hides all others."""
    for folder in (start, *start.parents):
        path = folder / "uv.toml"
        if path.exists():  # it switches off the whole [tool.uv] next to it
            return SettingsFile(path, call.read_toml(path), by_project=True, kept=False)
        if (options := _tool_uv(call, folder)) is not None:
            return SettingsFile(folder / "pyproject.toml", options, by_project=True, kept=False)
    return None


def _tool_uv(call: ToolCall, folder: Path) -> Mapping[str, Any] | None:
    """The table ``[tool.uv]`` of a folder's ``pyproject.toml``; None without one."""
    path = folder / "pyproject.toml"
    tool = call.read_toml(path).get("tool", {})
    options = tool.get("uv") if isinstance(tool, dict) else tool
    if options is not None and not isinstance(options, dict):
        raise _wrong(path, "tool.uv")
    return options


def _root(call: ToolCall, folder: Path) -> Path:
    """The folder where uv begins to look: the root of the project's workspace, if it has one."""
    above = (folder, *folder.parents)
    project = next((f for f in above if (f / "pyproject.toml").is_file()), None)
    if project is None:
        return folder
    options = _tool_uv(call, project) or {}
    if options.get("managed") is False:
        return folder
    if "workspace" in options:
        return project
    if "project" not in call.read_toml(project / "pyproject.toml"):
        return folder
    root = next((f for f in project.parents if (f / "pyproject.toml").is_file()), project)
    return root if _is_member(call, root, project) else project


def _is_member(call: ToolCall, root: Path, project: Path) -> bool:
    """Whether a folder is the root of a workspace with that project."""
    start = glob.escape(os.path.join(root, ""))

    def matches(key: str) -> bool:
        wanted = [_as_expression(start + pattern) for pattern in _patterns(call, root, key)]
        return any(re.fullmatch(one, os.fspath(project), re.DOTALL) for one in wanted)

    return matches("members") and not matches("exclude")


def _patterns(call: ToolCall, root: Path, key: str) -> list[str]:
    """The patterns for the members of a workspace, or for folders that aren't.

    :raises Refused: for a form that Python reads otherwise than uv.
    """
    workspace = (_tool_uv(call, root) or {}).get("workspace", {})
    found = workspace.get(key, []) if isinstance(workspace, dict) else None
    if not isinstance(found, list) or any(not isinstance(p, str) or "[" in p for p in found):
        raise _wrong(root / "pyproject.toml", "tool.uv.workspace")
    return [os.path.normpath(pattern) for pattern in found]


def _as_expression(pattern: str) -> str:
    """A pattern of uv's as a regular expression: its ``*`` means slashes too."""
    signs = {"*": ".*", "?": ".", "**/": "(?:.*/)?"}
    parts = re.findall(r"\[.\]|\*\*/|.", pattern, re.DOTALL)
    return "".join(signs.get(p) or re.escape(p[1] if p[0] == "[" and p[1:] else p) for p in parts)


def _check_members(call: ToolCall, root: Path) -> None:
    """Refuse a workspace that uv can't read: then it acts as if there was none.

    :raises Refused: for a folder in it that isn't a project.
    """
    for pattern in _patterns(call, root, "members"):
        for name in glob.iglob(pattern, root_dir=root, recursive=True):
            folder = root / name
            if not folder.is_dir() or (folder / "pyproject.toml").is_file():
                continue
            if {n for n in os.listdir(folder) if not n.startswith(".")} - {"__pycache__"}:
                raise Refused(
                    f"{escape(os.fspath(folder))} is in a workspace of uv's, but has no "
                    "pyproject.toml",
                    "fix the workspace, or leave its settings out: uv publish --no-config "
                    "--publish-url URL",
                )


# -- what a file may say ---------------------------------------------------------


def check(file: SettingsFile) -> None:
    """Refuse what a file may not say.

    :raises Refused: for a value of a wrong type; in a file of the project, for a key about the
        connection, and for one that no version of uv has.
    """
    for key, value in file.options.items():
        if not isinstance(value, _TYPES.get(key, object)):
            raise _wrong(file.path, key)
        harmless = key in _READ or key in _HARMLESS or (key in _NETWORK and not value)
        if not file.kept and not harmless:
            raise Refused(
                f"{escape(os.fspath(file.path))} sets {escape(key)}, which could change where or "
                "how the upload goes",
                f"move it to your own uv.toml in {escape('~/.config/uv')}, or leave out the "
                "project's settings: uv publish --no-config --publish-url URL",
            )
    for index in file.options.get("index", []):
        if not isinstance(index, dict) or not isinstance(index.get("url"), str):
            raise _wrong(file.path, "index")
        if not file.kept and index.keys() - _INDEX:
            raise _wrong(file.path, f"index.{min(index.keys() - _INDEX)}")


def _wrong(path: Path, key: str) -> Refused:
    return Refused(
        f"can't read {escape(key)} in {escape(os.fspath(path))} as uv does",
        "fix the file, or leave it out: uv publish --no-config --publish-url URL",
    )


def first(files: Sequence[SettingsFile], key: str) -> tuple[SettingsFile, Any] | None:
    """The file that decides a key, and the value there."""
    return next(((file, file.options[key]) for file in files if key in file.options), None)


def indexes(files: Sequence[SettingsFile], name: str) -> Iterator[tuple[SettingsFile, Any]]:
    """The indexes of a name, the one that counts first, each with its file."""
    for file in files:
        for index in file.options.get("index", []):
            if index.get("name") == name:
                yield file, index


def kept_file(files: Sequence[SettingsFile]) -> SettingsFile | None:
    """The only settings file that uv gets under a pin: the user's own, else the system's.

    :raises Refused: if both have settings that matter.
    """
    those_kept = [file for file in files if file.kept and file.options]
    if len(those_kept) > 1:
        matter = [file for file in those_kept if file.options.keys() - _HARMLESS - {"publish-url"}]
        if len(matter) > 1:
            paths = " and ".join(escape(os.fspath(file.path)) for file in matter)
            raise Refused(
                f"can't hold uv to an index while two files have settings for uploads: {paths}",
                "put all of them into the first, and set UV_NO_SYSTEM_CONFIG=1",
            )
        those_kept = matter or those_kept
    return those_kept[0] if those_kept else None
