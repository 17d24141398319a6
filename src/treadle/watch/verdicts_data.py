"""Verdicts on the data: a leak, too little to judge by."""

from __future__ import annotations

import math

from treadle.watch.evidence import Evidence
from treadle.watch.verdict import Verdict, sureness

FEW_ROWS = 50
"""Validation rows below which a share is uncertain by 14 of 100 either way."""

ALONE, NEXT = 0.95, 0.5
"""What one input must tell alone of all that a constant answer does not, for it to give the answer
away, and what share of that no other input may reach."""


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
    if column is None or column.right < ALONE or (column.next or 0.0) > NEXT * column.right:
        return None
    saw: dict[str, float | str] = {"input": column.name, "tells": round(column.right, 4)}
    if column.next is None:
        tells = f"One input, {column.name}, gives the answer away, as the look at the data found"
    else:
        saw["next"] = round(column.next, 4)
        tells = (
            f"One input, {column.name}, alone tells nearly all of the answer, "
            f"{column.right:.0%} of it, where the next best tells {max(column.next, 0.0):.0%}"
        )
    return Verdict(
        name="leak",
        confidence=sureness((1.0 - ALONE) / max(1.0 - column.right, 1e-3), 1.0) * 0.3 + 0.7,
        sentence=f"{tells}: it may be known only once the answer is (a leak).",
        action="If so, leave that input out: otherwise the result is worthless on new data.",
        saw=saw,
    )
