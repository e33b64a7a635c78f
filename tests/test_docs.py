"""The pages say what the code does, and their examples run."""

from __future__ import annotations

import ast
import csv
import importlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tokens
from agreement import cases as agreed
from command import PATIENCE, SECRETLY, TWISTED, Home, home, quick
from conftest import need

import secretly
import secretly.testing
from secretly import sources
from secretly.asking import upload_wording, wording
from secretly.asking.questions import with_caller
from secretly.cli import verbs
from secretly.config import launchers, loading, model, policy
from secretly.publishing import pypi_token, release
from secretly.publishing.archives import Distribution
from secretly.publishing.destination import Destination
from secretly.publishing.tool import Artifacts
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.tools import tool_for
from secretly.reference import parse
from secretly.testing import FakePinentry

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = Path(secretly.__file__).parent
VERBS = tuple(verbs.VERBS)

#: Verbs that have verbs of their own.
INNER = {
    "identity": ("create", "export", "passphrase", "replace"),
    "token": ("show", "narrow"),
}


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text("utf-8")


def sections(name: str) -> dict[str, str]:
    """The text under each second-level heading of a page."""
    parts = re.split(r"^(.+)\n-{3,}\n", page(name), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def helped(*arguments: str) -> str:
    """What ``secretly … --help`` prints."""
    done = subprocess.run(
        [*SECRETLY, *arguments, "--help"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": os.devnull,
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0
    return done.stdout


def described(text: str) -> dict[str, bool]:
    """Each option that an ``option`` directive describes, and whether it takes a value."""
    lines = re.findall(r"^\.\. option:: (.+)$", text, re.MULTILINE)
    return {o: v for line in lines for o, v in options_in(line)}


def options_in(line: str) -> Iterator[tuple[str, bool]]:
    """Each option in ``-e X, --env X`` or ``--remember[=X]``, and whether it takes a value."""
    parts = [re.fullmatch(r"([\w-]+)[ \[=]*(.*)", part) for part in line.split(", ")]
    options = [part.groups() for part in parts if part]
    valued = any(value for _, value in options)
    return ((option, valued) for option, _ in options)


# -- the reference ---------------------------------------------------------------


@pytest.mark.outside
@pytest.mark.process
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_option_is_described_and_no_other(verb: str) -> None:
    """The reference has the options that the help of each verb has, with or without values."""
    words = [verb] if verb else []
    helps = [helped(*words), *(helped(verb, inner) for inner in INNER.get(verb, ()))]
    printed = re.findall(r"^  (-.+?)(?:  .*)?$", "\n".join(helps), re.MULTILINE)
    there = {o: v for line in printed for o, v in options_in(line)}
    assert there, "the help lists no option"
    assert described(sections("reference/command-line.rst")[verb]) == there


@pytest.mark.outside
@pytest.mark.process
def test_every_verb_is_described_and_no_other() -> None:
    """The reference has a section for each verb of the help."""
    there = re.findall(r"^    ([a-z]+)  ", helped(), re.MULTILINE)
    assert tuple(there) == VERBS
    titles = list(sections("reference/command-line.rst"))
    assert titles == ["", *VERBS, "Exit statuses"]


def test_every_option_that_a_page_uses_exists() -> None:
    """No page calls secretly with an unknown option."""
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


#: What secretly.sources is made of inside, and no other package needs.
INSIDE = {"SCHEMES", "Item", "Items", "find", "schemes"}


def test_every_name_that_a_source_needs_is_described_and_no_other() -> None:
    """So has the sources' page."""
    text = page("reference/sources.rst")
    kinds = "class|function|exception"
    found = re.findall(rf"^\.\. auto(?:{kinds}):: secretly\.sources\.(\w+)", text, re.M)
    assert sorted(found) == sorted(set(sources.__all__) - INSIDE)


def test_every_scheme_is_described_and_no_other() -> None:
    """In the table of references, and with a section or an entry of its own in the guide."""
    table = " ".join(row[0] for row in rows(page("reference/references.rst")))
    assert set(re.findall(r"``([\w-]+)://", table)) == set(sources.SCHEMES)
    guide = page("how-to/password-managers.rst") + page("how-to/secret-stores.rst")
    assert set(re.findall(r"^- ``([\w-]+)://", guide, re.M)) == set(sources.SCHEMES)
    for scheme in sources.SCHEMES:
        if program := getattr(sources.find(scheme), "program", None):
            assert f"\nThe program is ``{program.name}``" in guide


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
    if inspect.isroutine(thing):
        parameters = set(inspect.signature(thing).parameters)
        assert set(re.findall(r":param (\w+):", text)) == parameters


# -- the configuration -----------------------------------------------------------


def complaint(tmp_path: Path, text: str) -> str:
    """The error about a wrong configuration."""
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(secretly.BadConfiguration) as caught:
        loading.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})
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
    "prompt": "[prompt]\nbogus = 1",
    "keychain": "[keychain]\nbogus = 1",
}


def confvals() -> dict[str, str]:
    """Each key that the configuration's page describes, and what it says of it."""
    parts = re.split(r"^\.\. confval:: (.+)$", page("reference/configuration.rst"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_configuration_key_is_described_and_no_other(tmp_path: Path) -> None:
    """The page describes the keys that the loader knows."""
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


def load(tmp_path: Path, text: str) -> model.Configuration:
    """Read a configuration."""
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return loading.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})


GUIDES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("how-to/*.rst"))
GUIDES.append("reference/policy.rst")


@pytest.mark.parametrize("name", [name for name in GUIDES if toml_in(page(name))])
def test_every_configuration_in_a_guide_is_right(tmp_path: Path, name: str) -> None:
    """secretly loads each example of a guide without an error."""
    for example in toml_in(page(name)):
        if "policy.toml" in example or example.startswith("log = "):
            (tmp_path / "policy.toml").write_text(example, "utf-8")
            assert policy.load(str(tmp_path / "none"), str(tmp_path / "policy.toml")).paths
            continue
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


def test_every_shipped_publishing_tool_is_in_the_tables(tmp_path: Path) -> None:
    """The tables of tools that upload to a package index say what their rows say."""
    rows_ = [(row, tool_for(row.name)) for row in load(tmp_path, "").commands.values()]
    shipped = [row for row, tool in rows_ if tool is not None and tool.narrows]
    assert [row.name for row in shipped][:3] == ["twine", "uv", "flit"]
    first, second, third = [], [], []
    for row in shipped:
        tool = tool_for(row.name)
        assert tool is not None
        name = f"``{row.name}``"
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
                ", ".join(f"``{own}`` → ``{secret}``" for own, secret in tool.names.items()) or "–",
                listed(tool.reads),
                "yes" if tool.proxies else "no",
                listed(tool.trusts),
            ]
        )
        third.append([name, looked_at(tool.artifacts), built(tool.artifacts), lifetime(row, tool)])
    there = rows(page("reference/commands.rst"))
    for wanted in (first, second, third):
        assert [row for row in wanted if row not in there] == []


def looked_at(files: Artifacts) -> str:
    """Which files are looked at, as the table has it."""
    found = ["those named"] if files.arguments else []
    if files.folder:
        which = "the project's newest in" if files.newest_only else "all in"
        other = "".join(f", or ``{option}``" for option in files.folder_options[-1:])
        found.append(f"{which} ``{files.folder}``{other}")
    return "; else ".join(found) or "–"


def built(files: Artifacts) -> str:
    """When they are built first."""
    found = listed(files.builds)
    if files.build_options:
        found += f" with {listed(files.build_options[:1])}"
    if files.no_build_options:
        found += f", not with {listed(files.no_build_options[:1])}"
    return found


def lifetime(row: model.Command, tool: type[ToolCall]) -> str:
    """How long the token is good."""
    short, long = (f"{s / 60:.0f} min" for s in (release.LIFETIME, release.LIFETIME_BUILDING))
    assert row.expires is None
    files = tool.artifacts
    options = files.build_options or files.no_build_options
    if set(row.subcommands) == set(files.builds) and not options:
        return long
    return f"{short}; {long} if it builds" if files.builds else short


#: An index that the user's own settings name: a command, and the settings.
INDEX_URL = "https://corp.example/upload/"
PYPIRC = f"[distutils]\nindex-servers = corp\n[corp]\nrepository = {INDEX_URL}\n"
NAMED: dict[str, tuple[str, str, str]] = {
    "twine": ("twine upload -r corp dist/*", ".pypirc", PYPIRC),
    "uv": (
        "uv publish --index corp",
        ".config/uv/uv.toml",
        f'[[index]]\nname = "corp"\nurl = "{INDEX_URL}"\npublish-url = "{INDEX_URL}"\n',
    ),
    "flit": ("flit publish --repository corp", ".pypirc", PYPIRC),
    "hatch": (
        "hatch publish -r corp",
        ".config/hatch/config.toml",
        f'[publish.index.repos.corp]\nurl = "{INDEX_URL}"\n',
    ),
    "poetry": (
        "poetry publish -r corp",
        ".config/pypoetry/config.toml",
        f'[repositories.corp]\nurl = "{INDEX_URL}"\n',
    ),
    "pdm": (
        "pdm publish --no-build -r corp",
        ".config/pdm/config.toml",
        f'[repository.corp]\nurl = "{INDEX_URL}"\n',
    ),
    "maturin": ("maturin upload -r corp dist/*", ".pypirc", PYPIRC),
}


@pytest.mark.skipif(sys.platform == "darwin", reason="the tools' settings are in other folders")
@pytest.mark.parametrize("name", NAMED)
def test_the_table_says_what_forces_the_index_on_each_tool(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words and variables are those of the tool's adapter."""
    monkeypatch.chdir(tmp_path)
    line, path, text = NAMED[name]
    files = {f"home/{path}": text, "project/pyproject.toml": '[project]\nname = "demo"\n'}
    case = agreed.Case(tuple(line.split()[1:]), {}, files)
    agreed.lay_out(case, tmp_path)
    pin = agreed.upload(name, case, tmp_path, agreed.configuration()).pin
    empty = tmp_path / "home/.local/state/secretly"

    def shown(words: str) -> str:
        words = re.sub(
            rf"{re.escape(INDEX_URL)}(#\w+)?", lambda m: "URL" + "#…" * bool(m[1]), words
        )
        words = words.replace(f"{empty}/", "…/").replace(f"{tmp_path}/home", "~")
        return words.replace(sys.executable, "…/python")

    variables = [shown(f"{key}={value}") for key, value in pin.environ.items()]
    row = [f"``{line}``", f"``{shown(' '.join([name, *pin.arguments]))}``", listed(variables)]
    assert row in rows(page("reference/commands.rst")), row


def variables() -> set[str]:
    """The variables that the code names: read from its text, as a whole string each."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path.name in ("testing.py", "assuan.py") or path.parent.name == "tools":
            continue
        text = path.read_text("utf-8")
        found |= set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', text))
        found |= set(re.findall(r'"([A-Z_]+)" in (?:self\.)?\w*environ', text))
        for names in re.findall(r"\(((?:\s*\"[A-Z][A-Z_]+\",?)+\s*)\)", text):
            found |= {n for n in re.findall(r'"([A-Z_]+)"', names) if "_" in n or n == "LANG"}
    return {name for name in found if not name.startswith("SIG")}


def test_every_variable_that_is_read_is_described() -> None:
    """The page of environment variables has each that the code names, and names no other."""
    table = " ".join(row[0] for row in rows(page("reference/environment.rst")))
    told = set(re.findall(r"``(\w+)``", table))
    assert variables() >= {"SECRETLY_CONFIG", "SSH_TTY", "GCONV_PATH", "XDG_CONFIG_HOME"}
    assert variables() <= told
    text = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    # platformdirs reads these two for us.
    assert {name for name in told if name not in text} <= {"XDG_STATE_HOME", "XDG_DATA_HOME"}


def test_every_variable_of_a_tool_that_says_where_is_described() -> None:
    """The page has the variables with which a tool or a launcher finds its folder or settings."""
    found = {name for names in launchers.REDIRECTING.values() for name in names if name[0] != "-"}
    for path in (SOURCE / "publishing/tools").glob("*.py"):
        found |= set(re.findall(r"\"\$([A-Z_]+)", path.read_text("utf-8")))
    assert found >= {"UV_ENV_FILE", "UV_PROJECT", "HATCH_CONFIG"}
    assert found <= set(re.findall(r"``([A-Z_]+)``", page("reference/environment.rst")))


#: Pages for contributors, which name files of the project or of its package.
NAMING = ("../CONTRIBUTING.md", "../SECURITY.md", "explanation/house.rst")

#: Rooms that are named before they are built.
LATER = {"serving/"}


@pytest.mark.parametrize("name", NAMING)
def test_every_file_that_a_page_names_exists(name: str) -> None:
    """``NAME`` stands for a name that the reader chooses."""
    found = re.findall(r"`((?!/)[\w./-]*/[\w.-]*)`|\]\((docs/[\w./-]+)\)", page(name))
    named = {a or b for a, b in found if "NAME" not in a} - LATER
    assert named
    missing = {n for n in named if not any((f / n).exists() for f in (DOCS.parent, SOURCE))}
    assert missing == set()


def test_every_name_that_a_contributor_reads_is_in_the_code() -> None:
    """``_LAUNCHERS`` and the like: a name that was changed in the code misleads on the page."""
    files = (*SOURCE.rglob("*.py"), *Path(__file__).parent.rglob("*.py"))
    known = set(re.findall(r"\w+", "".join(path.read_text("utf-8") for path in files)))
    words = " ".join(re.findall(r"`([\w.]+)`", page(NAMING[0]))).replace(".", " ").split()
    names = {name for name in words if "_" in name or name != name.lower()}
    assert len(names) > 50
    assert names - known == set()


def test_the_changelog_has_this_version() -> None:
    """The newest version in the changelog is the one that is built."""
    from importlib.metadata import version

    newest = [name for name in sections("changelog.rst") if name != "Unreleased"][1]
    assert newest == version("secretly")


# -- dialogs, messages and listings ---------------------------------------------

#: Where boxes of dialogs are shown, how many, and where each says that it uploads to.
BOXES = {
    "../README.md": (1, Destination("pypi", "PyPI")),
    "how-to/publish.rst": (1, Destination("pypi", "PyPI")),
    "tutorial.rst": (2, Destination("", "127.0.0.1:8080", "http://127.0.0.1:8080/")),
}

UNITS = {"bytes": 1, "kB": 1000}

_FILE = re.compile(r"(dist/demo-([\d.]+\d)\S+) \(([\d.]+) (bytes|kB), sha256 ([0-9a-f]{12})\)")


@pytest.mark.parametrize("name", BOXES)
def test_a_dialog_is_shown_as_it_is(name: str) -> None:
    """A box is drawn in one piece, and has the lines that you would see for these files."""
    lines = [line.strip() for line in page(name).splitlines()]
    assert len({len(line) for line in lines if line.startswith(("┌", "│", "└"))}) == 1
    boxes = re.findall(r"^┌.*?^└", "\n".join(lines), re.MULTILINE | re.DOTALL)
    count, target = BOXES[name]
    assert len(boxes) == count
    for box in boxes:
        text = "\n".join(line[2:-2].rstrip() for line in box.splitlines()[1:-1])
        files = [
            Distribution(path, round(float(n) * UNITS[unit]), sha, "demo", version)
            for path, version, n, unit, sha in _FILE.findall(text)
        ]
        assert len(files) == 2
        wanted = release.Release("twine", target, tuple(files)).consent(
            "/home/you/venv/bin/twine", ["twine", "upload", *(file.path for file in files)]
        )
        shown = wanted.text("__token__")
        if shown not in text:  # of a secret that you type
            shown = wanted.text(upload_wording.typed_username("__token__"))
        shown = with_caller([shown], wording.asked_by_line("zsh"))
        assert f"{shown}\n\n" in text
        question = text.replace(shown, "").strip()
        use = wording.confirm_use_text(target.secret, wording.place("keychain"), "")
        labels = [wording.secret_label(target.secret, prefix) for prefix in ("pypi-", None)]
        assert question.startswith((use, *labels))


def test_the_pictures_are_small() -> None:
    """They are the dialogs of real pinentries, and no larger than they have to be."""
    paths = sorted(DOCS.glob("pictures/*"))
    kinds = [path.stem for path in paths]
    assert kinds == [f"confirm-{kind}" for kind in ("curses", "gnome", "gtk", "qt", "tty")]
    for path in paths:
        assert 1_000 < path.stat().st_size < 60_000


def test_the_pictures_show_the_dialog_of_the_pages() -> None:
    """The drawings of terminals have each line of the box that a guide shows."""
    box = page("how-to/publish.rst").partition("┌")[2].partition("└")[0]
    lines = [line.strip()[2:-2].strip() for line in box.splitlines()[1:-1]]
    shown = [line for line in lines if line and line[0] not in "T<"]
    assert len(shown) == 10
    for path in DOCS.glob("pictures/*.svg"):
        text = path.read_text("utf-8")
        assert [line for line in shown if line not in text] == [], path


#: The token of the tutorial, and where it says that it was made.
PRACTICE = tokens.token("127.0.0.1")


def test_the_token_to_practise_with_is_one() -> None:
    """It has a token's form, is for the tutorial's index, and is the only one on any page."""
    found = {
        word
        for path in [*DOCS.rglob("*.rst"), DOCS.parent / "README.md"]
        for word in re.findall(r"pypi-[A-Za-z0-9_-]{40,}", path.read_text("utf-8"))
    }
    assert found == {PRACTICE}
    assert f"\n   {PRACTICE}\n" in page("tutorial.rst")
    assert pypi_token.token_scope(PRACTICE) == pypi_token.TokenScope("127.0.0.1")


@pytest.fixture(name="package")
def _package() -> Iterator[Home]:
    """A home with a wheel of the project ``demo`` in ``dist``, and a twine that uploads nothing."""
    with quick() as found:
        tokens.wheel(found.folder / "dist")
        found.program("twine", '#!/bin/sh\necho "to ${TWINE_REPOSITORY_URL-PyPI}"\n')
        found.environ["TOKEN"] = tokens.TOKEN
        yield found


def masked(text: str, folder: Path | None = None) -> str:
    """A text without what differs from day to day and from file to file."""
    if folder is not None:
        text = text.replace(str(folder), "/home/you")
    text = text.replace("/home/you/programs/", "/home/you/venv/bin/")
    text = re.sub(r"(\d{4}-\d\d-\d\d )?\b\d\d:\d\d\b", "HH:MM", text)
    return re.sub(r"\([\d.]+ (bytes|kB), sha256 \w{12}\)", "(SIZE, HASH)", text)


def told(text: str, where: str, folder: Path | None = None) -> bool:
    """Whether the lines of a text are on a page, in this order and one after the other."""
    lines = [line.strip() for line in masked(page(where)).splitlines()]
    wanted = [line.strip() for line in masked(text, folder).splitlines()]
    places = range(len(lines) - len(wanted) + 1)
    return bool(wanted) and any(lines[n : n + len(wanted)] == wanted for n in places)


UPLOAD = ("twine", "upload", "dist/demo-1.0-py3-none-any.whl")


@pytest.mark.outside
@pytest.mark.process
@pytest.mark.parametrize("where", ["how-to/narrow-a-token.rst", "tutorial.rst"])
def test_what_a_token_allows_is_shown_as_it_is(where: str) -> None:
    """The listings of ``token show`` are its output, for a whole and for a narrowed token."""
    whole = PRACTICE if where == "tutorial.rst" else tokens.TOKEN
    with quick() as found:
        shown = found.run("token", "show", "env://TOKEN", environ={"TOKEN": whole})
        assert told(shown.stdout, where)
        made = found.run(
            *("token", "narrow", "env://TOKEN", "--project", "demo"), environ={"TOKEN": whole}
        )
        shown = found.run("token", "show", "env://NARROW", environ={"NARROW": made.stdout.strip()})
        assert "projects: demo" in shown.stdout
        assert told(shown.stdout, where)


@pytest.mark.outside
@pytest.mark.process
def test_a_dry_run_is_shown_as_it_is(package: Home) -> None:
    """The guide's listing is the output."""
    done = package.run("run", "--dry-run", *UPLOAD)
    whole = done.stdout + "dist/demo-1.0.tar.gz (814 bytes, sha256 e85c0f9b6e78)\n"
    whole = whole.replace(".whl --", ".whl dist/demo-1.0.tar.gz --")
    assert told(whole, "how-to/check-an-upload.rst", package.folder)
    [runs] = [line for line in whole.splitlines() if line.startswith("runs: ")]
    assert told(runs, "how-to/project-tokens.rst", package.folder)


@pytest.mark.outside
@pytest.mark.process
def test_the_lines_of_an_upload_are_shown_as_they_are(package: Home) -> None:
    """The lines on standard error are in the guide: narrowed, unasked, a plain password."""
    (package.folder / ".pypirc").write_text("[pypi]\npassword = canary-plain\n")
    options = ("--no-confirm", "-v", "-e", "TWINE_PASSWORD=env://TOKEN")
    done = package.run("run", *options, *UPLOAD)
    assert (done.status, done.stdout) == (0, "to PyPI\n")
    warning, _, unasked, *_, narrowed = done.stderr.splitlines()
    for line in (warning, unasked, narrowed):
        assert told(line, "how-to/publish.rst", package.folder)
    assert told(narrowed, "reference/command-line.rst")
    assert told(narrowed, "tutorial.rst")
    assert told(narrowed, "../README.md")
    egg = package.folder / "demo-1.0.egg"
    egg.write_bytes(b"canary")
    done = package.run("run", "--no-confirm", *options[2:], "twine", "upload", str(egg))
    assert told(done.stderr.splitlines()[-1], "how-to/refused-uploads.rst")


@pytest.mark.outside
@pytest.mark.process
def test_a_hidden_upload_is_refused_as_the_guide_says(package: Home) -> None:
    """The guide has the refusal of a launcher with a file of variables, word for word."""
    package.program("uv", "#!/bin/sh\n")
    done = package.run("run", "uv", "run", "--env-file", ".env", *UPLOAD)
    assert done.status == 125
    assert told(done.stderr, "how-to/refused-uploads.rst")
    mirror = {"TWINE_REPOSITORY_URL": "http://mirror.example.org/legacy/"}
    for words, environ in ((("uv", "run"), {}), ((), mirror)):
        done = package.run("run", "--dry-run", *words, *UPLOAD, environ=environ)
        [note] = [line for line in done.stdout.splitlines() if line.startswith("note:")]
        assert told(note, "how-to/check-an-upload.rst")


@pytest.mark.outside
@pytest.mark.process
def test_a_token_that_does_not_fit_is_refused_as_the_guide_says(package: Home) -> None:
    """The guide has both refusals, word for word."""
    package.configure('[secrets.PyPI]\nsource = "env://TOKEN"\n')
    other = {"TOKEN": tokens.token("pypi.example", [1, ["other"]])}
    done = package.run("run", *UPLOAD, environ=other)
    assert done.status == 125
    assert told(done.stderr, "how-to/publish.rst")
    [mirror] = [text for text in toml_in(page("how-to/publish.rst")) if "hosts" in text]
    allowed = mirror.replace("hosts =", 'source = "env://TOKEN"\nconfirm = false\nhosts =')
    package.configure("".join(line for line in allowed.splitlines(True) if "hosts" not in line))
    done = package.run("run", "-p", "mirror", *UPLOAD)
    assert done.status == 125
    assert told(done.stderr, "how-to/publish.rst")
    package.configure(allowed)
    done = package.run("run", "-p", "mirror", *UPLOAD)
    assert (done.status, done.stdout) == (0, "to https://mirror.example.org/legacy/\n")


@pytest.mark.real
def test_the_hash_over_many_files_can_be_made_by_hand(package: Home) -> None:
    """As the guide says: ``sha256sum FILES | sha256sum``."""
    need("sha256sum")
    for number in range(9):
        name = f"demo-1.0-{number}-py3-none-any.whl"
        tokens.wheel(package.folder / "dist", name=name)
    upload = f"{shlex.join(SECRETLY)} run -e TWINE_PASSWORD=env://TOKEN twine upload dist/*"
    with FakePinentry([False]) as pinentry:
        done = package.run_any(["sh", "-c", upload], environ=pinentry.environ)
        assert done.status == 130
        text = pinentry.prompts[0]["SETDESC"]
    by_hand = package.run_any(["sh", "-c", "sha256sum dist/*; sha256sum dist/* | sha256sum"])
    *listing, total = by_hand.stdout.splitlines()
    assert done.stderr.splitlines()[: len(listing)] == listing
    found = re.search(r"10 files, [\d.]+ kB, sha256 of their list (\w{12})", text)
    assert found
    assert total.startswith(found[1])
    assert re.search(r"^   \d files, [\d.]+ kB, sha256 of their list \w{12}$", *guide())


def guide() -> tuple[str, re.RegexFlag]:
    """The guide to checking an upload, to be searched by lines."""
    return page("how-to/check-an-upload.rst"), re.MULTILINE


#: What the guide shows, and what lpass says in that case (as the real one does).
LPASS = {
    "": "is not installed",
    "echo 'Error: Could not find decryption key. Perhaps you need to login' >&2": "logged in",
    "echo 'Error: Unable to get password from askpass.' >&2": "may not ask you",
    "echo 'Error: Could not find specified account(s).' >&2": "the item Example",
    'echo \'[{"name": "Example", "username": "ada", "password": "canary"}]\'; exit 0': "no field",
}


@pytest.mark.outside
@pytest.mark.process
@pytest.mark.parametrize("script", LPASS)
def test_a_managers_failure_has_the_lines_of_the_guide(script: str) -> None:
    """The guide has both lines of each, word for word. The command gets no variable."""
    with quick() as found:
        if script:
            found.program("lpass", f"#!/bin/sh\n{script}\nexit 1\n")
        found.program("call.py", "#!/bin/sh\necho called\n")
        field = "#pin" if LPASS[script] == "no field" else ""
        options = ("--no-input", "-e", f"X=lpass://Example{field}")
        done = found.run("run", *options, "call.py", environ={"PATH": str(found.programs)})
        assert (done.status, done.stdout) == (125, "")
        assert LPASS[script] in done.stderr
        assert told(done.stderr, "how-to/password-managers.rst")


def test_the_configuration_in_the_readme_is_right(tmp_path: Path) -> None:
    """secretly loads it without an error, and knows each source in it."""
    blocks = re.findall(r"```toml\n(.*?)```", page("../README.md"), re.DOTALL)
    assert [load(tmp_path, block).secrets["PyPI"].source for block in blocks]
    others = re.findall(r"(?:or|,) (\w+://[^\s,]+)", blocks[0])
    assert {parse(one).scheme for one in others} == set(sources.SCHEMES) - {
        *("op", "env", "file", "keyring", "aws-sm", "aws-ssm"),
        *("bws", "protonpass", "vault-kv", "bao-kv", "rbw", "gopass"),
    }


# -- the examples ----------------------------------------------------------------

#: The answers for each example, its output, and the number of its prompts.
EXAMPLES: dict[str, list[tuple[list[Any], str, int]]] = {
    "with_asyncio": [(["canary-1"], "a secret of 8 characters, shown as Secret('…')", 1)],
    "with_twisted": [(["canary-1"], "a secret of 8 characters, shown as Secret('…')", 1)],
    "many_at_once": [(["canary-1"], "100 pages", 1)],
    "verified": [
        (["canary-wrong", "canary-right", True], "logged in as ada", 3),
        (
            ["canary-wrong", "canary-wrong", "canary-wrong"],
            "no usable secret for Example after 3",
            3,
        ),
        ([[("exit", 3)]], "pinentry-gtk-fake", 1),
        ([None], "cancelled", 1),
    ],
    "confirmed": [([True], "deleted", 1), ([False], "nothing was deleted", 1)],
    "in_time": [([[("hang", False)]], "no answer in time", 1)],
    "first_secretly": [(["canary-1"], "logged in with 8 characters", 1)],
    "not_async": [(["canary-1"], "a secret of 8 characters, shown as Secret('…')", 1)],
    "for_a_child": [(["canary-1"], "the child has 8 characters", 1)],
    "with_settings": [(["canary-1", "canary-2"], "password=SecretStr('**********')", 2)],
}

#: The examples with a test of their own.
TESTED = {
    "a_command",
    "mcp_server",
    "test_greeting",
    "test_with_fixtures",
    "secretly_ourpass",
    "test_secretly_ourpass",
    "with_django",
    "with_flask",
}

_RUN = """
import runpy
from secretly.testing import FakePinentry, sandbox
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
    given = f"example, reactor, answers = {str(path)!r}, {reactor!r}, {answers!r}\n"
    with quick() as home:
        done = home.run_code(given + _RUN, dict(os.environ), loaded=TWISTED)
    assert (done.status, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


CASES = [
    pytest.param(name, reactor, *case, id=f"{name}-{reactor}-{number}")
    for name, cases in EXAMPLES.items()
    for reactor in (("default", "asyncio") if name in ("with_twisted", "first_secretly") else ("",))
    for number, case in enumerate(cases)
]


@pytest.mark.outside
@pytest.mark.process
@pytest.mark.parametrize(("name", "reactor", "answers", "says", "prompts"), CASES)
def test_an_example_runs(
    name: str, reactor: str, answers: list[Any], says: str, prompts: int
) -> None:
    """An example shows its prompts and prints its text."""
    *printed, count = run(DOCS / "examples" / f"{name}.py", reactor, answers)
    assert len(printed) == 1
    assert says in printed[0]
    assert int(count) == prompts


@pytest.mark.outside
@pytest.mark.process
def test_the_example_of_a_command_runs() -> None:
    """The command in a test asks the fake pinentry, and gets what it answers."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "examples" / "a_command.py")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "canary-1 0 1\n", done.stderr


@pytest.mark.outside
@pytest.mark.process
def test_the_examples_of_tests_pass(tmp_path: Path) -> None:
    """The tests that the guide shows pass, run as the reader would run them."""
    said = examples_pass(tmp_path, "greeting", "with_fixtures")
    assert re.search(r"^13 passed", said, re.MULTILINE)


def examples_pass(folder: Path, *names: str) -> str:
    """Run the examples' tests, and return what pytest says. They pass.

    :param folder: for temporary files: in its own folder, pytest would also wait until those of
        other runs are deleted.
    """
    paths = [str(DOCS / "examples" / f"test_{name}.py") for name in names]
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'pytest'}"]
    command = [sys.executable, "-m", "pytest", *options, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 2)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.outside
@pytest.mark.process
def test_the_example_of_a_source_passes_its_tests(tmp_path: Path) -> None:
    """The contract suite, as the reader would run it."""
    said = examples_pass(tmp_path, "secretly_ourpass")
    assert re.search(r"^1\d passed", said, re.MULTILINE)


OURPASS = """#!/bin/sh
case $* in
unlocked) test -e "$HOME/unlocked" ;;
unlock) touch "$HOME/unlocked" ;;
'get --raw Example') echo '{"data": {"username": "ada", "password": "canary-1"}}' ;;
esac
"""


def installer() -> list[str]:
    """What installs a distribution, from what is there: an environment of uv's has no pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--no-index"]
    need("uv")
    return [shutil.which("uv") or "", "pip", "install", "--offline", "--python", sys.executable]


@pytest.mark.real
def test_the_example_of_a_source_is_found_by_its_entry_point() -> None:
    """Installed as the guide has it, the command reads from it: by -e, and configured."""
    guide = page("how-to/add-a-source.rst")
    [ini] = re.findall(r"code-block:: ini\n\n((?:   .*\n|\n)+)", guide)
    [setup] = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", guide)
    with home() as found:
        site, folder = found.folder / "site", found.folder / "secretly-ourpass"
        folder.mkdir()
        for name, text in (("setup.cfg", ini), ("setup.py", setup)):
            (folder / name).write_text(re.sub("^   ", "", text, flags=re.MULTILINE))
        [module] = re.findall(r"py_modules = (\w+)", ini)
        (folder / f"{module}.py").write_text((DOCS / "examples" / f"{module}.py").read_text())
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
        installed = found.run_any([*installer(), *options, str(folder)], seconds=PATIENCE * 3)
        assert installed.status == 0, installed
        before = found.environ.get("PYTHONPATH", "")
        found.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (before, str(site))))
        found.program("ourpass", OURPASS)
        found.program("call.py", '#!/bin/sh\necho "$API_KEY $API_USER"\n')
        [example] = toml_in(guide)
        found.configure(example)
        [by_option] = re.findall(r"\$ secretly run -e (API_KEY=ourpass://\S+)", guide)
        for given in (by_option, "API_KEY=Example"):
            user = f"API_USER={given.partition('=')[2]}#username"
            with FakePinentry() as fake:
                done = found.run("run", "-e", given, "-e", user, "call.py", environ=fake.environ)
            assert (done.status, done.stdout) == (0, "canary-1 ada\n"), done
            assert (found.folder / "unlocked").exists()


@pytest.mark.real
def test_the_recipes_get_their_secrets() -> None:
    """make gives each recipe of the guide its secret, and no other; a missing one stops make."""
    need("make", "sh")
    with home() as found:
        found.program("secretly", f'#!/bin/sh\nexec {shlex.join(SECRETLY)} "$@"\n')
        (found.folder / ".env").write_text("API_KEY=env://KEY\n")
        (found.folder / "deploy.sh").write_text("#!/bin/sh\necho $API_KEY\n")
        (found.folder / "deploy.sh").chmod(0o755)
        found.configure('[secrets.Example]\nsource = "env://KEY"\n')
        command = ["make", "-f", str(DOCS / "examples" / "Makefile")]
        done = found.run_any([*command, "deploy", "check"], environ={"KEY": "canary-1"})
        assert (done.status, done.stdout.splitlines()[1::2]) == (0, ["canary-1", "8 characters"])
        done = found.run_any([*command, "deploy"], environ={"SECRETLY_NO_INPUT": "1"})
        assert done.status == 2
        assert "canary" not in done.stdout


def test_every_example_is_run_and_shown() -> None:
    """Every example is on a page and in a test."""
    there = {path.stem for path in (DOCS / "examples").glob("*.py")}
    assert there == EXAMPLES.keys() | TESTED
    shown = {
        name
        for path in DOCS.rglob("*.rst")
        for name in re.findall(r"literalinclude:: \.\./examples/(\w+)\.py", path.read_text("utf-8"))
    }
    assert shown == there


def test_the_readme_shows_the_examples() -> None:
    """The programs in the README are those that run here, without types and docstrings."""
    text = (DOCS.parent / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert [bare(block) for block in blocks] == [
        bare((DOCS / "examples" / f"{name}.py").read_text("utf-8"))
        for name in ("with_asyncio", "with_twisted")
    ]


def test_the_readme_links_to_every_page() -> None:
    """The README names each page of the documentation but the lists of pages, and no other file."""
    linked = set(re.findall(r"\]\((docs/[^)]+\.rst)\)", page("../README.md")))
    files = re.findall(r"\]\(([^):]+)\)", page("../README.md"))
    assert [path for path in files if not (DOCS.parent / path).is_file()] == []
    pages = {str(path.relative_to(DOCS.parent)) for path in DOCS.rglob("*.rst")}
    assert linked == {path for path in pages if not path.endswith("/index.rst")}


def test_the_first_screen_of_the_readme() -> None:
    """Its first thirty lines have each way to use secretly, the picture, and the limit."""
    first = "\n".join(page("../README.md").splitlines()[:30])
    for part in ("demo", "install", "upload", "-e API_KEY", ".env", "await", ".png", "malware"):
        assert part in first, part


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


def test_no_page_is_too_long() -> None:
    """Only what is looked up, not read, may have more than 300 lines."""
    reference = [DOCS / "changelog.rst", *DOCS.glob("reference/*.rst")]
    for path in DOCS.rglob("*.rst"):
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= 300 or path in reference, (path, len(lines))


def test_the_error_about_an_unknown_key_is_shown_as_it_is(tmp_path: Path) -> None:
    """With all the keys that there are now."""
    with pytest.raises(secretly.BadConfiguration) as caught:
        load(tmp_path, "[secrets.Example]\nuser = 'ada'\n")
    _, _, said = str(caught.value).partition(".toml: ")
    assert f"config.toml: {said}\n" in page("how-to/configure.rst")


def test_a_secret_that_is_not_stored_is_listed_as_it_is() -> None:
    """On each page with a listing."""
    texts = [path.read_text("utf-8") for path in DOCS.rglob("*.rst")]
    found = {line for text in texts for line in re.findall(r"not stored: .*", text)}
    assert found == set(importlib.import_module("secretly.cli.list")._lines([]))


def test_the_hint_of_a_bad_configuration_names_a_page(tmp_path: Path) -> None:
    """The page that it points at is there."""
    path = tmp_path / "config.toml"
    path.write_text("bogus = 1", "utf-8")
    with pytest.raises(secretly.BadConfiguration) as caught:
        loading.load({"HOME": str(tmp_path), "SECRETLY_CONFIG": str(path)})
    found = re.search(r"docs/(reference/\w+)", caught.value.hint)
    assert found
    assert (DOCS / f"{found[1]}.rst").exists()


# -- figures -----------------------------------------------------------------------


def figures(name: str) -> list[list[str]]:
    """The rows of a table of the explanation."""
    with (DOCS / "explanation" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


#: The bounds that the published figures miss, by what is measured and its limit. One that holds
#: must leave this list.
NOT_YET: set[tuple[str, str]] = {("secretly run, one secret", "2 × python -I -c pass")}


def test_the_bounds_hold_in_what_is_published() -> None:
    """Each of them, in the run whose figures the page has."""
    bounds = figures("how-fast-bounds.csv")
    assert len(bounds) >= 30
    assert {(what, limit) for what, limit, _, holds in bounds if holds != "yes"} == NOT_YET


def test_every_bound_of_the_benchmark_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it computes where everything is installed, and what it computes them from."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")
    benchmark = importlib.import_module("bounds")

    class Measured(dict[str, Any]):
        """Everything takes a second."""

        def __missing__(self, name: str) -> Any:
            asked.append(name)
            return benchmark.Spread((1.0,))

        def __contains__(self, name: object) -> bool:
            return True

    asked: list[str] = []
    found = benchmark.Found(*(Measured() for _ in benchmark.Found._fields))
    expected = [(what, limit) for what, limit, *_ in (bound.row() for bound in found.bounds())]
    published = [(row[0], row[1]) for row in figures("how-fast-bounds.csv")]
    assert published == expected
    assert {*asked} - {row[0] for row in figures("how-fast.csv")} == set()


def test_no_published_curve_is_steeper_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes up to 10,000, and its slope is that of its last two figures."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")
    curves = importlib.import_module("curves")
    rows = figures("how-fast-curves.csv")
    assert [row[0] for row in rows] == list(curves.FACTORS)
    for factor, *cells, slope, each, holds in rows:
        shown = zip(curves.POINTS, cells, strict=True)
        curve = curves.Curve(factor, {n: float(cell) / 1e3 for n, cell in shown if cell})
        assert curve.slope == pytest.approx(float(slope), abs=0.02)
        assert curve.each * 1e6 == pytest.approx(float(each), abs=2e3 / max(curve.times))
        assert curve.holds and holds == "yes", factor


@pytest.mark.parametrize(
    ("growing", "slope", "holds"),
    [
        (lambda n: 20, 0, True),
        (lambda n: 20 + n, 1, True),
        (lambda n: 20 + n * n / 1000, 2, False),
    ],
)
def test_the_slope_of_a_curve_is_the_power_of_its_growth(
    monkeypatch: pytest.MonkeyPatch, growing: Callable[[int], float], slope: float, holds: bool
) -> None:
    """A cost that stays, one that grows like the number, and one that grows like its square."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")
    curves = importlib.import_module("curves")
    curve = curves.Curve("", {n: growing(n) for n in curves.POINTS})
    assert curve.slope == pytest.approx(slope, abs=0.02)
    assert curve.holds == holds
    assert not curve._replace(times=dict.fromkeys(curves.POINTS[:-1], 1.0)).holds


def test_each_parser_had_its_inputs() -> None:
    """Each parser that gets random inputs had 100,000 of them."""
    sources = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    parsers = re.findall(r'mark\.parser\("(.+?)"\)', "".join(sources))
    found = {name: int(inputs) for name, inputs, _ in figures("parsed.csv")}
    assert sorted(found) == sorted(parsers)
    assert min(found.values()) >= 100_000


def test_the_comparison_ran_often_enough() -> None:
    """200 times, with no difference."""
    ((runs, commands, differences, _),) = figures("endured.csv")
    assert (int(runs) >= 200, int(commands) >= 200 * 8, int(differences)) == (True, True, 0)


def test_the_keychain_was_read_often_enough() -> None:
    """26,000 times, always rightly, and by the same daemon."""
    ((reads, wrong, deaths, _),) = figures("endured-reads.csv")
    assert (int(reads) >= 26_000, int(wrong), int(deaths)) == (True, 0, 0)


def test_no_upload_went_elsewhere() -> None:
    """For each tool, in a hundred combinations or more; secretly alone refused few of them."""
    found = {row[0]: [int(cell) for cell in row[1:]] for row in figures("matrix.csv")}
    assert sorted(found) == sorted([*NAMED, "cargo", "npm"])
    for tried, *outcomes, elsewhere in found.values():
        assert (tried >= 100, sum(outcomes), elsewhere) == (True, tried, 0)
        assert outcomes[0] >= tried / 10
        assert outcomes[-1] <= tried / 5
    refused = figures("matrix-refused.csv")
    assert sum(int(row[1]) for row in refused) == sum(row[-2] for row in found.values())


def test_the_archives_of_fifty_projects_are_read() -> None:
    """None is refused, and the made ones are read within the limits."""
    rows = figures("archives.csv")
    assert len(rows) >= 50
    assert {"setuptools", "pip", "numpy", "six"} <= {row[0] for row in rows}
    assert {row[4] for row in rows} == {"0"}
    for _, _, _, ratio, memory in figures("archives-bounds.csv"):
        assert float(ratio) <= 3
        assert int(memory.removesuffix(" MiB")) < 64
