"""What more data would bring: the curve over the rows, its band ahead, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import capitalised, readable
from treadle.report.facts import number, record, records, text, texts
from treadle.report.spoken import significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, line, path, spanning

REQUEST = "request.html"


@dataclass(frozen=True, kw_only=True)
class Collect:
    """What the page shows of it.

    sentences: the answer first; request: the name of the page to forward, or nothing
    """

    wide: Markup
    narrow: Markup
    sentences: list[str]
    request: str


@dataclass(frozen=True, kw_only=True)
class _Ahead:
    rows: float
    low: float
    middle: float
    high: float


def collect(run: RunFolder) -> Collect | None:
    """Return the section, or None where `treadle collect` was not asked."""
    told = readable(run, "collect.json")
    points = [(number(p.get("rows")), number(p.get("value"))) for p in records(told.get("points"))]
    known = [(rows, value) for rows, value in points if rows and rows > 0 and value is not None]
    curve = [one for one in map(_ahead, records(told.get("line"))) if one]
    if not known or len(curve) < 2:
        return None
    wide, narrow = (_chart(told, known, curve, width) for width in (880, 400))
    has_request = record(told.get("request")) and (run.path / REQUEST).is_file()
    return Collect(
        wide=wide,
        narrow=narrow,
        sentences=[capitalised(sentence) for sentence in texts(told.get("sentences"))],
        request=REQUEST if has_request else "",
    )


def collect_in_words(run: RunFolder) -> list[str]:
    """Return what `treadle explain` says of more data: nothing where that was not asked."""
    return texts(readable(run, "collect.json").get("sentences"))


def _ahead(entry: Json) -> _Ahead | None:
    rows, low, middle, high = (number(entry.get(n)) for n in ("rows", "low", "middle", "high"))
    if not rows or rows <= 0 or low is None or middle is None or high is None:
        return None
    return _Ahead(rows=rows, low=low, middle=middle, high=high)


def _chart(
    told: Json, known: Sequence[tuple[float, float]], curve: Sequence[_Ahead], width: float
) -> Markup:
    """Return the fits as dots, the curve through them, and its band beyond the rows there are."""
    metric, noun = text(told.get("metric")), text(told.get("noun")) or "row"
    most = max(rows for rows, _ in known)
    behind = [one for one in curve if one.rows <= most]
    ahead = [one for one in curve if one.rows >= most]
    ends = [value for _, value in known] + [v for one in ahead for v in (one.low, one.high)]
    x = Scale(curve[0].rows * 0.92, curve[-1].rows * 1.06, 58, width - 18, logarithmic=True)
    y = spanning(ends, 284, 30, log=False)
    parts: list[object] = [
        Frame(x, y, f"{noun}s to learn from", metric).draw(),
        path(_around(ahead, x, y), "band"),
        path([(x(one.rows), y(one.middle)) for one in behind], "line-ours"),
        path([(x(one.rows), y(one.middle)) for one in ahead], "line-ahead"),
        line(x(most), y.end, x(most), y.start, "grid"),
        label(x(most), 22, "now", "tick middle"),
    ]
    for rows, value in known:
        hover = f"a training on {rows:,.0f} {noun}s: {metric} {significant(value, 4)}"
        parts.append(dot(x(rows), y(value), 3.6, "point-ours", hover))
    for name, words in (("twice", "twice"), ("four_times", "four times")):
        parts += _marked(told, name, words, most, x, y)
    first, last = known[0], curve[-1]
    says = (
        f"{metric} over the {noun}s to learn from: {significant(first[1])} with {first[0]:,.0f}, "
        f"{significant(last.low)} to {significant(last.high)} with {last.rows:,.0f}"
    )
    return drawing(width, 330, says, *parts)


def _around(ahead: Sequence[_Ahead], x: Scale, y: Scale) -> list[tuple[float, float]]:
    upper = [(x(one.rows), y(one.high)) for one in ahead]
    return [*upper, *((x(one.rows), y(one.low)) for one in reversed(ahead))]


def _marked(told: Json, name: str, words: str, most: float, x: Scale, y: Scale) -> list[Markup]:
    band, times = record(told.get(name)), {"twice": 2, "four_times": 4}[name]
    low, middle, high = (number(band.get(key)) for key in ("low", "middle", "high"))
    if low is None or middle is None or high is None:
        return []
    hover = (
        f"with {words} the data: about {significant(middle, 4)}, {significant(low, 4)} to "
        f"{significant(high, 4)} in 8 of 10 cases"
    )
    at = x(times * most)
    return [dot(at, y(middle), 7, "hover", hover), label(at, 22, f"×{times}", "tick middle")]
