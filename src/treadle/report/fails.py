"""Where a model answers worst, drawn and told, with examples; and examples of suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from treadle.contracts import Json
from treadle.report.charts import WIDTH, Whisker, whiskers
from treadle.report.facts import joined, number, record, records, text, texts, whole
from treadle.report.sections import Table, shown_photos
from treadle.report.spoken import count_word, in_units, of_hundred, plural
from treadle.report.svg import spanning

MOST_SUGGESTED = 5
MISTAKES_THAT_PAY = (
    "Answers follow what was said of costs or capacity here: a mistake that was worth making "
    "counts as wrong, too."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the data where answers are worse, or all of it: a sentence and examples.

    Examples are rows as a table, or photos, or moments.
    """

    sentence: str
    rows: Table | None = None
    photos: list[Json] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a user had, what was suggested, and what came: items by what they are called.

    rank: the place of the first suggestion that came; 0 where none did
    """

    user: str
    before: list[str]
    suggested: list[tuple[str, bool]]
    next: str
    rank: int


@dataclass(frozen=True, kw_only=True)
class Fails:
    """The section: how often it is wrong in each part, and each part with its examples."""

    chart: Markup | None
    parts: list[Part]
    noun: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Words:
    """How a mean is told: "wrong for 12 of 100", "off by 3.2"; and what is counted."""

    is_share: bool
    noun: str
    wrong: str
    axis: str

    @property
    def it(self) -> str:
        """What stands before `far`, where that has no subject of its own."""
        return "" if self.wrong.startswith("the ") else "it is "

    def far(self, values: Sequence[float]) -> list[str]:
        """Return how values are told, each alone."""
        if not self.is_share:
            return [f"off by {said}" for said in in_units(values)]
        said, of = of_hundred(values)
        first, *others = said
        return [f"{self.wrong} {first} of {of}", *(f"for {one}" for one in others)]

    def short(self, value: float) -> str:
        """Return a value in few words, as it stands in a chart."""
        if not self.is_share:
            return in_units([value])[0]
        (said,), of = of_hundred([value])
        return f"{said} of {of}"


def fails(findings: Json, kind: str, result: Json | None = None) -> Fails | None:
    """Return where answers are worst, or None where it was not looked for."""
    told = record(findings.get("fails"))
    mean, rows = number(told.get("mean")), whole(told.get("rows"))
    if mean is None or not rows:
        return None
    words, target = _words(told, kind), text(told.get("target"))
    found = records(told.get("parts"))
    parts = [part for entry in found if (part := _part(entry, words, rows, target))]
    if not parts:
        none = (
            f"No part of the data stands out: of {plural(rows, words.noun)} of the validation "
            f"part {words.it}{words.far([mean])[0]}, and nowhere clearly more."
        )
        if words.noun == "moment":  # a miss is a miss: none is surer, and examples stand below
            parts = [Part(sentence=none)]
        else:
            which = "The mistakes it was surest of:" if words.is_share else "Its largest mistakes:"
            parts = [_with_examples(f"{none} {which}", told, target)]
    note = MISTAKES_THAT_PAY if words.is_share and follow_costs(result or {}) else ""
    return Fails(chart=_chart(told, found, words), parts=parts, noun=words.noun, note=note)


def follow_costs(result: Json) -> bool:
    """Return whether answers follow costs or a capacity, so that some mistakes are wanted."""
    return bool(record(result.get("money"))) and text(result.get("task")) in (
        "two_classes",
        "classes",
    )


def fails_in_words(findings: Json, kind: str, result: Json | None = None) -> list[str]:
    """Return where answers are worst, a sentence a part; nothing where none stands out."""
    shown = fails(findings, kind, result)
    named = records(record(findings.get("fails")).get("parts"))
    if not shown or not named:
        return []
    return [*(part.sentence for part in shown.parts), *filter(None, [shown.note])]


def suggestions(findings: Json) -> list[Moment]:
    """Return examples of what was suggested."""
    return [_moment(entry) for entry in records(findings.get("suggestions"))]


def _words(told: Json, kind: str) -> _Words:
    noun = {"images": "photo", "events": "moment"}.get(kind, "row")
    if text(told.get("unit")) != "share":
        axis = "how far off it is on average"
        return _Words(is_share=False, noun=noun, wrong="off by", axis=axis)
    if kind == "events":
        k = count_word(whole(told.get("k")) or 10)
        axis = f"share of moments whose next item is not among {k} suggestions"
        wrong = f"the next item is not among {k} suggestions for"
        return _Words(is_share=True, noun=noun, wrong=wrong, axis=axis)
    return _Words(
        is_share=True, noun=noun, wrong="wrong for", axis=f"share of {noun}s it has wrong"
    )


def _part(entry: Json, words: _Words, rows: int, target: str) -> Part | None:
    mean, rest, count = (number(entry.get(key)) for key in ("mean", "rest", "rows"))
    where = text(entry.get("where"))
    if mean is None or rest is None or count is None or not where:
        return None
    here, elsewhere = words.far([mean, rest])
    sentence = (
        f"Where {where} ({int(count):,} of {plural(rows, words.noun)}), {words.it}{here}; "
        f"elsewhere {elsewhere}."
    )
    return _with_examples(sentence, entry, target)


def _with_examples(sentence: str, entry: Json, target: str) -> Part:
    examples = records(entry.get("examples"))
    return Part(
        sentence=sentence,
        rows=_rows([one for one in examples if "cells" in one], target),
        photos=shown_photos([one for one in examples if "data_uri" in one]),
        moments=[_moment(one) for one in examples if "suggested" in one],
    )


def _rows(examples: Sequence[Json], target: str) -> Table | None:
    if not examples:
        return None
    names = list(dict.fromkeys(name for one in examples for name in record(one.get("cells"))))
    rows = [
        [
            f"{whole(one.get('row')) or 0:,}",
            _cell(one.get("true")),
            _cell(one.get("said")),
            *(_cell(record(one.get("cells")).get(name)) for name in names),
        ]
        for one in examples
    ]
    return Table(names=["row", f"true {target}".strip(), "it said", *names], rows=rows)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.6g}" if isinstance(value, float) else text(value)


def _moment(entry: Json) -> Moment:
    coming = texts(entry.get("next"))
    suggested = texts(entry.get("suggested"))[:MOST_SUGGESTED]
    return Moment(
        user=text(entry.get("user")),
        before=texts(entry.get("before")),
        suggested=[(name, name in coming) for name in suggested],
        next=joined(coming),
        rank=whole(entry.get("rank")) or 0,
    )


def _chart(told: Json, found: Sequence[Json], words: _Words) -> Markup | None:
    """Return the parts one below the other, and all rows last to compare them with."""
    rows = [row for entry in found if (row := _whisker(entry, text(entry.get("where")), words))]
    every = _whisker(told, f"all {words.noun}s", words, ours=False)
    if not rows or every is None:
        return None
    ends = [x for row in (*rows, every) for x in (row.value, row.low, row.high) if x is not None]
    scale = spanning([0.0, *ends], 12, WIDTH - 12, air=0.04)
    says = "; ".join(f"{row.name} {row.value:.3g}" for row in (*rows, every))
    return whiskers([*rows, every], words.axis, f"Where it is worst: {says}", scale)


def _whisker(entry: Json, name: str, words: _Words, *, ours: bool = True) -> Whisker | None:
    value, low, high = (number(entry.get(key)) for key in ("mean", "low", "high"))
    if value is None:
        return None
    said = words.short(value)
    return Whisker(name=name, value=value, low=low, high=high, ours=ours, said=said)
