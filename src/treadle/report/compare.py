"""Runs beside each other as one page: which is better, by how much, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.charts import Whisker, whiskers
from treadle.report.curves import Series
from treadle.report.facts import number, record, records, text, texts, whole
from treadle.report.longer import best_so_far
from treadle.report.paper import style, template, written
from treadle.report.sentences import higher_is_better, meaning_of, sentence_for
from treadle.report.spoken import duration, per_words, plural, raw, significant
from treadle.report.svg import Frame, Scale, drawing, label, path, spanning

COLOURS = ("train", "ours", "usual")
MOST_DRAWN = 3
NOUNS = {"next_item": "moment"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table: its name, what it means, and a cell a run with whether it is the best."""

    name: str
    title: str
    cells: list[tuple[str, bool]]


def write(told: Json, to: Path | str) -> Path:
    """Write the page of a comparison, as `treadle.compare` returns it. Raises: SaveError."""
    return written(render(told), Path(to), "the comparison")


def render(told: Json) -> str:
    """Return a comparison as HTML."""
    runs, metric = records(told.get("runs")), text(told.get("metric"))
    words = in_words(told)
    wide, narrow = (_curves(runs, metric, width) for width in (880, 400))
    return template("compare.html").render(
        style=style(),
        names=[text(run.get("name")) for run in runs],
        figure=words[0],
        told=words[1:],
        chart=_chart(runs, metric),
        wide=wide,
        narrow=narrow,
        metric=metric,
        metrics=_metrics(runs),
        facts=_facts(runs),
        asked=[
            (text(other.get("name")), [_asked(entry) for entry in records(other.get("asked"))])
            for other in records(told.get("others"))
        ],
    )


def in_words(told: Json) -> list[str]:
    """Return which run is better and how sure that is, in sentences, the first the figure."""
    runs, metric = records(told.get("runs")), text(told.get("metric"))
    first, sentences = runs[0], []
    for run, other in zip(runs[1:], records(told.get("others")), strict=False):
        sentences.append(_verdict(first, run, other))
        sentences.append(_beside(first, run, metric))
        sentences.append(_measured(other, metric, text(told.get("task"))))
        if other.get("same_data") is False:
            sentences.append("The two did not learn from the same data.")
    scored = max((whole(run.get("test_scorings")) or 1 for run in runs), default=1)
    if len(runs) > 2 or scored > 1:
        sentences.append(
            "The more runs are compared on the same test rows, the more the best of them flatters."
        )
    return list(filter(None, sentences)) or ["There is nothing to compare."]


def _beside(first: Json, run: Json, metric: str) -> str:
    ours, theirs = number(run.get("value")), number(first.get("value"))
    if ours is None or theirs is None:
        return ""
    sentence = sentence_for(metric, ours, theirs, baseline_name=text(first.get("name")))
    return f"{text(run.get('name'))}: {sentence[:1].lower()}{sentence[1:]}"


def _verdict(first: Json, run: Json, other: Json) -> str:
    """Return in a few words which of two is better."""
    name, reference = text(run.get("name")), text(first.get("name"))
    surely = text(record(other.get("difference")).get("surely"))
    if surely:
        return f"{name} is {surely} than {reference}, by more than luck explains."
    return f"Whether {name} or {reference} is better cannot be told."


def _measured(other: Json, metric: str, task: str) -> str:
    """Return how far apart two are on the rows that both were tested on, or why that is unknown."""
    apart = record(other.get("difference"))
    value, low, high = (number(apart.get(key)) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        why = (
            "They were not tested on the same rows"
            if other.get("kept") is True
            else "What was answered row by row was not kept by both"
        )
        return (
            f"{why}, so that luck in which rows these were plays a part: only what is further "
            "apart than both intervals counts."
        )
    rows = plural(whole(apart.get("rows")) or 0, NOUNS.get(task, "row"))
    luck = "" if text(apart.get("surely")) else ": luck alone could explain it"
    return (
        f"On the same {rows} {metric} is {significant(abs(value), 2)} "
        f"{'higher' if value > 0 else 'lower'} ({_signed(low)} to {_signed(high)} in 95 of 100 "
        f"draws of such rows){luck}."
    )


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{significant(abs(value), 2)}"


def _chart(runs: Sequence[Json], metric: str) -> Markup | None:
    rows = []
    for place, run in enumerate(runs):
        value, low, high = (number(run.get(key)) for key in ("value", "low", "high"))
        if value is not None:
            name = text(run.get("name"))
            rows.append(Whisker(name=name, value=value, low=low, high=high, ours=place > 0))
    up = higher_is_better(metric)
    way = "" if up is None else " — further right is better" if up else " — further left is better"
    says = f"{metric}: " + ", ".join(f"{row.name} {raw(row.value)}" for row in rows)
    return whiskers(rows, f"{metric}, test{way}", says) if rows else None


def _metrics(runs: Sequence[Json]) -> list[Row]:
    """Return every metric that all runs have, with the best of each marked."""
    names = [n for n in record(runs[0].get("metrics")) if all(n in r["metrics"] for r in runs)]
    found = []
    for name in names:
        values = [number(record(record(run.get("metrics")).get(name)).get("test")) for run in runs]
        known = [value for value in values if value is not None]
        up = higher_is_better(name)
        best = None if up is None or not known else (max if up else min)(known)
        title = meaning_of(name).title
        found.append(
            Row(
                name=name,
                title="" if title == name else title,
                cells=[("–" if v is None else raw(v), v is not None and v == best) for v in values],
            )
        )
    return found


def _facts(runs: Sequence[Json]) -> list[Row]:
    """Return what else there is to know of each run: money, rows, time."""
    rows = [
        ("rows to learn from", [_count(run, "train") for run in runs]),
        ("rows to test on", [_count(run, "test") for run in runs]),
        ("time of training", [_time(run) for run in runs]),
        ("what mistakes cost", [_money(run) for run in runs]),
    ]
    return [
        Row(name=name, title="", cells=[(cell or "–", False) for cell in cells])
        for name, cells in rows
        if any(cells)
    ]


def _count(run: Json, part: str) -> str:
    count = whole(record(run.get("rows")).get(part))
    return "" if not count else f"{count:,}"


def _time(run: Json) -> str:
    seconds = number(run.get("seconds"))
    return "" if seconds is None else duration(seconds)


def _money(run: Json) -> str:
    money = record(run.get("money"))
    cost, per = number(money.get("cost")), per_words(text(money.get("per")))
    return "" if cost is None else f"{text(money.get('unit'))}{significant(cost)} {per}".rstrip()


def _asked(entry: Json) -> tuple[str, str, str]:
    option = f"--{text(entry.get('option')).replace('_', '-')}"
    return option, _said(entry.get("first")), _said(entry.get("other"))


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(texts(value)) or "–"
    return text(value) or "–"


def _curves(runs: Sequence[Json], metric: str, width: float) -> Markup | None:
    """Return the best so far of each run against the time of training, one line a run."""
    up = higher_is_better(metric) is not False
    lines = [(text(run.get("name")), _series(run, metric, up)) for run in runs[:MOST_DRAWN]]
    lines = [(name, series) for name, series in lines if len(series) > 1]
    if len(lines) < 2:
        return None
    room = 7.2 * max(len(name) for name, _ in lines) + 14
    room = min(room, width / 3)
    seconds = [at for _, series in lines for at, _ in series]
    x = Scale(min(seconds), max(seconds), 58, width - room, True)
    y = spanning([value for _, series in lines for _, value in series], 284, 14, log=True)
    parts: list[object] = [Frame(x, y, "seconds of training", "").draw()]
    ends = []
    for (name, series), colour in zip(lines, COLOURS, strict=False):
        parts.append(path([(x(at), y(value)) for at, value in series], f"line-{colour}"))
        ends.append((y(series[-1][1]), x(series[-1][0]), name, colour))
    above = float("-inf")
    for at, end, name, colour in sorted(ends):
        above = max(at, above + 15)
        parts.append(label(end + 7, above + 4, name[: int(room / 7.2)], f"line-name {colour}"))
    says = "; ".join(f"{name} to {significant(series[-1][1], 4)}" for name, series in lines)
    return drawing(width, 330, f"The best {metric} so far on validation: {says}", *parts)


def _series(run: Json, metric: str, up: bool) -> Series:
    """Return a run's best so far, of the member that did best where it has several."""
    folder = RunFolder(text(run.get("path")))
    parts = [folder] if folder.metrics() else folder.members()
    found = [best_so_far(part.metrics(), metric, up=up) for part in parts]
    known = [series for series in found if series]
    return (max if up else min)(known, key=lambda series: series[-1][1], default=Series())
