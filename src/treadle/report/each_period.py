"""How many were flagged in each hour, day or week of the test, beside how many can be looked at."""

from __future__ import annotations

from markupsafe import Markup

from treadle.contracts import Json
from treadle.report.charts import WIDTH
from treadle.report.facts import number, numbers, record, text
from treadle.report.spoken import significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, line

HEIGHT = 300.0
MOST = 400


def each_period(money: Json) -> Markup | None:
    """Return the drawing, or None where no capacity was to hold in each period."""
    each = record(money.get("each"))
    own = numbers(each.get("flagged"))
    fixed = numbers(record(each.get("fixed")).get("flagged"))
    count, sampled = number(each.get("count")), number(each.get("sampled"))
    if count is None or sampled is None or len(own) != len(fixed) or not 2 < len(own) <= MOST:
        return None
    room, unit = count * sampled, text(each.get("unit"))
    x = Scale(0.0, len(own) + 1.0, 48, WIDTH - 16)
    y = Scale(0.0, 1.08 * max(*own, *fixed, room), HEIGHT - 44, 30)
    parts: list[object] = [Frame(x, y, f"{unit} of the test", "flagged", x_whole=True).draw()]
    parts.append(line(x.start, y(room), x.end, y(room), "ideal"))
    words = f"the line: {_plain(room)} can be looked at"
    parts.append(label(x.end, 20, words, "tick end"))
    for place, (ours, theirs) in enumerate(zip(own, fixed, strict=True), 1):
        hover = f"{unit} {place}: {ours:,.0f} flagged; by one threshold for all {theirs:,.0f}"
        parts.append(dot(x(place), y(theirs), 3.5, "dot other"))
        parts.append(dot(x(place), y(ours), 4.5, "dot ours", hover))
    says = (
        f"Flagged in each {unit}: {min(own):,.0f} to {max(own):,.0f}, by one threshold for all "
        f"{min(fixed):,.0f} to {max(fixed):,.0f}; {_plain(room)} can be looked at."
    )
    return drawing(WIDTH, HEIGHT, says, *parts)


def _plain(count: float) -> str:
    return f"{count:,.0f}" if count == round(count) else significant(count)
