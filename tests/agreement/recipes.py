"""Ask secretly about real release recipes: how many of their uploads does it refuse?

    PYTHONPATH=tests python -m agreement.recipes [--write docs/explanation/refused.csv]

``recipes.csv`` has the uploads as public projects write them, with the variables and the settings
of each. Each one is looked at in a folder with a project, its files and a home.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shlex
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from glob import glob
from pathlib import Path
from typing import NamedTuple

import npms
import tokens

from secretly.config.command_line import recognize
from secretly.config.model import Command, Configuration
from secretly.errors import Refused
from secretly.publishing.upload import Upload, upload_of

from .cases import HERE, Case, configuration, environ_of, lay_out

#: The names of the files to upload.
FILES = ("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz")

#: The stored tokens, by the index that made each.
LOCATIONS = {"pypi.example": "PyPI", "test.pypi.example": "TestPyPI"}

#: What builds the project, for each tool that needs to know.
BACKENDS = {
    "flit": 'requires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n',
    "poetry": 'requires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n',
    "pdm": 'requires = ["pdm-backend"]\nbuild-backend = "pdm.backend"\n',
    "maturin": 'requires = ["maturin"]\nbuild-backend = "maturin"\n',
}
HATCHLING = 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


#: npm's manifest of the project.
_PACKAGE = '{"name": "demo", "version": "1.0.0"}'


class Recipe(NamedTuple):
    """An upload as a project writes it.

    :param command: the command line, as a shell reads it.
    :param environ: the variables that the recipe or its surroundings set.
    :param settings: the settings files, by their paths below the case's folder. A
        ``pyproject.toml`` continues the project's own.
    :param fails: what the tool itself says, if it can't run the command; else empty.
    """

    tool: str
    command: str
    environ: Mapping[str, str]
    settings: Mapping[str, str]
    fails: str


class Outcome(NamedTuple):
    """What secretly makes of a recipe.

    :param kind: ``refused``, ``nothing sent``, ``given`` or ``shown``.
    :param words: why; for an upload that is shown, its index.
    :param url: the index's URL, if secretly knows one.
    """

    kind: str
    words: str
    url: str = ""


def read_recipes() -> list[Recipe]:
    """All recipes."""
    with (HERE / "recipes.csv").open(encoding="utf-8", newline="") as file:
        return [
            Recipe(
                row["tool"],
                row["command"],
                dict(pair.split("=", 1) for pair in row["environ"].split()),
                json.loads(row["settings"] or "{}"),
                row["fails"],
            )
            for row in csv.DictReader(file)
        ]


def distinct(recipes: Iterable[Recipe]) -> list[Recipe]:
    """The recipes without those that several projects share."""
    return list({repr(recipe): recipe for recipe in recipes}.values())


# -- the folder of a recipe ------------------------------------------------------


def prepare(recipe: Recipe, root: Path) -> tuple[list[str], dict[str, str]]:
    """Make the folder of a recipe, and return its arguments and variables.

    The process works in the project's folder from here on, as the recipe does.
    """
    backend = BACKENDS.get(recipe.tool, HATCHLING)
    files = {
        "project/src/demo.py": '"""A demonstration."""\n__version__ = "1.0"\n',
        "project/Cargo.toml": '[package]\nname = "demo"\nversion = "1.0.0"\n',
        "project/package.json": _PACKAGE,
        **recipe.settings,
    }
    files["project/pyproject.toml"] = (
        f'[project]\nname = "demo"\nversion = "1.0"\n\n[build-system]\n{backend}\n'
        + recipe.settings.get("project/pyproject.toml", "")
    )
    case = Case((), recipe.environ, files)
    lay_out(case, root)
    os.chdir(root / case.folder)
    folders = {"{home}": str(root / "home"), "{project}": str(root / "project")}
    command = re.sub(r"\{\w+\}", lambda found: folders[found[0]], recipe.command)
    for folder in {"dist", *_folders(command)}:
        _distributions(Path(folder))
    environ = environ_of(case, root)
    if recipe.tool == "npm":
        environ["PATH"] = npms.install(root)
        for name in ("demo-1.0.0.tgz", "package.tar.gz"):
            Path(name).write_bytes(npms.tarball({"package/package.json": _PACKAGE}))
    return list(_expanded(command)), environ


def _folders(command: str) -> Iterator[str]:
    """The folders of the files that a command names."""
    for word in shlex.split(command):
        folder, name = os.path.split(word)
        if any(fnmatch(file, name) for file in FILES):
            yield folder


def _distributions(folder: Path) -> None:
    """Make a wheel and a source distribution."""
    wheel = tokens.wheel(folder)
    text = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
    with tarfile.open(wheel.with_name(FILES[1]), "w:gz") as file:
        # With a single member, twine 7 finds no folder in which the metadata would be.
        for name in ("demo-1.0/PKG-INFO", "demo-1.0/README"):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            file.addfile(entry, io.BytesIO(text))


def _expanded(command: str) -> Iterator[str]:
    """The words of a command, with the patterns replaced as a shell does it."""
    for quoted in re.findall(r"""(?:"[^"]*"|'[^']*'|\S)+""", command):
        (word,) = shlex.split(quoted)
        pattern = word == quoted and re.search(r"[*?\[]", word)
        yield from sorted(glob(word)) or [word] if pattern else [word]


# -- what secretly makes of it ---------------------------------------------------


def outcome(recipe: Recipe, root: Path, known: Configuration) -> Outcome:
    """What secretly makes of a recipe. Its folder is made for that."""
    arguments, environ = prepare(recipe, root)
    call = recognize(arguments, known)
    try:
        upload = upload_of(call, environ, locations=LOCATIONS) if call else None
        if call is None or upload is None:
            return Outcome("refused", f"{arguments[0]} is not a known command")
        return _looked_at(upload, call.row, environ)
    except Refused as error:
        return Outcome("refused", str(error).replace(f"{root}{os.sep}", ""))


def _looked_at(upload: Upload, row: Command, environ: Mapping[str, str]) -> Outcome:
    """All that a run asks about an upload.

    :raises Refused: if secretly refuses it.
    """
    if why := upload.why_needs_none:
        return Outcome("nothing sent", why)
    if given := upload.given_by:
        return Outcome("given", given)
    destination = upload.destination
    variables = [upload.variable(name) for name in row.secrets]
    variables += [upload.variable(name) for name in row.alternatives]
    _ = upload.pin, upload.release
    for name in variables:
        if environ.get(name):
            return Outcome("given", name, destination.url)
    return Outcome("shown", f"{destination.shown} ({destination.secret})", destination.url)


def outcomes(recipes: Sequence[Recipe], folder: Path) -> list[Outcome]:
    """What secretly makes of each recipe."""
    known = configuration()
    before = Path.cwd()
    try:
        return [outcome(one, folder / str(at), known) for at, one in enumerate(recipes)]
    finally:
        os.chdir(before)


# -- the figures -----------------------------------------------------------------


def refusals(recipes: Sequence[Recipe], found: Sequence[Outcome]) -> list[list[str]]:
    """Each refused command once: the tool, the command, the reason, and what the tool says."""
    rows = [
        (recipe.tool, recipe.command, result.words, recipe.fails)
        for recipe, result in zip(recipes, found, strict=True)
        if result.kind == "refused"
    ]
    return [list(row) for row in dict.fromkeys(rows)]


def report(recipes: Sequence[Recipe], found: Sequence[Outcome]) -> Iterator[str]:
    """The figures in lines."""
    kinds = ("shown", "given", "nothing sent", "refused")
    yield f"{'':8} {'':>8} " + " ".join(f"{kind:>13}" for kind in kinds)
    counts = Counter((one.tool, got.kind) for one, got in zip(recipes, found, strict=True))
    for tool in [*dict.fromkeys(one.tool for one in recipes), ""]:
        mine = [
            sum(number for key, number in counts.items() if key == (tool or key[0], kind))
            for kind in kinds
        ]
        yield f"{tool or 'all':8} {sum(mine):8} " + " ".join(f"{number:13}" for number in mine)


def main() -> int:
    """Print what secretly makes of the recipes."""
    parser = argparse.ArgumentParser(prog="agreement.recipes", description="try real recipes")
    parser.add_argument("--write", metavar="FILE", help="write the refusals into FILE")
    parser.add_argument("--all", action="store_true", help="print each recipe's outcome as well")
    options = parser.parse_args()
    every = read_recipes()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = outcomes(every, Path(folder).resolve())
    if options.all:
        for recipe, result in zip(every, found, strict=True):
            print(f"{result.kind:12}  {recipe.command}  {result.words}  {result.url}")
    rows = refusals(every, found)
    print(*report(every, found), *map(" | ".join, rows), sep="\n")
    if options.write:
        with Path(options.write).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
