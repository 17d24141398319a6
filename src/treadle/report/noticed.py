"""What was noticed of a training, as the report and a terminal say it."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.contracts import Json
from treadle.report.answer import capitalised
from treadle.report.facts import number, records, text

TITLES = {
    "rate_too_high": "It learned in steps that were too large",
    "rate_too_low": "It learned in steps that were too small",
    "overfitting": "It began to learn by heart",
    "underfitting": "The model is too simple",
    "plateau": "It stood still",
    "noisy_labels": "Some of the answers to learn from seem wrong",
    "leak": "An input gives the answer away",
    "dead_units": "Parts of the model never work",
    "small_validation": "Too few examples to judge by",
    "spike": "Some rows are broken, or unlike all others",
    "diverged": "It ran away",
}
CERTAIN, LIKELY = 0.9, 0.7
GRAVE = ("leak", "diverged", "small_validation", "noisy_labels")


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """One thing that was noticed: what, in words, how sure, and what to do or what was done."""

    level: str
    title: str
    sentence: str
    sure: str
    action: str


def noticed(result: Json) -> list[Noticed]:
    """Return what was noticed of a finished training, the surest first; nothing of a sound one."""
    found = records(result.get("verdicts"))
    found.sort(key=lambda entry: -(number(entry.get("confidence")) or 0.0))
    return [_told(entry) for entry in found if text(entry.get("sentence"))]


def noticed_in_words(result: Json) -> list[str]:
    """Return the same, a sentence or two each."""
    return [
        " ".join(part for part in (told.sentence, told.action) if part) for told in noticed(result)
    ]


def _told(entry: Json) -> Noticed:
    name, confidence = text(entry.get("name")), number(entry.get("confidence")) or 0.0
    return Noticed(
        level="mild" if entry.get("taken") is True else "bad" if name in GRAVE else "warn",
        title=TITLES.get(name, name.replace("_", " ").capitalize()),
        sentence=capitalised(text(entry.get("sentence"))),
        sure=_sure(confidence),
        action=capitalised(text(entry.get("action"))),
    )


def _sure(confidence: float) -> str:
    """Return how sure it is in words: it goes by measurements, and these have their noise."""
    if confidence >= CERTAIN:
        return "nearly certain"
    return "likely" if confidence >= LIKELY else "possible"
