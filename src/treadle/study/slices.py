"""Where the answers are worst: parts of the data by one column's value or two, with a guard.

Many parts are looked at, so some look bad by chance. A part is told only where its loss is higher
on one half of the rows and, with that half chosen, on the other half too, after Benjamini and
Hochberg's correction for the number of parts (Controlling the False Discovery Rate, 1995).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.finding import Finding, of_100, rows_word

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]

_MOST_VALUES = 12
_BINS = 4
_FEWEST_ROWS = 40
_LEAST_SHARE = 0.01
_LARGEST_SHARE = 0.35
_SET_APART = 10_000
_MOVED_BY_ROUNDING = 0.01
"""The share of rows that may change parts where an edge is said in fewer digits."""
_RATE = 0.05
_WORSE_BY = 1.25
_PAIRED_COLUMNS = 8
_MOST_TOLD = 3
_BETTER_THAN_A_PART_OF_IT = 1.1


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A part of the rows where answers are worse.

    where: in words, such as "'city' is Rome and 'age' is 18 to 30"; columns: those it names
    mean, rest: how far off answers are in it, and in all other rows
    p:     how likely such a difference is by chance, corrected for the number of parts
    also:  which of the rows without answers lie in it, int64
    """

    where: str
    columns: tuple[str, ...]
    rows: Codes
    mean: float
    rest: float
    p: float
    also: Codes = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, kw_only=True)
class _Column:
    """A column in few values: codes int64 [N] and what each code stands for, in words."""

    name: str
    codes: Codes
    words: tuple[str, ...]


def worst_slices(
    frame: pl.DataFrame, off: Floats, seed: int = 0, also: pl.DataFrame | None = None
) -> list[Slice]:
    """Return the parts where answers are worse, the plainest first; none lies mostly in another.

    frame: columns as people know them; off: how far off each row's answer is, float64 [N]
    also:  rows of the same columns without answers: which of them lie in the parts is told as well
    """
    if also is not None:
        return _with_others(frame, off, seed, also)
    return _worst(_columns_of(frame), off, seed)


def _columns_of(frame: pl.DataFrame) -> list[_Column]:
    return [c for series in frame.iter_columns() if (c := _few_values(series)) is not None]


def _with_others(frame: pl.DataFrame, off: Floats, seed: int, also: pl.DataFrame) -> list[Slice]:
    """Return the worst parts, by values that are those of both kinds of rows."""
    both = _columns_of(pl.concat([frame, also.select(frame.columns)], how="vertical_relaxed"))
    known = [replace(column, codes=column.codes[: len(off)]) for column in both]
    return [
        replace(part, also=np.flatnonzero(_mask_of(part, both)[len(off) :]))
        for part in _worst(known, off, seed)
    ]


def _mask_of(part: Slice, columns: Sequence[_Column]) -> NDArray[np.bool_]:
    """Return which rows of columns lie in a part: what its rows have in common."""
    own = [column for column in columns if column.name in part.columns]
    masks = [column.codes == column.codes[part.rows[0]] for column in own]
    found: NDArray[np.bool_] = np.logical_and.reduce(masks)
    return found


def _worst(columns: Sequence[_Column], off: Floats, seed: int) -> list[Slice]:
    half = np.random.default_rng(seed).random(len(off)) < 0.5
    singles = [(masked, (column.name,)) for column in columns for masked in _parts_of(column)]
    paired = _telling(columns, off, half)
    pairs = [
        (masked, (one.name, other.name))
        for one, other in combinations(paired, 2)
        for masked in _parts_of_two(one, other)
    ]
    found = _judged([*singles, *pairs], off, half)
    return _apart(
        sorted(found, key=lambda part: -(len(part.rows) ** 0.5) * (part.mean - part.rest))
    )


def _few_values(series: pl.Series) -> _Column | None:
    """Return a column in at most 12 values: frequent texts, or quarters of numbers."""
    if series.dtype.is_numeric() and series.n_unique() > _MOST_VALUES:
        return _quarters(series)
    text = series.cast(pl.String)
    counts = text.drop_nulls().rename("value").value_counts(sort=True, name="rows")
    kept = counts.filter(pl.col("rows") >= _FEWEST_ROWS)["value"].head(_MOST_VALUES).to_list()
    if len(kept) < 1 or text.n_unique() < 2:
        return None
    codes = text.replace_strict(kept, range(len(kept)), default=-1, return_dtype=pl.Int64)
    empty = text.is_null().to_numpy()
    found = codes.fill_null(-1).to_numpy().copy()
    found[empty] = len(kept)
    words = [f"is {value}" for value in kept]
    return _Column(name=series.name, codes=found, words=(*words, "is empty"))


def _quarters(series: pl.Series) -> _Column | None:
    numbers = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    finite = numbers[np.isfinite(numbers)]
    if len(finite) < 2 * _FEWEST_ROWS:
        return None
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, numbers, side="right").astype(np.int64)
    codes[~np.isfinite(numbers)] = len(edges) + 1
    told = _told(edges, finite)
    between = [f"is {low} to {high}" for low, high in pairwise(told)]
    words = (f"is below {told[0]}", *between, f"is {told[-1]} or more", "is empty")
    return _Column(name=series.name, codes=codes, words=words)


def _told(edges: Floats, numbers: Floats) -> list[str]:
    """Return edges in as few digits, four at least, as part the numbers where the edges do."""
    true = np.searchsorted(edges, numbers, side="right")
    short = edges
    for digits in range(4, 17):
        short = np.array([float(f"{edge:.{digits}g}") for edge in edges])
        moved = np.searchsorted(short, numbers, side="right") != true
        if moved.mean() <= _MOVED_BY_ROUNDING:
            break
    return [f"{edge:,.16g}" if abs(edge) >= _SET_APART else f"{edge:.16g}" for edge in short]


_Part: TypeAlias = tuple[str, NDArray[np.bool_]]


def _parts_of(column: _Column) -> Iterator[_Part]:
    for code, words in enumerate(column.words):
        mask = column.codes == code
        if _fits(mask):
            yield f"'{column.name}' {words}", mask


def _parts_of_two(one: _Column, other: _Column) -> Iterator[_Part]:
    for first, mask in _parts_of(one):
        for second, also in _parts_of(other):
            both = mask & also
            if _fits(both):
                yield f"{first} and {second}", both


def _fits(mask: NDArray[np.bool_]) -> bool:
    count = int(mask.sum())
    least = max(_FEWEST_ROWS, _LEAST_SHARE * len(mask))
    return bool(least <= count <= _LARGEST_SHARE * len(mask))


def _telling(columns: Sequence[_Column], off: Floats, half: NDArray[np.bool_]) -> list[_Column]:
    """Return the columns whose values differ most in how far off answers are, on the first half."""
    spread = []
    for column in columns:
        codes, values = column.codes[half] + 1, off[half]
        counts = np.bincount(codes)
        means = np.bincount(codes, weights=values) / np.maximum(counts, 1)
        spread.append(float((counts * (means - values.mean()) ** 2).sum()))
    order = sorted(range(len(columns)), key=lambda place: -spread[place])
    return [columns[place] for place in order[:_PAIRED_COLUMNS]]


def _judged(
    parts: Sequence[tuple[_Part, tuple[str, ...]]], off: Floats, half: NDArray[np.bool_]
) -> list[Slice]:
    """Keep the parts that are worse on the first half, and then surely so on the second."""
    chosen = []
    for (where, mask), names in parts:
        inside, outside = off[mask & half], off[~mask & half]
        if len(inside) >= _FEWEST_ROWS / 4 and inside.mean() >= _WORSE_BY * outside.mean():
            chosen.append((where, mask, names))
    if not chosen:
        return []
    chances = np.array([_chance(off[mask & ~half], off[~mask & ~half]) for _, mask, _ in chosen])
    corrected = _corrected(chances)
    return [
        Slice(
            where=where,
            columns=names,
            rows=np.flatnonzero(mask),
            mean=float(off[mask].mean()),
            rest=float(off[~mask].mean()),
            p=float(p),
        )
        for (where, mask, names), p in zip(chosen, corrected, strict=True)
        if p <= _RATE
    ]


def _chance(inside: Floats, outside: Floats) -> float:
    """Return how likely such a higher mean is by chance: Welch's test, one-sided."""
    from scipy import stats

    if len(inside) < _FEWEST_ROWS / 4 or inside.std() + outside.std() == 0:
        return 1.0
    with warnings.catch_warnings():  # of nearly equal values: their chance is still right
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.ttest_ind(inside, outside, equal_var=False, alternative="greater")
    return float(found.pvalue) if np.isfinite(found.pvalue) else 1.0


def _corrected(chances: Floats) -> Floats:
    """Return Benjamini and Hochberg's adjusted chances, float64 [M]."""
    order = np.argsort(chances, kind="stable")
    ranked = chances[order] * len(chances) / np.arange(1, len(chances) + 1)
    ranked = np.minimum.accumulate(ranked[::-1])[::-1]
    found = np.empty(len(chances))
    found[order] = np.minimum(ranked, 1.0)
    return found


def _apart(parts: Sequence[Slice]) -> list[Slice]:
    """Take the first, and then each that lies mostly outside of those taken."""
    taken: list[Slice] = []
    for part in parts:
        singles = [one for one in taken if set(one.columns) < set(part.columns)]
        if any(part.mean < _BETTER_THAN_A_PART_OF_IT * one.mean for one in singles):
            continue
        seen = np.concatenate([one.rows for one in taken]) if taken else np.zeros(0, np.int64)
        if np.isin(part.rows, seen).mean() <= 0.5:
            taken.append(part)
        if len(taken) == _MOST_TOLD:
            break
    return taken


def slice_findings(
    parts: Sequence[Slice], words: Mapping[str, str], num_rows: int
) -> list[Finding]:
    """Return what is said of the worst parts.

    words: "far": how a mean distance is told, such as "wrong for {} of 100" or "off by {}";
    "scale": what the mean is multiplied by for that
    """
    found = []
    for part in parts:
        mean, rest = (_spelled(value, words) for value in (part.mean, part.rest))
        evidence: dict[str, Any] = {
            "where": part.where,
            "columns": list(part.columns),
            "rows": len(part.rows),
            "mean": part.mean,
            "rest": part.rest,
            "p": part.p,
        }
        found.append(
            Finding(
                severity="note",
                title="Answers are worse in one part",
                sentence=f"Where {part.where} ({rows_word(len(part.rows))}, "
                f"{of_100(len(part.rows) / num_rows)} of 100), a quick learner is {mean}; "
                f"elsewhere {rest}.",
                evidence=evidence,
                action="collect more rows of this part, or a column that tells them apart",
            )
        )
    return found


def _spelled(value: float, words: Mapping[str, str]) -> str:
    scale = float(words.get("scale", "1"))
    return words["far"].format(f"{float(f'{scale * value:.3g}'):,.16g}")
