"""Fail if a file's coverage is below a floor: ``coverage_floor.py JSON PERCENT``."""

from __future__ import annotations

import json
import sys

report, floor = sys.argv[1], float(sys.argv[2])
with open(report, encoding="utf-8") as file:
    files = json.load(file)["files"]
low = {n: f["summary"]["percent_covered"] for n, f in files.items()}
low = {name: percent for name, percent in low.items() if percent < floor}
for name, percent in sorted(low.items()):
    print(f"{name}: {percent:.1f} % is under {floor:.0f} %")
sys.exit(bool(low) or not files)
