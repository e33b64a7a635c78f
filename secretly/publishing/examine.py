"""Find out what a publishing command would upload."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import Refused
from ..text import escape, shorten
from . import archives
from .archives import normalize_project
from .destination import Destination
from .release import LIFETIME, LIFETIME_BUILDING, SLOWEST, Release
from .settings import value_at
from .tool_call import ToolCall


def examine_release(call: ToolCall, destination: Destination) -> Release:
    """Find out what a publishing command would upload.

    :raises Refused: if there is nothing to upload, or a file that can't be uploaded.
    """
    row = call.invocation.row
    if redirected := call.invocation.redirected(call.environ):
        raise Refused(
            f"can't determine what would be uploaded, or where: {redirected}",
            f"run {row.name} without its launcher, or leave out that option or variable",
        )
    folder = _folder(call)
    release = Release(row.name, destination, launcher=call.invocation.launcher)
    if _builds(call):
        project, version = _by_settings(
            call, folder, call.words.last(call.artifacts.manifest_options)
        )
        release = release._replace(builds=True, project=project, version=version)
    else:
        paths = _paths(call, folder)
        files = tuple(archives.read_distribution(path, os.fspath(folder)) for path in paths)
        release = release._replace(files=files)
    release = release._replace(expires=_lifetime(release, row.expires))
    release.check()
    return release


def _lifetime(release: Release, configured: float | None) -> float:
    """How long the tool's token is good, in seconds; 0: as long as the stored one."""
    usual = LIFETIME_BUILDING if release.builds else LIFETIME
    expires = usual if configured is None else configured
    # The upload of each file must start in the first half of this time.
    needed = 2 * sum(file.size for file in release.files) / SLOWEST
    return max(expires, needed) if expires else 0


def _builds(call: ToolCall) -> bool:
    """Whether the tool builds before it uploads."""
    artifacts, words = call.artifacts, call.words
    return (
        bool(words.words and words.words[0] in artifacts.builds)
        and (not artifacts.build_options or words.has(artifacts.build_options))
        and not words.has(artifacts.no_build_options)
    )


def _folder(call: ToolCall) -> Path:
    """The folder in which the tool works.

    :raises Refused: if the command line doesn't show it.
    """
    elsewhere, words = call.artifacts.elsewhere_options, call.words
    option = words._replace(options=words.options[: words.before]).last(elsewhere)
    variables = [name[1:] for name in elsewhere if name.startswith("$")]
    if option is not None or any(map(call.environ.get, variables)):
        raise Refused(
            "can't determine which project would be uploaded: a project's name doesn't say where "
            "its folder is",
            "run the command in the project's folder",
        )
    if (manifest := words.last(call.artifacts.manifest_options)) is not None:
        return (call.start_folder / manifest).parent
    return call.project_folder if call.artifacts.root else call.start_folder


def _paths(call: ToolCall, folder: Path) -> list[str]:
    """The files to upload, as they are named."""
    artifacts = call.artifacts
    named = call.words.words[1:] if artifacts.arguments else []
    if not named:
        if not artifacts.folder:
            raise Refused("found no file to upload", "name the files, such as dist/*")
        # All files in the folder: pdm and hatch upload hidden ones too.
        named = [os.path.join(call.words.last(artifacts.folder_options) or artifacts.folder, "")]
    found: list[str] = []
    for pattern in named:
        matching = _matching(pattern, folder)
        if not matching:
            raise _nothing(pattern)
        found += matching
    endings = artifacts.endings or archives.ENDINGS
    paths = [path for path in dict.fromkeys(found) if path.endswith(endings)]
    if artifacts.own:
        paths = _newest(paths, _by_settings(call, folder)[0])
    if not paths:
        raise _nothing(" ".join(named))
    return paths


def _nothing(named: str) -> Refused:
    return Refused(
        f"found no file to upload: {escape(shorten(named, 60))}",
        "build the release first (python -m build), or check the name",
    )


def _matching(pattern: str, folder: Path) -> list[str]:
    """The files that an argument names: a file, a pattern, or a folder."""
    path = os.path.join(folder, pattern)
    if os.path.isdir(path):
        try:
            return [os.path.join(pattern, name) for name in sorted(os.listdir(path))]
        except OSError as error:
            raise Refused(
                f"can't read {escape(pattern)}: {error.strerror}",
                "check the permissions of the folder: its files would be uploaded",
            ) from None
    if os.path.lexists(path):
        return [pattern]
    if "**" in pattern:
        raise Refused(
            f"{escape(pattern)}: tools disagree about which files '**' means",
            "remove the quotes: then the shell expands the pattern",
        )
    return sorted(glob.glob(pattern, root_dir=folder))


def _newest(paths: list[str], project: str) -> list[str]:
    """The files of the project's newest version, which poetry uploads."""
    from packaging.version import Version

    if not project:
        return paths
    by_version: dict[Version, list[str]] = {}
    start = f"{normalize_project(project).replace('-', '_')}-"
    for path in paths:
        name = os.path.basename(path)
        version = name.removeprefix(start).removesuffix(".tar.gz").partition("-")[0]
        try:
            if name.startswith(start):
                by_version.setdefault(Version(version), []).append(path)
        except ValueError:
            continue
    return by_version[max(by_version)] if by_version else []


#: The keys of a project's settings that give its name, and its version.
_NAMES = (
    "project.name",
    "tool.poetry.name",
    "tool.flit.metadata.dist-name",
    "tool.flit.metadata.module",
)
_VERSIONS = ("project.version", "tool.poetry.version")


def _by_settings(call: ToolCall, folder: Path, manifest: str | None = None) -> tuple[str, str]:
    """The project's name and version; each is empty if the settings don't give it."""
    named = os.path.basename(manifest or "Cargo.toml")  # flit's file may have any name
    tables = call.read_toml(folder / ("pyproject.toml" if named == "Cargo.toml" else named))
    name, version = _first(tables, _NAMES), _first(tables, _VERSIONS)
    if not name:
        cargo = call.read_toml(folder / "Cargo.toml")
        name, version = _first(cargo, ("package.name",)), _first(cargo, ("package.version",))
    return (name, version) if archives.is_project_name(name) else ("", "")


def _first(tables: Mapping[str, object], keys: Sequence[str]) -> str:
    values = (value_at(tables, key.split(".")) for key in keys)
    return next((value for value in values if isinstance(value, str)), "")
