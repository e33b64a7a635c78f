"""The light measuring of coverage sees what coverage itself sees."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import measuring
import pytest

import secretly

#: Runs a part of the package in a process, in a thread, and after forks that end in two ways.
_PROGRAM = """
import os, threading
from secretly import text
text.escape("one\\ttwo")
thread = threading.Thread(target=text.format_size, args=(3,))
thread.start()
thread.join()
pid = os.fork()
if pid == 0:
    from secretly import reference
    reference.looks_secret("ghp_0")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
pid = os.fork()
if pid == 0:
    text.shell_quote("$HOME")
    raise SystemExit
assert os.waitpid(pid, 0)[1] == 0
os.execv("/bin/sh", ["sh", "-c", ":"])
"""

_PACKAGE = os.path.join(os.path.dirname(secretly.__file__), "")


#: Prints what coverage's file has. A measured process, as this one may be, can't load coverage.
_READ = """
import json, sys
from coverage import CoverageData
found = CoverageData(sys.argv[1])
found.read()
print(json.dumps({name: found.arcs(name) for name in found.measured_files()}))
"""


def _run(folder: Path, arguments: list[str], **variables: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    line = [sys.executable, *arguments]
    # The copy of the package that this process has: there may be one in the current folder, and an
    # installed one.
    env = {**own, "PYTHONPATH": os.path.dirname(os.path.dirname(_PACKAGE)), **variables}
    return subprocess.run(
        line, env=env, cwd=folder, check=True, timeout=60, stdout=subprocess.PIPE, text=True
    ).stdout


def _as_measured(folder: Path) -> dict[str, set[tuple[int, int]]]:
    packages, written = folder / "packages", folder / "written"
    packages.mkdir()
    written.mkdir()
    measuring.install(os.fspath(packages))
    program = f"import site; site.addsitedir({os.fspath(packages)!r})\n{_PROGRAM}"
    variables = {measuring.FOLDER: os.fspath(written), measuring.PACKAGES: _PACKAGE}
    _run(folder, ["-c", program], **variables)
    return measuring.lines_run(os.fspath(written))


def _as_coverage_says(folder: Path) -> dict[str, set[tuple[int, int]]]:
    (folder / "program.py").write_text(_PROGRAM)
    (folder / "rc").write_text(
        f"[run]\nbranch = True\ninclude = {_PACKAGE}*\nparallel = True\n"
        "patch =\n    execv\n    _exit\n"
    )
    data = folder / "coverage"
    options = ["--rcfile", os.fspath(folder / "rc"), "--data-file", os.fspath(data)]
    program = os.fspath(folder / "program.py")
    _run(folder, ["-m", "coverage", "run", *options, program], COVERAGE_CORE="ctrace")
    _run(folder, ["-m", "coverage", "combine", *options, os.fspath(folder)])
    found = json.loads(_run(folder, ["-c", _READ, os.fspath(data)]))
    return {name: {(first, second) for first, second in arcs} for name, arcs in found.items()}


def test_a_file_that_changes_after_it_was_measured_is_named(tmp_path: Path) -> None:
    """Its lines have other numbers then. A new file is named, and one that was removed."""
    folder, package = tmp_path / "measured", tmp_path / "package"
    folder.mkdir()
    (package / "inner").mkdir(parents=True)
    for name in ("a.py", "inner/b.py", "inner/c.txt"):
        (package / name).write_text("first = 1\n")
    changed = functools.partial(measuring.changed, os.fspath(folder), os.fspath(package))
    assert changed() == changed() == []
    (package / "inner/b.py").write_text("\nfirst = 1\n")
    (package / "inner/c.txt").write_text("")
    assert changed() == ["inner/b.py"]
    (package / "a.py").rename(package / "d.py")
    assert changed() == ["a.py", "d.py", "inner/b.py"]
    assert measuring.lines_run(os.fspath(folder)) == {}


@pytest.mark.process
def test_it_sees_the_lines_and_branches_that_coverage_sees(tmp_path: Path) -> None:
    """In the process, in its threads, after a fork, and before an exec."""
    measured = _as_measured(tmp_path)
    assert {"text.py", "reference.py"} <= {os.path.basename(name) for name in measured}
    assert measured == _as_coverage_says(tmp_path)
