"""Calls of maturin, and what secretly says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis.strategies import SearchStrategy

from . import real
from .cases import Answer, Case, answer_with_files
from .chosen import DIST, GOOD, SDIST, WHEEL, WITH_USER, Chooser, choices


def _name(chooser: Chooser) -> str:
    rare = ["PyPI", "missing", "", "https://named.example/", "default", "corp.example"]
    return chooser.of(["corp", "corp", "pypi", "testpypi", "Corp"], rare)


def _options(chooser: Chooser) -> list[list[str]]:
    """Options: few that stop maturin."""
    found = []
    if chooser.chance(40):
        found.append(chooser.spelled(("-r", "--repository"), _name(chooser)))
    if chooser.chance(30):
        found.append(chooser.spelled(("--repository-url",), chooser.url()))
    chooser.random.shuffle(found)
    if chooser.chance(25):
        found.append(chooser.spelled(("-u", "--username"), chooser.user()))
    if chooser.chance(5):
        found.append(chooser.spelled(("-p", "--password"), chooser.of(["canary-typed", ""])))
    found += [[f] for f in chooser.some(["--skip-existing", "--non-interactive", "-v", "-vv"], 1)]
    odd = ["-vrcorp", "-vr=corp", "-vu=x", "-vux", "-vu ada", "-x", "--unknown", "-h", "-ua -ub"]
    return [*found, chooser.of(odd).split()] if chooser.odd(10) else found


def _arguments(chooser: Chooser) -> tuple[str, ...]:
    files = [f"dist/{WHEEL}", f"./dist/{SDIST}"]
    odd = ["dist/*.whl", "dist", "missing", "dist/README.md", "-", ""]
    named = [[chooser.of(files, odd, 3)] for _ in range(chooser.random.choice((1, 1, 2)))]
    options = _options(chooser)
    if chooser.chance(8):
        words = [w for part in (*options, ["--"], *named) for w in part]
    else:
        words = chooser.ordered(options, named)
    before = chooser.of(["", "", "-v"], ["-r corp", "--", "--version"], 2)
    return (*before.split(), "upload", *words)


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(40):
        return {}
    values = {
        "MATURIN_REPOSITORY": (20, [_name(chooser)]),
        "MATURIN_REPOSITORY_URL": (15, [chooser.url()]),
        "MATURIN_USERNAME": (30, [chooser.user()]),
        "MATURIN_PYPI_TOKEN": (10, ["canary-token"]),  # an empty one is removed
        "MATURIN_NON_INTERACTIVE": (10, ["true", "false"]),
    }
    return chooser.variables(values)


def _section(chooser: Chooser) -> str:
    name = chooser.of(["corp", "corp", "pypi", "testpypi"], ["Corp", "PyPI", "DEFAULT", " corp "])
    keys = {
        "repository": (
            70,
            chooser.of([*GOOD, *WITH_USER], ["", "two.example", "http://two.example ; x"]),
        ),
        "username": (50, chooser.user()),
        "password": (40, chooser.of(["canary-file", "a#b", "a;b", "x%(y)s"])),
    }
    lines = [f"[{name}]"]
    for key, (percent, text) in keys.items():
        if chooser.chance(percent):
            spelled = chooser.of([key], [key.upper(), key.title()])
            lines.append(spelled + chooser.of([" = ", "=", ": "], [" =\n    "]) + text)
    return "\n".join(lines)


def _pypirc(chooser: Chooser) -> str:
    """The text of a ``.pypirc``, with comments and odd lines too."""
    parts = ["[distutils]\nindex-servers =\n    pypi\n    corp"] if chooser.chance(50) else []
    parts += [_section(chooser) for _ in range(chooser.random.randint(1, 3))]
    odd = [
        "; x",
        "# [pypi]",
        "[unclosed",
        "= x",
        "alone",
        "repository=http://ten.example",
        "\ufeff",
    ]
    if chooser.odd(12):
        parts.insert(chooser.random.randint(0, len(parts)), chooser.of(odd))
    return "\n".join(parts).replace("\n", chooser.of(["\n"], ["\r\n"])) + "\n"


def case(chooser: Chooser) -> Case:
    files = {"home/.pypirc": 70, "project/.pypirc": 20}
    texts = {name: _pypirc(chooser) for name, percent in files.items() if chooser.chance(percent)}
    return Case(_arguments(chooser), _environ(chooser), {**DIST, **texts})


def cases() -> SearchStrategy[Case]:
    """Calls of ``maturin upload``."""
    return choices(case)


answer, missing = answer_with_files, real.missing


def ask(version: str, calls: Sequence[tuple[Case, Path]]) -> Sequence[Answer]:
    """What a version of maturin does."""
    nobody = {"MATURIN_USERNAME": real.NOBODY, "MATURIN_PASSWORD": "canary-password"}
    own = {"": ["upload"], "test": ["upload", "-r", "testpypi"]}
    return real.ask("maturin", version, calls, own, [nobody])
