"""The curves of training, with what the loop decided marked where it was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.goal import METRICS
from treadle.report.facts import number, record, thinned, whole
from treadle.report.spoken import significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, line, path, spanning

Series = list[tuple[float, float]]
ROOT_OF_LOSS = "root_mean_squared_error"
LINE_POINTS = 400
HOVER_POINTS = 60


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something decided or noticed at a step: a number in the chart, a sentence below it.

    kind: "best", "stop" or "other", which is how it is drawn
    """

    number: int
    step: int
    kind: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class CurveChart:
    """One chart of curves, drawn for a wide and for a narrow page."""

    title: str
    note: str
    wide: Markup
    narrow: Markup


def series_of(points: Sequence[Json]) -> dict[str, Series]:
    """Return each measured name's (step, value) pairs; what is not a finite number is left out."""
    found: dict[str, Series] = {}
    for point in points:
        step = number(point.get("step"))
        for name, value in record(point.get("values")).items():
            if step is not None and (known := number(value)) is not None:
                found.setdefault(name, []).append((step, known))
    return found


def grouped(series: Mapping[str, Series], metric: str) -> list[tuple[str, dict[str, Series]]]:
    """Return the charts to draw: the losses together, the metric, the others, the rates last.

    Each is (title, its lines by name). Of numbers, what is learned is a mean of squares, and
    validation is told in the root of it: lines of unlike units do not share a chart.
    """
    losses = {n: s for n, s in series.items() if n in ("train_loss", "validation_loss", "loss")}
    rest = [name for name in series if name not in losses]
    unlike = losses.pop("validation_loss", None) if is_of_numbers(metric) else None
    if unlike is not None and ROOT_OF_LOSS not in series:
        series = {**series, ROOT_OF_LOSS: unlike}
        rest.append(ROOT_OF_LOSS)
    title = "loss in training" if list(losses) == ["train_loss"] else "loss"
    charts = [(title, losses)] if losses else []
    rest.sort(key=lambda name: (name.startswith("learning_rate"), name != metric, name))
    return charts + [(name, {name: series[name]}) for name in rest]


def is_of_numbers(metric: str) -> bool:
    """Return whether a metric measures numbers, and nothing else."""
    known = METRICS.get(metric)
    return known is not None and set(known.tasks) == {"number"}


def curve_chart(
    title: str, lines: Mapping[str, Series], marks: Sequence[Mark], epochs: Mapping[int, int]
) -> CurveChart:
    """Return the chart of some lines over the steps.

    epochs: the epoch of each measured step, for the words that show under the pointer
    """
    wide = _draw(title, lines, marks, epochs, width=880, height=330)
    narrow = _draw(title, lines, marks, epochs, width=400, height=310)
    note = "equal ratios at equal distances" if _scale_of(lines, 1, 0).logarithmic else ""
    return CurveChart(title=title, note=note, wide=wide, narrow=narrow)


def epochs_of(points: Sequence[Json]) -> dict[int, int]:
    """Return the epoch of each measured step."""
    both = ((whole(point.get("step")), whole(point.get("epoch"))) for point in points)
    return {step: epoch for step, epoch in both if step is not None and epoch is not None}


def _draw(
    title: str,
    lines: Mapping[str, Series],
    marks: Sequence[Mark],
    epochs: Mapping[int, int],
    *,
    width: float,
    height: float,
) -> Markup:
    steps = [step for series in lines.values() for step, _ in series]
    names = [_line_name(name) for name in lines]
    room = 7.2 * max((len(name) for name in names), default=0) + 14 if len(lines) > 1 else 18
    x = Scale(min(0.0, *steps), max(*steps, 1.0), 58, width - room)
    rows = 1 + max((level for _, level in _levels(marks, x)), default=-1)
    y = _scale_of(lines, height - 46, 14 + 22 * rows)
    parts: list[object] = [Frame(x, y, "step", "", x_whole=True).draw()]
    parts += _draw_marks(marks, x, y, top=12)
    ends = []
    for name, series in lines.items():
        parts += _draw_line(name, series, x, y, epochs)
        ends.append((y(series[-1][1]), _line_name(name), _line_class(name)))
    if len(lines) > 1:
        parts += _end_labels(ends, x.end + 7)
    return drawing(width, height, _says(title, lines), *parts)


def _scale_of(lines: Mapping[str, Series], start: float, end: float) -> Scale:
    values = [value for series in lines.values() for _, value in series]
    return spanning(values, start, end, log=True)


def _draw_line(
    name: str, series: Series, x: Scale, y: Scale, epochs: Mapping[int, int]
) -> list[Markup]:
    kind = _line_class(name)
    parts = [path([(x(s), y(v)) for s, v in thinned(series, LINE_POINTS)], f"line-{kind}")]
    few = len(series) <= HOVER_POINTS
    for step, value in thinned(series, HOVER_POINTS):
        epoch = epochs.get(int(step))
        where = f"step {step:,.0f}" + ("" if epoch is None else f", epoch {epoch}")
        hover = f"{_line_name(name)} {significant(value, 4)} at {where}"
        if few:
            parts.append(dot(x(step), y(value), 2.6, f"point-{kind}"))
        parts.append(dot(x(step), y(value), 7, "hover", hover))
    return parts


def _draw_marks(marks: Sequence[Mark], x: Scale, y: Scale, top: float) -> list[Markup]:
    parts = []
    for mark, level in _levels(marks, x):
        at, centre = x(mark.step), top + 22 * level
        parts.append(line(at, centre + 9, at, y.start, f"mark-line {mark.kind}"))
        parts.append(dot(at, centre, 9, f"mark {mark.kind}", f"{mark.number}: {mark.sentence}"))
        parts.append(label(at, centre + 4, mark.number, f"mark-number middle {mark.kind}"))
    return parts


def _levels(marks: Sequence[Mark], x: Scale) -> list[tuple[Mark, int]]:
    """Return each mark with the row, from the top, where it stands clear of the others."""
    taken: list[float] = []
    placed = []
    for mark in sorted(marks, key=lambda mark: mark.step):
        at = x(mark.step)
        level = next((i for i, end in enumerate(taken) if at - end >= 20), len(taken))
        taken[level : level + 1] = [at]
        placed.append((mark, level))
    return placed


def _end_labels(ends: Sequence[tuple[float, str, str]], x: float) -> list[Markup]:
    parts, above = [], float("-inf")
    for at, words, kind in sorted(ends):
        above = max(at, above + 15)
        parts.append(label(x, above + 4, words, f"line-name {kind}"))
    return parts


def _line_name(name: str) -> str:
    known = {"train_loss": "training", "validation_loss": "validation", "loss": "validation"}
    return known.get(name, name)


def _line_class(name: str) -> str:
    if name.startswith("learning_rate"):
        return "rate"
    return "train" if name.startswith("train") else "ours"


def _says(title: str, lines: Mapping[str, Series]) -> str:
    told = [
        f"{_line_name(name)} from {significant(series[0][1])} to {significant(series[-1][1])}"
        for name, series in lines.items()
    ]
    return f"Curve of {title.replace('_', ' ')}: {'; '.join(told)}"
