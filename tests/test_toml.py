"""The configuration is read line by line if it is plain, and the standard library is the judge."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_configuration import LINES
from test_docs import DOCS, page, toml_in

import secretly
from secretly.config import toml

ROOT = Path(secretly.__file__).parents[1]

KEYS = st.sampled_from(
    'a b a-b A_1 1 "a" \'a\' "a.b" \'a"b\' "" \'\' "  " a.b a . "a \'a a"b" é - = #'.split(" ")
)
VALUES = st.sampled_from(
    [
        *('"x"', "'x'", '""', "''", '"a b"', "'\"'", '"\'"', '"#"', "'é'", '"x" # c', '"x"# "c"'),
        *('"x" "y"', '"x', "x", '"""x"""', "'''x'''", '"""', '""x', '"a\\nb"', "'a\\b'", '"x"y'),
        *("true", "false", "true # c", "truex", "True", "1", "0", "1.0", "nan", "1979-05-27", ""),
        *("[]", '["a"]', "[\"a\", 'b', true]", '["a",]', "[ ]", "[,]", '["a" "b"]', '["a"', "[#]"),
        *('[["a"]]', '["]"] # ]', "[", '["a", # c', "[1]", "{}", "{ }", '{ a = "x" }', "{a=true}"),
        *('{ a = "x", b = "y" }', '{ a = "x", }', '{ a = "x", a = "y" }', "{ a.b = 'x' }"),
        *("{ \"a b\" = '}' } # }", '{ a = ["x"] }', "{ a = {} }", '{ a = "x"', "{ a }", "{ = 1 }"),
    ]
)
PAIRS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "", " ", "  ", "\t"]),
    KEYS,
    st.sampled_from([" = ", " = ", " = ", "=", "  =  ", " =\t", " "]),
    VALUES,
    st.sampled_from(["", "", "", " ", "\t", "\r", " #", "#é"]),
)
HEADERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["[", "[", "[", "[[", "[ ", " ["]),
    st.lists(KEYS, min_size=1, max_size=3).map(".".join),
    st.sampled_from(["]", "]", "]", "]]", " ]", "] # a.b]", "] x", "]#", ""]),
)
OTHERS = st.sampled_from(["", "# a", '  # "a', "#é", " ", "\t", "\x00", "\x7f", "# \x1f", "\ufeff"])
DOCUMENTS = st.lists(PAIRS | HEADERS | OTHERS | LINES, max_size=7).map("\n".join)
#: Documents with one part replaced.
CHANGED = st.builds(
    lambda text, at, length, new: text[:at] + new + text[at + length :],
    DOCUMENTS,
    st.integers(0, 60),
    st.integers(0, 3),
    st.sampled_from(["", '"', "'", "=", "[", "]", ".", "#", " ", "\n", "\\", ",", "{", "}", "a"]),
)


def judged(data: bytes) -> str | None:
    """The tables of a plain file as text, the same as the standard library's; None: not plain."""
    found = toml.plain_tables(data)
    if found is None:
        return None
    assert repr(found) == repr(tomllib.loads(data.decode())), data
    return repr(found)


@pytest.mark.parser("plain TOML")
@given(
    (DOCUMENTS | CHANGED).map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=40)
)
def test_a_plain_file_has_the_tables_that_the_standard_library_reads(data: bytes) -> None:
    """In the same order, and none that it refuses."""
    judged(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\n\n  # another\n",
        'a = "x"\n[b]\n',
        '[secrets.PyPI]\nsource = "op://Private/PyPI#token" # mine\nconfirm = true\n',
        "[secrets.'my own']\nusername='ada'\n[secrets.\"PyPI/demo\"]\n",
        '[a.b.c]\nx = "1"\n[a.b]\nx = "2"\n[a]\nx = "3"\n',
        '[a]\nhosts = ["a", \'b\',]\nenv = { A = "x", "B C" = \'y\' }\nnone = {}\n',
        "[ü]\n".replace("ü", '"ü"') + 'a = "é"\n',
        '[ a . b ] # c\n  a = "x"\n  a2= "y"\n',
        '[a]\na = "x"\n[b]\na = "y"\n[c]\na = ""\n',
    ],
)
def test_usual_files_are_plain(text: str) -> None:
    """For them, the standard library's reader is not loaded."""
    assert judged(text.encode()) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("[a]\n[a]", "[a]\nx = true\nx = true", 'a = "x"\n[a]', "a = {}\n[a]", "a = {}\n[a.b]"),
        *('a = ["x"]\n[a.b]', "[a.b]\n[a]\nb = true", "[a]\nb = true\n[a.b]", "[a.b]\n[a.b]"),
        *(
            "[a]\n[b]\n[a.c]\n[a.c]",
            '["a"]\n[a]',
            '[a.b]\n["a".b]',
            "[a.b] # x.y\n[a.b] # x.z]",
            "[a.b]\n[a]\n[a]",
            'a = {b = "x", b = "y"}',
            'a = "x"\n[b]\na = "y" z',
        ),
        *(
            'a = "x"\n\na\n',
            'a = "x"\na "y"',
            'x = "1"\n[b]\nx',
        ),
        *(
            '    "  " = "x"\n[b]\n   = "x"',
            '"" = "x"\n[b]\n = "x"',
            "[a\n",
            "[a.]",
            "[.a]",
            "[]",
            "]",
        ),
        *('a = "x\n', "a = 'x\n", 'a = ["x"', 'a = {b = "x"', "a = tru", "a = true false", "a.b"),
        *('a = "x\x00"', 'a = "x\x7f"', "# \x01", '\ufeffa = "x"', 'a = "x"\r\r\n', "é = true"),
    ],
)
def test_a_wrong_file_is_left_to_the_standard_library(text: str) -> None:
    """It says what is wrong."""
    assert toml.plain_tables(text.encode()) is None
    with pytest.raises(tomllib.TOMLDecodeError):
        toml.loads(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a = 1",
            "a = 1.0",
            "a = 1979-05-27",
            "a.b = true",
            "[[a]]",
            'a = """x"""',
            "a = '''x'''",
        ),
        *('a = "\\n"', "a = '\\'", "a = [\n'x'\n]", 'a = [["x"]]', "a = {b = {}}", "\ta = true"),
        *("a = true\r\n", f"a = ['{'x' * 5000}']", f"[{'a' * 5000}]"),
    ],
)
def test_what_is_not_plain_is_read_too(text: str) -> None:
    """By the standard library."""
    assert toml.plain_tables(text.encode()) is None
    assert toml.loads(text.encode()) == tomllib.loads(text)


def test_each_list_and_table_is_in_one_place() -> None:
    """Two equal lines don't share one."""
    found: Any = toml.plain_tables(b"[a]\nx = ['y']\nz = {}\n[b]\nx = ['y']\nz = {}\n")
    assert found["a"]["x"] is not found["b"]["x"]
    assert found["a"]["z"] is not found["b"]["z"]


def examples() -> list[str]:
    """The configurations and policies of the pages and the README."""
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.rst")]
    readme = re.findall(r"```toml\n(.*?)```", page("../README.md"), re.DOTALL)
    return [*readme, *(text for name in sorted(pages) for text in toml_in(page(name)))]


def test_most_examples_of_the_pages_are_plain() -> None:
    """The others have lists of several lines, numbers and the like."""
    plain = [judged(text.encode()) is not None for text in examples()]
    assert len(plain) > 50
    assert sum(plain) > 0.9 * len(plain)


# -- a run --------------------------------------------------------------------------


@pytest.mark.process
def test_a_plain_configuration_and_policy_load_nothing_slow(tmp_path: Path) -> None:
    """Neither the standard library's reader nor patterns."""
    (tmp_path / "config.toml").write_text(
        '[secrets.Mine]\nsource = "op://Private/Mine"\nremember = "15m"\nhosts = ["a.example"]\n'
        '[commands.tool.profiles.p]\nenv = { A = "x" }\nsecrets = { B = "Mine" }\n'
    )
    (tmp_path / "policy.toml").write_text('confirm = "stored"\nagent_programs = ["my-agent"]\n')
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
from secretly.config import loading, policy
found = loading.load({{"SECRETLY_CONFIG": {str(tmp_path / "config.toml")!r}}})
assert found.commands["tool"].profiles["p"].secrets == {{"B": "Mine"}}
assert policy.load("/nonexistent/policy", {str(tmp_path / "policy.toml")!r}).confirm == "stored"
print([name for name in ("tomllib", "re", "enum", "typing", "collections") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
