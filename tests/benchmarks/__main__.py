"""Measure how fast secretly is, compared with its alternatives.

    tox -e bench [-- --rounds 30] [--write]
    tox -e bench -- --only 'one secret' [--rounds 5]
    tox -e bench -- --curves FILE.svg [--rounds 5]

Prints the table and the bounds; with ``--write`` they go into the documentation as well.
With ``--only`` it measures the starts whose names have that text in them, and no bound.
With ``--curves`` it measures how the time grows with what there is, from 1 to 10,000, draws the
curves to that file, and writes their table next to it.
The exit status is 1 if a bound does not hold: on a machine that others use too, run it again.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # what the tests share

import bounds
import contenders
import curves
import instructions
import prompting
import rivals
import uploads
from bounds import Found
from contenders import BASE
from plot import curves_plotted, plotted
from timing import Spread, process, rounds

DOCS = Path(__file__).parents[2] / "docs/explanation"

#: For one round of what takes long, so many of the others.
HEAVY = 5

#: How long a program that measures the library may take, in seconds.
PATIENCE = 600


def measured(number: int, made: Path | None) -> Found:
    """Measure everything in so many rounds.

    :param made: the virtual environment to measure.
    """
    fewer = -(-number // HEAVY)
    with contextlib.ExitStack() as stack:
        programs = stack.enter_context(contenders.installed(made))
        where = stack.enter_context(contenders.place(programs))
        stack.enter_context(rivals.with_rivals(where, programs))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="secretly-")))
        contenders.check(where)
        whole = _starts(where)
        agreeing = prompting.StandIn(folder / "agreeing", "yes")
        base = {BASE: whole[BASE]}
        library = {
            name: functools.partial(_calls, programs, where, call)
            for name, call in bounds.CALLERS.items()
        }
        return Found(
            rounds(number, whole),
            rounds(fewer, base | _heavy(where, agreeing), warming=1),
            rounds(number, base | _prompts(where, programs, folder, agreeing)),
            _library(programs, number) | rounds(fewer, library, warming=0),
            rounds(fewer, _memory(where, programs, folder), warming=0),
            _instructions(where),
            where.left_out,
        )


def _some(number: int, made: Path | None, text: str) -> Found:
    """Measure the starts whose names have a text in them, and the interpreter's own."""
    with contextlib.ExitStack() as stack:
        programs = stack.enter_context(contenders.installed(made))
        where = stack.enter_context(contenders.place(programs))
        stack.enter_context(rivals.with_rivals(where, programs))
        for name in [one for one in where.commands if one != BASE and text not in one]:
            del where.commands[name]
        whole = rounds(number, _starts(where))
        return Found(whole, {}, {}, {}, {}, _instructions(where), where.left_out)


def _starts(where: contenders.Place) -> dict[str, Callable[[], float]]:
    """The command lines, as functions that run each from its start to its end."""
    return {
        name: process(line.argv, {**where.environ, **line.more})
        for name, line in where.commands.items()
    }


def _heavy(where: contenders.Place, agreeing: prompting.StandIn) -> dict[str, Callable[[], float]]:
    """What takes long: many secrets, many files, large files."""
    made = {}
    for name, line in where.heavy.items():
        if name in where.hashing:
            upload = prompting.to_the_end(line.argv, where.environ, agreeing)
            made[bounds.uploaded(name)] = upload
            made[bounds.hashed(name)] = uploads.hashing(where.hashing[name])
        else:
            made[name] = process(line.argv, {**where.environ, **line.more})
    return made


def _asking(programs: contenders.Installed) -> list[str]:
    """A run that asks for a secret that is nowhere."""
    return [programs.program("secretly"), "run", "-e", f"X={prompting.UNKNOWN}", "true"]


def _prompts(
    where: contenders.Place,
    programs: contenders.Installed,
    folder: Path,
    agreeing: prompting.StandIn,
) -> dict[str, Callable[[], float]]:
    asking, pinentry = _asking(programs), prompting.StandIn(folder)
    prompts = {
        bounds.ASKED: prompting.standing_in(asking, where.environ, pinentry),
        bounds.BY_HAND: prompting.by_hand(pinentry),
        bounds.UPLOAD: prompting.standing_in(where.upload, where.environ, agreeing),
    }
    if program := shutil.which("pinentry-curses"):
        prompts[bounds.CURSES] = prompting.curses(asking, where.environ, program)
        prompts[bounds.CURSES_BY_HAND] = prompting.curses_by_hand(program)
    else:
        where.left_out[bounds.CURSES] = "pinentry-curses is not installed"
    return prompts


def _memory(
    where: contenders.Place, programs: contenders.Installed, folder: Path
) -> dict[str, Callable[[], float]]:
    silent = prompting.StandIn(folder / "silent", None)
    return {bounds.MEMORY: prompting.memory(_asking(programs), where.environ, silent)}


def _instructions(where: contenders.Place) -> dict[str, float]:
    """The instructions of each command whose work is done in one process, in millions."""
    if not shutil.which("valgrind"):
        where.left_out["instructions"] = "valgrind is not installed"
    found = {}
    for name, line in where.commands.items():
        if line.one_process:
            counted = instructions.count(line.argv, {**where.environ, **line.more})
            if counted is not None:
                found[name] = counted / 1e6
    return found


def _calls(
    programs: contenders.Installed, where: contenders.Place, call: tuple[str, int, int]
) -> float:
    """Have a program of its own call the library."""
    script = Path(__file__).with_name("callers.py")
    argv = [programs.program("python"), str(script), *map(str, call)]
    done = subprocess.run(
        argv, env=where.thousand, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return float(done.stdout)


def _library(programs: contenders.Installed, number: int) -> dict[str, Spread]:
    """Measure the cost of the library, in a program of its own."""
    script = [programs.program("python"), Path(__file__).with_name("library.py"), str(number)]
    done = subprocess.run(script, capture_output=True, timeout=PATIENCE, check=True)
    found = json.loads(done.stdout)
    names = {bounds.MISSED: "missed", bounds.RAW: "raw", bounds.THOUSAND: "thousand"}
    return {name: Spread(tuple(found[key])) for name, key in names.items()}


def _print_table(found: Found) -> None:
    for row in [("", "min ms", "median", "max", "×", "M instr."), *found.table()]:
        print(f"{row[0]:66} " + " ".join(f"{cell:>8}" for cell in row[1:]))


def _show(found: Found, number: int) -> bool:
    """Print the results; return whether all bounds hold."""
    _print_table(found)
    print(f"\nbounds, of the medians of {number} rounds:")
    checked = [bound.row() for bound in found.bounds()]
    for what, limit, figure, holds in checked:
        print(f"  {'holds' if holds == 'yes' else 'FAILS'}  {what}: {figure} (at most {limit})")
    for name, why in found.left_out.items():
        print(f"left out: {name}: {why}")
    return all(row[3] == "yes" for row in checked)


def _traced(path: Path, number: int, made: Path | None) -> bool:
    """Measure the curves, and draw them; return whether all hold."""
    with contenders.installed(made) as programs:
        found = curves.trace(programs, number, functools.partial(print, flush=True))
    path.write_text(curves_plotted([(curve.factor, curve.times) for curve in found]))
    write(path.with_suffix(".csv"), [curve.row() for curve in found])
    for curve in found:
        print(f"{'holds' if curve.holds else 'FAILS'}  {curve.factor}: slope {curve.slope:.2f}")
    return all(curve.holds for curve in found)


def main() -> int:
    """Measure, print the results, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="tox -e bench --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, help="default: 30, with --curves 5")
    parser.add_argument("--write", action="store_true", help=f"into {DOCS.name}/how-fast*")
    parser.add_argument("--only", metavar="TEXT", help="only the starts with it in their names")
    parser.add_argument("--curves", type=Path, metavar="FILE.svg", help="draw the curves")
    parser.add_argument("--venv", type=Path, help="measure the secretly in there, with dotenv")
    options = parser.parse_args()
    if options.curves:
        return 0 if _traced(options.curves, options.rounds or 5, options.venv) else 1
    number = options.rounds or 30
    if options.only:
        _print_table(_some(number, options.venv, options.only))
        return 0
    found = measured(number, options.venv)
    good = _show(found, number)
    if options.write:
        write(DOCS / "how-fast.csv", found.table())
        write(DOCS / "how-fast-bounds.csv", (bound.row() for bound in found.bounds()))
        (DOCS / "how-fast.svg").write_text(plotted(found.whole, found.whole[BASE]))
    return 0 if good else 1


def write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a table for the documentation."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
