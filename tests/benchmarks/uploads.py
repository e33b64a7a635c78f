"""Wheels to upload: one, many, and a large one; and how long SHA-256 takes for them."""

from __future__ import annotations

import hashlib
import random
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["hashing", "wheels"]

#: What the files have in them, MiB by MiB. Files with holes would be refused.
_BLOCK = random.Random(1).randbytes(1 << 20)


def wheels(folder: Path, count: int, size: int = 0) -> list[str]:
    """Make wheels of one version; return their paths.

    :param size: how much is in each, in MiB.
    """
    folder.mkdir()
    return [_wheel(folder / f"demo-1.0-{number}-py3-none-any.whl", size) for number in range(count)]


def _wheel(path: Path, size: int) -> str:
    info = "demo-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        with file.open("demo/data", "w", force_zip64=True) as part:
            for _ in range(size):
                part.write(_BLOCK)
        file.writestr(f"{info}/RECORD", "")
    return str(path)


def hashing(paths: Sequence[str]) -> Callable[[], float]:
    """A function that reads each file once for its SHA-256, and returns how long it took."""

    def run() -> float:
        before = time.perf_counter()
        for path in paths:
            with open(path, "rb", buffering=0) as file:
                hashlib.file_digest(file, "sha256")
        return time.perf_counter() - before

    return run
