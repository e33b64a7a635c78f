"""Run commands directly and by secretly, again and again, and compare all that can be seen.

    python tests/endure.py [RUNS] [--reads READS] [--write FILE]

A run is the ends of :data:`ENDS`, eight exit statuses and three signals, each in three ways:
directly, with a secret that is found, and with one that the user is asked for, so that
an event loop has run.

Then it reads a secret from gnome-keyring so often, each time over a connection of its own, and
looks whether the daemon lives. Each tenth time it reads several together, which takes other calls.
gnome-keyring 42 ends after a few hundred connections where calls are sent together.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from command import Ended, Home, ended, home
from secretservice import SecretService, secret_service
from test_parity import SECRET, Ways, settled

from secretly.keeping.secret_service import ItemReader
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

#: How long all the reads may take, in seconds.
READING = 3600.0

#: After how many reads the daemon is looked at.
LOOK = 100

#: Of so many reads, one reads :data:`TOGETHER` secrets.
BATCH, TOGETHER = 10, 6

#: What the reads need.
PROGRAMS = ("dbus-run-session", "gnome-keyring-daemon", "secret-tool")

#: The attributes of the secrets that are read, as keyring's backend stores them.
ATTRIBUTES = ("username", "ada", "application", "Python keyring library", "service")


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


class Reads(NamedTuple):
    """Many reads of a secret.

    :param wrong: those that did not return it.
    :param deaths: how often another daemon had to take the first one's place; then it ends.
    """

    done: int = 0
    wrong: int = 0
    deaths: int = 0


def read_often(service: SecretService, number: int) -> Reads:
    """Read a secret so often, or until the daemon has died."""
    names = [f"Endured-{one}" for one in range(TOGETHER)]
    for name in names:
        service.run("secret-tool", "store", "--label=x", *ATTRIBUTES, name, typed=SECRET)
    wrong, deadline = 0, time.monotonic() + READING
    for done in range(1, number + 1):
        wanted = [(name, ATTRIBUTES[1]) for name in (names if done % BATCH == 0 else names[:1])]
        found = ItemReader(service.address).read(wanted, PATIENCE)
        wrong += found != [SECRET] * len(wanted)
        if done % LOOK == 0 or done == number:
            if not service.is_alive:
                return Reads(done, wrong, 1)
            if time.monotonic() > deadline:
                return Reads(done, wrong)
    return Reads(number, wrong)


def reads(number: int) -> tuple[Reads, int]:
    """Do the reads; say what they showed; return it, and the seconds that it took."""
    started = time.monotonic()
    with secret_service() as service:
        found = read_often(service, number)
    took = round(time.monotonic() - started)
    print(
        f"{found.done:,} of {number:,} reads: {found.wrong} wrong, "
        f"the daemon died {found.deaths} times, {took} s"
    )
    return found, took


def runs(number: int) -> tuple[int, int, int, int]:
    """Do the runs; say what they showed; return their row."""
    started, differences = time.monotonic(), 0
    with home() as place:
        # What secretly keeps from its first use on is there before.
        run(place)
        for turn in range(1, number + 1):
            for difference in run(place):
                differences += 1
                print(f"run {turn}: {difference}", flush=True)
    commands, took = number * len(ENDS), round(time.monotonic() - started)
    print(
        f"{number} runs, {commands:,} commands, each directly, with a secret that was found, and "
        f"with one that was asked for: {differences} differences, {took} s"
    )
    return number, commands, differences, took


def main() -> int:
    """Do them all, say what they showed, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="tox -e endure --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=int, nargs="?", default=200, help="default: 200; 0: none")
    parser.add_argument("--reads", type=int, default=26_000, help="default: 26,000; 0: none")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the runs' figures to this CSV file, and those of the reads next to it",
    )
    options = parser.parse_args()
    good = True
    if options.runs:
        row = runs(options.runs)
        good = not row[2]
        write(options.write, row)
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if options.reads and missing:
        print(f"no reads: {', '.join(missing)} not installed")
    elif options.reads:
        found, took = reads(options.reads)
        good = good and found == Reads(options.reads)
        write(
            options.write and options.write.with_stem(f"{options.write.stem}-reads"), (*found, took)
        )
    return 0 if good else 1


def write(path: Path | None, row: Sequence[object]) -> None:
    """Write the figures to a file, if one was given."""
    if path:
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    sys.exit(main())
