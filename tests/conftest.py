"""What all tests stand on."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("tox", max_examples=2000, deadline=None)
settings.register_profile("fuzz", max_examples=100_000, deadline=None)
settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")  # another by --hypothesis-profile


# What is started in the background of a script ignores these, and so does all that it starts.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)

#: Files that one of tox's environments does without.
collect_ignore = [f"test_{name}.py" for name in os.environ.get("SECRETLY_LEFT_OUT", "").split()]

#: How coverage follows children, where it is at work: for environments made from nothing.
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def need(*programs: str) -> None:
    """Skip the test where a real part is missing; in CI that is a failure.

    Real parts are tried in one of tox's environments: the others set SECRETLY_REAL=0.
    """
    if os.environ.get("SECRETLY_REAL") == "0":
        pytest.skip("real parts are tried in another environment")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        reason = f"needs {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def pytest_sessionstart() -> None:
    # What is held is found by its name, in whichever home folder the command runs.
    from secretly.keeping.kernel_keyring import KernelKeyring

    if KernelKeyring().held():
        pytest.exit("the tests would find what you hold in memory: run 'secretly lock' first")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tried", metavar="FILE", help="write what was tried to this CSV file")
    parser.addoption("--parsed", metavar="FILE", help="write what was parsed to this CSV file")


class Tried:
    """What was tried against the program, and what came of it: shown at the end of the run."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(self, against: str, what: str, outcome: str, seconds: float) -> None:
        """Note one.

        :param against: the part that was attacked: a heading of the table.
        :param what: the fault, in a few words.
        :param outcome: what came of it: the error's name, say.
        :param seconds: until it was over.
        """
        self._properties.append(("tried", (against, what, outcome, round(seconds, 3))))


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Note what was tried, for the figures at the end and for the documentation."""
    return Tried(request.node.user_properties)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Note how many inputs a parser was given, as Hypothesis counted them."""
    marker, counted = item.get_closest_marker("parser"), getattr(item, "hypothesis_statistics", "")
    if call.when == "call" and marker is not None:
        inputs = sum(map(int, re.findall(r"(\d+) (?:passing|failing)\b", counted)))
        item.user_properties.append(("parser", (marker.args[0], inputs, round(call.duration))))


def _noted(terminalreporter: pytest.TerminalReporter, kind: str) -> list[tuple[Any, ...]]:
    return sorted(
        tuple(row)
        for report in terminalreporter.stats.get("passed", [])
        for name, row in report.user_properties
        if name == kind
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if parsers := _noted(terminalreporter, "parser"):
        terminalreporter.section("parsers: each input gives a value or a typed error")
        for name, inputs, seconds in parsers:
            terminalreporter.line(f"{name}: {inputs:,} inputs in {seconds} s")
        _write(config.getoption("parsed"), parsers)
    rows = _noted(terminalreporter, "tried")
    if not rows:
        return
    terminalreporter.section("what was tried")
    for against in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == against]
        slowest = max(mine, key=lambda row: row[3])
        terminalreporter.line(
            f"{against}: {len(mine)}, each as it should be; the slowest {slowest[3]:.2f} s "
            f"({slowest[1]})"
        )
    _write(config.getoption("tried"), rows)


def _write(file: str | None, rows: list[tuple[Any, ...]]) -> None:
    if file:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(rows)
