"""The price list of data: what each part of it earned, drawn with its interval, and told."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import readable
from treadle.report.charts import WIDTH, Whisker, whiskers
from treadle.report.facts import number, record, records, text, texts
from treadle.report.spoken import raw
from treadle.report.svg import spanning

NAME = "worth-of.json"
MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """What the page shows of it.

    lines:    a sentence a thing, the dearest first; how: how that was measured
    left_out: things that are told and not drawn
    """

    chart: Markup
    lines: list[str]
    how: list[str]
    left_out: int


def price_list(run: RunFolder) -> PriceList | None:
    """Return the run's price list, or None where nothing was priced."""
    found = readable(run, NAME)
    things = records(found.get("things"))
    rows = [row for row in map(_row, things) if row][:MOST_SHOWN]
    if not rows:
        return None
    told = texts(found.get("sentences"))
    ends = [x for row in rows for x in (row.value, row.low, row.high) if x is not None]
    says = "; ".join(f"{row.name} {raw(row.value)}" for row in rows)
    return PriceList(
        chart=whiskers(
            rows,
            _axis(found),
            f"What data earned: {says}.",
            spanning([0.0, *ends], 12, WIDTH - 12, air=0.04),
        ),
        lines=told[: len(things)],
        how=told[len(things) :],
        left_out=max(0, len(things) - len(rows)),
    )


def priced_in_words(run: RunFolder) -> list[str]:
    """Return the price list's lines, for `treadle explain`."""
    found = price_list(run)
    return found.lines if found else []


def _row(entry: Json) -> Whisker | None:
    """Return one thing's row; one that cannot be told from nothing is drawn hollow."""
    figure = record(entry.get("money")) or entry
    value = number(figure.get("earned"))
    if value is None:
        return None
    return Whisker(
        name=text(entry.get("label")) or text(entry.get("thing")),
        value=value,
        low=number(figure.get("low")),
        high=number(figure.get("high")),
        ours=text(figure.get("verdict")) in ("earns", "harms"),
    )


def _axis(found: Json) -> str:
    money = next((m for e in records(found.get("things")) if (m := record(e.get("money")))), None)
    if money:
        per = "a year" if text(money.get("per")) == "year" else "for every 1,000 cases"
        unit = text(money.get("unit"))
        return f"earned {per}{f', {unit}' if unit else ''} — left of 0 it harms"
    name = text(found.get("metric_said")) or text(found.get("metric")).replace("_", " ")
    less = "" if found.get("higher_is_better") else "less "
    return f"{less}{name} thanks to it — left of 0 it harms"
