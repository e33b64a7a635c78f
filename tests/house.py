"""The house: its rooms, what they import, and its figures.

    tox -e house

Prints the figures with their limits. The exit status is 1 if one is over its limit.
"""

from __future__ import annotations

import ast
import copy
import csv
import functools
import json
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import secretly

ROOT = Path(secretly.__file__).parent

#: The table of rooms, which the page about the architecture shows: a name, what the room holds,
#: and what one more of its kind is.
TABLE = Path(__file__).parent.parent / "docs/explanation/house.csv"

with TABLE.open(encoding="utf-8", newline="") as _file:
    #: The rooms, top to bottom: a room imports only from rooms above it.
    ROOMS = [row[0].rstrip("/") for row in csv.reader(_file)]

FILES = sorted(ROOT.rglob("*.py"))

#: The table of known commands is data, and grows by a row a command.
DATA = "config.known_commands"


def name(path: Path) -> str:
    """A module's dotted name below ``secretly``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in FILES}


@functools.cache
def tree(path: Path) -> ast.Module:
    """A module's syntax tree."""
    with tokenize.open(path) as file:
        return ast.parse(file.read(), str(path))


def room(module: str) -> str:
    """The entry of ``secretly/`` that a module is in."""
    return module.partition(".")[0]


# -- imports -----------------------------------------------------------------------


def _without_typing(node: ast.Module) -> ast.Module:
    """The module without its imports for type checkers alone."""

    class Left(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            self.generic_visit(node)
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    left: ast.Module = Left().visit(node)
    return left


def _module(dotted: str) -> str:
    """The module with this name, or in which this is a name."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "__init__"


@functools.cache
def imports(path: Path) -> set[str]:
    """The modules of the house that a module imports, in functions too."""
    node = tree(path)
    if name(path) == "__init__":
        node = _without_typing(copy.deepcopy(node))
    return _imported(ast.walk(node), path)


@functools.cache
def loads(path: Path) -> set[str]:
    """The modules of the house that load with a module."""
    return _imported(iter(tree(path).body), path)


def _imported(parts: Iterator[ast.AST], path: Path) -> set[str]:
    """The modules of the house that these parts of a module import."""
    package = ["secretly", *path.relative_to(ROOT).parent.parts]
    found = set()
    for part in parts:
        whole: list[str] = []
        if isinstance(part, ast.Import):
            whole = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            base = package[: len(package) - part.level + 1] if part.level else []
            start = ".".join([*base, *([part.module] if part.module else [])])
            whole = [f"{start}.{alias.name}" for alias in part.names]
        for dotted in whole:
            if dotted.split(".")[0] == "secretly":
                found.add(_module(dotted.removeprefix("secretly").lstrip(".")))
    return found - {name(path)}


#: What a run of ``secretly run`` loads whose secret is stored, one step after another.
STEPS = ("cli.main", "cli.run", "running.planning", "running.preparing", "running.obtaining")

#: What ``secretly run --env-file`` and ``secretly run twine upload`` load as well, up to the
#: question.
ASKING = (
    *("running.env_file", "cli.upload_call", "publishing.upload", "publishing.tools.twine"),
    *("running.templates", "resolving.entering", "asking.prompting"),
)


def at_start(steps: Sequence[str] = STEPS) -> set[str]:
    """The modules that such a run loads, unless it asks, uploads or reads from elsewhere."""
    found, left = set[str](), list(steps)
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += loads(MODULES[module])
    return found


def records(base: str) -> set[str]:
    """The modules with a class that is derived from ``Record`` or ``NamedTuple``."""
    return {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and base in map(ast.unparse, node.bases)
    }


def from_below(path: Path) -> set[str]:
    """The modules of rooms below its own that a module imports."""
    place = ROOMS.index(room(name(path)))
    return {module for module in imports(path) if ROOMS.index(room(module)) > place}


def in_circles() -> set[str]:
    """The modules that are in a circle of imports, or depend on one."""
    left = {module: imports(path) for module, path in MODULES.items()}
    while ready := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in ready}
    return set(left)


# -- figures -----------------------------------------------------------------------


@functools.cache
def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function, with its module and its line."""
    return [
        (f"{module}:{node.lineno} {node.name}", node)
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def entries() -> list[str]:
    """The files and folders in ``secretly/``."""
    return sorted(path.name for path in ROOT.iterdir() if path.name != "__pycache__")


def module_lines() -> dict[str, int]:
    """The lines of each module, without the table of known commands."""
    return {
        module: len(path.read_text("utf-8").splitlines())
        for module, path in MODULES.items()
        if module != DATA
    }


def function_lines() -> dict[str, int]:
    """The lines of each function, from ``def`` to its end."""
    return {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in functions()}


def parameters() -> dict[str, int]:
    """The positional parameters of each function, without ``self`` and ``cls``."""
    return {
        place: sum(
            argument.arg not in ("self", "cls")
            for argument in (*node.args.posonlyargs, *node.args.args)
        )
        for place, node in functions()
    }


def dataclass_users() -> list[str]:
    """The modules that import ``dataclasses`` when they load."""
    return [
        module
        for module, path in MODULES.items()
        for node in tree(path).body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "dataclasses" in ast.unparse(node)
    ]


def complexities() -> dict[str, int]:
    """The cyclomatic complexity of each function, as ruff counts it."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--exit-zero", "--no-cache"]
    command += ["--select", "C901", "--config", "lint.mccabe.max-complexity=0"]
    command += ["--output-format", "json", str(ROOT)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    found = {}
    for row in json.loads(done.stdout):
        if parts := re.match(r"`(.+)` is too complex \((\d+) > 0\)", row["message"]):
            place = f"{name(Path(row['filename']))}:{row['location']['row']} {parts[1]}"
            found[place] = int(parts[2])
    return found


class Figure(NamedTuple):
    """One figure.

    :param values: by place; or one without a place.
    :param limit: the most that is allowed.
    """

    what: str
    values: dict[str, int]
    limit: float

    @property
    def most(self) -> tuple[int, str]:
        """The largest value, and its place."""
        return max(((value, place) for place, value in self.values.items()), default=(0, ""))

    @property
    def holds(self) -> bool:
        """Whether no value is over the limit."""
        return self.most[0] <= self.limit


#: The figure that needs ruff.
COMPLEXITY = "function, complexity"


def _one(what: str, value: float, limit: float) -> Figure:
    return Figure(what, {"": round(value)}, limit)


def figures() -> list[Figure]:
    """All of them, without the complexity of functions."""
    lines = module_lines()
    return [
        _one("entries of secretly/", len(entries()), 24),
        _one("imports against the order of rooms", sum(map(len, map(from_below, FILES))), 0),
        _one("modules in circles", len(in_circles()), 0),
        _one("modules that use dataclasses", len(dataclass_users()), 0),
        Figure("module, lines", lines, 400),
        _one("module, median lines", statistics.median(lines.values()), 160),
        Figure("function, lines", function_lines(), 45),
        _one("function, median lines", statistics.median(function_lines().values()), 45),
        Figure("function, positional parameters", parameters(), 5),
    ]


def main() -> int:
    """Print the rooms and the figures, and return the exit status."""
    for title in ROOMS:
        inside = [module for module in MODULES if room(module) == title]
        size = sum(len(MODULES[module].read_text("utf-8").splitlines()) for module in inside)
        print(f"{title:12}{len(inside):4} modules {size:6,} lines")
    found = [*figures(), Figure(COMPLEXITY, complexities(), 10)]
    print(f"\n{'':40}{'at most':>8}{'now':>6}")
    for figure in found:
        value, place = figure.most
        verdict = place if figure.holds else f"{place}  OVER"
        print(f"{figure.what:40}{figure.limit:8g}{value:6}  {verdict}".rstrip())
    return 0 if all(figure.holds for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
