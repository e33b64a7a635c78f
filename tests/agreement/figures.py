"""What came of the cases of a tool, in words and as rows of tables."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from .cases import VERSIONS, Answer, Case

#: The reason of a refusal with which each version of the tool agrees.
BOTH = "the tool fails too"


class Shown(NamedTuple):
    """What secretly says of a case.

    :param answer: the destination, the user name and the files.
    :param why_needs_none: why the call needs no secret; empty if it does.
    :param given_by: what gives the secret in the call itself: then secretly claims no user name.
    :param pinned: the call as secretly starts it.
    :param expected: what the tool must make of it.
    """

    answer: Answer
    why_needs_none: str
    given_by: str
    pinned: Case
    expected: Answer


class Figures:
    """What came of the cases of one tool.

    :ivar same: how many were sent by a version as secretly shows, and by none otherwise.
    :ivar nothing: of how many each version sends nothing, though secretly doesn't refuse.
    :ivar differing: how many the versions send to different places, where the pin decides.
    :ivar refused: how often secretly refused, by the reason.
    :ivar broken: how many cases a version sends as they were typed, but not as they are pinned.
    :ivar disagreed: each case in which a version of the tool differs, or is broken, in words.
    """

    def __init__(self, tool: str, seed: int) -> None:
        self.tool, self.seed = tool, seed
        self.cases = self.same = self.nothing = self.differing = self.broken = 0
        self.refused: Counter[str] = Counter()
        self.disagreed: list[str] = []

    @property
    def alone(self) -> int:
        """How many calls secretly refuses, though a version of the tool would send them."""
        return self.refused.total() - self.refused[BOTH]

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why secretly refuses those, the most frequent reason first."""
        return [(reason, n) for reason, n in self.refused.most_common() if reason != BOTH]

    def report(self) -> str:
        """The figures in lines."""
        sent = self.same + self.differing + self.alone + len(self.disagreed)
        lines = [
            f"{self.tool} {', '.join(VERSIONS[self.tool])}: {self.cases:,} cases, "
            f"seed {self.seed}; a version sends {self._share(sent)}",
            f"  sent as secretly shows {self.same:,}",
            f"  sent to different places, so that the pin decides {self.differing:,}",
            f"  not refused, and not sent by any version {self.nothing:,}",
            f"  refused, as each version of the tool does {self.refused[BOTH]:,}",
            f"  refused, though a version would send {self.alone:,} ({self._share(self.alone)})",
            *(f"    {count:6,}  {reason}" for reason, count in self.reasons[:25]),
            f"  disagreed {len(self.disagreed):,}",
            f"    broken by the pin {self.broken:,}",
            *self.disagreed[:20],
        ]
        return "\n".join(lines)

    def row(self) -> list[str]:
        """The figures as a row of the documentation's table."""
        counts = (self.same, self.differing, self.nothing, self.refused[BOTH])
        return [
            self.tool,
            ", ".join(VERSIONS[self.tool]),
            f"{self.cases:,}",
            str(self.seed),
            *(f"{count:,}" for count in counts),
            f"{self.alone:,} ({self._share(self.alone)})",
            f"{len(self.disagreed) - self.broken:,}",
            f"{self.broken:,}",
        ]

    def _share(self, count: int) -> str:
        return f"{100 * count / max(self.cases, 1):.1f} %"


def write(figures: Figures, path: Path) -> None:
    """Write a tool's rows into the two tables of the documentation, in place of those it had.

    :param path: the table of the figures. That of the reasons is next to it.
    """
    reasons = [[figures.tool, reason, f"{count:,}"] for reason, count in figures.reasons]
    _replace(path, figures.tool, [figures.row()])
    _replace(path.with_stem(f"{path.stem}-refused"), figures.tool, reasons)


def _replace(path: Path, tool: str, rows: list[list[str]]) -> None:
    found: list[list[str]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            found = [row for row in csv.reader(file) if row[0] != tool]
    order = list(VERSIONS)
    with path.open("w", newline="", encoding="utf-8") as file:
        every = sorted([*found, *rows], key=lambda row: order.index(row[0]))
        csv.writer(file, lineterminator="\n").writerows(every)


def reason_of(text: str) -> str:
    """A refusal without what differs from case to case."""
    return re.sub(r"'[^']*'|\[[^]]*\]|\S*/\S*", "…", text)[:100]
