"""What was measured, and the bounds that must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import rivals
from contenders import (
    BASE,
    CONFIGURED,
    CONFIGURED_MANY,
    EMPTY_FILE,
    HELP,
    LARGE_WHEEL,
    LONG_FILE,
    MANY_NAMES,
    MANY_WHEELS,
    ONE,
    RUN_HELP,
    TEN,
    TEN_OF_300,
    THREE_HUNDRED,
    UNNEEDED,
    VERSION,
)
from timing import Spread

ASKED = "secretly run, until a stand-in for a pinentry asks"
BY_HAND = "that stand-in started by hand, until it asks"
CURSES = "secretly run, until pinentry-curses is on the screen"
CURSES_BY_HAND = "pinentry-curses started by hand, until it is"
UPLOAD = "secretly run twine upload, one wheel, until it asks"
MISSED = "the library, from a miss to GETPIN"
RAW = "a client of nothing but sockets, to GETPIN"
THOUSAND = "1,000 concurrent calls, one prompt: CPU"
MEMORY = "secretly run, while a prompt waits: MB of memory"

#: What the library is asked by :mod:`callers`: the driver, the names, the calls.
CALLERS = {
    f"the library, {what}, {driver}": (driver.lower(), names, calls)
    for what, names, calls in (
        ("1,000 stored names together", 1000, 1000),
        ("10,000 calls for one stored name", 1, 10_000),
    )
    for driver in ("asyncio", "Twisted")
}


def uploaded(name: str) -> str:
    """What the upload of files is called in the table."""
    return f"secretly run twine upload, {name}, answered immediately"


def hashed(name: str) -> str:
    """What SHA-256 of the same files is called in the table."""
    return f"SHA-256 of {name}"


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
        digits = 0 if self.unit in ("ms", "MB") else 2
        return (
            self.what,
            f"{self.limit:g} {self.unit}",
            f"{self.measured:.{digits}f}",
            "yes" if self.holds else "no",
        )


class Found(NamedTuple):
    """The results.

    :param whole: processes from their start to their end.
    :param heavy: those that take long, in fewer rounds.
    :param prompts: until somebody is asked; with the interpreter's start in the same rounds.
    :param library: in a program that has it loaded.
    :param memory: in MB.
    :param instructions: in millions, where a single process does all the work.
    :param left_out: what could not be measured, and why.
    """

    whole: Mapping[str, Spread]
    heavy: Mapping[str, Spread]
    prompts: Mapping[str, Spread]
    library: Mapping[str, Spread]
    memory: Mapping[str, Spread]
    instructions: Mapping[str, float]
    left_out: Mapping[str, str]

    def bounds(self) -> list[Bound]:
        """The bounds, computed from the medians."""
        return [*self._runs(), *self._uploads(), *self._prompts(), *self._library()]

    def _runs(self) -> Iterator[Bound]:
        base, one = self.whole[BASE], self.whole[ONE]
        for name, limit in (
            *((ONE, 2), (MANY_NAMES, 2.4), (CONFIGURED, 2.6), (CONFIGURED_MANY, 6)),
            *((EMPTY_FILE, 2.6), (LONG_FILE, 4.5)),
            *((UNNEEDED, 1.3), (HELP, 1.3), (VERSION, 1.3), (RUN_HELP, 2.5)),
        ):
            yield Bound(name, self.whole[name].ratio(base), limit, f"× {BASE}")
        for name, other in (
            *((ONE, rivals.ENVCHAIN), (ONE, rivals.DOTENV)),
            *((EMPTY_FILE, rivals.DOTENV_EMPTY), (LONG_FILE, rivals.DOTENV_LONG)),
        ):
            if other in self.whole:
                yield Bound(name, self.whole[name].ratio(self.whole[other]), 1, f"× {other}")
        yield Bound(TEN, self.whole[TEN].ratio(one), 1.3, f"× {ONE}")
        yield Bound(TEN_OF_300, self.whole[TEN_OF_300].ratio(one), 1.5, f"× {ONE}")
        more = self.heavy[THREE_HUNDRED].ratio(self.heavy[BASE])
        more -= self.whole[TEN_OF_300].ratio(base)
        yield Bound(f"{THREE_HUNDRED}: a secret beyond ten", more / 290, 0.08, f"× {BASE}")
        if rivals.PASS in self.whole:
            more = self.whole[rivals.PASS_SOURCE].median - self.whole[rivals.PASS].median
            yield Bound(f"{rivals.PASS_SOURCE}: beyond {rivals.PASS}", more * 1e3, 40, "ms")

    def _uploads(self) -> Iterator[Bound]:
        asked = self.prompts[UPLOAD]
        yield Bound(UPLOAD, asked.ratio(self.prompts[BASE]), 5, f"× {BASE}")
        for name in (MANY_WHEELS, LARGE_WHEEL):
            more = self.heavy[uploaded(name)].median - asked.median
            what = f"{uploaded(name)}: beyond the upload of one wheel until it asks"
            measured = more / self.heavy[hashed(name)].median
            yield Bound(what, measured, 1.2, f"× {hashed(name)}")

    def _prompts(self) -> Iterator[Bound]:
        start = self.prompts[BASE].median
        more = self.prompts[ASKED].median - start - self.prompts[BY_HAND].median
        what = f"{ASKED}: beyond {BASE} and it started by hand"
        yield Bound(what, more / start, 6, f"× {BASE}")
        if CURSES in self.prompts:
            more = self.prompts[CURSES].median - start - self.prompts[CURSES_BY_HAND].median
            what = f"{CURSES}: beyond {BASE} and it started by hand"
            yield Bound(what, more * 1e3, 35, "ms")
        yield Bound(MEMORY, self.memory[MEMORY].median, 20, "MB")

    def _library(self) -> Iterator[Bound]:
        base = self.whole[BASE]
        more = self.library[MISSED].median - self.library[RAW].median
        yield Bound(f"{MISSED}: beyond {RAW}", more / base.median, 1, f"× {BASE}")
        yield Bound(THOUSAND, self.library[THOUSAND].ratio(base), 6, f"× {BASE}")
        for name, limit in zip(CALLERS, (1.0, 1.2, 0.6, 1.2), strict=True):
            yield Bound(name, self.library[name].median, limit, "s")

    def table(self) -> list[tuple[str, ...]]:
        """The rows, the fastest first: in milliseconds, in starts of the interpreter, and in
        millions of instructions."""
        rows = []
        for found in (self.whole, self.prompts, self.heavy, self.library):
            for name, spread in sorted(found.items(), key=lambda row: row[1].median):
                if found is self.whole or name != BASE:
                    ratio = f"{spread.ratio(found[BASE]):.2f}" if BASE in found else ""
                    counted = self.instructions.get(name)
                    taken = f"{counted:.1f}" if counted else ""
                    rows.append((name, *_cells(spread, 1e3), ratio, taken))
        rows += [(name, *_cells(spread, 1), "", "") for name, spread in self.memory.items()]
        return rows


def _cells(spread: Spread, times: float) -> tuple[str, ...]:
    """The least, the median and the most."""
    return tuple(f"{part * times:.0f}" for part in (spread.least, spread.median, spread.most))
