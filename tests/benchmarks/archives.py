"""Read archives as an upload does, and compare the time with ``gzip -t``.

    python tests/benchmarks/archives.py [FOLDER]

FOLDER has archives of real projects, none of which may be refused. Without FOLDER, archives are
made: with a large file, with many small files, and with repeated content. The exit status is 1 if
an archive is refused, or takes more than three times as long as ``gzip -t``. Times below 50 ms
are not compared, because starting gzip takes as long. On a busy machine, run the program again.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from secretly.errors import Refused
from secretly.publishing.archives import READABLE, read_distribution

#: The limit, in multiples of ``gzip -t``'s time, and the shortest time to compare, in seconds.
LIMIT, SHORTEST = 3.0, 0.05

ROUNDS = 3


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


def compare(path: Path) -> bool:
    """Read an archive, print the ratio of the times, and return whether the ratio is good."""
    try:
        ours = shortest(lambda: read_distribution(os.fspath(path)))
    except Refused as error:
        print(f"refused: {error}")
        return False
    if not path.name.endswith(".gz"):
        return True
    gzip = shortest(lambda: subprocess.run(["gzip", "-t", path], check=True))
    ratio = ours / max(gzip, SHORTEST)
    if ours > SHORTEST:
        print(f"{ours * 1000:8.0f} ms {gzip * 1000:8.0f} ms   × {ratio:.2f}  {path.name}")
    return ratio <= LIMIT


def main(arguments: list[str]) -> int:
    """Read all archives, and return the exit status."""
    print("    secretly     gzip -t")
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(path) for path in made(Path(folder))]
    for argument in arguments:
        paths = sorted(path for path in Path(argument).iterdir() if path.name.endswith(READABLE))
        results += map(compare, paths)
        print(f"{len(paths)} archives of real projects")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
