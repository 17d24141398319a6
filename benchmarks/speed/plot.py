"""Drawings of the results, SVG written by hand: who takes how long, and how cost grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.speed.works import COMPILED, EAGER, GROWTH, HAND

ROW, LEFT, RIGHT, WIDTH = 22, 270, 110, 760
OURS, OTHERS = "#0b6e4f", "#9aa5b1"
COLOURS = {COMPILED.name: "#0b6e4f", EAGER.name: "#6bbf59", HAND.name: "#9aa5b1"}
STYLE = "font: 12px system-ui, sans-serif; background: #fff"


def bars(title: str, rows: Mapping[str, Any], unit: str) -> str:
    """Return horizontal bars from zero, the fastest first, Treadle's in its own colour."""
    medians = {name: statistics.median(row["seconds"]) * 1e6 for name, row in rows.items()}
    longest = max(medians.values())
    parts = [_text(8, 20, f"{title}: µs a {unit}", weight="bold")]
    for place, (name, value) in enumerate(sorted(medians.items(), key=lambda item: item[1])):
        y = 36 + place * ROW
        length = max(1.0, value / longest * (WIDTH - LEFT - RIGHT))
        colour = OURS if name.startswith("Treadle") else OTHERS
        parts.append(_text(LEFT - 8, y + 13, name, anchor="end"))
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>'
        )
        parts.append(_text(LEFT + length + 6, y + 13, f"{value:,.0f}"))
    return _drawing(48 + len(medians) * ROW, title, parts)


def growth(works: Mapping[str, Any]) -> str:
    """Return three panels of lines: µs a step against rows, width and batch, both logarithmic."""
    panels, places = [], 0
    for axis in GROWTH:
        lines = _lines(works, axis)
        if lines:
            panels.append(_panel(axis, lines, 250 * places))
            places += 1
    legend = [
        f'<rect x="{20 + 240 * i}" y="8" width="12" height="12" fill="{colour}"/>'
        + _text(38 + 240 * i, 18, name)
        for i, (name, colour) in enumerate(COLOURS.items())
    ]
    return _drawing(280, "how the cost of a step grows", [*legend, *panels])


def _lines(works: Mapping[str, Any], axis: str) -> dict[str, list[tuple[float, float]]]:
    """Return for each name its points (size, µs a step)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for size in GROWTH[axis]:
        for name, row in works.get(f"growth-{axis}-{size}", {"rows": {}})["rows"].items():
            found.setdefault(name, []).append((size, statistics.median(row["seconds"]) * 1e6))
    return found


def _panel(axis: str, lines: Mapping[str, Sequence[tuple[float, float]]], left: float) -> str:
    points = [point for line in lines.values() for point in line]
    low_x, high_x = (pick(math.log(x) for x, _ in points) for pick in (min, max))
    low_y = math.floor(math.log10(min(y for _, y in points)))
    high_y = math.ceil(math.log10(max(y for _, y in points)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - low_x) / max(high_x - low_x, 1e-9)
        up = (math.log10(y) - low_y) / max(high_y - low_y, 1)
        return left + 52 + across * 180, 230 - up * 170

    parts = [_text(left + 142, 272, axis, anchor="middle", weight="bold")]
    for power in range(low_y, high_y + 1):
        y = place(1 if low_x <= 0 else math.exp(low_x), 10.0**power)[1]
        parts.append(f'<path d="M{left + 52} {y:.0f}h180" stroke="#e4e7eb"/>')
        parts.append(_text(left + 46, y + 4, _spelled(10**power), anchor="end", size=10))
    for x in sorted({x for x, _ in points}):
        across, _ = place(x, 10.0**low_y)
        parts.append(_text(across, 248, _size(x), anchor="middle", size=10))
    for name, line in lines.items():
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        colour = COLOURS.get(name, OTHERS)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)


def _size(number: float) -> str:
    power = math.log10(number)
    return f"10^{power:.0f}" if power == int(power) and power >= 4 else f"{number:,.0f}"


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 12
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="{size}">{escape(words)}</text>'
    )


def _drawing(height: float, says: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(says)}" style="{STYLE}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _spelled(microseconds: int) -> str:
    """Return a time short enough to stand beside an axis."""
    return f"{microseconds // 1_000:,} ms" if microseconds >= 1_000 else f"{microseconds} µs"
