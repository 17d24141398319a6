"""What the model is worth, drawn: beside doing without it, by how much is flagged, by mistake."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.report.charts import WIDTH, Whisker, whiskers
from treadle.report.each_period import each_period
from treadle.report.facts import number, pairs, record, records, text, texts
from treadle.report.spoken import per_words, significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, line, path, spanning

CELLS = {"caught": (0, 0), "missed": (0, 1), "false_alarm": (1, 0), "passed": (1, 1)}
LOGARITHMIC_BELOW = 0.08


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One outcome: what it costs, how often it comes, whether it is right, how dark (0 … 10)."""

    money: str
    cases: str
    right: bool
    strength: int


@dataclass(frozen=True, kw_only=True)
class Worth:
    """The section on money.

    simple:           whether a simple model stands beside it
    kind:             "answers" that are chosen for costs, or "suggestions"
    positive, others: the class that is looked for, and what the rest is called
    each:             how many were flagged in each period, where a capacity holds in each
    confusion:        rows: truly so, truly not; columns: flagged, left alone; or nothing
    pairs:            of several classes, the mistakes that cost most: (words, cases, money)
    """

    title: str
    kind: str
    simple: bool
    sentences: list[str]
    per: str
    beside: Markup | None
    curve: Markup | None
    curve_note: str
    each: Markup | None
    positive: str
    confusion: list[list[Cell]]
    pairs: list[tuple[str, str, str]]
    volume: str


def worth(result: Json, findings: Json) -> Worth | None:
    """Return the section on money, or None where no cost was said."""
    money = record(result.get("money"))
    if not money:
        return None
    in_money = bool(money.get("in_money"))
    per = per_words(text(money.get("per")))
    curve, note = _curve(money, record(findings.get("money_curve")), per)
    return Worth(
        title="What it is worth" if in_money else "What it finds",
        simple=bool(text(money.get("simple"))),
        kind="suggestions" if "suggested" in money else "answers",
        sentences=texts(money.get("sentences"))[2 if in_money else 1 :],
        per=per,
        beside=_beside(money, per) if in_money else None,
        curve=curve if in_money else None,
        curve_note=note,
        each=each_period(money),
        positive=text(money.get("positive")),
        confusion=_confusion(money) if in_money else [],
        pairs=_pairs(money),
        volume=text(money.get("volume")),
    )


def money_first(result: Json) -> list[str]:
    """Return the sentences on money that an answer begins with: what it costs, what it saves."""
    money = record(result.get("money"))
    return texts(money.get("sentences"))[: 2 if money.get("in_money") else 1]


def _beside(money: Json, per: str) -> Markup | None:
    """Return the cost under the model with its interval beside that of doing without it.

    Of suggestions: what they name beforehand, beside what simple ways name.
    """
    if "suggested" in money:
        return _named(money, per)
    rows = [_row("this model", record(money.get("model")), ours=True)]
    rows += [_row(_short(text(r.get("name"))), r) for r in records(money.get("rules"))]
    known = [row for row in rows if row is not None]
    if len(known) < 2 or not known[0].ours:
        return None
    unit = text(money.get("unit"))
    said = "; ".join(f"{row.name} {unit}{significant(row.value)}" for row in known)
    return whiskers(known, _axis(f"cost {per}", unit) + " — further left is better", said)


def _named(money: Json, per: str) -> Markup | None:
    rows = [_row("these suggestions", record(money.get("model")), "value", ours=True)]
    rows += [_row(text(r.get("words")), r, "value") for r in records(money.get("rules"))]
    known = [row for row in rows if row is not None]
    if len(known) < 2 or not known[0].ours:
        return None
    unit = text(money.get("unit"))
    said = "; ".join(f"{row.name} {unit}{significant(row.value)}" for row in known)
    words = _axis(f"worth named beforehand {per}", unit)
    return whiskers(known, f"{words} — further right is better", said)


def _row(name: str, figure: Json, key: str = "cost", *, ours: bool = False) -> Whisker | None:
    value = number(figure.get(key))
    low, high = number(figure.get("low")), number(figure.get("high"))
    if value is None:
        return None
    said = significant(value)
    if low is not None and high is not None:
        said += f" [{significant(low)}, {significant(high)}]"
    return Whisker(name=name, value=value, low=low, high=high, ours=ours, said=said)


def _short(name: str) -> str:
    """Return a rule's name without what stands behind a comma."""
    return name.removeprefix("the same model, ").partition(",")[0]


def _axis(words: str, unit: str) -> str:
    return f"{words}, {unit}" if unit else words


def _curve(money: Json, found: Json, per: str) -> tuple[Markup | None, str]:
    """Return what flagging more or fewer would cost, with the place that was chosen."""
    scale = number(money.get("cases"))
    points = pairs(found.get("shares"), found.get("costs"))
    chosen = record(found.get("chosen"))
    share, cost = number(chosen.get("share")), number(chosen.get("cost"))
    if scale is None or share is None or cost is None or len(points) < 3:
        return None, ""
    drawn = [(s, c * scale) for s, c in points]
    unit = text(money.get("unit"))
    picture = _tradeoff(drawn, (share, cost * scale), _axis(f"cost {per}", unit), unit)
    threshold = number(money.get("threshold"))
    where = (
        f"flagged is what is more than {significant(100 * threshold)} % likely"
        if threshold is not None
        else "those come first that are expected to save most"
    )
    return picture, (
        "Left, nothing is flagged; right, everything. Too few flagged, and misses cost; too many, "
        f"and false alarms do. The dot was chosen without a look at these rows: {where}. The line "
        "is what the test rows would have cost."
    )


def _tradeoff(
    points: list[tuple[float, float]], chosen: tuple[float, float], axis: str, unit: str
) -> Markup:
    height = 360
    least = min(s for s, _ in points if s > 0)
    few = 0 < chosen[0] < LOGARITHMIC_BELOW
    x = Scale(least, 1, 64, WIDTH - 16, logarithmic=True) if few else Scale(0, 1, 64, WIDTH - 16)
    shown = [(s, c) for s, c in points if s > 0 or not few]
    y = spanning([0.0, *(c for _, c in shown), chosen[1]], height - 44, 30)
    at_x, at_y = x(chosen[0]), y(chosen[1])
    left = at_x > WIDTH * 0.6
    is_least = chosen[1] - min(c for _, c in shown) < 0.05 * abs(shown[0][1])
    below = min(at_y + 22, y.start - 6) if is_least else max(at_y - 12, 44)  # where no line is
    words = f"chosen: {significant(100 * chosen[0])} of 100"
    frame = Frame(
        x,
        y,
        "cases flagged, of 100",
        axis,
        lambda value: f"{100 * value:.6g}",
    )
    parts: list[object] = [
        frame.draw(),
        line(at_x, y.start, at_x, at_y, "ideal"),
        path([(x(s), y(c)) for s, c in shown], "line-ours"),
        dot(at_x, at_y, 6, "dot ours", f"{words}, {unit}{significant(chosen[1])}"),
        label(at_x + (-10 if left else 10), below, words, "end" if left else "tick"),
    ]
    ends = f"nothing flagged {unit}{significant(points[0][1])}, everything {unit}"
    says = f"Cost by cases flagged: {ends}{significant(points[-1][1])}; {words} costs {unit}"
    return drawing(WIDTH, height, f"{says}{significant(chosen[1])}.", *parts)


def _confusion(money: Json) -> list[list[Cell]]:
    """Return the four outcomes in money: truly so or not, flagged or left alone."""
    seen = {text(entry.get("outcome")): entry for entry in records(money.get("outcomes"))}
    if set(seen) != set(CELLS):
        return []
    most = max(abs(number(entry.get("cost")) or 0.0) for entry in seen.values()) or 1.0
    table = [[_cell(seen["caught"], money, most), _cell(seen["missed"], money, most)]]
    return [*table, [_cell(seen["false_alarm"], money, most), _cell(seen["passed"], money, most)]]


def _cell(entry: Json, money: Json, most: float) -> Cell:
    cost, cases = number(entry.get("cost")) or 0.0, number(entry.get("cases")) or 0.0
    sign = "−" if cost < 0 else ""
    return Cell(
        money=f"{sign}{text(money.get('unit'))}{significant(abs(cost))}",
        cases=f"{significant(cases)} cases",
        right=text(entry.get("outcome")) in ("caught", "passed"),
        strength=round(10 * abs(cost) / most),
    )


def _pairs(money: Json) -> list[tuple[str, str, str]]:
    unit, found = text(money.get("unit")), []
    for entry in records(money.get("pairs")):
        cost, cases = number(entry.get("cost")), number(entry.get("cases"))
        if cost is not None and cases is not None:
            words = f"“{text(entry.get('true'))}” taken for “{text(entry.get('said'))}”"
            found.append((words, significant(cases), f"{unit}{significant(cost)}"))
    return found


def calibration_note(findings: Json) -> str:
    """Return by how much probabilities are off, and what was done about it."""
    check = record(findings.get("calibration_check"))
    test = record(check.get("test"))
    before, after, low, high = (number(test.get(k)) for k in ("before", "after", "low", "high"))
    if after is None or low is None or high is None:
        return ""
    span = "" if _points(low) == _points(high) else f" ({_points(low)} to {_points(high)})"
    off = f"On average they are off by {_points(after)} percentage points{span}"
    if text(check.get("method")) == "as_is" or before is None:
        return f"{off}, as the model says them."
    return (
        f"{off}; as the model says them itself, {_points(before)}. They are brought to what "
        "happened on validation; the order of cases stays."
    )


def _points(share: float) -> str:
    return significant(100 * share, 2)
