"""What costs mean, said back in plain sentences that name the class they speak of."""

from __future__ import annotations

from treadle.costs import ANY, OF_TWO, Amount, Cost, Costs
from treadle.data.tables import TargetEncoder
from treadle.decision import TwoClassDecision

OUTCOMES = {
    "missed": "a missed '{positive}'",
    "false_alarm": "a false alarm ('{negative}' taken for '{positive}')",
    "caught": "a '{positive}' that is found",
    "passed": "a '{negative}' that is left alone",
}


BLAND = ("1", "0", "true", "false", "yes", "no", "y", "n", "ja", "nein")


def class_words(name: str, target: TargetEncoder) -> str:
    """Return how a class is named in a sentence: 'fraud', but 'returned = yes'."""
    is_bland = name.lower() in BLAND or name.replace(".", "", 1).lstrip("-").isdigit()
    return f"{target.column} = {name}" if is_bland else name


def costs_sentences(costs: Costs, target: TargetEncoder) -> list[str]:
    """Return what was understood of `--cost`, the classes named."""
    if target.task == "number":
        parts = [
            f"each unit that '{target.column}' is foretold {entry.word.replace('_', ' ')} "
            f"{amount_words(entry.amount, costs.unit)}"
            for entry in costs.entries
        ]
    elif target.task == "classes":
        parts = [_pair(entry, costs.unit) for entry in costs.entries]
        if not any(entry.true == entry.said == ANY for entry in costs.entries):
            parts.append("mistakes that are not named cost nothing (*>*=1 gives them a cost)")
    else:
        negative, positive = (class_words(name, target) for name in target.classes)
        parts = [
            OUTCOMES[word].format(positive=positive, negative=negative)
            + f" {amount_words(costs.of(word), costs.unit)}"
            for word in OF_TWO
            if any(entry.word == word for entry in costs.entries)
        ]
    told = [_sentence("; ".join(parts))]
    if target.task == "two_classes":
        told += _break_even(costs, target)
    if costs.columns:
        named = " and ".join(f"'{name}'" for name in costs.columns)
        told.append(
            f"Costs are read from {named}, row by row: it must be known when the answer is needed, "
            "and new rows must have it as well."
        )
    return told


def amount_words(amount: Amount, unit: str) -> str:
    """Return "costs 500", "brings 20", "costs what 'Amount' says", "costs 0.1 times 'Amount'"."""
    verb = "brings" if amount.factor < 0 else "costs"
    size = abs(amount.factor)
    if amount.column is None:
        return f"{verb} {unit}{size:,.10g}"
    times = "what" if size == 1 else f"{size:g} times what"
    return f"{verb} {times} '{amount.column}' says"


def _break_even(costs: Costs, target: TargetEncoder) -> list[str]:
    threshold = TwoClassDecision(costs=costs).threshold
    if threshold is None or not 0 < threshold < 1:
        return []
    return [
        f"So it pays to flag a case as '{class_words(target.classes[1], target)}' as soon as that "
        f"is {100 * threshold:.3g} % likely."
    ]


def _pair(entry: Cost, unit: str) -> str:
    true = "any other class" if entry.true == ANY else f"a '{entry.true}'"
    said = "any other" if entry.said == ANY else f"'{entry.said}'"
    if entry.true == entry.said == ANY:
        true, said = "any class", "another"
    told = f"{true} that is taken for {said} " if entry.true != entry.said or ANY in (
        entry.true, entry.said) else f"{true} that is named right "  # fmt: skip
    return told + amount_words(entry.amount, unit)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."
