"""The charts of a report beside the curves: each takes plain numbers and returns inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from treadle.report.facts import thinned
from treadle.report.spoken import raw, significant
from treadle.report.svg import (
    LETTER_WIDTH,
    Frame,
    Scale,
    dot,
    drawing,
    label,
    line,
    path,
    spanning,
    tick_row,
)

WIDTH = 440
POINTS_SHOWN = 800
BOLD = 1.12


@dataclass(frozen=True, kw_only=True)
class Whisker:
    """One row: a dot at a value, and a line over the interval it may as well lie in.

    low, high: the ends, or None where no interval is known
    ours:      drawn strong; what it is compared with is drawn hollow
    said:      what stands beside it; by default the value with its interval
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    ours: bool = False
    said: str = ""


def whiskers(
    rows: Sequence[Whisker], axis_words: str, says: str, scale: Scale | None = None
) -> Markup:
    """Return dots with their intervals, one below the other on one axis."""
    ends = [x for row in rows for x in (row.value, row.low, row.high) if x is not None]
    scale = scale or spanning(ends, 12, WIDTH - 12, air=0.08)
    tops = list(accumulate((_height(row) for row in rows), initial=6))
    height = tops[-1] + 38
    floor = height - 38
    parts = []
    ticks = scale.ticks(5)
    for value, words in zip(ticks, tick_row(ticks, scale), strict=True):
        parts += [line(scale(value), 4, scale(value), floor, "grid")]
        parts += [label(scale(value), floor + 15, words, "tick middle")]
    parts += [label(WIDTH / 2, floor + 33, axis_words, "axis-words middle")]
    for row, top in zip(rows, tops, strict=False):
        parts += _whisker(row, scale, top)
    return drawing(WIDTH, height, says, *parts)


def _whisker(row: Whisker, scale: Scale, top: float) -> list[Markup]:
    second, kind = top + _height(row) - 46, "ours" if row.ours else "other"
    middle, hover, parts = second + 30, f"{row.name}: {raw(row.value)}", []
    if row.low is not None and row.high is not None:
        hover += f", 95 % interval {raw(row.low)} to {raw(row.high)}"
        parts += _span(scale(row.low), scale(row.high), middle, f"whisker {kind}")
    return [
        *parts,
        dot(scale(row.value), middle, 4.5, f"dot {kind}", hover),
        label(12, top + 12, _cut(row.name, _letters(row)), f"row-name {kind}"),
        label(WIDTH - 12, second + 12, _figure(row), f"row-value end {kind}"),
    ]


def _figure(row: Whisker) -> str:
    known = row.low is not None and row.high is not None
    span = f" [{raw(row.low)}, {raw(row.high)}]" if known else ""  # type: ignore[arg-type]
    return row.said or raw(row.value) + span


def _letters(row: Whisker) -> int:
    """Return how many letters fit on a row's line."""
    return int((WIDTH - 30) / (LETTER_WIDTH * (BOLD if row.ours else 1.0)))


def _height(row: Whisker) -> int:
    """Return a row's height: with a line of its own for a name that does not fit beside."""
    return 46 if len(row.name) + len(_figure(row)) <= _letters(row) else 62


def _span(start: float, end: float, at: float, class_: str) -> list[Markup]:
    """Return a line from start to end with a small foot at each."""
    feet = [line(x, at - 7, x, at + 7, class_) for x in (start, end)]
    return [line(start, at, end, at, class_), *feet]


def calibration(points: Sequence[tuple[float, float, float]]) -> Markup:
    """Return what was predicted beside what then happened.

    points: (mean predicted probability, observed share, number of cases)
    """
    height = 360
    x, y = Scale(0, 1, 44, WIDTH - 16), Scale(0, 1, height - 44, 30)
    most = max((count for *_, count in points), default=1) or 1
    parts: list[object] = [
        Frame(x, y, "what the model said", "what happened", _percent_tick, _percent_tick).draw(),
        line(x(0), y(0), x(1), y(1), "ideal"),
        path([(x(p), y(o)) for p, o, _ in points], "line-ours thin"),
    ]
    for predicted, observed, count in points:
        low, high = wilson(observed, count)
        parts.append(line(x(predicted), y(low), x(predicted), y(high), "whisker ours"))
        hover = f"said {predicted:.0%} on average: happened in {observed:.0%} of {count:,.0f} cases"
        parts.append(
            dot(x(predicted), y(observed), 2.5 + 3 * math.sqrt(count / most), "dot ours", hover)
        )
    says = "Calibration: " + "; ".join(f"said {p:.0%}, happened {o:.0%}" for p, o, _ in points)
    return drawing(WIDTH, height, says, *parts)


def scatter(points: Sequence[tuple[float, float]], target: str) -> Markup:
    """Return true values beside predicted ones, one dot a row; on the line they are equal."""
    height = 380
    shown = thinned(list(points), POINTS_SHOWN)
    both = spanning([value for point in shown for value in point], 0, 1)
    x = Scale(both.low, both.high, 60, WIDTH - 16)
    y = Scale(both.low, both.high, height - 44, 30)
    parts: list[object] = [
        Frame(x, y, f"true {target}", f"predicted {target}").draw(),
        line(x.start, y.start, x.end, y.end, "ideal"),
    ]
    for true, predicted in shown:
        hover = f"true {significant(true)}, predicted {significant(predicted)}"
        parts.append(dot(x(true), y(predicted), 3, "cloud", hover))
    says = f"True and predicted {target} of {len(shown):,} rows; on the line they are equal."
    return drawing(WIDTH, height, says, *parts)


def ranking_curve(points: Sequence[tuple[float, float]]) -> Markup:
    """Return how many of those reported are right, the more of all cases are to be found.

    points: (recall, precision)
    """
    height = 360
    ordered = sorted(points, key=lambda point: (point[0], -point[1]))
    share = ordered[-1][1]
    x, y = Scale(0, 1, 44, WIDTH - 16), Scale(0, 1, height - 44, 30)
    shown = thinned(ordered, 200)
    parts: list[object] = [
        Frame(
            x,
            y,
            "share found of all there are",
            "share right of those reported",
            _percent_tick,
            _percent_tick,
        ).draw(),
        line(x.start, y(share), x.end, y(share), "ideal"),
        label(x.start + 6, y(share) - 6, "guessing"),
        path([(x(recall), y(precision)) for recall, precision in shown], "line-ours"),
    ]
    for recall, precision in thinned(ordered, 40):
        hover = f"to find {recall:.0%} of all: {precision:.0%} of those reported are right"
        parts.append(dot(x(recall), y(precision), 7, "hover", hover))
    middle = min(ordered, key=lambda point: abs(point[0] - 0.5))
    says = f"When {middle[0]:.0%} of all are found, {middle[1]:.0%} of those reported are right."
    return drawing(WIDTH, height, says, *parts)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share seen in `count` cases.

    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if count <= 0:
        return share, share
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = share * (1 - share) / count + z * z / (4 * count * count)
    half = z * math.sqrt(max(spread, 0.0)) / (1 + z * z / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def _percent_tick(value: float) -> str:
    return f"{value:.0%}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
