"""What all tests share: the layers, the real programs, and the figures at the end of a run.

A test belongs to one layer:

- **pure**, which has no marker: bytes, tables, files, the event loops. It starts no process.
- **process**: starts processes, all of them Python or ``/bin/sh``. Needs nothing installed.
- **real**: needs a program that may not be installed, and says so with :func:`need`.

A test with the marker ``outside`` looks at the command from outside. It depends on no version of
Python that another test doesn't depend on, so CI runs it with one, and measures no code in it.

A test that starts a process without a marker fails, and so does one that needs a program without
``real``. ``pytest`` without arguments runs the pure layer: the fast loop of CONTRIBUTING.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import apart
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tox", max_examples=2000, deadline=None)
settings.register_profile("ci", max_examples=150, deadline=None)
settings.register_profile("fuzz", max_examples=100_000, deadline=None)
settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")  # --hypothesis-profile chooses another


def fewer(suppress: Sequence[HealthCheck] = ()) -> settings:
    """The settings of a property whose inputs need files or processes: a fifth of the inputs.

    Not fewer than 50, as many as the fast loop has.

    :param suppress: the checks of Hypothesis that don't apply.
    """
    number = max(50, settings().max_examples // 5)
    return settings(max_examples=number, suppress_health_check=suppress)


# A script's background jobs ignore these signals, and so does everything that they start.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)

#: How children are measured, where tests/measuring.py runs: for environments made from nothing.
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


# -- layers ----------------------------------------------------------------------

#: The fast loop: all that starts no process, without what measures.
PURE = "not process and not real and not alone"

#: The markers of the other layers.
_LAYERS = ("process", "real")

#: What a file says whose tests have a marker, if it isn't ``mark.NAME``.
_MARKED = {"hypothesis": "hypothesis"}

#: Python's audit events for a new process.
_STARTS = {
    f"os.{name}" for name in ("exec", "fork", "forkpty", "posix_spawn", "spawn", "system")
} | {"subprocess.Popen"}


class _Watch:
    """Which test runs now, and which processes it started."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        self.started: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS and self.item is not None:
            self.started.append(event)


_watch = _Watch()
sys.addaudithook(_watch)


def _is_fast_loop(config: pytest.Config) -> bool:
    """Whether pytest was called without files, markers and names of tests."""
    chosen = config.option.markexpr or config.option.keyword
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run the fast loop on two cores, before xdist reads how many to use.

    A worker of xdist's comes by here too, with the same arguments: it must not start workers.
    """
    if (status := apart.run_apart()) is not None:
        return status
    option, is_worker = config.option, "PYTEST_XDIST_WORKER" in os.environ
    if _is_fast_loop(config) and not is_worker and getattr(option, "numprocesses", 2) is None:
        option.numprocesses, option.dist = 2, "loadfile"
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Run the pure layer in the fast loop; xdist's workers come by here too.

    CI runs a test that failed once more, and names it at the end: it has many deadlines, and other
    work on the same machine.
    """
    if _is_fast_loop(config):
        config.option.markexpr = PURE
    if os.environ.get("CI") and hasattr(config.option, "reruns"):
        config.option.reruns = 1
    if os.getsid(0) != os.getpid():  # a session's leader would hang up the session
        # If a pinentry fails, secretly must not ask on the terminal that the tests run in.
        with contextlib.suppress(OSError), open("/dev/tty", "rb", buffering=0) as terminal:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files that have no test with a marker that ``-m`` asks for.

    Most files have no test that is ``alone`` or ``outside``, and reading them takes a while.
    """
    expression = config.option.markexpr
    if collection_path.suffix != ".py" or re.search(r"\bor\b|[()]", expression):
        return None
    text = collection_path.read_text("utf-8")
    asked_for = filter(str.isidentifier, re.split(r"\s+and\s+", expression.strip()))
    return (
        True if any(_MARKED.get(name, f"mark.{name}") not in text for name in asked_for) else None
    )


def pytest_collection(session: pytest.Session) -> None:
    """Have each of xdist's workers read another share of the files first.

    pytest compiles a file that it reads for the first time, and keeps the result for the other
    workers. If all of them read the files in one order, each compiles all files.
    """
    folder, worker = Path(__file__).parent, os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker or folder not in (session.config.rootpath / one for one in session.config.args):
        return
    shares, number = int(os.environ["PYTEST_XDIST_WORKER_COUNT"]), int(worker.removeprefix("gw"))
    for path in sorted(folder.glob("test_*.py"))[number % shares :: shares]:
        if not pytest_ignore_collect(path, session.config):
            with contextlib.suppress(Exception, pytest.skip.Exception):  # it fails again later
                importlib.import_module(path.stem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Fail a test without a layer that starts a process. Measure it, where that is done."""
    if (measuring := sys.modules.get("_measuring")) is not None:
        measuring.resume()
    _watch.item, _watch.started = item, []
    try:
        return (yield)
    finally:
        _watch.item = None


@pytest.fixture(autouse=True)
def _in_its_layer(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    item = request.node
    layered = item.get_closest_marker("process") or item.get_closest_marker("real")
    if _watch.started and not layered:
        pytest.fail(f"it starts a process ({_watch.started[0]}): mark it 'process'", pytrace=False)


@pytest.fixture
def children_ignored() -> Iterator[None]:
    """This process ignores SIGCHLD, so the system tells it no exit status of a child."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.fixture(scope="module")
def no_quick_homes() -> None:
    """End the process from which quick homes fork, for a file that looks for its own children."""
    if (command := sys.modules.get("command")) is not None:
        command.Quick.end()


def pytest_sessionfinish() -> None:
    """Write what was measured."""
    if (measuring := sys.modules.get("_measuring")) is not None:
        measuring.save()


def need(*programs: str) -> None:
    """Skip the test where one of these programs is missing; in CI, fail it.

    :param programs: what is looked for in PATH.
    """
    if _watch.item is not None and _watch.item.get_closest_marker("real") is None:
        pytest.fail(f"it needs {', '.join(programs)}: mark it 'real'")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        lacking(f"needs {', '.join(missing)}")


def lacking(reason: str) -> NoReturn:
    """Skip the test for want of a real part; in CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_package(name: str) -> Any:
    """Import a package that the test needs, or skip the test; in CI, fail it."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        lacking(f"needs the package {name}")
    return importlib.import_module(name)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop before a process could find a secret that the user, or another test run, remembers.

    Secrets in memory are found by their names, whatever the home folder is.
    """
    from secretly.config import policy
    from secretly.keeping.kernel_keyring import KernelKeyring

    starts = (item for item in session.items if any(map(item.get_closest_marker, _LAYERS)))
    if next(starts, None) is None:
        return
    if paths := [path for path in (policy.SYSTEM, policy.users_file()) if os.path.exists(path)]:
        pytest.exit(f"the tests would obey your policy: move {' and '.join(paths)} away")
    if KernelKeyring().held():
        pytest.exit(
            "the tests would find secrets that are held in memory, yours or another test run's. "
            "Wait for that run to end, or run: secretly lock"
        )


# -- figures -----------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tried", metavar="FILE", help="write what was tried to this CSV file")
    parser.addoption("--attempts", metavar="FILE", help="write the attempts to this CSV file")
    parser.addoption("--parsed", metavar="FILE", help="write what was parsed to this CSV file")
    parser.addoption("--matrix", metavar="FILE", help="write the combinations to this CSV file")


class Tried:
    """The faults that were tried, and what came of each: shown at the end of the run."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(self, against: str, what: str, outcome: str, seconds: float) -> None:
        """Note one fault.

        :param against: the part that was attacked: a heading of the table.
        :param what: the fault, in a few words.
        :param outcome: what came of it: the error's name, for example.
        :param seconds: how long it took.
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
    _show_matrix(terminalreporter, config.getoption("matrix"))
    if again := terminalreporter.stats.get("rerun", []):
        terminalreporter.section("failed, and ran once more")
        for report in again:
            terminalreporter.line(f"{report.nodeid}\n{report.longreprtext}")
    rows = _noted(terminalreporter, "tried")
    if not rows:
        return
    terminalreporter.section("what was tried")
    for against in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == against]
        slowest = max(mine, key=lambda row: row[3])
        terminalreporter.line(
            f"{against}: {len(mine)}, each with the right outcome; the slowest "
            f"{slowest[3]:.2f} s ({slowest[1]})"
        )
    _write(config.getoption("tried"), rows)


def _show_matrix(terminalreporter: pytest.TerminalReporter, file: str | None) -> None:
    """Show what came of random combinations, and write it, with the refusals next to it."""
    rows, refused = (_noted(terminalreporter, n) for n in ("matrix", "refused in the matrix"))
    if rows:
        terminalreporter.section("random combinations: no upload went elsewhere")
        for row in (*rows, *refused):
            terminalreporter.line(" ".join(map(str, row)))
        _write(file, rows)
        _write(file and f"{file.removesuffix('.csv')}-refused.csv", refused)


def _write(file: str | None, rows: list[tuple[Any, ...]]) -> None:
    if file:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(rows)
