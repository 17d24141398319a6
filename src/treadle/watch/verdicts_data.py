"""Verdicts on the data: wrong answers in it, a leak, too little to judge by, broken batches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from treadle.watch.evidence import Array, Evidence, Seen
from treadle.watch.evidence_trace import MOST_JUMPS
from treadle.watch.verdict import Verdict, sureness

FEW_ROWS = 50
"""Validation rows below which a share is uncertain by 14 of 100 either way."""

ALONE, NEXT = 0.95, 0.5
"""What one input must tell alone of all that a constant answer does not, for it to give the answer
away, and what share of that no other input may reach."""

NOISE = 0.03
"""The share of wrong answers among those that the model is surest of."""

SOLVED = 0.4
"""By how much fewer errors than a constant answer the model must make for its errors to say
something of the answers, and not of the model."""

FLAT = 0.62
"""Chance, from 0.5 to 1, that the model was surer of a right answer than of a wrong one: where
answers are wrong at random, how sure it was says little of whether it was right."""

OUTLIER = 4.0
"""Robust standard deviations from which a number is no common error."""

FEWEST_OUTLIERS = 0.02
UNRELATED, SLOPE_ERRORS = 0.5, 2.0
"""The slope of the true number on the one said, among the outliers: 1 where something was added to
the truth, 0 where the truth has nothing to do with the row; and by how many standard errors it must
be below 1."""

FEWEST_JUMPS = 3
BROKEN = 4.0
"""Times the loss of a constant answer: a model that was thrown off answers like chance; this is
worse than chance, so it is the rows."""

EPOCHS = 0.5
"""Of the epochs, in how many they must come: a rate that is too high throws a model off early."""

WELL, SAME = 1.5, 0.2
"""Times the loss of a model that knows nothing, below which it is well between two such batches;
and how far the logarithms of the highest losses scatter where they are the same."""

RETURNED = 0.6
"""Of the jumps, how many must be over with the next batch."""


def small_validation(evidence: Evidence) -> Verdict | None:
    """Tell whether there are too few validation rows to tell anything by."""
    rows = evidence.held_out_rows
    if not 0 < rows < FEW_ROWS:
        return None
    off = 1.96 * math.sqrt(0.25 / rows)
    return Verdict(
        name="small_validation",
        confidence=max(0.9, 1.0 - rows / (10 * FEW_ROWS)),
        sentence=(
            f"Only {rows:,} examples were kept apart to watch the learning by, too few to tell "
            f"luck from skill: a share of right answers is uncertain by up to {100 * off:.0f} of "
            "100 either way."
        ),
        action=f"Keep at least {4 * FEW_ROWS} examples apart.",
        saw={"rows": rows, "uncertain": round(off, 3)},
    )


def leak(evidence: Evidence) -> Verdict | None:
    """Tell whether one input alone gives the answer away, and nothing else comes near."""
    column = evidence.column
    if column is None or column.right < ALONE or column.next > NEXT * column.right:
        return None
    return Verdict(
        name="leak",
        confidence=sureness((1.0 - ALONE) / max(1.0 - column.right, 1e-3), 1.0) * 0.3 + 0.7,
        sentence=(
            f"One input, {column.name}, alone tells nearly all of the answer, "
            f"{column.right:.0%} of it, where the next best tells {max(column.next, 0.0):.0%}: it "
            "may be known only once the answer is (a leak)."
        ),
        action="If so, leave that input out: otherwise the result is worthless on new data.",
        saw={"input": column.name, "tells": round(column.right, 4), "next": round(column.next, 4)},
    )


def noisy_labels(evidence: Evidence) -> Verdict | None:
    """Tell whether a share of the answers is wrong at random."""
    best, base = evidence.best, evidence.constant_missed
    if best is None or best.missed is None or base is None:
        return None
    found = _noise_of_classes(best, base) if best.sureness is not None else _noise_of_numbers(best)
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
    """Wrong at random: as often where the model is surest as elsewhere."""
    assert best.missed is not None and best.sureness is not None
    order = np.argsort(-best.sureness, kind="stable")
    sorted_misses = best.missed[order]
    top = sorted_misses[: max(1, len(order) // 2)]
    wrong, error = float(top.mean()), math.sqrt(max(top.mean() * (1 - top.mean()), 1e-9) / len(top))
    solved = 1.0 - float(best.missed.mean()) / max(float(base.mean()), 1e-9)
    told = told_apart(best.sureness, best.missed)
    if solved < SOLVED or wrong - 1.64 * error < NOISE or told > FLAT:
        return None
    share = wrong * best.classes / max(best.classes - 1, 1)
    why = (
        f"even where the model is surest, {wrong:.0%} of its answers differ from the given ones, "
        f"nearly as many as elsewhere ({best.missed.mean():.0%} of all)"
    )
    confidence = 0.6 + 0.4 * min(1.0, (FLAT - told) / 0.1)
    return share, confidence, why, {"among_surest": wrong, "told_apart": round(told, 3)}


def _noise_of_numbers(best: Seen) -> Noise | None:
    """Wrong at random: numbers far off, and unrelated to what the row should have."""
    if best.said is None or best.truth is None or len(best.said) < FEW_ROWS:
        return None
    off = best.truth - best.said
    spread = 1.4826 * float(np.median(np.abs(off - np.median(off))))
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


def spike(evidence: Evidence) -> Verdict | None:
    """Tell whether single batches are broken: worse than any answer, and over with the next one."""
    jumps, constant = evidence.jumps, evidence.untrained
    broken = jumps.loss > BROKEN * (constant if math.isfinite(constant) else jumps.usual)
    if int(broken.sum()) < FEWEST_JUMPS:
        return None
    if not _comes_from_rows(evidence, broken):
        return None
    over = np.nan_to_num(jumps.after, nan=0.0) < np.sqrt(jumps.usual * jumps.loss)
    if over[broken].mean() < RETURNED:
        return None
    times = float(np.median((jumps.loss / jumps.usual)[broken]))
    return Verdict(
        name="spike",
        confidence=0.9 + 0.1 * float(over[broken].mean()),
        sentence=(
            f"{int(broken.sum()):,} batches, the first at step {int(jumps.step[broken][0]):,}, had "
            f"an error about {times:,.0f} times the usual one, which was over with the next batch: "
            "some rows are broken, or very unlike all others."
        ),
        action="Look for wild numbers in the data; clip_norm=1.0 makes such batches harmless.",
        saw={"batches": int(broken.sum()), "times": round(times, 1)},
    )


def _comes_from_rows(evidence: Evidence, broken: NDArray[np.bool_]) -> bool:
    """Tell whether it is the rows, and not the rate: they come again in each epoch.

    Between such batches all is well, or else their error is the same each time: it is theirs.
    """
    jumps = evidence.jumps
    is_well = float(np.median(jumps.usual[broken])) < WELL * evidence.untrained
    highest = np.sort(np.log(jumps.loss[broken]))[int(broken.sum()) // 2 :]
    is_same = len(highest) >= FEWEST_JUMPS and float(highest.std()) < SAME
    return (is_well or is_same) and _epochs_with(evidence, broken) >= EPOCHS


def _epochs_with(evidence: Evidence, broken: NDArray[np.bool_]) -> float:
    """Return in what share of the epochs broken batches came: rows come again in each."""
    jumps, size = evidence.jumps, evidence.steps_per_epoch
    until = float(jumps.step[-1]) if len(jumps.step) >= MOST_JUMPS else float(evidence.step)
    found = np.unique((jumps.step[broken] - 1) // size)
    return len(found) / max(1.0, until / size)
