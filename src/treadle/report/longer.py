"""Would longer help? The best so far against the time of training, and where it goes from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import readable
from treadle.report.curves import Series
from treadle.report.facts import number, record, records, text, thinned, whole
from treadle.report.sentences import higher_is_better, share_mended
from treadle.report.spoken import significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, path, spanning

POINTS = 300
EARLIEST = 0.1
"""The share of the time so far before which nothing is drawn: it would make the rest flat."""
MUCH, LITTLE = 0.05, 0.01
"""Shares of what is missing to a perfect figure: from where on longer helps, and below hardly."""
UNITS = ((3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True, kw_only=True)
class Band:
    """A forecast: the time of training that it is for, and where the best will be then."""

    seconds: float
    step: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Longer:
    """What is told of more time: a name for the model, sentences, and a chart twice."""

    name: str
    sentences: list[str]
    wide: Markup | None
    narrow: Markup | None


def longer(run: RunFolder) -> list[Longer]:
    """Return what more time would bring: of the run itself, or of each of its members."""
    parts = [run] if run.metrics() else run.members()
    told = [_of(part, "" if part is run else part.name) for part in parts]
    return [one for one in told if one.sentences or one.wide]


def _of(run: RunFolder, name: str) -> Longer:
    events, result = run.events(), readable(run, "result.json")
    forecasts = records(result.get("forecasts")) or _last_said(events)
    metric = text(forecasts[0].get("metric")) if forecasts else ""
    best = best_so_far(run.metrics(), metric, up=_rises(forecasts, metric))
    bands = _bands(forecasts, best)
    charts = [
        _chart(best, bands, metric, width) if best and bands else None for width in (880, 400)
    ]
    return Longer(
        name=name,
        sentences=_sentences(forecasts, events),
        wide=charts[0],
        narrow=charts[1],
    )


def _rises(forecasts: Sequence[Json], metric: str) -> bool:
    """Tell whether more is better: known by name, else by which way the forecasts go."""
    up = higher_is_better(metric)
    ways = [(number(entry.get("high")), number(entry.get("best"))) for entry in forecasts]
    goes_up = any(high > best for high, best in ways if high is not None and best is not None)
    return goes_up if up is None else up


def best_so_far(points: Sequence[Json], metric: str, *, up: bool) -> Series:
    """Return (seconds of training, best value until then) by validation."""
    found = Series()
    for point in points:
        value = number(record(point.get("values")).get(metric))
        seconds = number(record(point.get("clock")).get("seconds"))
        if value is None or seconds is None or seconds <= 0:
            continue
        before = found[-1][1] if found else value
        found.append((seconds, max(value, before) if up else min(value, before)))
    return found


def _last_said(events: Sequence[Json]) -> list[Json]:
    said = [event for event in events if event.get("topic") == "forecast"]
    return records(record(said[-1].get("saw")).get("forecasts")) if said else []


def _bands(forecasts: Sequence[Json], best: Series) -> list[Band]:
    """Return the forecasts by the time that they will take, at the pace so far."""
    found = []
    for entry in forecasts:
        at, step = whole(entry.get("at_step")), whole(entry.get("for_step"))
        low, middle, high = (number(entry.get(name)) for name in ("low", "middle", "high"))
        if not at or not step or low is None or middle is None or high is None or not best:
            continue
        seconds = best[-1][0] * step / at
        if step > at:
            found.append(Band(seconds=seconds, step=step, low=low, middle=middle, high=high))
    return sorted(found, key=lambda band: band.step)


def _sentences(forecasts: Sequence[Json], events: Sequence[Json]) -> list[str]:
    unreachable = [text(e.get("sentence")) for e in events if e.get("topic") == "unreachable"]
    told = [_answer(forecasts), *_checks(events), *unreachable]
    return [sentence for sentence in told if sentence]


def _answer(forecasts: Sequence[Json]) -> str:
    """Return in one sentence whether longer would help."""
    if not forecasts:
        return ""
    first = forecasts[0]
    low, middle, high, now = (number(first.get(n)) for n in ("low", "middle", "high", "best"))
    at, step = whole(first.get("at_step")), whole(first.get("for_step"))
    if low is None or middle is None or high is None or now is None or not at or not step:
        return ""
    metric, times = text(first.get("metric")), f"{step / at:.3g} times"
    times = {"2 times": "twice"}.get(times, times)
    stands = f"{metric} is {significant(now, 4)} now"
    if _as_good_as_the_same(first):
        return (
            f"Hardly: {stands}, and with {times} the steps it would most likely be the same "
            f"({significant(low, 4)} to {significant(high, 4)}, in 8 of 10 such cases)."
        )
    mended = share_mended(metric, now, middle)
    how = "It would" if mended is None or mended >= MUCH else "A little"
    if hardly(first):
        how = "Hardly"
    return (
        f"{how}: {stands}, and with {times} the steps about {significant(middle, 4)} "
        f"({significant(low, 4)} to {significant(high, 4)}, in 8 of 10 such cases)."
    )


def hardly(forecast: Json) -> bool:
    """Return whether more time would bring as good as nothing."""
    now, middle = number(forecast.get("best")), number(forecast.get("middle"))
    if now is None or middle is None or _as_good_as_the_same(forecast):
        return True
    mended = share_mended(text(forecast.get("metric")), now, middle)
    return mended is not None and mended < LITTLE


def _as_good_as_the_same(forecast: Json) -> bool:
    """Return whether a forecast moves by next to nothing, beside how sure it is."""
    low, middle, high, now = (number(forecast.get(n)) for n in ("low", "middle", "high", "best"))
    if low is None or middle is None or high is None or now is None:
        return False
    return low == high or abs(middle - now) < 0.05 * (high - low)


def _checks(events: Sequence[Json]) -> list[str]:
    held = [record(e.get("saw")).get("held") for e in events if e.get("topic") == "forecast_check"]
    told = [value for value in held if isinstance(value, bool)]
    sentences = []
    if told:
        right = sum(told)
        sentences.append(f"Of the forecasts made on the way, {right} of {len(told)} came true.")
    record_said = [text(e.get("sentence")) for e in events if e.get("topic") == "track_record"]
    if record_said and "came true" in record_said[-1]:
        sentences.append(f"Before this run, {record_said[-1]}")
    return sentences


def _chart(best: Series, bands: Sequence[Band], metric: str, width: float) -> Markup:
    shown = [point for point in best if point[0] >= EARLIEST * best[-1][0]]
    end = bands[-1].seconds
    size, unit = next((s, u) for s, u in UNITS if end >= 2 * s or s == 1.0)
    x = Scale(shown[0][0] / size, max(end, shown[0][0] * 1.01) / size, 58, width - 18, True)
    values = [value for _, value in shown] + [v for b in bands for v in (b.low, b.high)]
    y = spanning(values, 284, 30, log=True)
    now = (x(best[-1][0] / size), y(best[-1][1]))
    ahead = [(x(band.seconds / size), band) for band in bands]
    upper = [now, *((at, y(band.high)) for at, band in ahead)]
    lower = [(at, y(band.low)) for at, band in reversed(ahead)]
    parts: list[object] = [Frame(x, y, f"{unit} of training", "").draw()]
    parts.append(path([*upper, *lower, now], "band"))
    parts.append(path([now, *((at, y(band.middle)) for at, band in ahead)], "line-ahead"))
    known = [(x(seconds / size), y(value)) for seconds, value in thinned(shown, POINTS)]
    parts.append(path(known, "line-ours"))
    for at, band in ahead:
        hover = (
            f"at step {band.step:,}: about {significant(band.middle, 4)}, "
            f"{significant(band.low, 4)} to {significant(band.high, 4)} in 8 of 10 cases"
        )
        parts.append(dot(at, y(band.middle), 7, "hover", hover))
    parts.append(label(now[0], 22, "now", "tick middle"))
    says = (
        f"The best {metric} so far, from {significant(best[0][1])} to {significant(best[-1][1])}, "
        f"and a band of where it is forecast to go"
    )
    return drawing(width, 330, says, *parts)
