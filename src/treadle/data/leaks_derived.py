"""Columns made out of the answers: means per group over all rows, and sums that give the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from treadle.data.columns import Schema
from treadle.data.finding import with_and
from treadle.data.leak import Leak, ignoring
from treadle.data.leak_scores import Codes, Floats, answers_of, text_codes
from treadle.data.target import TargetEncoder

_TOO_LARGE = 1e100
_MOST_ROWS = 1_000_000
_FEWEST_ROWS = 100
_FEWEST_GROUPS = 5
_MOST_GROUP_COLUMNS = 60
_MOST_CELLS = 5_000_000
_MOST_CANDIDATES = 200
_EXACT = 2e-3
_NEARLY_ALL = 0.98
_SAME_LINE = 0.9999
_MOST_TERMS = 60
_FIT_ROWS = 20_000
_FEW_ROWS = 500
_FILLED = 0.9


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A column, the one whose groups it is of (or nothing), what it is, and how exactly."""

    column: str
    of: str
    what: str
    score: float


def find_derived(
    frame: pl.DataFrame, schema: Schema, target: TargetEncoder, known: frozenset[str] = frozenset()
) -> list[Leak]:
    """Return columns made out of the answers of all rows.

    frame: every row with an answer, of all parts; known: columns already told of
    """
    if not _FEWEST_ROWS <= frame.height <= _MOST_ROWS:
        return []
    answers = answers_of(frame[schema.target], target)
    if target.task == "two_classes":  # a rate may be of either class
        answers = np.hstack([answers, 1 - answers])
    found = [
        _aggregate(made, schema, target) for made in _aggregates(frame, schema, answers, known)
    ]
    if target.task == "number":
        found += _sums(frame, schema, answers[:, 0], known)
    return found


def _aggregates(
    frame: pl.DataFrame, schema: Schema, answers: Floats, known: frozenset[str]
) -> Iterator[_Made]:
    candidates = _candidates(frame, schema, known)
    if not candidates:
        return
    groups = [
        _Group.of(name, codes, answers[:, k])
        for name, codes in _group_codes(frame, schema).items()
        for k in range(answers.shape[1])
    ]
    for name, values in candidates.items():
        made = next((m for group in groups if (m := group.made(name, values))), None)
        made = made or _own_mean(name, values, answers)
        if made is not None:
            yield made


def _candidates(frame: pl.DataFrame, schema: Schema, known: frozenset[str]) -> dict[str, Floats]:
    """Return columns of numbers with fractions, filled in nearly every row."""
    found: dict[str, Floats] = {}
    for column in schema.used():
        values = frame[column.name]
        if column.name in known or not values.dtype.is_float():
            continue
        numbers = values.fill_null(float("nan")).to_numpy().astype(np.float64)
        few = numbers[:: max(len(numbers) // 5_000, 1)]
        few = few[np.isfinite(few)]
        if len(few) < _FEWEST_ROWS / 2 or bool((few == np.round(few)).all()):
            continue
        if np.isfinite(numbers).mean() >= _FILLED:
            found[column.name] = numbers
    return dict(list(found.items())[:_MOST_CANDIDATES])


def _group_codes(frame: pl.DataFrame, schema: Schema) -> dict[str, Codes]:
    """Return the codes int64 [N] of columns whose values come again, left out ones too.

    The 60 with most values, fewer of long tables: few rows a value make a mean that gives most
    away.
    """
    distinct: dict[str, int] = {}
    for column in schema.columns:
        values = frame[column.name]
        if values.dtype.is_float() or values.dtype in (pl.List, pl.Struct):
            continue
        count = values.n_unique()
        if _FEWEST_GROUPS <= count <= 0.7 * frame.height:
            distinct[column.name] = count
    most = max(3, min(_MOST_GROUP_COLUMNS, _MOST_CELLS // frame.height))
    names = sorted(distinct, key=lambda name: -distinct[name])[:most]
    return {name: text_codes(frame[name]) for name in names}


@dataclass(frozen=True, kw_only=True)
class _Group:
    """What can be made of the answers of rows with one value of a column; each float64 [N]."""

    name: str
    codes: Codes
    truth: Floats
    made_of: dict[str, Floats]

    @classmethod
    def of(cls, name: str, codes: Codes, truth: Floats) -> _Group:
        means, sums, counts = _mean_sum(codes, truth)
        others = np.where(counts > 1, (sums - truth) / np.maximum(counts - 1, 1), np.nan)
        return cls(
            name=name,
            codes=codes,
            truth=truth,
            made_of={"mean": means, "sum": sums, "mean of the other rows": others},
        )

    def made(self, name: str, values: Floats) -> _Made | None:
        """Return what a column is of this group, or None."""
        for what, others in self.made_of.items():
            if _are_equal(values, others):
                return _Made(column=name, of=self.name, what=what, score=1.0)
        followed = _knows_the_chance(values, self.codes, self.truth, self.made_of["mean"])
        if not followed:
            return None
        return _Made(column=name, of=self.name, what="smoothed mean", score=followed)


def _own_mean(name: str, values: Floats, answers: Floats) -> _Made | None:
    """Tell of a column each of whose values is the mean answer of the rows that hold it."""
    _, own = np.unique(values, return_inverse=True)
    if len(own) == 0 or own.max() + 1 > 0.9 * len(own) or own.max() + 1 < _FEWEST_GROUPS:
        return None
    for k in range(answers.shape[1]):
        if _matches(values, _mean_sum(own, answers[:, k])[0], own, answers[:, k]):
            return _Made(column=name, of="", what="mean", score=1.0)
    return None


def _mean_sum(codes: Codes, truth: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each row's group's mean, sum and count, float64 [N]."""
    counts = np.bincount(codes).astype(np.float64)
    sums = np.bincount(codes, weights=truth).astype(np.float64)
    return (sums / np.maximum(counts, 1))[codes], sums[codes], counts[codes]


def _are_equal(values: Floats, others: Floats) -> bool:
    """Return whether nearly all values are the others, up to rounding; a few rows are asked first.

    Rows where the other is unknown do not count, but some must be known.
    """
    known = np.isfinite(others)
    spread = float(np.std(others[known])) if known.any() else 0.0
    if spread == 0 or known.mean() < 0.3:
        return False
    for places in (slice(0, _FEW_ROWS), slice(None)):
        among = known[places]
        off = np.abs(values[places][among] - others[places][among])
        if not len(off) or (off <= _EXACT * spread).mean() < _NEARLY_ALL:
            return False
    return True


def _matches(values: Floats, means: Floats, own: Codes, truth: Floats) -> bool:
    """Return whether each value is the mean answer of the rows that hold it, beyond chance."""
    if not _are_equal(values, means):
        return False
    inside = (means > truth.min()) & (means < truth.max())  # a mean of equal answers proves little
    return len(np.unique(own[inside])) >= _FEWEST_GROUPS and bool(inside.mean() > 0.2)


def _knows_the_chance(values: Floats, codes: Codes, truth: Floats, means: Floats) -> float:
    """Return how well values follow the groups' means where that is more than they could know.

    A group's mean is its true mean and chance. What was known before the answers can follow the
    true mean at best, so its r² ends at the share of spread that is not chance.
    """
    first = np.empty(int(codes.max()) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    for places in (slice(0, _FEW_ROWS), slice(None)):
        same = values[places] == values[first][codes[places]]
        if same.mean() < _NEARLY_ALL or len(first) < 4 * _FEWEST_GROUPS:
            return 0.0
    weights = np.bincount(codes).astype(np.float64)
    spread = float(np.cov(means[first], aweights=weights))
    inside = float(((truth - means) ** 2).sum()) / max(len(truth) - len(first), 1)
    chance = inside * len(first) / float(weights.sum())
    if spread <= 0 or chance <= 0.02 * spread:
        return 0.0
    together = np.cov(values[first], means[first], aweights=weights)
    followed = float(together[0, 1] ** 2 / max(together[0, 0] * together[1, 1], 1e-300))
    possible = max(1 - chance / spread, 0.0)
    # half of what cannot be known is known: with so many groups that is no accident
    beyond = possible + 0.5 * (1 - possible)
    return followed if followed >= max(beyond, 0.6) else 0.0


def _aggregate(made: _Made, schema: Schema, target: TargetEncoder) -> Leak:
    of = f" of all rows with the same '{made.of}'" if made.of else " of the rows that share it"
    return Leak(
        kind="derived",
        columns=(made.column, *((made.of,) if made.of else ())),
        measure="r2" if target.task == "number" else "roc_auc",
        score=made.score,
        said=f"'{made.column}' is the {made.what} of '{schema.target}'{of}, test rows among them: "
        "it was made out of the answers it is to help find",
        action=f"leave it out (--ignore {made.column}), or make it from earlier rows alone",
        more={"made_of": made.of, "what": made.what},
    )


def _sums(
    frame: pl.DataFrame, schema: Schema, truth: Floats, known: frozenset[str]
) -> Iterator[Leak]:
    """Yield columns whose sum, difference, product or ratio is the answer."""
    rows = frame.gather_every(max(-(-frame.height // _FIT_ROWS), 1))
    truth = truth[:: max(-(-frame.height // _FIT_ROWS), 1)]
    names = [
        c.name
        for c in schema.used()
        if c.name not in known and c.kind == "number" and rows[c.name].dtype.is_numeric()
    ]
    columns = {n: rows[n].cast(pl.Float64).fill_null(float("nan")).to_numpy() for n in names}
    columns = {n: v for n, v in columns.items() if _can_be_summed(v)}
    if not np.abs(truth).max() < _TOO_LARGE:
        return
    for logs, word in ((False, "sum or difference"), (True, "product or ratio")):
        terms = _terms(columns, truth, logs)
        if terms:
            named = with_and([f"'{name}'" for name in terms])
            yield Leak(
                kind="derived",
                columns=tuple(terms),
                measure="r2",
                score=1.0,
                said=f"'{schema.target}' is a {word} of {named}: whoever has them needs "
                "no model, and if they are only known once the answer is, the result is worthless",
                action=ignoring(terms[0]),
                more={"what": word},
            )
            return


def _can_be_summed(values: Floats) -> bool:
    """Tell whether squares of the numbers are numbers still, and not all are one."""
    return bool(np.abs(values).max() < _TOO_LARGE and np.ptp(values) > 0)


def _terms(columns: dict[str, Floats], truth: Floats, logs: bool) -> list[str]:
    """Return the fewest columns that add up to the answer (or their logarithms do), or none."""
    if logs:
        if truth.min() <= 0:
            return []
        columns = {n: np.log(v) for n, v in columns.items() if v.min() > 0}
        truth = np.log(truth)
    chosen: list[str] = []
    best = 0.0
    left = dict(list(columns.items())[:_MOST_TERMS])
    if not left or _explained([*left.values()], truth) < _SAME_LINE:
        return []
    while left and len(chosen) < 6:
        score, name = max((_explained([columns[c] for c in [*chosen, n]], truth), n) for n in left)
        if score - best < 1e-5:
            break
        best = score
        chosen.append(name)
        del left[name]
        if best >= _SAME_LINE:
            return chosen if len(chosen) > 1 else []
    return []


def _explained(columns: list[Floats], truth: Floats) -> float:
    """Return the r² of one half's least squares on the other half."""
    terms = np.column_stack([*((c - c.mean()) / (c.std() or 1.0) for c in columns)])
    terms = np.column_stack([terms, np.ones(len(truth))])
    half = np.arange(len(truth)) % 2 == 0
    weights = np.linalg.lstsq(terms[half], truth[half], rcond=None)[0]
    off = truth[~half] - terms[~half] @ weights
    spread = float(((truth[~half] - truth[~half].mean()) ** 2).sum())
    return 1 - float((off**2).sum()) / spread if spread else 0.0
