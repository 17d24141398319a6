"""By how much things changed a model: paired over seeds, and over the rows that judge.

Seed s gives a figure with a thing and one without it, d_s their difference. Two kinds of luck are
in their mean: which rows judged, and how training went. The first is told by drawing the rows anew
(the same draws for both sides and all seeds); what the d_s differ beyond that is the second.

    V = var_draws(mean_s d*) + τ² / S    τ² = s² − I, and no less than FLOOR · I
    s² = (K · I · mean of s²/I of the other things + (S − 1) s²_d) / (K + S − 1)

I is how much the draws alone make the d_s differ. Few seeds tell s²_d badly, so it is moderated by
that of the other things of the list, which count as K further seeds, and the interval is one of
Student's t with Satterthwaite's degrees of freedom. K and FLOOR were chosen on two tables of
benchmarks/price (adult, law); the six others judged them.

Source: Owen and Eckles, Bootstrapping Data Arrays of Arbitrary Order, Annals of Applied Statistics
2012 (rows crossed with repetitions); Smyth, Linear Models and Empirical Bayes Methods, Statistical
Applications in Genetics and Molecular Biology 2004 (moderated variances); Satterthwaite, An
Approximate Distribution of Estimates of Variance Components, Biometrics Bulletin 1946.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

LEVEL = 0.95
OTHERS_COUNT, FLOOR = 4.0, 0.25
MOST_DEGREES = 1e6
LEAST_DRAWN = 0.5


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean difference over seeds and the ends of its 95 % interval; NaN where none is known.

    by_rows, by_seeds: the standard errors that come of the rows that judge, and of training's luck
    """

    value: float
    low: float
    high: float
    by_rows: float
    by_seeds: float
    seeds: int


class _Spread(NamedTuple):
    """The variance of the mean that rows make, and what seeds differ by: in all, by rows alone."""

    rows: float
    seeds: float
    by_rows: float

    @property
    def ratio(self) -> float:
        return self.seeds / self.by_rows if self.by_rows > 0 else math.nan


def differences(pairs: Sequence[tuple[Array, Array]]) -> list[Difference]:
    """Return the mean of paired differences and its interval, for each thing of a list.

    pairs: of each thing what was seen, float64 [S], a seed each; and the same on D draws of the
           judging rows, [S, D]
    """
    spreads = [_spread(seen, drawn) for seen, drawn in pairs]
    found = []
    for place, (seen, _) in enumerate(pairs):
        others = [one for at, one in enumerate(spreads) if one and at != place]
        found.append(_difference(seen, spreads[place], [one.ratio for one in others]))
    return found


def _spread(seen: Array, drawn: Array) -> _Spread | None:
    """Return what there is of luck; None where it cannot be told."""
    kept = drawn[:, np.isfinite(drawn).all(axis=0)]
    if len(seen) < 2 or kept.shape[1] < LEAST_DRAWN * drawn.shape[1]:
        return None
    if not np.isfinite(seen).all():
        return None
    off = kept - kept.mean(axis=1, keepdims=True)
    return _Spread(
        rows=float(off.mean(axis=0).var(ddof=1)),
        seeds=float(seen.var(ddof=1)),
        by_rows=float(off.var(axis=0, ddof=1).mean()),
    )


def _difference(seen: Array, spread: _Spread | None, others: list[float]) -> Difference:
    count, value = len(seen), float(np.mean(seen))
    if spread is None:
        nothing = float("nan")
        return Difference(
            value=value, low=nothing, high=nothing, by_rows=nothing, by_seeds=nothing, seeds=count
        )
    known = [ratio for ratio in others if math.isfinite(ratio)]
    own, degrees = count - 1, float(count - 1)
    seeds = spread.seeds
    if known:
        degrees = own + OTHERS_COUNT
        usual = spread.by_rows * float(np.mean(known))
        seeds = (OTHERS_COUNT * usual + own * seeds) / degrees
    luck = max(seeds - spread.by_rows, FLOOR * spread.by_rows) / count
    whole = spread.rows + luck
    width = _quantile(whole, max(seeds, spread.by_rows) / count, degrees) * math.sqrt(whole)
    return Difference(
        value=value,
        low=value - width,
        high=value + width,
        by_rows=math.sqrt(spread.rows),
        by_seeds=math.sqrt(luck),
        seeds=count,
    )


def _quantile(whole: float, uncertain: float, degrees: float) -> float:
    """Return by how many standard errors an interval reaches to either side.

    uncertain: the variance that only so many degrees of freedom tell
    """
    from scipy.stats import t

    if uncertain > 0:
        degrees = max(degrees, min(MOST_DEGREES, degrees * (whole / uncertain) ** 2))
    return float(t.ppf(0.5 + LEVEL / 2, degrees))
