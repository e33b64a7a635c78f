"""The house: packages that each do one job, and import only from packages above them."""

from __future__ import annotations

import ast
import configparser
import csv
import fnmatch
import itertools
import re
from collections import Counter
from pathlib import Path

import house
import pytest
from house import FILES, MODULES, ROOMS, ROOT, imports, name, room, tree

from secretly.config.known_commands import ALIASED
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.tools import tool_for

TESTS = Path(__file__).parent

#: What is installed.
SETUP = TESTS.parent / "setup.cfg"

#: Rooms that no other room imports, and the exceptions: the ways into the house.
ENTRANCES = {"cli": {"__main__"}, "__main__": set(), "testing": set(), "__init__": set()}


# -- one way ---------------------------------------------------------------------


def test_the_table_lists_the_rooms() -> None:
    """Each entry of ``secretly/`` is in the table once, and nothing else is."""
    assert sorted({room(module) for module in MODULES}) == sorted(ROOMS)


def test_modules_import_only_from_rooms_above() -> None:
    """In their functions too, and for type checkers."""
    found = {name(path): house.from_below(path) for path in FILES}
    assert {module: below for module, below in found.items() if below} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not inside a room either."""
    assert house.in_circles() == set()


def test_imports_are_found() -> None:
    """Of each kind: so the tests above look at something."""
    seen = {module: imports(path) for module, path in MODULES.items()}
    assert {"text", "errors"} <= seen["asking.assuan"]
    assert {"text", "sources.failures"} <= seen["sources.env"]
    assert "waiting.asyncio_loop" in seen["waiting.request"]  # in a function
    assert set(map(room, seen["__main__"])) == {"cli"}
    assert seen["__init__"] == set()  # public names are loaded when used


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_room_imports_an_entrance(entrance: str) -> None:
    """The command, the doubles and the public names are for users."""
    users = {room(name(path)) for path in FILES if entrance in map(room, imports(path))}
    assert users - {entrance} == ENTRANCES[entrance]


# -- what is decided once ----------------------------------------------------------


def defined(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or a class defines, by its name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {one.id: node for one in node.targets if isinstance(one, ast.Name)}
    return found


def test_each_decision_is_where_the_table_says() -> None:
    """The table of the page names a module, and a function, method or constant in it."""
    with (house.TABLE.parent / "decisions.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 10
    for what, module, place in rows:
        body = ast.parse((ROOT / module.strip("`")).read_bytes()).body
        for part in place.strip("`").split("."):
            assert part in defined(body), what
            body = getattr(defined(body)[part], "body", [])


# -- figures ---------------------------------------------------------------------


def test_the_figures_are_within_their_limits() -> None:
    """Those that ``tox -e house`` prints; the linter holds the complexity of functions."""
    over = {
        figure.what: {p: value for p, value in figure.values.items() if value > figure.limit}
        for figure in house.figures()
    }
    assert {what: places for what, places in over.items() if places} == {}


def test_the_figures_are_of_something() -> None:
    """Each counts modules and functions that are there."""
    assert house.module_lines().keys() == MODULES.keys() - {house.DATA}
    assert "text" in MODULES
    assert house.function_lines().keys() == house.parameters().keys()
    assert len(house.functions()) > 500
    assert room("asking.terminal") == "asking"


# -- names -----------------------------------------------------------------------


def test_no_two_classes_have_the_same_name() -> None:
    """A name means one thing in the whole house; names that begin with _ belong to a module."""
    places = [
        (node.name, module)
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    found = Counter(name for name, _ in places)
    assert len(found) > 150
    assert [place for place in places if found[place[0]] > 1] == []


#: What plain English says in another way: except, next to, immediately, anyone who…
NOT_PLAIN = re.compile(
    r"\b((is|are|was|were) to be|beside|whoever|at once|by itself|for ever|alike|goes before|"
    r"there (is|are|was|were) no|(is|are|was|were) no (?!longer\b|more\b)\w+|stands in|heeds?|"
    r"mends?|tells whether|put aside|be rid of|"
    r"to be had)\b",
    re.IGNORECASE,
)


def test_all_texts_are_plain() -> None:
    """Code, tests and pages: their comments, docstrings, messages and names of tests."""
    folders = (ROOT.rglob("*.py"), TESTS.glob("*.py"), TESTS.parent.glob("docs/**/*.rst"))
    files = [*itertools.chain(*folders), *TESTS.parent.glob("*.md")]
    assert len(files) > 400
    found: list[tuple[str, str]] = []
    for path in {*files} - {Path(__file__)}:
        text = " ".join(path.read_text("utf-8").split())
        text = re.sub(r"def test_\w+", lambda name: name[0].replace("_", " "), text)
        for match in NOT_PLAIN.finditer(text):
            found.append((path.name, text[match.start() - 30 : match.end() + 20]))
    assert found == []


# -- what a room knows -----------------------------------------------------------

#: The names of the publishing tools, apart from the one of the demonstration.
PUBLISHING_TOOLS = {
    module.rpartition(".")[2] for module in MODULES if module.startswith("publishing.tools.")
} - {"demo_upload"}


def test_only_publishing_knows_the_variables_of_publishing_tools() -> None:
    """The plan asks there. The rows of known commands, and the launchers', name some."""
    names = "|".join(tool.upper() for tool in PUBLISHING_TOOLS)
    tools = rf"\b({names})\b|({names})_"
    rooms = {"config", "asking", "keeping", "sources", "resolving", "running", "api", "cli"}
    found = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if room(module) in rooms and module not in (house.DATA, "config.launchers")
        if isinstance(node, ast.Constant) and re.search(tools, str(node.value))
    }
    assert found == set()


def test_other_rooms_ask_each_publishing_tool_through_its_adapter() -> None:
    """They know no tool by its name, and none of its modules.

    The launchers are in ``config/``, and ``keeping/`` knows the items of other programs.
    """
    rooms = {"asking", "sources", "resolving", "running", "api", "cli"}
    found = {
        (module, node.value)
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if room(module) in rooms
        if isinstance(node, ast.Constant) and node.value in PUBLISHING_TOOLS
    }
    assert found == {("cli.guesses", "twine")}  # the example in a hint
    inside = ("publishing.tools.", "publishing.cargo.", "publishing.npm.")
    users = {
        module
        for module, path in MODULES.items()
        if room(module) in rooms and any(one.startswith(inside) for one in imports(path))
    }
    assert users == set()


def test_only_the_tools_with_aliases_are_asked_for_them() -> None:
    """A call of another tool that needs no secret loads no adapter."""
    with_aliases = set()
    for tool in PUBLISHING_TOOLS:
        adapter = tool_for(tool)
        assert adapter is not None
        if adapter.without_alias is not ToolCall.without_alias:
            with_aliases.add(tool)
    assert with_aliases == {*ALIASED}


def test_nothing_that_is_computed_once_depends_on_the_stored_tokens() -> None:
    """``ToolCall.located`` keeps it: only the destination is found again."""
    kept = {"computed", "functools.cached_property"}
    depending = {"locations", "located", "secret_at", "secret_named", "destination"}
    properties = 0
    for module, path in MODULES.items():
        if not module.startswith("publishing.tools.") or "narrows = False" in path.read_text():
            continue
        functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
        used = {
            node.name: {getattr(one, "attr", getattr(one, "id", "")) for one in ast.walk(node)}
            for node in functions
        }
        for node in functions:
            if any(ast.unparse(one) in kept for one in node.decorator_list):
                properties += 1
                names, seen = used[node.name], set[str]()
                while more := names - seen:  # what it calls in this module, too
                    seen |= more
                    names = names.union(*(used.get(name, set()) for name in more))
                assert names & depending == set(), (module, node.name)
    assert properties > 10


# -- records ---------------------------------------------------------------------


def test_a_record_is_a_record_at_the_start_and_a_named_tuple_elsewhere() -> None:
    """``typing`` takes long to load, and an upload asks after the same start.

    A start with a password manager loads ``sources/``, too, and what reads its output, and one of
    ``mysql`` a module of ``running/rivals``.
    """
    start = house.at_start((*house.STEPS, *house.ASKING))
    assert {"resolving.obtain", "config.model", "keeping.keychain"} <= start
    assert house.records("NamedTuple") & start == set()
    later = {m for m in MODULES if room(m) == "sources" or m.startswith("running.rivals.")}
    assert house.records("Record") - start - later == {"processes.output"}
    assert "typing" not in {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for module in start
        for node in tree(MODULES[module]).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


# -- each module -----------------------------------------------------------------


def test_each_module_has_a_docstring() -> None:
    """Its first line is a sentence or a title."""
    titles = {module: (ast.get_docstring(tree(path)) or "") for module, path in MODULES.items()}
    assert [module for module, text in titles.items() if not text] == []
    assert [module for module, text in titles.items() if len(text.splitlines()[0]) > 96] == []


def test_only_the_command_prints() -> None:
    """Only the command writes to the standard streams: a library is silent."""
    loud = {"print", "pprint", "sys.stdout.write", "sys.stderr.write"}
    found = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
        if ast.unparse(node.func) in loud
    }
    assert "cli.list" in found
    assert [module for module in found if room(module) != "cli"] == []


def test_all_names_exist() -> None:
    """Each name of ``__all__`` is defined or loaded by the module, and public."""
    found = [
        (module, one)
        for module, path in MODULES.items()
        for part in tree(path).body
        if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "__all__"
        for one in ast.literal_eval(part.value)
    ]
    assert len(found) > 300
    assert [(module, one) for module, one in found if one.startswith("_")] == []
    missing = []
    for module, one in found:
        loaded = __import__(f"secretly.{module}".removesuffix(".__init__"), fromlist=["x"])
        if not hasattr(loaded, one):
            missing.append((module, one))
    assert missing == []


def test_data_files_are_declared() -> None:
    """Each data file of the package is installed with it, and exists."""
    parser = configparser.ConfigParser()
    parser.read(SETUP, encoding="utf-8")
    declared = set(parser["options.package_data"]["secretly"].split())
    there = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert declared == there


def test_the_packages_are_declared() -> None:
    """Each folder with modules is a package, and is installed."""
    parser = configparser.ConfigParser()
    parser.read(SETUP, encoding="utf-8")
    patterns = parser["options.packages.find"]["include"].split()
    for folder in {path.parent for path in FILES}:
        dotted = ".".join(["secretly", *folder.relative_to(ROOT).parts])
        assert any(fnmatch.fnmatchcase(dotted, pattern) for pattern in patterns)
        assert (folder / "__init__.py").exists()
