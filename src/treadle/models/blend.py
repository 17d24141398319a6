"""Several models' predictions as one: shares chosen on validation, guarded against luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Score: TypeAlias = Callable[[Array, Array], float]
"""(target, prediction) → a figure, larger is better."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """What was chosen, and what it was chosen from.

    shares:     by member, above 0, adding up to 1; one member alone has the share 1
    score:      of what was chosen; alone: of each member by itself
    won:        in how many of `drawn` resamples of the validation rows the blend beat the best
                member alone; both 0 where no blend was better on all rows
    """

    shares: Mapping[str, float]
    score: float
    alone: Mapping[str, float]
    won: int
    drawn: int

    @property
    def is_blend(self) -> bool:
        return len(self.shares) > 1


def choose(
    predictions: Mapping[str, Array],
    target: Array,
    score: Score,
    *,
    seed: int = 0,
    num_resamples: int = 40,
    needed_share: float = 0.75,
) -> Blend:
    """Return the best member or, where it holds up, a blend that is better.

    predictions: by member, of the same validation rows: values or probabilities [N] or [N, classes]
    needed_share: a blend must beat the best member in so large a part of the resamples. A blend of
    equals gains little but seldom loses; on few rows, though, its gain may be luck.

    Source: Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """
    alone = {name: score(target, part) for name, part in predictions.items()}
    best = max(alone, key=lambda name: _rank(alone[name]))
    shares = _greedy(predictions, target, score, best)
    single = Blend(shares={best: 1.0}, score=alone[best], alone=alone, won=0, drawn=0)
    if len(shares) == 1:
        return single
    blended = combine(predictions, shares)
    won, drawn = _wins(blended, predictions[best], target, score, seed, num_resamples)
    if won < needed_share * max(drawn, 1):
        return Blend(shares={best: 1.0}, score=alone[best], alone=alone, won=won, drawn=drawn)
    return Blend(shares=shares, score=score(target, blended), alone=alone, won=won, drawn=drawn)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What came of asking whether other models beside the usual ones are better.

    usual: the choice among the usual models
    gain: the mean gain of the choice among all over the choice among the usual ones, on rows that
          neither was chosen on; won: in how many of `halves` it was above 0
    """

    chosen: Blend
    usual: Blend
    gain: float
    won: int
    halves: int

    @property
    def is_better(self) -> bool:
        return self.gain > 0 and self.won >= NEEDED_HALVES * max(self.halves, 1)


def choose_beside(
    predictions: Mapping[str, Array],
    usual: Sequence[str],
    target: Array,
    score: Score,
    *,
    seed: int = 0,
) -> Beside:
    """Return a choice among all models where it is better than one among the usual, else this.

    The more models there are, the better the best of them looks by luck. So the question is
    settled on halves of the validation rows: both choices are made on one, and compared on the
    other.
    """
    draw, gains = np.random.default_rng(seed), []
    few = {name: predictions[name] for name in usual}
    for _ in range(REPEATS):
        order = draw.permutation(len(target))[: 2 * MOST_ROWS_A_HALF]
        halves = np.array_split(order, 2)
        for chosen_on, judged_on in (halves, halves[::-1]):
            if not _have_the_same_classes(target, chosen_on, judged_on):
                continue
            reached = [
                _chosen_on(parts, target, score, chosen_on, judged_on)
                for parts in (predictions, few)
            ]
            gains.append(reached[0] - reached[1])
    sound = [gain for gain in gains if np.isfinite(gain)]
    gain, won = (float(np.mean(sound)), sum(g > 0 for g in sound)) if sound else (0.0, 0)
    best = choose(few, target, score, seed=seed)
    found = Beside(chosen=best, usual=best, gain=gain, won=won, halves=len(sound))
    return replace(found, chosen=_all_of(predictions, target, score)) if found.is_better else found


REPEATS, NEEDED_HALVES, MOST_ROWS_A_HALF = 4, 0.6, 8_000


def _have_the_same_classes(target: Array, *parts: Array) -> bool:
    if target.dtype.kind not in "iub":
        return all(len(part) > 1 for part in parts)
    whole = len(np.unique(target))
    return all(len(np.unique(target[part])) == whole for part in parts)


def _chosen_on(
    predictions: Mapping[str, Array], target: Array, score: Score, rows: Array, judged_on: Array
) -> float:
    """Return what the choice made on some rows reaches on others."""
    shares = _all_of({n: p[rows] for n, p in predictions.items()}, target[rows], score).shares
    return score(target[judged_on], combine({n: predictions[n][judged_on] for n in shares}, shares))


def _all_of(predictions: Mapping[str, Array], target: Array, score: Score) -> Blend:
    """Return the best mixture of all models on these rows, whether by luck or not."""
    alone = {name: score(target, part) for name, part in predictions.items()}
    best = max(alone, key=lambda name: _rank(alone[name]))
    shares = _greedy(predictions, target, score, best)
    value = score(target, combine(predictions, shares))
    return Blend(shares=shares, score=value, alone=alone, won=0, drawn=0)


def combine(predictions: Mapping[str, Array], shares: Mapping[str, float]) -> Array:
    """Return the weighted mean of the members' predictions, float64.

    Probabilities are averaged as they are: the mean of calibrated ones stays nearly calibrated.
    """
    parts = [np.asarray(predictions[name], np.float64) * share for name, share in shares.items()]
    total: Array = np.sum(parts, axis=0)
    return total


NUM_SHARES = 20  # shares are multiples of 1/20
IN_VAIN = 5  # after so many additions without anything better no better one is looked for


def _greedy(
    predictions: Mapping[str, Array], target: Array, score: Score, best: str
) -> dict[str, float]:
    """Add the member that helps most, again and again; keep the best mixture on the way."""
    names = list(predictions)
    counts = dict.fromkeys(names, 0) | {best: 1}
    total = np.asarray(predictions[best], np.float64)
    kept, kept_score = dict(counts), score(target, total)
    for size in range(2, NUM_SHARES + 1):
        scores = [_rank(score(target, (total + predictions[name]) / size)) for name in names]
        name = names[int(np.argmax(scores))]
        counts[name] += 1
        total = total + predictions[name]
        if max(scores) > kept_score:
            kept, kept_score = dict(counts), max(scores)
        elif size - sum(kept.values()) >= IN_VAIN:
            break
    whole = sum(kept.values())
    return {name: count / whole for name, count in kept.items() if count}


def _wins(
    blended: Array, single: Array, target: Array, score: Score, seed: int, num_resamples: int
) -> tuple[int, int]:
    """Return in how many resamples the blend was better, and how many could be scored."""
    draw, won, drawn = np.random.default_rng(seed), 0, 0
    values = np.unique(target)
    is_class = target.dtype.kind in "iub" or set(values) <= {0.0, 1.0}
    for _ in range(num_resamples):
        rows = draw.integers(len(target), size=len(target))
        if is_class and len(np.unique(target[rows])) < len(values):
            continue  # a class is missing: most metrics say nothing about such rows
        drawn += 1
        won += score(target[rows], blended[rows]) > score(target[rows], single[rows])
    return won, drawn


def _rank(value: float) -> float:
    return value if np.isfinite(value) else -np.inf
