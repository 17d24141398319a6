"""What a model goes by: how much worse it gets when a column's cells are shuffled among the rows.

Source: Breiman, Random Forests, 2001, section 10; Fisher, Rudin and Dominici, All Models are Wrong,
but Many are Useful, 2019 (for any model, on rows it was not trained on).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]
Predict: TypeAlias = Callable[[Arrays], Array]
Measure: TypeAlias = Callable[[Array], tuple[float, Array]]
"""Predictions of the rows → how good they are, higher is better, and that on D draws of rows, [D];
draw d is of the same rows whatever was predicted."""

REPEATS = 3
MOST_MEASURED = 24
PREDICTED_ROWS = 40_000
FEWEST_ROWS, MOST_ROWS = 100, 2_000
_WIDTH, _SURELY = 1.959964, 3.290527


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much worse the metric gets without what one group of columns tells.

    drop: on the rows as they are; low, high: the ends of its 95 % interval
    """

    group: int
    drop: float
    low: float
    high: float

    @property
    def matters(self) -> bool:
        return self.low > 0

    @property
    def surely_matters(self) -> bool:
        """Whether it does at 999 of 1,000: of many columns some seem to matter by chance."""
        return self.drop > (self.drop - self.low) / _WIDTH * _SURELY


def rows_for(num_rows: int, num_groups: int) -> int:
    """Return how many rows to look at: what keeps this to a second or two."""
    most = PREDICTED_ROWS // (REPEATS * min(num_groups, MOST_MEASURED))
    return min(num_rows, MOST_ROWS, max(FEWEST_ROWS, most))


def importances(
    predict: Predict, measure: Measure, arrays: Arrays, groups: dict[str, Array], seed: int = 0
) -> list[Importance]:
    """Return each group's importance, the largest first; of many groups, those that count most.

    arrays: encoded rows; groups: name of an array → the group of each of its columns, int64
    """
    value, draws = measure(predict(arrays))
    found = []
    for group in _counting_most(predict, arrays, groups, seed):
        shuffled = [
            measure(predict(_shuffled(arrays, groups, group, (seed, repeat))))
            for repeat in range(REPEATS)
        ]
        found.append(_importance(group, value, draws, shuffled))
    return sorted(found, key=lambda one: -one.drop)


def _importance(
    group: int, value: float, draws: Array, shuffled: Sequence[tuple[float, Array]]
) -> Importance:
    """Return the mean drop; its spread is that over draws of rows, and over the shuffles."""
    drops = np.array([value - reached for reached, _ in shuffled])
    paired = np.mean([draws - drawn for _, drawn in shuffled], axis=0)
    finite = paired[np.isfinite(paired)]
    spread = float("nan")
    if len(finite) > 1:
        spread = float(np.sqrt(finite.var(ddof=1) + drops.var(ddof=1) / len(drops)))
    drop = float(drops.mean())
    return Importance(
        group=group, drop=drop, low=drop - _WIDTH * spread, high=drop + _WIDTH * spread
    )


def _counting_most(
    predict: Predict, arrays: Arrays, groups: dict[str, Array], seed: int
) -> list[int]:
    """Return the groups whose shuffling moves predictions most: all, where they are not many."""
    num_groups = 1 + max(int(of.max()) for of in groups.values() if len(of))
    if num_groups <= MOST_MEASURED:
        return list(range(num_groups))
    few = {name: array[:FEWEST_ROWS] for name, array in arrays.items()}
    plain = predict(few)
    moved = [
        float(np.abs(predict(_shuffled(few, groups, group, (seed, 0))) - plain).mean())
        for group in range(num_groups)
    ]
    return [int(group) for group in np.argsort(-np.array(moved), kind="stable")[:MOST_MEASURED]]


def _shuffled(
    arrays: Arrays, groups: dict[str, Array], group: int, seed: tuple[int, int]
) -> Arrays:
    """Return the rows with the cells of one group of columns in another order."""
    rows = len(next(iter(arrays.values())))
    order = np.random.default_rng((*seed, group)).permutation(rows)
    found = {}
    for name, array in arrays.items():
        columns = groups[name] == group
        found[name] = np.where(columns, array[order], array).astype(array.dtype, copy=False)
    return found
