"""Combine what CI measured, and fail if a file's coverage is below a floor.

    python tests/coverage_floor.py PERCENT

Outside CI nothing is asked: real parts that are missing leave their code unmeasured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main(floor: float) -> int:
    """Report, and return the exit status."""
    if not os.environ.get("CI"):
        print("the coverage floor is asked in CI alone, where every part is installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        for arguments in (
            ["combine", "--append", "--keep", "--quiet"],
            # A test's own modules no longer exist, and a killed process leaves a broken file.
            ["json", "--ignore-errors", "--quiet", "-o", str(report)],
            ["report", "--ignore-errors"],
        ):
            subprocess.run([sys.executable, "-m", "coverage", *arguments], check=True)
        files = json.loads(report.read_text("utf-8"))["files"]
    # A file that no test loads is in no report; an empty one has nothing to run.
    covered = {str(path): 0.0 for path in Path("secretly").rglob("*.py") if path.stat().st_size}
    for name, file in files.items():
        if name.startswith("secretly/"):
            covered[name] = file["summary"]["percent_covered"]
    low = {name: percent for name, percent in covered.items() if percent < floor}
    for name, percent in sorted(low.items()):
        print(f"{name}: {percent:.1f} % is under {floor:.0f} %")
    return 1 if low or not covered else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
