"""The house: one listing tells the story, and nothing leads back up."""

from __future__ import annotations

import ast
import configparser
import fnmatch
import tokenize
from pathlib import Path

import pytest

import secretly

ROOT = Path(secretly.__file__).parent

#: Each module imports only from those above it.
ORDER = """
    errors records redacted display assuan references macaroon trust shipped
    configuration commands distributions destination release
    eventloop concurrency guarded processes terminal discovery pinentry index secretservice keychain
    session
    sources.failures sources.runs sources.programs sources.bw sources.command sources.env
    sources.file sources.keepassxc sources.keychain sources.lpass sources.op
    sources.passwordstore sources
    envfile resolve launch delivery doctor shims api signals
    console run verbs cli __main__ testing __init__
""".split()

#: Modules that nothing else of the house stands on: each is an entrance.
ENTRANCES = {"cli": {"__main__"}, "__main__": set(), "testing": set(), "__init__": set()}

FILES = sorted(ROOT.rglob("*.py"))


def name(path: Path) -> str:
    """A module's name in the list."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    """What a module says."""
    with tokenize.open(path) as file:
        return ast.parse(file.read(), str(path))


def without_typing(node: ast.Module) -> ast.Module:
    """The module without what is imported for a type checker alone."""

    class Left(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            self.generic_visit(node)
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    left: ast.Module = Left().visit(node)
    return left


def known(dotted: str) -> str:
    """The module of the house that a dotted name is, or is a name in."""
    while dotted and dotted not in ORDER:
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
    return found


def test_the_listing_is_the_tree() -> None:
    """Each module is in the list, once, and nothing else is."""
    assert sorted(map(name, FILES)) == sorted(ORDER)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_imports_only_from_above(path: Path) -> None:
    """In its functions too: so there is no cycle, and any beginning of the list stands alone."""
    place = ORDER.index(name(path))
    below = {module for module in imports(path) if ORDER.index(module) >= place}
    assert below == set()


def test_imports_are_seen() -> None:
    """Of each kind: the test above looks at something."""
    seen = {name(path): imports(path) for path in FILES}
    assert {"display", "errors"} <= seen["assuan"]
    assert {"display", "sources.failures"} <= seen["sources.env"]
    assert "assuan" in seen["testing"]  # in a function
    assert seen["__main__"] == {"cli"}
    assert seen["__init__"] == set()  # but for types: the names are loaded when they are used


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_nothing_stands_on_an_entrance(entrance: str) -> None:
    """The command, the doubles and the public names are for those outside."""
    users = {name(path) for path in FILES if entrance in imports(path)}
    assert users == ENTRANCES[entrance]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_says_what_it_is(path: Path) -> None:
    """In a docstring, whose first line is a sentence or a title."""
    text = ast.get_docstring(tree(path))
    assert text
    assert len(text.splitlines()[0]) <= 96


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_command_prints(path: Path) -> None:
    """And only it writes to the standard streams: a library is silent."""
    used = {
        ast.unparse(node.func)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    }
    loud = {"print", "pprint", "sys.stdout.write", "sys.stderr.write"} & used
    assert loud == set() or name(path) in ("console", "run", "verbs", "cli")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_what_a_module_announces_is_there(path: Path) -> None:
    """Each name of ``__all__`` is defined in it or loaded by it, and public."""
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
    """Each file of the package that is no module is installed with it, and is there."""
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
    """Each folder with modules is a package, and one of those that are installed."""
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
