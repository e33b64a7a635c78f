"""The packages of a call of npm: folders, workspaces, tarballs, and names with a version."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from ... import safefiles
from ...errors import Refused
from ...text import escape, shorten
from ..archives import Distribution, identity_of, read_file
from ..metadata import MOST, BadArchive
from ..unpacking import TarReader, unpack

_MANIFEST = "package.json"

_NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*", re.ASCII | re.IGNORECASE)

_VERSION = re.compile(r"[=v]*(\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]*)?)", re.ASCII)

#: A workspace's pattern that npm and Python's ``glob`` read in the same way.
_PATTERN = re.compile(r"!?[\w@.~*/+-]+", re.ASCII)

#: The scripts that npm runs when it publishes a folder.
SCRIPTS = ("prepublishOnly", "prepack", "prepare", "postpack", "publish", "postpublish")


class NpmPackage(NamedTuple):
    """A package that would be published, or is named.

    :param name: with its scope.
    :param version: empty if none is meant.
    :param config: its ``publishConfig``.
    :param shown: the file that this is from, in words; empty for a name on the command line.
    :param scripts: those of its scripts that npm runs when it publishes the folder.
    :param file: the tarball.
    """

    name: str
    version: str = ""
    config: Mapping[str, Any] = {}
    shown: str = ""
    scripts: tuple[str, ...] = ()
    file: Distribution | None = None

    @property
    def scope(self) -> str:
        """The scope with its ``@``; empty without one."""
        return self.name.partition("/")[0] if self.name.startswith("@") else ""


def named(word: str) -> NpmPackage:
    """The package that a word of the command line names: ``@scope/name@version``.

    :raises Refused: if it isn't a package's name.
    """
    at = word.find("@", 1)
    name, version = (word[:at], word[at + 1 :]) if at > 0 else (word, "")
    if not _NAME.fullmatch(name) or not re.fullmatch(r"[\w .*+<>=|~^-]*", version, re.ASCII):
        raise Refused(
            f"can't determine which package is meant: {escape(shorten(word, 60))}",
            "name it: NAME or NAME@VERSION",
        )
    return NpmPackage(name, version)


# -- folders -----------------------------------------------------------------------


def read_folder(folder: Path) -> NpmPackage:
    """The package in a folder.

    :raises Refused: if there is none, or it can't be read for certain.
    """
    found = read_manifest(folder)
    if found is None:
        raise Refused(
            f"found no package to publish: {escape(os.fspath(folder))} has no {_MANIFEST}",
            "run the command in the package's folder, or name that: ./FOLDER",
        )
    return _package(found, os.path.join(os.path.relpath(folder), _MANIFEST))


def read_manifest(folder: Path) -> Mapping[str, Any] | None:
    """The ``package.json`` of a folder; None without one.

    :raises Refused: if it can't be read.
    """
    path = folder / _MANIFEST
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            return _loaded(safefiles.read_file(path), escape(os.fspath(path)))
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            raise Refused(
                f"can't read {escape(os.fspath(path))}: {error.strerror}", "check the file"
            ) from None
    return None


def _loaded(data: bytes, shown: str) -> Mapping[str, Any]:
    # Raised outside: a traceback may show locals, and the parser's hold the file's text.
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(data.decode("utf-8-sig"))
        if isinstance(found, dict):
            return found
    raise Refused(f"can't read {shown}: it is not a JSON object", "fix the file: npm pkg fix")


def _package(
    manifest: Mapping[str, Any], path: str, file: Distribution | None = None
) -> NpmPackage:
    name, version = manifest.get("name"), manifest.get("version")
    config, scripts = manifest.get("publishConfig", {}), manifest.get("scripts", {})
    shown = escape(os.path.normpath(path))
    good = isinstance(name, str) and _NAME.fullmatch(name) is not None
    number = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if not (good and number and isinstance(config, dict) and isinstance(scripts, dict)):
        what = "name" if not good else "version" if not number else "publishConfig or scripts"
        raise Refused(f"{shown} has no valid {what}", "fix it there: npm pkg fix")
    return NpmPackage(
        str(name),
        number[1],
        config,
        shown,
        tuple(one for one in SCRIPTS if scripts.get(one)) if file is None else (),
        file,
    )


# -- workspaces --------------------------------------------------------------------


def workspaces_of(root: Path, manifest: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """The folders of a project's workspaces, in npm's order, and what is in their manifests.

    :raises Refused: for a pattern that npm could read differently.
    """
    found: dict[Path, Mapping[str, Any]] = {}
    for folder in _matching(root, list(_patterns(manifest, root))):
        read = read_manifest(folder)
        if read is not None and "node_modules" not in folder.relative_to(root).parts:
            found[folder] = read
    return found


def _patterns(manifest: Mapping[str, Any], root: Path) -> Iterator[str]:
    listed = manifest.get("workspaces")
    if isinstance(listed, dict):
        listed = listed.get("packages")
    for pattern in listed if isinstance(listed, list) else []:
        good = isinstance(pattern, str) and _PATTERN.fullmatch(pattern)
        if not good or ".." in pattern or re.search(r"\*\*[^/]|[^/]\*\*", pattern):
            raise Refused(
                f"can't determine the workspaces of {escape(os.fspath(root / _MANIFEST))}: "
                f"{escape(shorten(str(pattern), 60))}",
                "publish each package by its folder: secretly run npm publish ./FOLDER",
            )
        yield re.sub(r"^(!?)\.?/+", r"\1", pattern).rstrip("/")


def _matching(root: Path, patterns: Sequence[str]) -> Iterator[Path]:
    without: set[str] = set()
    for pattern in patterns:
        if pattern.startswith("!"):
            without |= {*glob.glob(pattern[1:], root_dir=root, recursive=True)}
    for pattern in patterns:
        if not pattern.startswith("!"):
            for name in sorted(glob.glob(pattern, root_dir=root, recursive=True)):
                if name.rstrip("/") not in without and (root / name).is_dir():
                    yield root / name.rstrip("/")


def chosen(
    every: Mapping[Path, Mapping[str, Any]], filters: Iterable[str], root: Path
) -> list[Path]:
    """The workspaces that ``--workspace`` names: by name, by folder, or by the folder above.

    :raises Refused: if one names none.
    """
    found: dict[Path, None] = {}
    for wanted in filters:
        path = Path(os.path.abspath(wanted))
        below = {path, Path(os.path.normpath(root / wanted))}
        mine = [
            folder
            for folder, manifest in every.items()
            if manifest.get("name", folder.name) == wanted
            or folder == path
            or folder.parent in below
        ]
        if not mine:
            raise Refused(f"found no workspace: {escape(wanted)}", "check its name")
        found.update(dict.fromkeys(mine))
    return list(found)


def is_private(manifest: Mapping[str, Any]) -> bool:
    """Whether npm skips a workspace: what is true for JavaScript counts."""
    return bool(manifest.get("private"))


# -- tarballs ----------------------------------------------------------------------


def read_tarball(word: str) -> NpmPackage:
    """The package in a tarball.

    :raises Refused: if it can't be read for certain.
    """
    try:
        facts, (digest, data) = read_file(word, "", _read)
    except (BadArchive, zlib.error) as error:
        why = "it is damaged"
        if isinstance(error, BadArchive):
            why = escape(shorten(str(error), 300))
        raise Refused(
            f"{escape(word)} is not a package that secretly can read: {why}",
            "pack it again: npm pack",
        ) from None
    shown = f"{_MANIFEST} in {word}"
    made = _package(_loaded(data, escape(shown)), shown, Distribution(word, 0, ""))
    identity = identity_of(facts)
    file = Distribution(word, facts.st_size, digest, made.name, made.version, identity)
    return made._replace(file=file)


def _read(file: BufferedReader) -> tuple[str, bytes]:
    """The hash of a tarball, and its manifest.

    npm leaves out the first part of each member's name.
    """
    digest = hashlib.sha256()
    reader = TarReader(unpack(file, digest.update))
    found = None
    for member in reader.members(b""):
        parts = member.name.decode("utf-8", "surrogateescape").split("/")
        if parts[-1].lower() != _MANIFEST or len(parts) == 1:
            continue
        if not {"", ".", ".."}.isdisjoint(parts):
            raise BadArchive("it has a member with an odd name")
        if len(parts) == 2:
            if found is not None or parts[1] != _MANIFEST or not member.is_file:
                raise BadArchive(f"it has more than one {_MANIFEST}")
            found = reader.read(member, MOST)
    if found is None:
        raise BadArchive(f"it has no {_MANIFEST}")
    if len(found) > MOST:
        raise BadArchive(f"its {_MANIFEST} is too large")
    return digest.hexdigest(), found
