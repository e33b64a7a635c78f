"""Run commands directly and by secretly, again and again, and compare all that can be seen.

    python tests/endure.py [RUNS] [--write FILE]

A run is the ends of :data:`ENDS`, eight exit statuses and three signals, each in three ways:
directly, with a secret that is found, and with one that the user is asked for, so that
an event loop has run.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from command import Ended, Home, ended, home
from test_parity import SECRET, Ways, settled

from secretly.testing import FakePinentry

#: How the command ends: statuses, of which some are also secretly's own, and signals.
ENDS = [f"exit {status}" for status in (0, 1, 2, 125, 126, 127, 130, 255)]
ENDS += [f"kill -{name} $$; sleep 9" for name in ("INT", "TERM", "KILL")]

#: The command: it shows what it was given, and what the kernel says of it. Its own state can
#: be read by a child alone: the shell itself blocks signals for as long as it starts one.
SCRIPT = r"""
echo $$ "$0" "$#" "$1"; echo error >&2; cksum; umask; pwd; env | sort
cut -d' ' -f4-6 /proc/$$/stat; ls -1 /proc/$$/fd
cat /proc/self/status /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj
ulimit -c 0
"""

#: What it reads.
GIVEN = "given\n" * 20_000

#: How long one may take, in seconds.
PATIENCE = 60.0


class Seen(NamedTuple):
    """What one command line showed, and what it left.

    :param left: the files and folders in its home, those for temporary files and locks too.
    """

    end: Ended
    left: list[str]


def seen(place: Home, argv: Sequence[str], environ: dict[str, str]) -> Seen:
    """Run a command line to its end."""
    process = place.start(argv, environ=environ)
    with ended(process):
        out, err = process.communicate(GIVEN.encode(), PATIENCE)
    # Its number is the only thing that may differ, and is the one that was started.
    text = re.sub(rf"\b{process.pid}\b", "PID", settled(os.fsdecode(out)))
    end = Ended(process.returncode, text, os.fsdecode(err))
    return Seen(end, sorted(str(path) for path in place.folder.rglob("*")))


def run(place: Home) -> list[str]:
    """Do one run; return its differences."""
    answers = [[("wait", 0.15), ("raw", f"D {SECRET}\nOK\n".encode())] for _ in ENDS]
    differences = []
    with FakePinentry(answers) as fake:
        ways = Ways(place, {**fake.environ, "FOUND": SECRET})
        for end in ENDS:
            lines = ways.lines(["sh", "-c", SCRIPT + end, "name", "an argument"])
            direct, *others = (seen(place, line, ways.environ) for line in lines)
            assert "PID name 1 an argument" in direct.end.stdout, told(direct)
            assert f"SECRET={SECRET}" in direct.end.stdout
            assert direct.end.status == expected(end)
            for way, other in zip(("found", "asked for"), others, strict=True):
                if other != direct:
                    parts = zip(told(direct), told(other), strict=False)
                    pair = next((pair for pair in parts if pair[0] != pair[1]), "more")
                    differences.append(f"{end}, {way}: {pair}")
        if len(fake.prompts) != len(ENDS):
            differences.append(f"{len(fake.prompts)} prompts for {len(ENDS)} commands")
    return differences


def told(what: Seen) -> list[str]:
    """All of it as lines."""
    end, left = what
    return [str(end.status), *end.stdout.splitlines(), *end.stderr.splitlines(), *left]


def expected(end: str) -> int:
    """How the command ends when nothing comes between."""
    kind, word, *_ = end.removesuffix("; sleep 9").split()
    return int(word) if kind == "exit" else -signal.Signals[f"SIG{word[1:]}"]


def main() -> int:
    """Do them all, say what they showed, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tox -e endure --", description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=200)
    parser.add_argument("--write", metavar="FILE", help="write the figures to this CSV file")
    options = parser.parse_args()
    runs: int = options.runs
    started, differences = time.monotonic(), 0
    with home() as place:
        # What secretly keeps from its first use on is there before.
        run(place)
        for number in range(1, runs + 1):
            for difference in run(place):
                differences += 1
                print(f"run {number}: {difference}", flush=True)
    commands, took = runs * len(ENDS), round(time.monotonic() - started)
    print(
        f"{runs} runs, {commands:,} commands, each directly, with a secret that was found, and "
        f"with one that was asked for: {differences} differences, {took} s"
    )
    if options.write:
        with open(options.write, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((runs, commands, differences, took))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
