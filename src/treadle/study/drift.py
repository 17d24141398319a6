"""Whether validation and test look like training: can a learner tell which part a row is of?

Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests (2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.data.finding import Finding, quoted
from treadle.data.leak_scores import least_area, roc_auc
from treadle.study.out_of_fold import Examples, folds_of, out_of_fold

MOST_ROWS = 4_000
_FEWEST_ROWS = 100
_WORTH_TELLING = 0.6
_LARGE = 0.75
_SHOWN = 3
_ALONE = 0.55
_BY_ITSELF = 0.97
_OF_THE_PLAINEST = 0.25
_FOLDS = 2


Told: TypeAlias = "tuple[str, float, float | None, float | None]"


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How well rows of training can be told from those of another part.

    area:    the area under the ROC curve; low: the end of a 95 % interval below it
    columns: those that tell them apart most by themselves: (name, area, mean in training, there);
             categories have no means
    apart:   columns left out of this: each tells the parts apart by itself, as a month does that
             training has never seen
    """

    part: str
    area: float
    low: float
    columns: tuple[Told, ...]
    apart: tuple[str, ...] = ()


def drift_of(
    examples: Examples,
    names: Sequence[str],
    train: NDArray[np.int64],
    other: NDArray[np.int64],
    part: str,
    *,
    seed: int = 0,
    threads: int = 1,
) -> Drift | None:
    """Return how another part differs from training; None where there are too few rows.

    names: of the D columns; train, other: places int64 of rows in the examples; at most 4,000 of
    each are taken
    """
    if min(len(train), len(other)) < _FEWEST_ROWS:
        return None
    random = np.random.default_rng(seed)
    taken = [random.permutation(rows)[:MOST_ROWS] for rows in (train, other)]
    rows = np.concatenate(taken)
    is_other = np.repeat([0, 1], [len(part_rows) for part_rows in taken])
    asked = replace(examples, columns=examples.columns[rows], truth=is_other, classes=2, group=None)
    truth = is_other.astype(np.float64)
    told = _behind(asked, names, truth)
    apart = tuple(column[0] for column in told if column[1] >= _BY_ITSELF)
    asked = _without(asked, names, apart)
    area = 0.5
    if asked.columns.shape[1]:
        said = out_of_fold(asked, folds_of(asked, _FOLDS, seed), seed=seed, threads=threads)
        area = roc_auc(truth, said[:, 1])
    return Drift(
        part=part,
        area=area,
        low=least_area(area, len(taken[1]), len(taken[0])),
        columns=_plainest([column for column in told if column[0] not in apart]),
        apart=apart,
    )


def _without(asked: Examples, names: Sequence[str], left_out: Sequence[str]) -> Examples:
    kept = [place for place, name in enumerate(names) if name not in left_out]
    categories = tuple(i for i, place in enumerate(kept) if place in asked.categories)
    return replace(asked, columns=asked.columns[:, kept], categories=categories)


def _behind(asked: Examples, names: Sequence[str], is_other: NDArray[np.float64]) -> list[Told]:
    """Return the columns that tell the parts apart by themselves, the plainest first."""
    found = []
    for place, name in enumerate(names):
        values = asked.columns[:, place].astype(np.float64)
        is_category = place in asked.categories
        area = _apart(values, is_other, is_category)
        if area < _ALONE:
            continue
        means: tuple[float | None, float | None] = (None, None)
        if not is_category:
            here, there = values[is_other == 0], values[is_other == 1]
            means = (_mean(here), _mean(there))
        found.append((name, area, *means))
    return sorted(found, key=lambda column: -column[1])


def _plainest(found: Sequence[Told]) -> tuple[Told, ...]:
    """Return those that tell not much less than the one that tells most."""
    return tuple(
        column for column in found[:5] if column[1] - 0.5 >= _OF_THE_PLAINEST * (found[0][1] - 0.5)
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _apart(values: NDArray[np.float64], is_other: NDArray[np.float64], is_category: bool) -> float:
    """Return how well one column tells the parts apart, from halves that tell each other."""
    from treadle.data.leak_scores import binned, cross_score

    codes = values.astype(np.int64) if is_category else binned(values, most_bins=20)
    turned = np.random.default_rng(0).permutation(len(codes))
    return cross_score(codes[turned], is_other[turned][:, None], "two_classes")


def drift_findings(drifts: Sequence[Drift]) -> list[Finding]:
    """Return what is said of parts that differ from training."""
    found = list(_unseen(drifts))
    for drift in drifts:
        if drift.area < _WORTH_TELLING or drift.low <= 0.5:
            continue
        large = drift.area >= _LARGE
        found.append(
            Finding(
                severity="warning" if large else "note",
                title=f"The {drift.part} rows are of another kind",
                sentence=f"Rows of {drift.part} can be told from rows of training"
                f"{'' if large else ' more often than by chance'}: of one of each, the right one "
                f"is picked {100 * drift.area:.0f} times of 100 (by chance 50)"
                f"{_because(drift)}.",
                evidence={
                    "part": drift.part,
                    "roc_auc": round(drift.area, 4),
                    "low": round(drift.low, 4),
                    "columns": [list(column) for column in drift.columns],
                },
                action="find out what changed; if it goes on changing, train again often",
            )
        )
    return found


def _unseen(drifts: Sequence[Drift]) -> Iterator[Finding]:
    """Tell of columns that tell the parts apart by themselves, once for all parts."""
    names = list(dict.fromkeys(name for drift in drifts for name in drift.apart))
    if names:
        parts = " and ".join(drift.part for drift in drifts if drift.apart)
        yield Finding(
            severity="warning",
            title="A column has other values later",
            sentence=f"{quoted(names)}: {'its' if len(names) == 1 else 'their'} values in {parts} "
            "are nearly all ones that training does not have, so nothing that is learned from them "
            "helps there.",
            evidence={"columns": names},
            action=f"if they only count time or rows: --ignore {names[0]}",
        )


def _because(drift: Drift) -> str:
    if not drift.columns:
        return ""
    told = []
    for name, _, before, after in drift.columns[:_SHOWN]:
        if before is None or after is None:
            told.append(f"'{name}'")
        else:
            told.append(f"'{name}' (on average {before:.4g} in training, {after:.4g} there)")
    return f"; most of all by {', '.join(told)}"
