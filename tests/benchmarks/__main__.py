"""Measure how fast secretly is, compared with its alternatives.

    tox -e bench [-- --rounds 30] [--write]

Prints the table and the bounds; with ``--write`` they go into the documentation as well.
The exit status is 1 if a bound does not hold: on a machine that others use too, run it again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # what the tests share

import contenders
import prompting
from contenders import BASE, CONFIGURED, DOTENV, HELP, MANY, ONE, RUN_HELP, TEN, UNNEEDED
from plot import plotted
from timing import Spread, process, rounds

DOCS = Path(__file__).parents[2] / "docs/explanation"

ASKED = "secretly run, until a stand-in for a pinentry asks"
BY_HAND = "that stand-in started by hand, until it asks"
CURSES = "secretly run, until pinentry-curses is on the screen"
CURSES_BY_HAND = "pinentry-curses started by hand, until it is"
MISSED = "the library, from a miss to GETPIN"
RAW = "a client of nothing but sockets, to GETPIN"
THOUSAND = "1,000 concurrent calls, one prompt: CPU"


class Bound(NamedTuple):
    """A bound that must hold.

    :param measured: in the unit of *limit*.
    """

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the bound holds."""
        return self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """The bound as a row of the table."""
        digits = 2 if self.unit.startswith("×") else 0
        return (
            self.what,
            f"{self.limit:g} {self.unit}",
            f"{self.measured:.{digits}f}",
            "yes" if self.holds else "no",
        )


class Found(NamedTuple):
    """The results.

    :param whole: processes from their start to their end.
    :param prompts: until somebody is asked; with the interpreter's start in the same rounds.
    :param library: in a program that has it loaded.
    :param left_out: what could not be measured, and why.
    """

    whole: dict[str, Spread]
    prompts: dict[str, Spread]
    library: dict[str, Spread]
    left_out: dict[str, str]

    def bounds(self) -> list[Bound]:
        """The bounds, computed from the medians."""
        base, one = self.whole[BASE], self.whole[ONE]
        made = [
            Bound(name, self.whole[name].ratio(base), limit, f"× {BASE}")
            for name, limit in (
                *((ONE, 3.5), (CONFIGURED, 5)),
                *((HELP, 2.5), (RUN_HELP, 2.5), (UNNEEDED, 2.5)),
            )
        ]
        made.append(Bound(ONE, one.ratio(self.whole[DOTENV]), 1, f"× {DOTENV}"))
        made.append(Bound(TEN, self.whole[TEN].ratio(one), 1.3, f"× {ONE}"))
        made.append(Bound(MANY, self.whole[MANY].ratio(one), 1.5, f"× {ONE}"))
        for name, hand in ((ASKED, BY_HAND), (CURSES, CURSES_BY_HAND)):
            if name in self.prompts:
                start = self.prompts[BASE].median
                more = self.prompts[name].median - start - self.prompts[hand].median
                what = f"{name}: beyond {BASE} and it started by hand"
                made.append(Bound(what, more / start, 6, f"× {BASE}"))
        more = self.library[MISSED].median - self.library[RAW].median
        made.append(Bound(f"{MISSED}: beyond {RAW}", more / base.median, 1, f"× {BASE}"))
        made.append(Bound(THOUSAND, self.library[THOUSAND].ratio(base), 6, f"× {BASE}"))
        return made

    def table(self) -> list[tuple[str, ...]]:
        """The rows, the fastest first: in milliseconds, and in starts of the interpreter."""
        rows = []
        for found in (self.whole, self.prompts, self.library):
            for name, spread in sorted(found.items(), key=lambda row: row[1].median):
                if found is self.whole or name != BASE:
                    times = (spread.least, spread.median, spread.most)
                    ratio = f"{spread.ratio(found[BASE]):.2f}" if BASE in found else ""
                    rows.append((name, *(f"{t * 1e3:.0f}" for t in times), ratio))
        return rows


def measured(number: int) -> Found:
    """Measure everything in so many rounds."""
    with (
        contenders.installed() as programs,
        contenders.place(programs) as where,
        tempfile.TemporaryDirectory(prefix="secretly-") as folder,
    ):
        contenders.check(where)
        whole = {
            name: process(argv, {**where.environ, **more})
            for name, (argv, more) in where.commands.items()
        }
        pinentry = prompting.StandIn(Path(folder))
        asking = [programs.program("secretly"), "run", "-e", f"X={prompting.UNKNOWN}", "true"]
        prompts = {
            BASE: whole[BASE],
            ASKED: prompting.standing_in(asking, where.environ, pinentry),
            BY_HAND: prompting.by_hand(pinentry),
        }
        if program := shutil.which("pinentry-curses"):
            prompts[CURSES] = prompting.curses(asking, where.environ, program)
            prompts[CURSES_BY_HAND] = prompting.curses_by_hand(program)
        else:
            where.left_out[CURSES] = "pinentry-curses is not installed"
        return Found(
            rounds(number, whole),
            rounds(number, prompts),
            library(programs, number),
            where.left_out,
        )


def library(programs: contenders.Installed, number: int) -> dict[str, Spread]:
    """Measure the cost of the library, in a program of its own."""
    script = [programs.program("python"), Path(__file__).with_name("library.py"), str(number)]
    done = subprocess.run(script, capture_output=True, timeout=600, check=True)
    found = json.loads(done.stdout)
    names = {MISSED: "missed", RAW: "raw", THOUSAND: "thousand"}
    return {name: Spread(tuple(found[key])) for name, key in names.items()}


def main() -> int:
    """Measure, print the results, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tox -e bench --", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", action="store_true", help=f"into {DOCS.name}/how-fast*")
    options = parser.parse_args()
    found = measured(options.rounds)
    rows, checked = found.table(), [bound.row() for bound in found.bounds()]
    for row in [("", "min ms", "median", "max", "×"), *rows]:
        print(f"{row[0]:60} " + " ".join(f"{cell:>7}" for cell in row[1:]))
    print(f"\nbounds, of the medians of {options.rounds} rounds:")
    for what, limit, figure, holds in checked:
        print(f"  {'holds' if holds == 'yes' else 'FAILS'}  {what}: {figure} (at most {limit})")
    for name, why in found.left_out.items():
        print(f"left out: {name}: {why}")
    if options.write:
        write("how-fast.csv", rows)
        write("how-fast-bounds.csv", checked)
        (DOCS / "how-fast.svg").write_text(plotted(found.whole, found.whole[BASE]))
    return 0 if all(row[3] == "yes" for row in checked) else 1


def write(name: str, rows: list[tuple[str, ...]]) -> None:
    """Write a table for the documentation."""
    with open(DOCS / name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
