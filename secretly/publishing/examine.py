"""Find out what a publishing command would upload."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..config.command_line import Invocation, Words
from ..config.model import Artifacts, PackageIndex
from ..errors import Refused
from ..text import escape, shorten
from . import archives, destination, settings
from .archives import normalize_project
from .destination import Destination
from .release import LIFETIME, LIFETIME_BUILDING, SLOWEST, Release


def examine_release(call: Invocation, target: Destination, environ: Mapping[str, str]) -> Release:
    """Find out what a publishing command would upload.

    :raises Refused: if there is nothing to upload, or something that cannot be.
    """
    row, files, words = call.row, call.row.files, call.parsed()
    if files is None:
        return Release(row.name, target, expires=LIFETIME if row.expires is None else row.expires)
    if steered := call.steered(environ):
        raise Refused(
            f"{steered}: what would be uploaded where cannot be told",
            f"run {row.name} by itself, or where that is not needed",
        )
    folder = _folder(call, files, words, environ)
    builds = _builds(files, words)
    release = Release(row.name, target, builds=builds, launcher=call.launcher)
    if builds:
        project, version = _by_settings(folder, words.last(files.manifest_options))
        release = replace(release, project=project, version=version)
        usual = LIFETIME_BUILDING
    else:
        base = os.fspath(folder)
        found = tuple(
            archives.read_distribution(path, base) for path in _paths(files, words, folder)
        )
        release, usual = replace(release, files=found), LIFETIME
    expires = usual if row.expires is None else row.expires
    if expires:
        # A file's upload begins at the latest when half of the time is over.
        expires = max(expires, 2 * sum(file.size for file in release.files) / SLOWEST)
    release = replace(release, expires=expires)
    release.check()
    return release


def _builds(files: Artifacts, words: Words) -> bool:
    return (
        bool(words.words and words.words[0] in files.builds)
        and (not files.build_options or words.has(files.build_options))
        and not words.has(files.no_build_options)
    )


def _folder(call: Invocation, files: Artifacts, words: Words, environ: Mapping[str, str]) -> Path:
    """The folder that the tool works in.

    :raises Refused: if that cannot be told.
    """
    option = words._replace(options=words.options[: words.before]).last(files.elsewhere_options)
    named = [name[1:] for name in files.elsewhere_options if name.startswith("$")]
    if option is not None or any(map(environ.get, named)):
        raise Refused(
            "which project would be uploaded cannot be told from a project's name",
            "run it in the project's own folder",
        )
    index = call.row.index or PackageIndex()
    folder = settings.folder_of(words, index.folder_options, environ)
    if (manifest := words.last(files.manifest_options)) is not None:
        return (folder / manifest).parent
    return destination.project_folder(call, environ) if files.root else folder


def _paths(files: Artifacts, words: Words, folder: Path) -> list[str]:
    """The files to upload, as they are named."""
    named = words.words[1:] if files.arguments else []
    if not named:
        if not files.folder:
            raise Refused("there is no file to upload", "name the files, such as dist/*")
        # All that is in it: pdm and hatch upload hidden files, too.
        named = [os.path.join(words.last(files.folder_options) or files.folder, "")]
    found = []
    for pattern in named:
        matching = _matching(pattern, folder)
        if not matching:
            raise _nothing(pattern)
        found += matching
    endings = files.endings or archives.ENDINGS
    paths = [path for path in dict.fromkeys(found) if path.endswith(endings)]
    if files.own:
        paths = _newest(paths, _by_settings(folder)[0])
    if not paths:
        raise _nothing(" ".join(named))
    return paths


def _nothing(named: str) -> Refused:
    return Refused(
        f"there is no file to upload: {escape(shorten(named, 60))}",
        "build it first (python -m build), or check the name",
    )


def _matching(pattern: str, folder: Path) -> list[str]:
    """The files that a word of the command line, or a pattern in it, names."""
    path = os.path.join(folder, pattern)
    if os.path.isdir(path):
        try:
            return [os.path.join(pattern, name) for name in sorted(os.listdir(path))]
        except OSError as error:
            what = f"{escape(pattern)} cannot be read: {error.strerror}"
            raise Refused(what, "its files would be uploaded") from None
    if os.path.lexists(path):
        return [pattern]
    if "**" in pattern:
        raise Refused(
            f"{escape(pattern)}: which files '**' means differs from tool to tool",
            "have the shell expand it: leave the quotes away",
        )
    return sorted(glob.glob(pattern, root_dir=folder))


def _newest(paths: list[str], project: str) -> list[str]:
    """Of the project's own files those of the newest version, which poetry uploads."""
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


#: Where the settings of a project have its name, and its version.
_NAMES = (
    "project.name",
    "tool.poetry.name",
    "tool.flit.metadata.dist-name",
    "tool.flit.metadata.module",
)
_VERSIONS = ("project.version", "tool.poetry.version")


def _by_settings(folder: Path, manifest: str | None = None) -> tuple[str, str]:
    """The project's name and version, as far as its settings have them."""
    named = os.path.basename(manifest or "Cargo.toml")  # flit's may have any name
    tables = settings.read_toml(folder / ("pyproject.toml" if named == "Cargo.toml" else named))
    name = _first(tables, _NAMES)
    version = _first(tables, _VERSIONS)
    if not name:
        cargo = settings.read_toml(folder / "Cargo.toml")
        name, version = _first(cargo, ("package.name",)), _first(cargo, ("package.version",))
    return (name, version) if archives.is_project_name(name) else ("", "")


def _first(tables: Mapping[str, object], keys: Sequence[str]) -> str:
    values = (settings.value_at(tables, key.split(".")) for key in keys)
    return next((value for value in values if isinstance(value, str)), "")
