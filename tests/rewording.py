"""Reword texts that a user reads, and count the tests that break with each of them.

    tox -e reword [-- --texts 20 --seed 1]

A text is an error, its hint, a part of a prompt, a part of the help, or a line that the command
prints. One test file owns it: the one in which most tests break. At most two tests of other files
may break. The exit status is 1 if more do.

First all texts are reworded together. The pure layer runs, and the tests that start processes if
they quote one of the texts. What fails is then run again with each half of the texts, and so on,
until each failing test has its text.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

#: An error's first line and its second; a part of a prompt; of the command's help; and any
#: other line that the command prints, such as those of ``doctor``.
KINDS = ("error", "hint", "prompt", "help", "line")

#: How many tests of other files may break.
MOST = 2

#: How long one run of the tests may take, in seconds.
PATIENCE = 3600

#: The tests that run here, and those of them that start no process.
HERE = "not real and not hypothesis"
PURE = f"{HERE} and not process"

#: A word that can be reworded: not a name, an option, an escape or the verb of a command.
_WORD = re.compile(r"(?<![\w\\{%$./:`'\"<=-])(?<!secretly )(?!secretly)[a-z]{4,}(?![\w}/:`'\"=(-])")


class Text(NamedTuple):
    """A text in the source.

    :param kind: one of :data:`KINDS`.
    :param span: the offsets of its first and last byte in the file.
    """

    path: Path
    kind: str
    span: tuple[int, int]
    source: str

    @property
    def where(self) -> str:
        """Its file and its beginning, in one line."""
        return f"{self.path.relative_to(ROOT)}: {' '.join(self.source.split())[:90]}"

    @property
    def words(self) -> list[str]:
        """Its words, without what is filled in."""
        return _words(re.sub(r"\{[^{}]*\}", " {} ", self.source))


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+|\{\}", re.sub(r"\\[nrt]", " ", text))


def reworded(source: str) -> str:
    """A string literal with other words: each is spelt backwards, what is filled in stays.

    >>> reworded('f"cannot read {path}: run secretly doctor"')
    'f"cannot daer {path}: run secretly doctor"'
    """
    parts = re.split(r"(\{[^{}]*\}|^[rbuf]*[\"']|[\"']\s*[rbuf]*[\"'])", source)
    parts[::2] = [_WORD.sub(lambda found: found[0][::-1], part) for part in parts[::2]]
    return "".join(parts)


# -- finding texts -----------------------------------------------------------------


def texts() -> Iterator[Text]:
    """Each text of at least four words that a user reads."""
    for path in sorted((ROOT / "secretly").rglob("*.py")):
        place = path.relative_to(ROOT / "secretly").as_posix()
        if place.startswith("testing/"):
            continue
        source = path.read_bytes()
        tree = ast.parse(source)
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        kinds = _kinds(tree, place)
        for node in _literals(tree):
            kind = kinds.get(id(node))
            if kind is None:
                continue
            first = starts[node.lineno - 1] + node.col_offset
            last = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
            text = Text(path, kind, (first, last), source[first:last].decode())
            pattern = text.source.startswith("r")
            if len(text.words) >= 4 and not pattern and reworded(text.source) != text.source:
                yield text


def _kinds(tree: ast.Module, place: str) -> dict[int, str]:
    """The kind of each literal that a user reads, by the identity of its node."""
    found: dict[int, str] = {}
    for node in _literals(tree):
        if place.startswith("asking/") and place.endswith("wording.py"):
            found[id(node)] = "prompt"
        elif place.startswith("cli/"):
            found[id(node)] = "line"
    makers = ERRORS | _makers(tree)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = _name(call.func)
        if name in makers:
            for at, argument in enumerate(call.args):
                kind = "hint" if at and name in ERRORS else "error"
                found |= {id(part): kind for part in _literals(argument)}
        for keyword in call.keywords:
            if keyword.arg in _KEYWORDS:
                found |= {id(part): _KEYWORDS[keyword.arg] for part in _literals(keyword.value)}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _returns_error(
            function
        ):
            for part in _literals(ast.Module(function.body, [])):
                found.setdefault(id(part), "error")  # it is put together first
    used = _used_in_errors(tree, makers)
    for name, value in _constants(tree):
        if name.endswith("HINT"):
            found |= {id(part): "hint" for part in _literals(value)}
        elif id(value) not in found and name in used:
            found |= {id(part): "error" for part in _literals(value)}
    return found


#: Keyword arguments that are texts, whatever is called.
_KEYWORDS = {"hint": "hint", "help": "help", "description": "help", "epilog": "help"}


def _name(node: ast.expr) -> str:
    """The last part of a dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _error_names() -> frozenset[str]:
    """The names of all error classes in secretly: those that lead to SecretlyError."""
    bases: dict[str, set[str]] = {}
    for path in (ROOT / "secretly").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {_name(base) for base in node.bases}
    found = {"SecretlyError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return frozenset(found)


ERRORS = _error_names()


def _returns_error(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function's annotation says that it returns an error."""
    returns = function.returns
    return returns is not None and any(
        _name(part) in ERRORS for part in ast.walk(returns) if isinstance(part, ast.expr)
    )


def _makers(tree: ast.Module) -> set[str]:
    """The functions of a module that return an error: their arguments are parts of its text."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {n.name for n in ast.walk(tree) if isinstance(n, functions) and _returns_error(n)}


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The names that a module gives to values, with the values."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _used_in_errors(tree: ast.Module, makers: frozenset[str]) -> set[str]:
    """The names that the arguments of errors have in them.

    :param makers: the names of what makes an error.
    """
    found = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call.func) in makers:
            for argument in call.args:
                found |= {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)}
    return found


def _literals(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The string literals of a module, outermost ones only, without docstrings."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            yield node
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            todo += ast.iter_child_nodes(node)


# -- finding the tests that quote one ----------------------------------------------


def phrases(words: list[str]) -> set[str]:
    """Three words in a row, or two longer ones: what somebody who quotes a text would repeat."""
    two = {pair for pair in runs(words, 2) if all(len(word) >= 4 for word in pair.split())}
    return runs(words, 3) | two


def runs(words: list[str], length: int) -> set[str]:
    """So many words in a row, without what is filled in."""
    found = {" ".join(words[at : at + length]) for at in range(len(words) - length + 1)}
    return {run for run in found if "{}" not in run}


class Said(NamedTuple):
    """What a part of a test file says.

    :param test: the test's name; empty for a constant, a fixture or a helper.
    :param phrases: its phrases.
    :param words: its longer words.
    """

    test: str
    phrases: frozenset[str]
    words: frozenset[str]


class Usual(NamedTuple):
    """What many texts have: phrases of more than three, words of more than two."""

    phrases: frozenset[str]
    words: frozenset[str]


@functools.cache
def said_in_tests() -> dict[str, list[Said]]:
    """What each test file says, by the file's path."""
    found: dict[str, list[Said]] = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        parts = found[path.relative_to(ROOT).as_posix()] = []
        for node in ast.parse(path.read_bytes()).body:
            is_test = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            quoted = list(_quoted(node))
            said = frozenset[str]().union(*map(phrases, quoted))
            longer = frozenset[str]().union(*map(long_words, quoted))
            parts.append(Said(node.name if is_test else "", said, longer))
    return found


@functools.cache
def shown_in_pages() -> frozenset[str]:
    """Four words in a row that a page has."""
    pages = [*(ROOT / "docs").rglob("*.rst"), ROOT / "README.md"]
    return frozenset[str]().union(*(runs(_words(page.read_text("utf-8")), 4) for page in pages))


def quoting(text: Text, usual: Usual) -> list[str]:
    """The tests that quote a part of a text: files, or functions of files.

    A test function quotes it with a phrase, or with one word that is rare in texts. With a
    constant or a helper of the file, each of its tests may, if the phrase is rare.
    """
    new = _words(reworded(text.source))
    wanted, words = phrases(text.words) - phrases(new), long_words(text.words) - set(new)
    rare, rare_words = wanted - usual.phrases, words - usual.words
    found = []
    for name, parts in said_in_tests().items():
        if any(not part.test and part.phrases & rare for part in parts):
            found.append(name)
        else:
            found += [
                f"{name}::{part.test}"
                for part in parts
                if part.test and (part.phrases & wanted or part.words & rare_words)
            ]
    if runs(text.words, 4) & shown_in_pages():
        found = [test for test in found if "test_docs.py" not in test] + ["tests/test_docs.py"]
    return found


def _quoted(node: ast.stmt) -> Iterator[list[str]]:
    for part in _literals(node):
        yield _words(ast.unparse(part))


def long_words(words: list[str]) -> set[str]:
    """Words that say something without the ones around them."""
    return {word for word in words if len(word) >= 5}


def usual_parts(found: list[Text]) -> Usual:
    """What many of these texts have."""
    several = Counter(phrase for text in found for phrase in phrases(text.words))
    words = Counter(word for text in found for word in set(text.words))
    return Usual(
        frozenset(phrase for phrase, count in several.items() if count > 3),
        frozenset(word for word, count in words.items() if count > 2),
    )


# -- trying them ---------------------------------------------------------------------


def copied(folder: Path) -> Path:
    """A copy of the tree in which a text can be changed."""
    made = folder / "tree"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(ROOT, made, ignore=left_out)
    return made


def failing(tree: Path, tests: Iterable[str], which: str = HERE) -> set[str]:
    """Those of these tests of a tree that fail, each once whatever its parameters."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rfE",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "-m",
            which,
            *sorted(tests),
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode not in (0, 1, 5):
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return set(re.findall(r"^(?:FAILED|ERROR) (tests/\w+\.py::\w+)", done.stdout, re.MULTILINE))


@contextlib.contextmanager
def rewording(tree: Path, chosen: list[Text]) -> Iterator[None]:
    """Reword texts in a tree until the end of the block."""
    before = {tree / text.path.relative_to(ROOT): text.path.read_bytes() for text in chosen}
    after = dict(before)
    for text in sorted(chosen, key=lambda text: text.span, reverse=True):  # offsets stay right
        path, (first, last) = tree / text.path.relative_to(ROOT), text.span
        source = after[path]
        after[path] = source[:first] + reworded(text.source).encode() + source[last:]
    try:
        for path, source in after.items():
            path.write_bytes(source)
        yield
    finally:
        for path, source in before.items():
            path.write_bytes(source)


def find_suspects(tree: Path, chosen: list[Text], quoted: set[str]) -> set[str]:
    """The tests that pass, but fail when all these texts are reworded."""
    with rewording(tree, chosen):
        broken = failing(tree, ["tests"], PURE)
        if quoted:
            broken |= failing(tree, quoted, f"{HERE} and process")
    return broken - failing(tree, broken) if broken else broken


def broken_by_each(tree: Path, chosen: list[Text], tests: set[str]) -> Iterator[set[str]]:
    """What each text breaks of these tests, in the texts' order."""
    if tests:
        with rewording(tree, chosen):
            tests = failing(tree, tests)
    if not tests:
        yield from (tests for _ in chosen)
    elif len(chosen) == 1:
        yield tests - failing(tree, tests)  # on a busy machine one may fail for another reason
    else:
        middle = len(chosen) // 2
        yield from broken_by_each(tree, chosen[:middle], tests)
        yield from broken_by_each(tree, chosen[middle:], tests)


def choose(found: list[Text], count: int, seed: int) -> list[Text]:
    """Texts by a seed, of all kinds: the kinds take turns, so that none is left out."""
    draw = random.Random(seed)
    stacks = [draw.sample(group, len(group)) for kind in KINDS if (group := _of(found, kind))]
    turns = (text for turn in zip_longest(*stacks) for text in turn if text is not None)
    return list(islice(turns, count))


def _of(found: list[Text], kind: str) -> list[Text]:
    return [text for text in found if text.kind == kind]


def print_broken(text: Text, broken: set[str]) -> int:
    """Print what a text breaks, and return how many tests of other files it is."""
    files = Counter(test.partition("::")[0] for test in broken)
    owner = files.most_common(1)[0][0] if files else ""
    others = [test for test in broken if not test.startswith(f"{owner}::")]
    print(f"{len(broken):3} broken, {len(others)} outside its own file  {text.where}")
    print("".join(f"      {test}\n" for test in sorted(broken)), end="", flush=True)
    return len(others)


def main() -> int:
    """Try the texts, say what broke, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tox -e reword --", description=__doc__)
    parser.add_argument("--texts", type=int, default=20, help="how many are reworded")
    parser.add_argument("--seed", type=int, default=1, help="which: another seed, other texts")
    parser.add_argument("--list", action="store_true", help="only list them, and what quotes them")
    options = parser.parse_args()
    found = list(texts())
    chosen = choose(found, options.texts, options.seed)
    counts = ", ".join(f"{kind} {len(_of(found, kind))}" for kind in KINDS)
    print(f"{len(found)} texts ({counts}), of which {len(chosen)} are reworded", flush=True)
    usual = usual_parts(found)
    if options.list:
        for text in chosen:
            print(f"{text.kind:7}{text.where}\n        {' '.join(quoting(text, usual))}")
        return 0
    with tempfile.TemporaryDirectory(prefix="secretly-reword-") as folder:
        tree = copied(Path(folder))
        quoted = {test for text in chosen for test in quoting(text, usual)}
        suspects = find_suspects(tree, chosen, quoted)
        each = broken_by_each(tree, chosen, suspects)
        worst = max(map(print_broken, chosen, each), default=0)
    print(f"the worst breaks {worst} tests outside its own file (at most {MOST})")
    return 1 if worst > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
