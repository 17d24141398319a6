"""The verdict on single broken batches, and rows that are unlike all others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from treadle.watch.evidence import Evidence
from treadle.watch.evidence_trace import MOST_JUMPS
from treadle.watch.verdict import Verdict

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

ACTION = "Look for wild numbers in the data; clip_norm=1.0 makes such batches harmless."


def spike(evidence: Evidence) -> Verdict | None:
    """Tell whether single batches are broken, by the numbers in them or by what they cost."""
    return _wild_batches(evidence) or _wild_rows(evidence) or _costly(evidence)


def _wild_batches(evidence: Evidence) -> Verdict | None:
    """Tell of batches whose numbers reach far beyond those of all others."""
    if not len(evidence.wild):
        return None
    count, first = len(evidence.wild), int(evidence.wild[0, 0])
    times = float(np.median(evidence.wild[:, 1]))
    which = f"The batch of step {first:,} holds"
    if count > 1:
        which = f"{count:,} batches, the first at step {first:,}, hold"
    return Verdict(
        name="spike",
        confidence=0.97,
        sentence=(
            f"{which} numbers {_times(times)} those of all other batches: some rows are broken."
        ),
        action=ACTION,
        saw={"batches": count, "first": first, "reach": times},
    )


def _wild_rows(evidence: Evidence) -> Verdict | None:
    """Tell of rows whose numbers reach far beyond the others', where they did harm."""
    count, times = evidence.wild_rows
    harmed = len(evidence.jumps.step) or evidence.rollbacks or evidence.skipped
    if not count or not harmed:
        return None
    rows = "1 row holds" if count == 1 else f"{count:,} rows hold"
    return Verdict(
        name="spike",
        confidence=0.95,
        sentence=(
            f"{rows} numbers {_times(times)} the usual ones, and made the error jump: they are "
            "broken, or very unlike all others."
        ),
        action=ACTION,
        saw={"rows": count, "reach": times},
    )


def _times(times: float) -> str:
    return f"{times:,.0f} times as large as" if times < 1e15 else "beyond all measure, unlike"


def _costly(evidence: Evidence) -> Verdict | None:
    """Tell of batches that are worse than any answer, and over with the next one."""
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
        action=ACTION,
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
