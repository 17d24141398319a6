"""What more data would bring, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treadle.api.collecting.fits import Curve, PartGain
from treadle.api.collecting.ground import Ground
from treadle.data.finding import begun_large
from treadle.report.sentences import meaning_of, sorted_ends
from treadle.report.spoken import count_word, significant
from treadle.study.part_gain import FEWEST_MEASURED, Part

Verdict: TypeAlias = Literal["helps", "may help", "hardly"]

HARDLY = 0.02
"""The share by which it must get better, at the good end of what is likely, or more of the same
data is said to hardly help; SURELY: and at the bad end, to be said to help."""

SURELY = 0.01
TOLD_PARTS = 3


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The metric with so many times the rows: the most likely value, and a band around it."""

    times: int
    low: float
    middle: float
    high: float


def forecast_of(ground: Ground, curve: Curve, now: float, times: int) -> Forecast:
    """Return the forecast, for a curve that may lie beside the run's own figure.

    What the curve loses or gains in shares is taken over.
    """
    band, scale = curve.posterior.band(times), 1.0
    if curve.posterior.last > 0:
        scale = ground.loss_of(now) / curve.posterior.last
    ends = [ground.value_of(scale * loss) for loss in (band.low, band.middle, band.high)]
    return Forecast(times=times, low=min(ends), middle=ends[1], high=max(ends))


def verdict_of(ground: Ground, curve: Curve) -> Verdict:
    """Return whether more of the same would help, by what the curve itself does.

    A gain counts beside what is missing to the best, or beside the value where that is smaller:
    of suggestions that are right for 10 of 100, one more is much.
    """
    found = curve.posterior
    scale = max(found.last, 1e-12)
    if ground.metric.higher_is_better and (value := ground.value_of(found.last)) > 0:
        scale = min(scale, value)
    if found.gain(2, 0.9) < HARDLY * scale:
        return "hardly"
    least = SURELY * scale
    stands_back = found.last - found.band(2).middle > HARDLY * scale  # not lucky already
    return "helps" if stands_back and found.gain(2, 0.1) > least else "may help"


VERDICTS: dict[Verdict, str] = {
    "helps": "More data of the same kind would help.",
    "may help": "More data of the same kind may help a little; it is not sure.",
    "hardly": "More of the same data will hardly help.",
}


def sentence_of(ground: Ground, verdict: Verdict, now: float, twice: Forecast) -> str:
    """Return the answer in two sentences."""
    rows = f"{2 * ground.num_rows:,} {ground.noun}s to learn from instead of {ground.num_rows:,}"
    return f"{VERDICTS[verdict]} With twice the data ({rows}): {in_words(ground, now, twice)}."


def in_words(ground: Ground, now: float, then: Forecast) -> str:
    """Return "the model names the right class for 87 to 89 of 100 cases; now 85"."""
    facts, name = ground.facts, ground.metric.name
    classes = facts.get("classes") or []
    singled = bool(facts.get("target") and facts.get("positive"))
    meaning = meaning_of(name, num_classes=len(classes), singled_out=singled)
    (said, *ends), of = meaning.say([now, then.low, then.high])
    low, high = sorted_ends(ends, meaning)
    between = low if low == high else f"{low} to {high}"
    told = meaning.sentence.format(
        value=between,
        of=of,
        target=facts.get("target") or "the target",
        positive=facts.get("positive") or "",
        k=_many(name),
        s="s" if name.endswith("@1") else "",
    )
    return f"{told[:1].lower()}{told[1:]}; now {said}"


def _many(metric: str) -> str:
    """Return "ten suggestions" for ndcg@10, nothing for what suggests nothing."""
    if "@" not in metric:
        return ""
    count = int(metric.split("@")[1])
    return f"{count_word(count)} suggestion{'' if count == 1 else 's'}"


def sentences_of(
    ground: Ground,
    verdict: Verdict,
    now: float,
    forecasts: Sequence[Forecast],
    gains: Sequence[PartGain],
    thin: Sequence[Part],
    way: str,
    *,
    has_inflow: bool,
) -> list[str]:
    """Return all that is said, the answer first."""
    told = [sentence_of(ground, verdict, now, forecasts[0])]
    told += [
        f"With {TIMES[one.times]} the data, less certain: {in_words(ground, now, one)}."
        for one in forecasts[1:]
    ]
    told += part_sentences(ground, gains, thin)
    told.append(HOW_SURE[ground.kind])
    if not has_inflow:
        told.append(
            'How many examples come in a time is not known; --inflow "200 a week" says it, and '
            "then by when there are enough."
        )
    return [*told, *filter(None, (way,)), *(begun_large(note) + "." for note in ground.notes)]


HOW_SURE = {
    "table": "The bands hold what a training on that much data comes to in 8 of 10 cases, on the "
    "same validation rows: measured on tables other than those the method was set on.",
    "images": "The bands are for what a training on that many photos comes to, on the same "
    "validation photos. They were set on tables: of 17 trials with photos 9 held, and in the other "
    "8 more photos brought more than was told.",
    "events": "The bands are for what a training on that many events comes to, at the same "
    "validation moments. They were set and measured on tables, not on events.",
}
TIMES = {2: "twice", 4: "four times"}


def part_sentences(ground: Ground, gains: Sequence[PartGain], thin: Sequence[Part]) -> list[str]:
    """Return what is said of parts: those that gain or that none does, and those of few rows."""
    best = sorted_gains(gains)
    told = [part_sentence(ground, one) for one in best[:TOLD_PARTS]]
    if gains and not best:
        named = "; ".join(one.part.where for one in gains)
        told.append(
            f"No part was seen to gain more than others from {ground.noun}s of its own ({named}): "
            "collect as they come."
        )
    if thin:
        named = "; ".join(f"{one.where}: {len(one.train):,}" for one in thin)
        told.append(
            f"Of some there are too few {ground.noun}s to measure what more would bring, or how "
            f"good the answers are ({named} to learn from)."
        )
    return told


def wanted_to_judge(part: Part, ground: Ground) -> int:
    """Return how many more rows of a part it takes until it can be measured."""
    rows = FEWEST_MEASURED * ground.num_rows / max(len(ground.truth), 1)
    return max(1, round(rows) - len(part.train))


def sorted_gains(gains: Sequence[PartGain]) -> list[PartGain]:
    """Return the parts that surely gain, those first that bring most to all answers together."""
    sure = [one for one in gains if one.helps]
    return sorted(sure, key=lambda one: -one.by.middle * len(one.part.validation))


def part_sentence(ground: Ground, one: PartGain) -> str:
    """Return what more of one part would bring."""
    rows = len(one.part.train)
    start = f"{begun_large(one.part.where)}, there are {rows:,} {ground.noun}s to learn from"
    return f"{start}; with {rows:,} more of them {gain_words(ground, one)}."


def gain_words(ground: Ground, one: PartGain) -> str:
    """Return "wrong for about 19 of 100 there (17 to 22), now 24"."""
    now, middle = one.wrong, one.wrong - one.by.middle
    best, worst = max(one.wrong - one.by.high, 0.0), max(one.wrong - one.by.low, 0.0)
    if ground.task == "number":
        each = [significant(value, 3) for value in (middle, best, worst, now)]
        return (
            f"answers there would be off by about {each[0]} on average ({each[1]} to {each[2]}); "
            f"now by {each[3]}"
        )
    each = [f"{100 * max(value, 0.0):.2g}" for value in (middle, best, worst, now)]
    if one.by.low <= 0:
        return (
            f"answers there would be surer, and wrong for {each[1]} to {each[2]} of 100; now for "
            f"{each[3]}"
        )
    return (
        f"answers there would be wrong for about {each[0]} of 100 ({each[1]} to {each[2]}); now "
        f"for {each[3]}"
    )
