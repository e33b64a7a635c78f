"""The packages that a call of cargo would publish, from their manifests."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import Refused
from ...text import escape
from ..tool_call import ToolCall, table_at, value_at

_MANIFEST = "Cargo.toml"

#: What cargo takes for the name of a registry, and of a crate.
NAME = re.compile(r"\w[\w-]*", re.ASCII)

_DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies")


class Package(NamedTuple):
    """A package.

    :param registries: the only registries that it may go to; None: any; empty: none.
    """

    name: str
    version: str
    registries: tuple[str, ...] | None = None


class Selection(NamedTuple):
    """What the options of a call say about the packages.

    :param manifest: the path of the manifest; None: the nearest one.
    :param named: names, which may be patterns, and may have a version after ``@``.
    :param all: all packages of the workspace, whatever is named.
    :param excluded: names without which, as patterns.
    """

    manifest: str | None = None
    named: tuple[str, ...] = ()
    all: bool = False
    excluded: tuple[str, ...] = ()


class Workspace:
    """One look at a package and at its workspace.

    :raises Refused: if the manifest is missing.
    """

    def __init__(self, call: ToolCall, manifest: str | None) -> None:
        self._call = call
        start = call.start_folder
        if manifest is not None:
            self._path = start / manifest
        else:
            above = (folder / _MANIFEST for folder in (start, *start.parents))
            self._path = next((path for path in above if path.is_file()), start / _MANIFEST)
        if not self._path.is_file():
            raise Refused(
                f"found no {escape(os.fspath(self._path))}", "run cargo in the package's folder"
            )
        self._path = Path(os.path.normpath(self._path))

    def selected(self, wanted: Selection) -> list[Package]:
        """The packages that would be published: those that may be.

        :raises Refused: if a name fits none, or none may be published.
        """
        if wanted.all:
            every = map(self._package, self._members)
            found = [one for one in every if not _fits(one, wanted.excluded)]
        elif wanted.named:
            found = [self._package(path) for path in self._named(wanted.named)]
        else:
            found = [self._package(path) for path in self._usual]
        published = [one for one in found if one.registries != ()]
        if not published or (wanted.named and not wanted.all and len(published) < len(found)):
            raise Refused(
                "cargo would publish no package: publish = false", "name another one: -p NAME"
            )
        return published

    def own_package(self) -> Package:
        """The package of the manifest itself.

        :raises Refused: if the manifest has none.
        """
        return self._package(self._path)

    def _named(self, names: Sequence[str]) -> Iterator[Path]:
        found = {path: self._package(path) for path in self._members}
        for name in names:
            if "/" in name or ":" in name:
                raise Refused(
                    f"can't determine which package {escape(name)} is", "give its name: -p NAME"
                )
            fitting = [path for path, one in found.items() if _fits(one, (name,))]
            if not fitting:
                raise Refused(f"found no package {escape(name)} in the workspace", "check the name")
            yield from fitting

    # -- the workspace -----------------------------------------------------------------

    @functools.cached_property
    def _root(self) -> Path:
        """The manifest of the workspace; without one, the package's own."""
        manifest = self._read(self._path)
        if "workspace" in manifest:
            return self._path
        named = value_at(manifest, ("package", "workspace"))
        if isinstance(named, str):
            return self._at(self._path.parent / named)
        for folder in self._path.parent.parents:
            root = folder / _MANIFEST
            if root.is_file() and "workspace" in self._read(root):
                return self._path if self._is_excluded(self._path, root) else root
        return self._path

    @functools.cached_property
    def _members(self) -> list[Path]:
        """The manifests of all packages: the listed ones, and those that they depend on."""
        root = self._root
        waiting = [*self._listed("members")]
        if "package" in self._read(root):
            waiting.append(root)
        found: list[Path] = []
        while waiting:
            path = waiting.pop()
            if path in found or not path.is_file() or self._is_excluded(path, root):
                continue
            found.append(path)
            waiting += (other for other in self._neighbours(path) if self._belongs(other))
        return sorted(found) or [self._path]

    @property
    def _usual(self) -> list[Path]:
        """The manifests of the packages that cargo takes where the call names none."""
        if self._path != self._root:
            return [self._path]
        if usual := [*self._listed("default-members")]:
            return usual
        return [self._path] if "package" in self._read(self._path) else self._members

    def _listed(self, key: str) -> Iterator[Path]:
        """The manifests in a list of the workspace, whose entries may be patterns."""
        folder = self._root.parent
        for pattern in _texts(value_at(self._read(self._root), ("workspace", key))):
            if any(mark in pattern for mark in "*?["):
                yield from (path / _MANIFEST for path in sorted(_glob(folder, pattern)))
            else:
                yield self._at(folder / pattern)

    def _belongs(self, path: Path) -> bool:
        """Whether the workspace takes in a package because another one depends on it."""
        tables = self._read(path)
        if not path.is_relative_to(self._root.parent):
            named = value_at(tables, ("package", "workspace"))
            return isinstance(named, str) and self._at(path.parent / named) == self._root
        return path == self._root or "workspace" not in tables

    def _is_excluded(self, path: Path, root: Path) -> bool:
        """Whether a workspace leaves out a package. It never leaves out a member that it names."""

        def is_in(key: str) -> bool:
            names = _texts(value_at(self._read(root), ("workspace", key)))
            folders = (os.path.normpath(root.parent / name) for name in names)
            return any(path.parent.is_relative_to(folder) for folder in folders)

        return is_in("exclude") and not is_in("members")

    def _neighbours(self, path: Path) -> Iterator[Path]:
        """The manifests of the packages in other folders that a package depends on."""
        tables = self._read(path)
        every = [tables, *table_at(tables, "target").values()]
        shared = table_at(self._read(self._root), "workspace", "dependencies")
        for table in every:
            for kind in _DEPENDENCIES:
                for name, one in table_at(table, kind).items() if isinstance(table, dict) else ():
                    folder, entry = path.parent, one
                    if isinstance(one, dict) and one.get("workspace") is True:
                        folder, entry = self._root.parent, shared.get(name)
                    where = entry.get("path") if isinstance(entry, dict) else None
                    if isinstance(where, str):
                        yield self._at(folder / where)

    def _at(self, folder: Path) -> Path:
        return Path(os.path.normpath(folder / _MANIFEST))

    # -- a package ---------------------------------------------------------------------

    def _package(self, path: Path) -> Package:
        tables = self._read(path)
        package = table_at(tables, "package") or table_at(tables, "project")
        name, version = package.get("name"), self._inherited(package, "version", "0.0.0")
        if not isinstance(name, str) or not isinstance(version, str):
            raise Refused(
                f"can't determine the package and its version in {escape(os.fspath(path))}",
                "run cargo in the package's folder, or name the package: -p NAME",
            )
        publish = self._inherited(package, "publish", True)
        registries = None if publish is True else tuple(_texts(publish))
        return Package(name, version, registries)

    def _inherited(self, package: Mapping[str, Any], key: str, default: object) -> object:
        """A key of a package, which may take it from its workspace."""
        value = package.get(key, default)
        if isinstance(value, dict) and value.get("workspace") is True:
            return value_at(self._read(self._root), ("workspace", "package", key))
        return value

    def _read(self, path: Path) -> Mapping[str, Any]:
        return self._call.read_toml(path)


def checked(name: str) -> str:
    """The name of a crate.

    :raises Refused: if it is not one.
    """
    if not NAME.fullmatch(name):
        raise Refused(f"not a valid name of a crate: '{escape(name)}'", "check the name")
    return name


def _fits(package: Package, names: Sequence[str]) -> bool:
    """Whether one of the names, which may be patterns, is that of a package."""
    for text in names:
        name, _, version = text.partition("@")
        if fnmatchcase(package.name, name) and package.version.startswith(version):
            return True
    return False


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    """The folders that fit a pattern."""
    import glob

    for name in glob.glob(pattern, root_dir=folder, recursive=True, include_hidden=True):
        path = Path(os.path.normpath(folder / name))
        if (path / _MANIFEST).is_file():
            yield path


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
