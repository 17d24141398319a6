"""What the time of training bought: the best so far against time, and what more time costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.curves import Series
from treadle.report.facts import number, record, text, texts, thinned
from treadle.report.longer import best_so_far
from treadle.report.sentences import MODEL_WORDS, higher_is_better
from treadle.report.spoken import duration, significant
from treadle.report.svg import Frame, Scale, dot, drawing, label, line, path, spanning

MOST_OF = 0.8
POINTS = 300
LEAST_POINTS = 4
UNITS = ((7_200.0, 3_600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
MINUTE = 60.0


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What training cost and bought: sentences, and a chart for a wide and for a narrow page."""

    sentences: list[str]
    wide: Markup | None
    narrow: Markup | None


@dataclass(frozen=True, kw_only=True)
class Bought:
    """The best so far by seconds of training, models one after the other.

    starts: where each model but the first began: (seconds, its name)
    enough: when most of the gain was there: (seconds, value)
    """

    metric: str
    best: Series
    starts: list[tuple[float, str]]
    enough: tuple[float, float]

    @property
    def seconds(self) -> float:
        return self.best[-1][0]

    def at(self, seconds: float) -> float:
        """Return the best value that was there by then."""
        known = [value for when, value in self.best if when <= seconds]
        return known[-1] if known else self.best[0][1]


def spent(run: RunFolder, result: Json, metric: str) -> Spent | None:
    """Return what training bought, and what it and answering cost; None where neither is known."""
    bought, told = _told(run, result, metric)
    if not told:
        return None
    drawn = [_chart(bought, width) if bought else None for width in (880, 400)]
    return Spent(sentences=told, wide=drawn[0], narrow=drawn[1])


def spent_in_words(run: RunFolder, result: Json, metric: str) -> list[str]:
    """Return the same in sentences alone."""
    return _told(run, result, metric)[1]


def _told(run: RunFolder, result: Json, metric: str) -> tuple[Bought | None, list[str]]:
    running = record(result.get("running"))
    bought = _bought(run, metric)
    told = _sentences(bought, running) if bought else []
    together = number(record(result.get("metric")).get("validation"))
    if bought and bought.starts and together is not None:
        alone, both = significant(bought.best[-1][1], 4), significant(together, 4)
        if alone != both:
            told.insert(1, _answering(record(result.get("blend")), both))
    return bought, told + texts(running.get("sentences"))


def _answering(shares: Json, reached: str) -> str:
    """Return what those models reach that answer, where the best on its own is another figure."""
    names = [name for name, share in shares.items() if (number(share) or 0.0) > 0]
    if len(names) != 1:
        return f"That is the best model alone; together they reach {reached}."
    name = MODEL_WORDS.get(names[0], f"the {names[0]}")
    return f"That is the best that any of the models reached; {name} alone, as chosen: {reached}."


def _bought(run: RunFolder, metric: str) -> Bought | None:
    """Return the gain of a run, or of its members one after the other; None without a gain."""
    parts = [run] if run.metrics() else sorted(run.members(), key=_began)
    up = higher_is_better(metric)
    if up is None:
        return None
    best, starts = Series(), []
    for part in parts:
        before, reached = (
            (best[-1] if best else (0.0, None)),
            best_so_far(part.metrics(), metric, up=up),
        )
        if reached and best:
            starts.append((before[0], part.name))
        for seconds, value in reached:
            top = value if before[1] is None else (max if up else min)(value, before[1])
            best.append((before[0] + seconds, top))
    gain = best[-1][1] - best[0][1] if len(best) >= LEAST_POINTS else 0.0
    if not gain:
        return None
    enough = next(point for point in best if (point[1] - best[0][1]) / gain >= MOST_OF)
    return Bought(metric=metric, best=best, starts=starts, enough=enough)


def _began(run: RunFolder) -> str:
    return min((text(event.get("time")) for event in run.events()), default="")


def _sentences(bought: Bought, running: Json) -> list[str]:
    whole, first, last = bought.seconds, bought.best[0][1], bought.best[-1][1]
    half = abs(last - bought.at(whole / 2))
    brought = f"another {_small(half)}" if half else "nothing more"
    way = "rose" if last > first else "fell"
    told = [
        f"While it trained, {bought.metric} on validation {way} from {significant(first, 4)} to "
        f"{significant(last, 4)}. {_share()} of that came in the first "
        f"{_of_time(bought.enough[0], whole)}; the second half of the time brought {brought}."
    ]
    hours, money = (number(record(running.get("training")).get(key)) for key in ("hours", "money"))
    if hours and money is not None:
        minute, unit = money / hours / MINUTE, text(running.get("unit"))
        words = f"A minute more costs {_money(minute, unit)} at your rate"
        if whole >= 2 * MINUTE:
            gained = abs(last - bought.at(whole - MINUTE))
            words += f"; the last one brought {_small(gained) if gained else 'nothing'}"
        told.append(f"{words}.")
    return told


def _share() -> str:
    return f"{100 * MOST_OF:.0f} %"


def _of_time(part: float, whole: float) -> str:
    """Return "3 of 13 seconds", "40 seconds of 5 minutes", or "second of 5 minutes"."""
    if part < 1.5:
        return f"second of {duration(whole)}"
    first, unit = duration(part).rsplit(" ", 1)
    same = duration(whole).endswith(f" {unit.removesuffix('s')}s") and first.isdigit()
    return f"{first} of {duration(whole)}" if same else f"{duration(part)} of {duration(whole)}"


def _small(gain: float) -> str:
    return significant(gain, 2)


def _money(value: float, unit: str) -> str:
    if value < 0.01:
        return f"less than {unit}0.01"
    return f"{unit}{value:.2f}" if value < 1 else f"{unit}{significant(value)}"


def _chart(bought: Bought, width: float) -> Markup:
    whole, height = bought.seconds, 300.0
    size, unit = next((size, unit) for least, size, unit in UNITS if whole >= least)
    x = Scale(0.0, whole / size, 58, width - 22)
    y = spanning([value for _, value in bought.best], height - 46, 34)
    shown = thinned(bought.best, POINTS)
    at_most = (x(bought.enough[0] / size), y(bought.enough[1]))
    parts: list[object] = [Frame(x, y, f"{unit} of training", "").draw()]
    for seconds, name in bought.starts:
        at = x(seconds / size)
        parts += [line(at, y.start, at, 34, "ideal"), label(at + 5, y.start - 8, name, "tick")]
    parts.append(path(_stairs([(x(s / size), y(v)) for s, v in shown]), "line-ours"))
    hover = f"{significant(bought.enough[1], 4)} after {duration(bought.enough[0])}"
    parts.append(dot(*at_most, 5, "dot ours", hover))
    words = f"{_share()} of the gain"
    room = at_most[0] < width * 0.6
    below = at_most[1] + (20 if at_most[1] < y.start - 40 else -12)
    parts.append(label(at_most[0] + (8 if room else -8), below, words, "tick" if room else "end"))
    end = (x(whole / size), y(bought.best[-1][1]))
    parts.append(dot(*end, 5, "dot ours", f"{significant(bought.best[-1][1], 4)} now"))
    parts.append(label(end[0], end[1] - 10, "now", "tick end"))
    says = (
        f"The best {bought.metric} so far, from {significant(bought.best[0][1], 4)} to "
        f"{significant(bought.best[-1][1], 4)} in {duration(whole)}; most of it was there after "
        f"{duration(bought.enough[0])}."
    )
    return drawing(width, height, says, *parts)


def _stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line that stays level until something better is found."""
    steps = [points[0]]
    for before, after in pairwise(points):
        steps += [(after[0], before[1]), after]
    return steps
