"""Report what CI measured, and fail if a file's coverage is below a floor.

    python tests/coverage_floor.py PERCENT FOLDER

The folder is the one that ``measuring.py`` writes to. Outside CI nothing is asked: real parts that
are missing leave their code unmeasured.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import measuring
from coverage import Coverage, CoverageData

ROOT = Path(__file__).resolve().parents[1]


def in_the_tree(name: str) -> str:
    """The file of the checkout that an installed file is a copy of."""
    _, installed, rest = name.rpartition("/site-packages/secretly/")
    return os.fspath(ROOT / "secretly" / rest) if installed else name


def measured(folder: str) -> dict[str, Any]:
    """Give coverage what was measured, and return its report of each file.

    ``coverage html`` and the like can read the file ``.coverage`` afterwards.
    """
    ran: dict[str, set[tuple[int, int]]] = {}
    for name, arcs in measuring.lines_run(folder).items():
        ran.setdefault(in_the_tree(name), set()).update(arcs)
    data = CoverageData(os.fspath(ROOT / ".coverage"))
    data.erase()
    data.add_arcs(ran)
    data.write()
    coverage = Coverage(data.data_filename(), config_file=os.fspath(ROOT / "setup.cfg"))
    coverage.load()
    with tempfile.TemporaryDirectory() as made:
        report = Path(made, "coverage.json")
        # Some files were measured that no longer exist: a test's own modules.
        coverage.json_report(outfile=os.fspath(report), ignore_errors=True)
        return dict(json.loads(report.read_text("utf-8"))["files"])


def missing(file: dict[str, Any]) -> str:
    """The lines that did not run, and the branches that were not taken from lines that ran."""
    lines = file["missing_lines"]
    branches = (pair for pair in file["missing_branches"] if not {*pair} & {*lines})
    ways = (f"{line}->{to if to > 0 else 'exit'}" for line, to in branches)
    return ", ".join((*map(str, lines), *ways))


def main(floor: float, folder: str) -> int:
    """Report, and return the exit status."""
    if not os.environ.get("CI"):
        print("the coverage floor is asked in CI alone, where every part is installed")
        return 0
    if files := measuring.changed(folder, os.fspath(ROOT / "secretly")):
        print(f"changed since {folder} was measured: {', '.join(files)}")
        return 1
    # A file that no test loads is in no report; an empty one has nothing to run.
    found = (path for path in ROOT.glob("secretly/**/*.py") if path.stat().st_size)
    covered = {str(path.relative_to(ROOT)): 0.0 for path in found}
    for name, file in sorted(measured(folder).items()):
        if name in covered:
            covered[name] = file["summary"]["percent_covered"]
            if covered[name] < 100:
                print(f"{name}: {covered[name]:.1f} %, missing {missing(file)}")
    low = {name: percent for name, percent in covered.items() if percent < floor}
    print(f"\n{len(covered)} files, {len(low)} under {floor:.0f} %:")
    for name, percent in sorted(low.items(), key=lambda each: each[1]):
        print(f"    {name}: {percent:.1f} %")
    return 1 if low or not covered else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2]))
