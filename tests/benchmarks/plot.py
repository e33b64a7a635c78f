"""Plots as SVG: of the table, and of curves.

A row of the table is a bar from the quickest to the slowest, with a line at the median.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from timing import Spread

__all__ = ["curves_plotted", "plotted"]

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


#: The size of the curves' plot, and where their axes are.
_SIDE, _DOWN, _X, _Y = 840, 480, 60, 20
_RIGHT, _BOTTOM = 540, 430

#: Colors that people who see few of them can tell apart (Okabe and Ito), with two greys.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a8a")
_COLORS += ("#7a5195",)


def curves_plotted(curves: Sequence[tuple[str, Mapping[int, float]]]) -> str:
    """Draw curves: the number across, the seconds up, both axes logarithmic.

    A cost that grows like the number is parallel to the diagonal of the grid.
    """
    numbers = sorted({number for _, times in curves for number in times})
    seconds = [second for _, times in curves for second in times.values()]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    last = math.log10(numbers[-1])

    def across(number: float) -> float:
        return _X + (_RIGHT - _X) * math.log10(number) / last

    def up(second: float) -> float:
        return _BOTTOM - (_BOTTOM - _Y) * (math.log10(second) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_DOWN}" '
        'font-family="sans-serif" font-size="13" fill="#222222">',
        f'<rect width="{_SIDE}" height="{_DOWN}" fill="#ffffff"/>',
    ]
    for number in numbers:
        x = across(number)
        parts += [
            f'<path d="M{x:.1f} {_Y}V{_BOTTOM}" stroke="#dddddd"/>',
            f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{number:,}</text>',
        ]
    for power in range(low, high + 1):
        y, label = up(10.0**power), f"{10**power} s" if power >= 0 else f"{10 ** (power + 3)} ms"
        parts += [
            f'<path d="M{_X} {y:.1f}H{_RIGHT}" stroke="#dddddd"/>',
            f'<text x="{_X - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>',
        ]
    for place, (name, times) in enumerate(curves):
        color, y = _COLORS[place % len(_COLORS)], _Y + 16 + 24 * place
        points = " ".join(
            f"{across(n):.1f},{up(second):.1f}" for n, second in sorted(times.items())
        )
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>',
            f'<path d="M{_RIGHT + 20} {y - 4}h20" stroke="{color}" stroke-width="3"/>',
            f'<text x="{_RIGHT + 46}" y="{y}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
