"""The verdict on answers to learn from that are wrong at random."""

from __future__ import annotations

import math

import numpy as np

from treadle.watch.evidence import Array, Evidence, Seen
from treadle.watch.verdict import Verdict

NOISE, CHANCE = 0.03, 0.33
"""The shares of wrong answers among those that the model is surest of between which they speak of
wrong labels: where more are wrong than this, the answer is rather a matter of chance by nature."""

SOLVED = 0.5
"""By how much fewer errors than a constant answer the model must make for its errors to say
something of the answers, and not of the model."""

SOLVED_NUMBERS = 0.25
"""The same of numbers, whose squared errors are mostly those of the answers that are wrong."""

SUREST = 0.6
"""The share of the rows, the surest first, in which is asked whether sureness tells right from
wrong: the others lie where the model cannot tell, be the answers clean or not."""

FLAT, FLATTER = 0.45, 0.3
"""Chance that among those the model was surer of a right answer than of a wrong one, up to which
the errors are no matter of sureness; and by how much more where all is solved. Where the answer is
a matter of chance by nature, the chance changes smoothly, and a model that has learned much of it
tells better than this (0.59 to 0.72 over ten such trainings, against 0.38 to 0.60)."""

FEW_ROWS = 50
OUTLIER = 4.0
"""Robust standard deviations from which a number is no common error."""

FEWEST_OUTLIERS = 0.02
UNRELATED, SLOPE_ERRORS = 0.5, 2.0
"""The slope of the true number on the one said, among the outliers: 1 where something was added to
the truth, 0 where the truth has nothing to do with the row; and by how many standard errors it must
be below 1."""


def noisy_labels(evidence: Evidence) -> Verdict | None:
    """Tell whether a share of the answers is wrong at random."""
    best, base = evidence.best, evidence.constant_missed
    if best is None or best.missed is None or base is None:
        return None
    found = (
        _noise_of_classes(best, base)
        if best.sureness is not None
        else _noise_of_numbers(best, base)
    )
    if found is None:
        return None
    share, confidence, why, saw = found
    return Verdict(
        name="noisy_labels",
        confidence=confidence,
        sentence=f"About {share:.0%} of the answers in the data seem wrong (noisy labels): {why}.",
        action="Have some of the rows looked at on which the model is sure and the answer differs.",
        saw=saw,
    )


Noise = tuple[float, float, str, dict[str, float]]


def _noise_of_classes(best: Seen, base: Array) -> Noise | None:
    """Wrong at random: as often where the model is surest as where it is a little less so."""
    assert best.missed is not None and best.sureness is not None
    order = np.argsort(-best.sureness, kind="stable")
    surest = order[: max(1, round(SUREST * len(order)))]
    top = best.missed[surest]
    wrong, error = float(top.mean()), math.sqrt(max(top.mean() * (1 - top.mean()), 1e-9) / len(top))
    solved = 1.0 - float(best.missed.mean()) / max(float(base.mean()), 1e-9)
    told = told_apart(best.sureness[surest], best.missed[surest])
    flat = FLAT + FLATTER * solved
    if solved < SOLVED or not NOISE < wrong - 1.64 * error < CHANCE or told > flat:
        return None
    share = wrong * best.classes / max(best.classes - 1, 1)
    why = (
        f"even where the model is surest, {wrong:.0%} of its answers differ from the given ones, "
        "and how sure it is there does not tell which"
    )
    confidence = 0.65 + 0.35 * min(1.0, (flat - told) / 0.1)
    return share, confidence, why, {"among_surest": wrong, "told_apart": round(told, 3)}


def _noise_of_numbers(best: Seen, base: Array) -> Noise | None:
    """Wrong at random: numbers far off, and unrelated to what the row should have."""
    if best.said is None or best.truth is None or len(best.said) < FEW_ROWS:
        return None
    assert best.missed is not None
    off, scatter = best.truth - best.said, float(best.truth.var())
    spread = 1.4826 * float(np.median(np.abs(off - np.median(off))))
    solved = 1.0 - float(best.missed.mean()) / max(float(base.mean()), 1e-12)
    if solved < SOLVED_NUMBERS or spread**2 > (1.0 - SOLVED) * scatter:
        return None
    far = np.abs(off) > OUTLIER * spread
    share = float(far.mean())
    if share < FEWEST_OUTLIERS or float(np.std(best.said[far])) == 0.0:
        return None
    slope, error = _slope(best.said[far], best.truth[far])
    if slope > UNRELATED or slope > 1.0 - SLOPE_ERRORS * error:
        return None
    why = (
        f"{share:.0%} of the numbers are far off, and have nothing to do with what is expected "
        "from their rows"
    )
    confidence = 0.5 + 0.5 * min(1.0, UNRELATED - slope) * min(1.0, share / (2 * FEWEST_OUTLIERS))
    return share, confidence, why, {"far_off": round(share, 4), "slope": round(slope, 3)}


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Return the slope of y on x by least squares, and its standard error."""
    x = x - x.mean()
    slope = float(x @ (y - y.mean()) / (x @ x))
    rest = y - y.mean() - slope * x
    return slope, float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / (x @ x)))


def told_apart(sureness_of: Array, missed: Array) -> float:
    """Return the chance that a right answer was given more surely than a wrong one (ROC area)."""
    wrong = missed > 0
    if wrong.all() or not wrong.any():
        return 1.0
    order = np.argsort(sureness_of, kind="stable")
    ranks = np.empty(len(order))
    _, first, counts = np.unique(sureness_of[order], return_index=True, return_counts=True)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    right = int((~wrong).sum())
    return float((ranks[~wrong].sum() - right * (right + 1) / 2) / (right * int(wrong.sum())))
