"""Time processes in rounds: each round starts every command line once, in random order."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Spread", "process", "rounds"]


class Spread(NamedTuple):
    """Repeated measurements in seconds: their median, and the machine's noise.

    :param measured: one by one, in the order of the rounds.
    """

    measured: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of them are less."""
        return statistics.median(self.measured)

    @property
    def least(self) -> float:
        """The fastest."""
        return min(self.measured)

    @property
    def most(self) -> float:
        """The slowest."""
        return max(self.measured)

    def ratio(self, to: Spread) -> float:
        """This median divided by the other's."""
        return self.median / to.median


def process(argv: Sequence[str], environ: Mapping[str, str]) -> Callable[[], float]:
    """A function that runs a command line to its end, and returns the seconds that it took.

    It must end well; what it reads is empty, what it writes is dropped.
    """
    null = os.open(os.devnull, os.O_RDWR)
    argv, environ = list(argv), dict(environ)
    streams = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in range(3)]

    def run() -> float:
        started = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, environ, file_actions=streams)
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter() - started
        assert status == 0, (argv, os.waitstatus_to_exitcode(status))
        return took

    return run


def rounds(
    number: int, measures: Mapping[str, Callable[[], float]], warming: int = 3
) -> dict[str, Spread]:
    """Take each measurement once a round; the first rounds don't count.

    The machine's load comes and goes: measured side by side, all have the same of it.

    :param number: the rounds that count.
    :param warming: those before them, which fill the caches.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    names = list(measures)
    for turn in range(warming + number):
        random.shuffle(names)
        for name in names:
            took = measures[name]()
            if turn >= warming:
                found[name].append(took)
    return {name: Spread(tuple(times)) for name, times in found.items()}
