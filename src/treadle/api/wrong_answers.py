"""What is said of answers that are probably wrong, and of what correcting them would bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from treadle.api.label_list import MOST_ROWS, NAME
from treadle.contracts import Json
from treadle.data.finding import Finding
from treadle.data.target import TargetEncoder
from treadle.study.label_errors import Suspects
from treadle.study.out_of_fold import Examples, Floats

MANY = 0.01
EASY = 0.02
NORMAL_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How far off a quick learner is, judged by the answers as they are, those doubted included.

    Leaving the doubted ones out of the judgement would make nearly anything look like a gain.

    before: learned from all answers; after: without those doubted
    low, high: a 95 % interval of before − after, over the rows
    """

    before: float
    after: float
    low: float
    high: float
    is_share: bool

    def facts(self) -> Json:
        """Return the numbers, for --json."""
        return {"before": self.before, "after": self.after, "low": self.low, "high": self.high}


def wrong_answers(
    target: TargetEncoder, examples: Examples, suspects: Suspects, found: pl.DataFrame
) -> tuple[list[Finding], Json]:
    """Return what is said of the suspects among examples, and the numbers for --json.

    found: the suspects as label_errors.csv has them
    """
    gain, count, total = gain_of(examples, suspects), len(suspects.rows), len(examples)
    facts = {
        "rows": count,
        "of": total,
        "gain": gain.facts(),
        "worst": found.head(10).to_dicts(),
    }
    return label_finding(target, found, total, count, gain), facts


def gain_of(examples: Examples, suspects: Suspects) -> Gain:
    """Return what not learning from the doubted answers changes."""
    before, after = (how_far_off(said, examples) for said in (suspects.before, suspects.predicted))
    less = before - after
    spread = NORMAL_95 * float(less.std()) / max(len(less), 1) ** 0.5
    middle = float(less.mean())
    return Gain(
        before=float(before.mean()),
        after=float(after.mean()),
        low=middle - spread,
        high=middle + spread,
        is_share=not examples.is_number,
    )


def how_far_off(said: Floats, examples: Examples) -> Floats:
    """Return how far off each answer is: 0 or 1 for classes, else the distance."""
    if examples.is_number:
        off: Floats = np.abs(said - examples.truth)
        return off
    wrong: Floats = (said.argmax(axis=1) != examples.truth).astype(np.float64)
    return wrong


def label_finding(
    target: TargetEncoder, found: pl.DataFrame, total: int, count: int, gain: Gain
) -> list[Finding]:
    """Return one finding on the answers that are probably wrong, or none."""
    if count == 0:
        return []
    worst = found.row(0, named=True)
    where = f"row {worst['row']:,}" if "row" in worst else str(worst["photo"])
    more = f"; the {MOST_ROWS:,} worst are listed" if count > MOST_ROWS else ""
    one = count == 1
    return [
        Finding(
            severity="warning" if _plainly_wrong(count, total, gain) else "note",
            title="Answers that may be wrong",
            sentence=f"{count:,} of {total:,} answers "
            f"{'goes' if one else 'go'} against what all other rows say (the first to look at: "
            f"{where}, where '{target.column}' is {worst['given']} and {worst['suggested']} was "
            f"expected){more}. Some will be right and only unusual. {_brings(gain)}",
            evidence={"rows": count, "of": total, "gain": gain.facts()},
            action=f"look through {NAME} (treadle check … --deep --out FOLDER), fill in "
            "'corrected' where an answer is wrong, and give it back with --corrections",
        )
    ]


def _plainly_wrong(count: int, total: int, gain: Gain) -> bool:
    """Return whether so many answers are doubted although all others are easy to tell."""
    return gain.is_share and count >= MANY * total and gain.after <= EASY


def _brings(gain: Gain) -> str:
    if gain.low <= 0:
        return (
            "Correcting them would hardly change what is learned; it would make the figures truer."
        )
    if gain.is_share:
        return (
            f"A quick learner that does not learn from them is wrong for {100 * gain.after:.3g} "
            f"instead of {100 * gain.before:.3g} of 100 rows ({100 * gain.low:.2g} to "
            f"{100 * gain.high:.2g} fewer): correcting them should bring that at least."
        )
    return (
        f"A quick learner that does not learn from them is off by {gain.after:.3g} instead of "
        f"{gain.before:.3g} ({gain.low:.2g} to {gain.high:.2g} less): correcting them should bring "
        "that at least."
    )
