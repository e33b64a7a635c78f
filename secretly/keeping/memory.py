"""The memory that this process can still get. Loaded only for a passphrase's work."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator

__all__ = ["available"]


def available(proc: str = "/proc", groups: str = "/sys/fs/cgroup") -> int:
    """Return how many bytes this process can still get; a very large number if nothing says so.

    On macOS nothing does: it makes more swap.

    :param proc: where the system says what is used.
    :param groups: where it has the control groups, by which containers are limited.
    """
    found = [*_limits(proc), *_of_machine(proc), *_of_groups(proc, groups)]
    return max(0, min(found, default=1 << 62))


def _limits(proc: str) -> Iterator[int]:
    """What the process's own limits leave it (setrlimit(2))."""
    used = [0] * 7
    with contextlib.suppress(OSError, ValueError):
        pages = _read(f"{proc}/self/statm").split()
        used = [int(number) * resource.getpagesize() for number in pages]
    for name, at in (("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)):
        limit, _ = resource.getrlimit(getattr(resource, name))
        if limit != resource.RLIM_INFINITY:
            yield limit - used[at]


def _of_machine(proc: str) -> Iterator[int]:
    """What the machine has, with its swap; or may promise, if it promises only what it has."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        rows = [line.split() for line in _read(f"{proc}/meminfo").splitlines()]
        facts = {row[0].rstrip(":"): int(row[1]) << 10 for row in rows if len(row) > 1}
        yield facts["MemAvailable"] + facts.get("SwapFree", 0)
        if _read(f"{proc}/sys/vm/overcommit_memory").strip() == "2":
            yield facts["CommitLimit"] - facts["Committed_AS"]


def _of_groups(proc: str, groups: str) -> Iterator[int]:
    """What the control groups leave it, of version 2 (a container has its own)."""
    with contextlib.suppress(OSError):
        lines = _read(f"{proc}/self/cgroup").splitlines()
        path = next((line[3:] for line in lines if line.startswith("0::")), "/").strip("/")
        while True:
            with contextlib.suppress(OSError, ValueError):
                folder = os.path.join(groups, path)
                limit = int(_read(f"{folder}/memory.max"))  # 'max' is not a number
                used = int(_read(f"{folder}/memory.current"))
                facts = dict(line.split() for line in _read(f"{folder}/memory.stat").splitlines())
                # The cache of files counts as used, and gives way.
                yield limit - used + int(facts.get("inactive_file", 0))
            if not path:
                return
            path = os.path.dirname(path)


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read(1 << 16)
