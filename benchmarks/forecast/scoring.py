"""How good bands are: how many hold the truth, and their interval score.

Source: Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation (2007),
equation 43.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases import Case

from treadle.watch.forecast import LEVEL, Target, forecast
from treadle.watch.forecast_signs import deviation

NORMAL = 1.2816


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A case, whether its band held the truth, and scores in units of what the curve gained.

    simple: by name, those of simple intervals around the best so far
    """

    case: Case
    held: bool
    above: bool
    score: float
    simple: Mapping[str, float]


def judged(case: Case, table: Any = None) -> Judged:
    options = {} if table is None else {"table": table}
    sign = -1.0 if case.bound < 0 else 1.0
    target = Target(step=int(case.target), decay=case.decay, replanned=case.way == "longer")
    (band,) = forecast(
        list(case.steps), list(sign * case.values), [target], higher_is_better=sign < 0, **options
    )
    low, high = sorted((sign * band.low, sign * band.high))
    best = float(case.values.min())
    room = 1e-9 * case.scale
    spreads = {
        "best ± noise": deviation(case.values),
        "best ± spread of the last ten": float(np.std(case.values[-10:])),
    }
    return Judged(
        case=case,
        held=low - room <= case.truth <= high + room,
        above=case.truth < low - room,
        score=_score(low, high, case.truth) / case.scale,
        simple={
            name: _score(best - NORMAL * spread, best + NORMAL * spread, case.truth) / case.scale
            for name, spread in spreads.items()
        },
    )


def _score(low: float, high: float, truth: float) -> float:
    missed = max(0.0, low - truth) + max(0.0, truth - high)
    return high - low + 2 / (1 - LEVEL) * missed


def tell(found: list[Judged], title: str) -> dict[str, Any]:
    """Print coverage and the ratio of the scores, in all, by kind, by way and by multiple."""
    print(f"\n{title}\n{'':30}{'cases':>7}{'held':>7}{'better':>8}{'ratio':>7}{'ratio of 10':>13}")
    rows = {"all": found}
    for name in ("group", "way", "multiple", "kind"):
        for value in sorted({getattr(one.case, name) for one in found}):
            rows[f"{name} {value}"] = [one for one in found if getattr(one.case, name) == value]
    told = {name: _row(ones) for name, ones in rows.items()}
    for name, row in told.items():
        ratios = "".join(
            f"{ratio:>{w}.2f}" for ratio, w in zip(row["ratios"].values(), (7, 13), strict=True)
        )
        print(f"{name:30}{row['cases']:>7}{row['held']:>7.1%}{row['better']:>8.1%}{ratios}")
    return told


def _row(ones: list[Judged]) -> dict[str, Any]:
    mean = np.mean([one.score for one in ones])
    return {
        "cases": len(ones),
        "held": float(np.mean([one.held for one in ones])),
        "better": float(np.mean([one.above for one in ones])),
        "ratios": {
            name: float(mean / max(1e-12, np.mean([one.simple[name] for one in ones])))
            for name in ones[0].simple
        },
    }
