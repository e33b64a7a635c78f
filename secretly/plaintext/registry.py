"""All kinds of files: which kind a file is, and which of them there are."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Mapping

from ..config import places
from .finding import FileKind
from .kinds import aws, databases, env_file, gh, indexes, npmrc, pypirc, reported, shell, tokens
from .kinds import cargo as cargo_kind
from .shapes import is_example

__all__ = ["KINDS", "kind_by_name", "kind_by_place", "usual_files"]

#: Those with a more special pattern come first.
KINDS: tuple[FileKind, ...] = (
    *pypirc.KINDS,
    *npmrc.KINDS,
    *cargo_kind.KINDS,
    *gh.KINDS,
    *indexes.KINDS,
    *aws.KINDS,
    *databases.KINDS,
    *tokens.KINDS,
    *reported.KINDS,
    *shell.KINDS,
    *env_file.KINDS,
)


def usual_files(environ: Mapping[str, str]) -> Iterator[tuple[str, FileKind]]:
    """The files of each kind that are where such files usually are."""
    seen = set()
    for kind in KINDS:
        for pattern in kind.usual:
            for path in sorted(_matching(pattern, environ)):
                real = os.path.realpath(path)
                if os.path.isfile(real) and real not in seen and not is_example(path):
                    seen.add(real)
                    yield path, kind


def _matching(pattern: str, environ: Mapping[str, str]) -> list[str]:
    if pattern.startswith("$"):
        variable, _, below = pattern[1:].partition("/")
        folder = places.named_folder(variable, environ)
        return [os.path.join(folder, below) if below else folder] if folder else []
    if pattern.startswith("~/.config/"):
        root = places.xdg_folder("config", environ)
        pattern = os.path.join(glob.escape(root), pattern.removeprefix("~/.config/"))
    home = glob.escape(places.home_folder(environ))
    return glob.glob(pattern.replace("~", home, 1) if pattern.startswith("~/") else pattern)


def kind_by_place(path: str, environ: Mapping[str, str]) -> FileKind | None:
    """The kind of the files that are usually in this place, or None."""
    real = os.path.realpath(path)
    return next((k for usual, k in usual_files(environ) if os.path.realpath(usual) == real), None)


def kind_by_name(path: str) -> FileKind | None:
    """The kind of the files that are called so, or None."""
    name = os.path.basename(path)
    matching = (k for k in KINDS if any(fnmatch.fnmatchcase(name, one) for one in k.names))
    return next(matching, None)
