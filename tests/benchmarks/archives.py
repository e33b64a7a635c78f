"""Read archives as an upload does, and compare the time with ``gzip -t``.

    python tests/benchmarks/archives.py [--projects] [--write] [FOLDER]

The program makes archives with a large file, with many small files, and with repeated content. For
each it compares the time with ``gzip -t``, and measures the memory. ``--projects`` has pip download
the newest wheel and source distribution of each project in ``projects.txt``, into FOLDER or into a
folder that is removed again. None of them may be refused, or shown as another project. With FOLDER
alone, the archives in FOLDER are read. ``--write`` writes the tables of the documentation.

The exit status is 1 if an archive is refused, or takes more than three times as long as
``gzip -t``, or more than 64 MiB. Times below 50 ms are not compared, because starting gzip takes as
long. On a busy machine, run the program again.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from test_archives import MEASURED
from tokens import wheel

from secretly.errors import Refused
from secretly.publishing.archives import READABLE, Distribution, read_distribution
from secretly.publishing.metadata import normalize_project

#: The limit, in multiples of ``gzip -t``'s time, and the shortest time to compare, in seconds.
LIMIT, SHORTEST = 3.0, 0.05

#: The most memory for reading an archive, in MiB.
MEMORY = 64.0

ROUNDS = 3

DOCS = Path(__file__).parents[2] / "docs" / "explanation"

PROJECTS = Path(__file__).with_name("projects.txt")


class Compared(NamedTuple):
    """How an archive was read.

    :param ours: how long secretly took, in seconds.
    :param gzip: how long ``gzip -t`` took; 0 for other archives.
    :param memory: how much memory reading took, in MiB; 0 if it was not measured.
    :param shown: the project and the version that secretly shows; empty if it refused the archive.
    """

    path: Path
    ours: float = 0
    gzip: float = 0
    memory: float = 0
    shown: tuple[str, str] | None = None

    @property
    def ratio(self) -> float:
        """The time in multiples of that of ``gzip -t``."""
        return self.ours / max(self.gzip, SHORTEST) if self.gzip else 0

    @property
    def good(self) -> bool:
        """Whether the archive was read within the limits."""
        return self.shown is not None and self.ratio <= LIMIT and self.memory < MEMORY


def made(folder: Path) -> Iterator[Path]:
    """Make source distributions with a large file, many small files, and repeated content."""
    noise = random.Random(1)
    text = b"".join(b"%d = value\n" % noise.randrange(1000) for _ in range(400))
    for name, count, content in (
        ("one-large-file", 1, noise.randbytes(64 << 20)),
        ("one-file-of-zeros", 1, bytes(500 << 20)),
        ("small-files", 49_000, text),
        ("empty-files", 49_000, b""),
    ):
        path = folder / f"{name}.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=6) as file:
            for number, data in enumerate((b"", *[content] * count)):
                entry = tarfile.TarInfo(f"demo-1.0/demo/file{number}")
                if not number:
                    entry.name = "demo-1.0/PKG-INFO"
                    data = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
                entry.size, entry.mtime = len(data), number + 0.5  # with an extended header each
                file.addfile(entry, io.BytesIO(data))
        yield path


def shortest(action: Callable[[], object]) -> float:
    """The shortest of several times that a call takes, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(path: Path) -> Compared:
    """Read an archive, and measure how long it takes."""
    found: list[Distribution] = []
    try:
        ours = shortest(lambda: found.append(read_distribution(os.fspath(path))))
    except Refused as error:
        print(f"refused: {error}")
        return Compared(path)
    gzip = 0.0
    if path.name.endswith(".gz"):
        gzip = shortest(lambda: subprocess.run(["gzip", "-t", path], check=True))
    return Compared(path, ours, gzip, shown=(found[0].project, found[0].version))


def weighed(found: Compared, small: Path) -> Compared:
    """The same, with the memory that a process of its own takes.

    :param small: an archive to read first, so that the program itself doesn't count.
    """
    command = [sys.executable, "-c", MEASURED, small, found.path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return found._replace(memory=int(done.stdout.split()[1]) / 2**20)


# -- real projects -----------------------------------------------------------------


class Project(NamedTuple):
    """A real project, and its archives."""

    name: str
    archives: Sequence[Compared]

    @property
    def good(self) -> bool:
        """Whether each archive was read, and is shown as this project's."""
        name = normalize_project(self.name)
        shown = [one.shown and normalize_project(one.shown[0]) for one in self.archives]
        return bool(shown) and set(shown) == {name} and all(one.good for one in self.archives)

    @property
    def row(self) -> tuple[str, ...]:
        """Its row in the table: the files, what is shown, and how many were refused."""
        kinds = {True: "wheel", False: "source distribution"}
        files = dict.fromkeys(kinds[one.path.suffix == ".whl"] for one in self.archives)
        shown = dict.fromkeys(" ".join(one.shown) for one in self.archives if one.shown)
        refused = sum(one.shown is None for one in self.archives)
        size = sum(one.path.stat().st_size for one in self.archives)
        slowest = max((one.ratio for one in self.archives if one.ours > SHORTEST), default=0)
        return (
            self.name,
            ", ".join(files),
            f"{size / 1e6:.1f} MB",
            ", ".join(shown),
            str(refused),
            f"{slowest:.1f}" if slowest else "",
        )


def fetch(name: str, folder: Path) -> Path:
    """Have pip download a project's newest wheel and source distribution, unless they are there."""
    own = folder / name
    for kind, which, pattern in (
        ("--only-binary", ":all:", "*.whl"),
        ("--no-binary", name, "*[!l]"),  # what builds the metadata may be a wheel
    ):
        if not any(own.glob(pattern)):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", kind, which]
            done = subprocess.run([*command, "-d", own, name], capture_output=True, text=True)
            if done.returncode:
                why = done.stderr.strip().splitlines() or [""]
                print(f"{name}: pip gave nothing with {kind}: {why[-1]}", file=sys.stderr)
    return own


def projects(folder: Path) -> list[Project]:
    """Download and read the archives of real projects."""
    names = PROJECTS.read_text("utf-8").split()
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda name: fetch(name, folder), names))
    return [
        Project(name, [compare(path) for path in archives(own)])
        for name, own in zip(names, folders, strict=True)
    ]


def archives(folder: Path) -> list[Path]:
    """The archives in a folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.name.endswith(READABLE))


# -- the command line --------------------------------------------------------------


def show(found: Iterable[Compared]) -> bool:
    """Print the ratio of the times, and return whether all is within the limits."""
    good = True
    for one in found:
        good = good and one.good
        if one.gzip and one.ours > SHORTEST:
            memory = f"{one.memory:5.0f} MiB" if one.memory else " " * 9
            times = f"{one.ours * 1000:8.0f} ms {one.gzip * 1000:8.0f} ms   × {one.ratio:.2f}"
            print(f"{times} {memory}  {one.path.name}")
    return good


def write(name: str, rows: Iterable[Sequence[str]]) -> None:
    """Write a table of the documentation."""
    with open(DOCS / name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def bounds(found: Iterable[Compared]) -> Iterator[tuple[str, ...]]:
    """The rows of the table with the limits."""
    for one in found:
        name = one.path.name.removesuffix(".tar.gz").replace("-", " ")
        times = (f"{one.ours * 1000:.0f} ms", f"{one.gzip * 1000:.0f} ms", f"{one.ratio:.1f}")
        yield name, *times, f"{one.memory:.0f} MiB"


def main() -> int:
    """Read all archives, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--projects", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    print("    secretly     gzip -t")
    with tempfile.TemporaryDirectory() as temporary:
        small = wheel(Path(temporary) / "small")
        own = [weighed(compare(path), small) for path in made(Path(temporary))]
        good = show(own)
        if options.write:
            write("archives-bounds.csv", bounds(own))
        if options.projects:
            real = projects(options.folder or Path(temporary) / "projects")
            good = show(one for project in real for one in project.archives) and good
            bad = [project.name for project in real if not project.good]
            print(
                f"{len(real)} projects, {sum(len(p.archives) for p in real)} archives; bad: {bad}"
            )
            good = good and not bad
            if options.write:
                write("archives.csv", (project.row for project in real))
        elif options.folder:
            paths = archives(options.folder)
            good = show(map(compare, paths)) and good
            print(f"{len(paths)} archives of real projects")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
