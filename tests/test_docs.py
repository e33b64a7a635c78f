"""The pages say what the code does, and their examples run."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE, SECRETLY

import secretly
import secretly.testing
from secretly import configuration

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = Path(secretly.__file__).parent
VERBS = ("run", "set", "get", "forget", "list", "doctor")


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text("utf-8")


def sections(name: str) -> dict[str, str]:
    """What stands under each second-level heading of a page."""
    parts = re.split(r"^(.+)\n-{3,}\n", page(name), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def helped(*arguments: str) -> str:
    """What ``secretly … --help`` prints."""
    done = subprocess.run(
        [*SECRETLY, *arguments, "--help"],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0
    return done.stdout


def described(text: str) -> dict[str, bool]:
    """The options that ``option`` directives describe, and whether each takes a value."""
    lines = re.findall(r"^\.\. option:: (.+)$", text, re.MULTILINE)
    return {o: v for line in lines for o, v in taken_apart(line)}


def taken_apart(line: str) -> Iterator[tuple[str, bool]]:
    """Each option in ``-e X, --env X``, and whether it takes a value."""
    parts = [part.partition(" ") for part in line.split(", ")]
    valued = any(value for _, _, value in parts)
    return ((option, valued) for option, _, _ in parts)


# -- the reference ---------------------------------------------------------------


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_option_is_described_and_no_other(verb: str) -> None:
    """The reference has the options that the help of each verb has, with or without values."""
    printed = re.findall(r"^  (-.+?)(?:  .*)?$", helped(*filter(None, [verb])), re.MULTILINE)
    there = {o: v for line in printed for o, v in taken_apart(line)}
    assert there, "the help lists no option"
    assert described(sections("reference/command-line.rst")[verb]) == there


def test_every_verb_is_described_and_no_other() -> None:
    """The reference has a section for each verb of the help."""
    there = re.findall(r"^    ([a-z]+)  ", helped(), re.MULTILINE)
    assert tuple(there) == VERBS
    titles = list(sections("reference/command-line.rst"))
    assert titles == ["", *VERBS, "Exit statuses"]


def test_every_option_that_a_page_uses_is_there() -> None:
    """No page calls secretly with an option that it does not have."""
    text = sections("reference/command-line.rst")
    used = 0
    for path in [*DOCS.rglob("*.rst"), DOCS.parent / "README.md"]:
        calls = re.findall(
            rf"\bsecretly ({'|'.join(VERBS)})\b([^`|>&\n]*)", path.read_text("utf-8")
        )
        for verb, rest in calls:
            for option in own_options(rest.split(), described(text[verb]), verb == "run"):
                used += 1
                assert option in described(text[verb]), (path.name, verb, option)
    assert used > 20


def own_options(words: list[str], valued: dict[str, bool], to_command: bool) -> Iterator[str]:
    """The options among *words*; those of ``run`` end where the command begins."""
    rest = iter(words)
    for word in rest:
        if word.startswith("-") and word not in ("-", "--"):
            option, equals, _ = word.partition("=")
            yield option
            if not equals and valued.get(option) and option != "--remember":
                next(rest, None)
        elif to_command:
            return


def test_every_public_name_is_described_and_no_other() -> None:
    """The library's page has each name of ``__all__`` once."""
    found = re.findall(r"^\.\. auto\w+:: secretly\.(\w+)$", page("reference/library.rst"), re.M)
    assert sorted(found) == sorted(secretly.__all__)


def test_every_double_is_described_and_no_other() -> None:
    """So has the doubles' page."""
    text = page("reference/testing.rst")
    found = re.findall(r"^\.\. auto(?:class|function):: secretly\.testing\.(\w+)$", text, re.M)
    assert sorted(found) == sorted(secretly.testing.__all__)


def public() -> list[tuple[str, Callable[..., Any]]]:
    """Every public function and class, by name."""
    names = [(name, getattr(secretly, name)) for name in secretly.__all__]
    names += [(f"testing.{n}", getattr(secretly.testing, n)) for n in secretly.testing.__all__]
    return names


@pytest.mark.parametrize(("name", "thing"), public(), ids=[name for name, _ in public()])
def test_every_parameter_is_described(name: str, thing: Callable[..., Any]) -> None:
    """A public name has a docstring, and a public function's says what each parameter is."""
    text = inspect.getdoc(thing) or ""
    assert text
    if inspect.isfunction(thing):
        parameters = set(inspect.signature(thing).parameters)
        assert set(re.findall(r":param (\w+):", text)) == parameters


# -- the configuration -----------------------------------------------------------


def complaint(tmp_path: Path, text: str) -> str:
    """What is said about a configuration that is wrong."""
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(secretly.BadConfiguration) as caught:
        configuration.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})
    return str(caught.value)


def known(tmp_path: Path, text: str) -> list[str]:
    """The keys that are known where *text* has one that is not."""
    found = re.search(r"\(known: (.+)\)", complaint(tmp_path, text))
    assert found
    return found[1].split(", ")


TABLES = {
    "secrets.NAME": "[secrets.NAME]\nbogus = 1",
    "commands.NAME": "[commands.NAME]\nbogus = 1",
    "commands.NAME.profiles.PROFILE": "[commands.NAME.profiles.PROFILE]\nbogus = 1",
    "commands.NAME.index": "[commands.NAME.index]\nbogus = 1",
    "prompt": "[prompt]\nbogus = 1",
    "keychain": "[keychain]\nbogus = 1",
}


def confvals() -> dict[str, str]:
    """Each key that the configuration's page describes, and what it says of it."""
    parts = re.split(r"^\.\. confval:: (.+)$", page("reference/configuration.rst"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_configuration_key_is_described_and_no_other(tmp_path: Path) -> None:
    """What the loader knows and what the page describes are the same."""
    there = {f"{table}.{key}" for table, text in TABLES.items() for key in known(tmp_path, text)}
    assert set(confvals()) == there


def test_every_configuration_table_is_described(tmp_path: Path) -> None:
    """Each top-level table has a section."""
    assert set(known(tmp_path, "bogus = 1")) <= set(sections("reference/configuration.rst"))


@pytest.mark.parametrize("key", confvals())
def test_every_key_has_an_example_that_sets_it(tmp_path: Path, key: str) -> None:
    """The example of each key is right, and sets just that key."""
    text = confvals()[key]
    assert ":type:" in text
    [example] = toml_in(text)
    load(tmp_path, example)
    table: Any = tomllib.loads(example)
    for part in key.split("."):
        assert isinstance(table, dict)
        table = next(iter(table.values())) if part.isupper() else table[part]


def toml_in(text: str) -> list[str]:
    """The TOML code blocks of a page."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if line.strip() == ".. code-block:: toml":
            margin = len(line) - len(line.lstrip())
            block = []
            for inner in lines[number + 1 :]:
                if inner.strip() and len(inner) - len(inner.lstrip()) <= margin:
                    break
                block.append(inner.strip())
            found.append("\n".join(block))
    return found


def load(tmp_path: Path, text: str) -> configuration.Configuration:
    """Read a configuration."""
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return configuration.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})


GUIDES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("how-to/*.rst"))


@pytest.mark.parametrize("name", [name for name in GUIDES if toml_in(page(name))])
def test_every_configuration_in_a_guide_is_right(tmp_path: Path, name: str) -> None:
    """What a guide tells one to write is read without complaint; two tables may be one file's."""
    for example in toml_in(page(name)):
        # 'default' names a profile of an example before it.
        if "default = " in example:
            example += '\n[commands.twine.profiles.dev]\nenv = { A = "b" }\n'
        load(tmp_path, example)


# -- tables ----------------------------------------------------------------------


def rows(text: str) -> list[list[str]]:
    """The rows of the list-tables of a page, without the headings."""
    found = []
    for table in text.split(".. list-table::")[1:]:
        table = re.split(r"\n(?=\S)", table)[0]
        cells = [re.split(r"\n +- ", "\n     - " + row)[1:] for row in table.split("\n   * - ")[1:]]
        found += [[" ".join(cell.split()) for cell in row] for row in cells[1:]]
    return found


def listed(names: Any) -> str:
    """Names as a table has them."""
    return ", ".join(f"``{name}``" for name in names if name) or "–"


def test_every_shipped_command_is_in_the_table(tmp_path: Path) -> None:
    """The tables of known commands say what the shipped rows say."""
    shipped = load(tmp_path, "").commands.values()
    first, second = [], []
    for row in shipped:
        assert row.index is not None
        name, index = f"``{row.name}``", row.index
        first.append(
            [
                name,
                listed(row.subcommands),
                listed(row.secrets),
                listed([row.username]),
                listed(row.alternatives),
            ]
        )
        second.append(
            [
                name,
                ", ".join(f"``{tool}`` → ``{secret}``" for tool, secret in index.names.items()),
                listed((*index.name_options, *index.url_options)),
                listed((*index.name_variables, *index.url_variables)),
            ]
        )
    assert rows(page("reference/commands.rst")) == first + second


def variables() -> set[str]:
    """The variables that the code names: read from its text, as a whole string each."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path.name in ("testing.py", "assuan.py"):
            continue
        text = path.read_text("utf-8")
        found |= set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', text))
        found |= set(re.findall(r'"([A-Z_]+)" in (?:self\.)?\w*environ', text))
        for names in re.findall(r"\(((?:\s*\"[A-Z_]+\",?)+\s*)\)", text):
            found |= {n for n in re.findall(r'"([A-Z_]+)"', names) if "_" in n or n == "LANG"}
    return {name for name in found if not name.startswith("SIG")}


def test_every_variable_that_is_read_is_described() -> None:
    """The page of environment variables has each that the code names, and names no other."""
    table = " ".join(row[0] for row in rows(page("reference/environment.rst")))
    told = set(re.findall(r"``(\w+)``", table))
    assert variables() >= {"SECRETLY_CONFIG", "SSH_TTY", "LD_PRELOAD", "XDG_CONFIG_HOME"}
    assert variables() <= told
    text = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    # platformdirs reads this one for us.
    assert {name for name in told if name not in text} <= {"XDG_STATE_HOME"}


def test_the_house_is_listed_as_it_is_built() -> None:
    """Every module is in the list, below all that it imports."""
    order = re.findall(r"^``(\w+)``  ", page("explanation/house.rst"), re.MULTILINE)
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert set(order) == modules | {"sources"}
    for name in modules:
        for other in imported(SOURCE / f"{name}.py"):
            assert order.index(other) < order.index(name), f"{name} imports {other}"


def imported(path: Path) -> set[str]:
    """The modules of secretly that one imports, types for a checker included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            named = [node.module] if node.module else [alias.name for alias in node.names]
            found.update(name.partition(".")[0] for name in named)
    return found


def test_the_changelog_has_this_version() -> None:
    """The newest version in the changelog is the one that is built."""
    from importlib.metadata import version

    assert list(sections("changelog.rst"))[1] == version("secretly")


def test_the_readme_and_the_pages_show_the_same_prompt() -> None:
    """The picture in the README is as wide as a terminal and drawn in one piece."""
    text = (DOCS.parent / "README.md").read_text("utf-8")
    boxes = [line for line in text.splitlines() if line.lstrip().startswith(("┌", "│", "└"))]
    assert len(boxes) == 16
    assert len({len(line) for line in boxes}) == 1
    assert (DOCS / "pinentry.png").stat().st_size < 60_000


# -- the examples ----------------------------------------------------------------

#: What each example is answered, and what it then prints; and how many prompts it shows.
EXAMPLES: dict[str, list[tuple[list[Any], str, int]]] = {
    "with_asyncio": [(["canary-1"], "a secret of 8 characters, shown as Secret('…')", 1)],
    "with_twisted": [(["canary-1"], "a secret of 8 characters, shown as Secret('…')", 1)],
    "many_at_once": [(["canary-1"], "100 pages", 1)],
    "verified": [
        (["canary-wrong", "canary-right", True], "logged in as ada", 3),
        (["canary-wrong", "canary-wrong", "canary-wrong"], "no secret for Example after 3", 3),
        ([[("exit", 3)]], "pinentry-gtk-fake", 1),
        ([None], "then not", 1),
    ],
    "confirmed": [([True], "deleted", 1), ([False], "left as it was", 1)],
    "in_time": [([[("hang", False)]], "nobody there", 1)],
    "first_secretly": [(["canary-1"], "logged in with 8 characters", 1)],
}

_RUN = """
import json, runpy, sys
from secretly.testing import FakePinentry, sandbox
example, reactor, answers = json.loads(sys.argv[1])
if reactor == "asyncio":
    from twisted.internet import asyncioreactor
    asyncioreactor.install()
config = '[secrets.Example]\\nusername = "ada"\\n'
with FakePinentry(answers) as pinentry, sandbox(pinentry, config=config):
    try:
        runpy.run_path(example, run_name="__main__")
    except SystemExit as done:  # react ends so
        assert not done.code, done.code
    print(len(pinentry.prompts))
"""


def run(path: Path, reactor: str, answers: list[Any]) -> list[str]:
    """Run an example with doubles, and return what it printed and the number of prompts."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps([str(path), reactor, answers])],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


CASES = [
    pytest.param(name, reactor, *case, id=f"{name}-{reactor}-{number}")
    for name, cases in EXAMPLES.items()
    for reactor in (("default", "asyncio") if name in ("with_twisted", "first_secretly") else ("",))
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("name", "reactor", "answers", "says", "prompts"), CASES)
def test_an_example_runs(
    name: str, reactor: str, answers: list[Any], says: str, prompts: int
) -> None:
    """An example asks and prints what its page lets one expect."""
    *printed, count = run(DOCS / "examples" / f"{name}.py", reactor, answers)
    assert len(printed) == 1
    assert says in printed[0]
    assert int(count) == prompts


def test_the_example_of_a_command_runs() -> None:
    """The command in a test asks the fake pinentry, and gets what it answers."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "examples" / "a_command.py")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "canary-1 0 1\n", done.stderr


def test_the_example_of_tests_passes() -> None:
    """The tests that the guide shows pass, run as the reader would run them."""
    path = DOCS / "examples" / "test_greeting.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 2)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^11 passed", done.stdout, re.MULTILINE)


def test_every_example_is_run_and_shown() -> None:
    """No example lies about unused or untested."""
    there = {path.stem for path in (DOCS / "examples").glob("*.py")}
    assert there == {*EXAMPLES, "a_command", "test_greeting"}
    shown = {
        name
        for path in DOCS.rglob("*.rst")
        for name in re.findall(r"literalinclude:: \.\./examples/(\w+)\.py", path.read_text("utf-8"))
    }
    assert shown == there


def test_the_readme_shows_the_examples() -> None:
    """The programs in the README are the ones that are run here, but for types and docstrings."""
    text = (DOCS.parent / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert [bare(block) for block in blocks] == [
        bare((DOCS / "examples" / f"{name}.py").read_text("utf-8"))
        for name in ("with_asyncio", "with_twisted")
    ]


def bare(text: str) -> str:
    """A program without its docstring and its annotations."""
    tree = ast.parse(text)
    body = [node for node in tree.body if not is_docstring(node) and not is_typing(node)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef)):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return "\n".join(map(ast.unparse, body))


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_typing(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "typing"


# -- built -----------------------------------------------------------------------


@pytest.mark.parametrize("builder", ["html", "doctest"])
def test_the_pages_are_built_without_a_warning(tmp_path: Path, builder: str) -> None:
    """Sphinx finds nothing to complain of, and what the pages show is so."""
    pytest.importorskip("sphinx")
    nitpicky = ["-n"] if builder == "html" else []
    command = [sys.executable, "-m", "sphinx", "-q", "-W", *nitpicky, "-b", builder]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "pages")],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
    )
    assert done.returncode == 0, done.stderr


def test_the_hint_of_a_bad_configuration_names_a_page(tmp_path: Path) -> None:
    """The page that it points at is there."""
    path = tmp_path / "config.toml"
    path.write_text("bogus = 1", "utf-8")
    with pytest.raises(secretly.BadConfiguration) as caught:
        configuration.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})
    found = re.search(r"docs/(reference/\w+)", caught.value.hint)
    assert found
    assert (DOCS / f"{found[1]}.rst").exists()
