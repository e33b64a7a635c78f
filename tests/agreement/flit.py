"""Calls of flit."""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from .cases import Case
from .chosen import Chooser, choices
from .pypircs import pypirc
from .twine import ODD_NAMES

_PROJECT = {
    "project/pyproject.toml": '[project]\nname = "demo"\nversion = "1.0"\n',
    "project/other.toml": "",
}

_NAMES = ["pypi", "testpypi", "corp", "corp"]

#: How often each option is given, in percent, with its values.
_OPTIONS: dict[tuple[str, ...], tuple[float, list[str], list[str]]] = {
    ("--pypirc",): (35, ["mine"], ["~/.pypirc", "missing", "/dev/null", ""]),
    ("--format",): (20, ["wheel", "sdist"], ["egg"]),
}
_ODD = ["--no-u", "--setup-py", "--help", "-h", "--", "dist/*", "-f x", "--debug", "-x"]

_BEFORE: dict[tuple[str, ...], tuple[float, list[str], list[str]]] = {
    ("-f", "--ini-file"): (15, ["pyproject.toml"], ["other.toml", "missing", ""]),
}
_ODD_BEFORE = ["--deb", "-V", "--version", "--logo", "--pypirc=mine", "--", "--repository pypi"]


def _arguments(chooser: Chooser, *, named: bool) -> tuple[str, ...]:
    """The words of a call.

    :param named: whether an option names the index.
    """
    index = chooser.of(_NAMES, ODD_NAMES)
    before = chooser.options(_BEFORE)
    if chooser.chance(15):
        before.append(["--debug"])
    if named and chooser.chance(25):
        before.append(chooser.spelled(("--repository",), index))
        named = chooser.chance(25)
        index = chooser.of(_NAMES, ODD_NAMES)
    if chooser.odd(10):
        before.append(chooser.of(_ODD_BEFORE).split())
    after = chooser.options(_OPTIONS)
    if named:
        after.append(chooser.spelled(("--repository",), index))
    if chooser.chance(20):
        after.append([chooser.of(["--use-vcs", "--no-use-vcs"])])
    if chooser.odd(20):
        after.append(chooser.of(_ODD).split())
    chooser.random.shuffle(before)
    chooser.random.shuffle(after)
    return tuple(word for part in (*before, ["publish"], *after) for word in part)


def case(chooser: Chooser) -> Case:
    by_url = chooser.chance(25)
    named = chooser.chance(65) if not by_url else chooser.odd(12)
    environ = {"FLIT_INDEX_URL": chooser.url()} if by_url else {}
    if chooser.chance(40):
        environ["FLIT_USERNAME"] = chooser.user()
    files = {"home/.pypirc": pypirc(chooser), "project/mine": pypirc(chooser)}
    return Case(_arguments(chooser, named=named), environ, {**_PROJECT, **files})


def cases() -> SearchStrategy[Case]:
    """Calls of ``flit publish``."""
    return choices(case)
