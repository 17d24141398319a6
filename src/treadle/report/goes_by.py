"""What a model goes by: how much worse it gets without what each column tells, drawn and told."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.report.answer import capitalised
from treadle.report.charts import WIDTH, Whisker, whiskers
from treadle.report.facts import number, record, records, text, texts, whole
from treadle.report.spoken import raw
from treadle.report.svg import spanning

MOST_SHOWN = 15


@dataclass(frozen=True, kw_only=True)
class GoesBy:
    """What the page shows of it.

    rows: of the validation part, on which it was measured; 0 where it is not known
    """

    chart: Markup
    sentences: list[str]
    rows: int
    left_out: int


def goes_by(findings: Json, metric: str) -> GoesBy | None:
    """Return the columns that matter most first, or None where they were not measured."""
    found = [row for row in map(_row, records(findings.get("importance"))) if row]
    found.sort(key=lambda row: -row.value)
    shown = found[:MOST_SHOWN]
    if not shown:
        return None
    told = record(findings.get("importance_told"))
    measured = text(told.get("metric")) or metric or "the metric"
    ends = [x for row in shown for x in (row.value, row.low, row.high) if x is not None]
    scale = spanning([0.0, *ends], 12, WIDTH - 12, air=0.04)
    says = "; ".join(f"{row.name} {raw(row.value)}" for row in shown)
    words = f"how much worse {measured} gets when shuffled"
    return GoesBy(
        chart=whiskers(shown, words, f"What it goes by: {says}", scale),
        sentences=[capitalised(sentence) for sentence in texts(told.get("sentences"))],
        rows=whole(told.get("rows")) or 0,
        left_out=len(found) - len(shown),
    )


def _row(entry: Json) -> Whisker | None:
    """Return one column's row; one that may as well not matter is drawn hollow."""
    drop, low, high = (number(entry.get(key)) for key in ("drop", "low", "high"))
    if drop is None:
        return None
    matters = low is not None and low > 0
    return Whisker(name=text(entry.get("feature")), value=drop, low=low, high=high, ours=matters)
