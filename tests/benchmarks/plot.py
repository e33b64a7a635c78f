"""A plot of the table, as SVG: a bar from the quickest to the slowest, a line at the median."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from timing import Spread

__all__ = ["plotted"]

_ROW, _LEFT, _WIDTH, _TOP = 26, 360, 420, 34
_ALL = _LEFT + _WIDTH + 60
_OWN, _OTHER = "#2b6cb0", "#8a8a8a"

#: Where the axis has its marks.
_MARKS = (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def plotted(table: Mapping[str, Spread], base: Spread) -> str:
    """Draw the plot, the fastest first. The axis is logarithmic, in medians of *base*."""
    rows = sorted(table.items(), key=lambda row: row[1].median)
    least = min(spread.least for spread in table.values()) / base.median
    most = max(spread.most for spread in table.values()) / base.median
    low = max(mark for mark in _MARKS if mark <= max(least, _MARKS[0]))
    high = min(mark for mark in _MARKS if mark >= min(most, _MARKS[-1]))

    def across(times: float) -> float:
        part = math.log(times / low) / math.log(high / low)
        return _LEFT + _WIDTH * min(max(part, 0), 1)

    bottom = _TOP + _ROW * len(rows) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_ALL} {bottom + 28}" '
        'font-family="sans-serif" font-size="13" fill="#222222">',
        f'<rect width="{_ALL}" height="{bottom + 28}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18">× the start of the interpreter</text>',
    ]
    for mark in (mark for mark in _MARKS if low <= mark <= high):
        x = across(mark)
        parts += [
            f'<path d="M{x:.1f} {_TOP - 6}V{bottom}" stroke="#dddddd"/>',
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{mark:g}</text>',
        ]
    for number, (name, spread) in enumerate(rows):
        y, color = _TOP + _ROW * number, _OWN if name.startswith("secretly") else _OTHER
        start, middle, end = (
            across(seconds / base.median) for seconds in (spread.least, spread.median, spread.most)
        )
        parts += [
            f'<text x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{start:.1f}" y="{y + 4}" width="{max(end - start, 1):.1f}" height="12" '
            f'fill="{color}" fill-opacity="0.35"/>',
            f'<path d="M{middle:.1f} {y + 1}v18" stroke="{color}" stroke-width="3"/>',
            f'<text x="{end + 6:.1f}" y="{y + 14}">{spread.ratio(base):.1f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
