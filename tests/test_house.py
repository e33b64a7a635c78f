"""The house: packages that each do one job, and import only from packages above them."""

from __future__ import annotations

import ast
import configparser
import fnmatch
import statistics
import tokenize
from pathlib import Path

import pytest

import secretly

ROOT = Path(secretly.__file__).parent

#: The rooms, top to bottom: a room imports only from rooms above it in this table. The page about
#: the architecture is made from the same table.
ROOMS = """
    errors redacted record text reference safefiles
    waiting processes config asking keeping sources resolving publishing running
    api cli testing __main__ __init__
""".split()

#: Rooms that no other room imports: the ways into the house.
ENTRANCES = {"cli": {"__main__"}, "__main__": set(), "testing": set(), "__init__": set()}

FILES = sorted(ROOT.rglob("*.py"))

#: The table of known commands is data, and grows by a row a command.
TABLE = "config.known_commands"


def name(path: Path) -> str:
    """A module's dotted name below ``secretly``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in FILES}


def tree(path: Path) -> ast.Module:
    """A module's syntax tree."""
    with tokenize.open(path) as file:
        return ast.parse(file.read(), str(path))


def without_typing(node: ast.Module) -> ast.Module:
    """The module without its imports for type checkers alone."""

    class Left(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            self.generic_visit(node)
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    left: ast.Module = Left().visit(node)
    return left


def known(dotted: str) -> str:
    """The module that a dotted name is, or is a name in."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "__init__"


def imports(path: Path) -> set[str]:
    """The modules of the house that a module imports, anywhere in it."""
    package = ["secretly", *path.relative_to(ROOT).parent.parts]
    node = tree(path)
    found = set()
    for part in ast.walk(without_typing(node) if name(path) == "__init__" else node):
        whole: list[str] = []
        if isinstance(part, ast.Import):
            whole = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            base = package[: len(package) - part.level + 1] if part.level else []
            start = ".".join([*base, *([part.module] if part.module else [])])
            whole = [f"{start}.{alias.name}" for alias in part.names]
        for dotted in whole:
            if dotted.split(".")[0] == "secretly":
                found.add(known(dotted.removeprefix("secretly").lstrip(".")))
    return found - {name(path)}


def room(module: str) -> str:
    """The entry of ``secretly/`` that a module is in."""
    return module.partition(".")[0]


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function of the house, with its place."""
    return [
        (f"{module}:{node.lineno} {node.name}", node)
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


# -- one way ---------------------------------------------------------------------


def test_the_table_lists_the_rooms() -> None:
    """Each entry of ``secretly/`` is in the table once, and nothing else is."""
    assert sorted({room(module) for module in MODULES}) == sorted(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_imports_only_from_rooms_above(path: Path) -> None:
    """In its functions too, and for type checkers."""
    place = ROOMS.index(room(name(path)))
    below = {module for module in imports(path) if ROOMS.index(room(module)) > place}
    assert below == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not inside a room either."""
    left = {module: imports(path) for module, path in MODULES.items()}
    while ready := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in ready}
    assert left == {}


def test_imports_are_found() -> None:
    """Of each kind: so the tests above look at something."""
    seen = {module: imports(path) for module, path in MODULES.items()}
    assert {"text", "errors"} <= seen["asking.assuan"]
    assert {"text", "sources.failures"} <= seen["sources.env"]
    assert "waiting.asyncio_loop" in seen["waiting.requests"]  # in a function
    assert seen["__main__"] == {"cli"}
    assert seen["__init__"] == set()  # but for types: public names are loaded when used


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_room_imports_an_entrance(entrance: str) -> None:
    """The command, the doubles and the public names are for users."""
    users = {room(name(path)) for path in FILES if entrance in map(room, imports(path))}
    assert users - {entrance} == ENTRANCES[entrance]


# -- figures ---------------------------------------------------------------------


def test_the_house_has_at_most_24_entries() -> None:
    """So that one listing shows it: this many files and folders lie in ``secretly/``."""
    entries = [path for path in ROOT.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 24


def test_modules_are_short() -> None:
    """At most 400 lines, and half of them at most 160; the table of known commands is data."""
    lines = {
        module: len(path.read_text("utf-8").splitlines())
        for module, path in MODULES.items()
        if module != TABLE
    }
    assert {module: count for module, count in lines.items() if count > 400} == {}
    assert statistics.median(lines.values()) <= 160


def test_functions_are_short() -> None:
    """At most 45 lines from ``def`` to the end; ruff holds their complexity (C901) at 10."""
    long = {place: node.end_lineno - node.lineno + 1 for place, node in functions()}
    assert {place: count for place, count in long.items() if count > 45} == {}


def test_functions_take_few_positional_parameters() -> None:
    """At most 5: beyond that a call cannot be read without looking the parameters up."""
    many = {
        place: len(positional)
        for place, node in functions()
        if len(
            positional := [
                argument
                for argument in (*node.args.posonlyargs, *node.args.args)
                if argument.arg not in ("self", "cls")
            ]
        )
        > 5
    }
    assert many == {}


def test_records_are_of_one_kind() -> None:
    """No dataclass anywhere: ``Record`` where a start loads it, ``NamedTuple`` elsewhere."""
    users = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "dataclasses" in ast.unparse(node)
    }
    assert users == set()


# -- each module -----------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_has_a_docstring(path: Path) -> None:
    """Its first line is a sentence or a title."""
    text = ast.get_docstring(tree(path))
    assert text
    assert len(text.splitlines()[0]) <= 96


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_command_prints(path: Path) -> None:
    """Only the command writes to the standard streams: a library is silent."""
    used = {
        ast.unparse(node.func)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    }
    loud = {"print", "pprint", "sys.stdout.write", "sys.stderr.write"} & used
    assert loud == set() or room(name(path)) == "cli"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_all_names_exist(path: Path) -> None:
    """Each name of ``__all__`` is defined or loaded by the module, and public."""
    node = tree(path)
    announced = [
        ast.literal_eval(part.value)
        for part in node.body
        if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "__all__"
    ]
    for names in announced:
        assert not [name for name in names if name.startswith("_")]
        module = __import__(f"secretly.{name(path)}".removesuffix(".__init__"), fromlist=["x"])
        for one in names:
            assert hasattr(module, one)


def test_data_files_are_declared() -> None:
    """Each data file of the package is installed with it, and exists."""
    setup = ROOT.parent / "setup.cfg"
    if not setup.exists():
        pytest.skip("needs the source tree")
    parser = configparser.ConfigParser()
    parser.read(setup, encoding="utf-8")
    declared = set(parser["options.package_data"]["secretly"].split())
    there = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert declared == there


def test_the_packages_are_declared() -> None:
    """Each folder with modules is a package, and is installed."""
    setup = ROOT.parent / "setup.cfg"
    if not setup.exists():
        pytest.skip("needs the source tree")
    parser = configparser.ConfigParser()
    parser.read(setup, encoding="utf-8")
    patterns = parser["options.packages.find"]["include"].split()
    for folder in {path.parent for path in FILES}:
        dotted = ".".join(["secretly", *folder.relative_to(ROOT).parts])
        assert any(fnmatch.fnmatchcase(dotted, pattern) for pattern in patterns)
        assert (folder / "__init__.py").exists()
