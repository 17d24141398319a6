"""Rows that are nearly alike: written differently, or measured twice, in one part or in several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.cells import typed_cells
from treadle.data.columns import Schema
from treadle.data.finding import Finding, begun_large, of_all, rows_word
from treadle.data.hashing import hash_rows, hash_values
from treadle.data.split import Split

_MOST_ROWS = 30_000
_FEWEST_ROWS = 50
_NEAR = 0.05
_FAR_NEARER = 0.25
_NEIGHBOURS = 4
_WIDTH = 8
_NATURAL = 0.2
_WORTH_TELLING = 0.005
_MANY = 0.01

Places = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class NearRows:
    """Pairs of rows that are alike but not equal: places int64 [P] of one and of the other."""

    one: Places
    other: Places


def near_duplicates(frame: pl.DataFrame, schema: Schema, split: Split) -> list[Finding]:
    """Return what is said of rows nearly alike, and of equal rows with different answers.

    Text counts as alike where only case, spaces and punctuation differ; numbers where all are
    within a twentieth of their spread and much closer than rows usually are. 30,000 rows at most.
    """
    rows = split.rows
    step = max(-(-len(rows) // _MOST_ROWS), 1)
    rows = rows[::step]
    if len(rows) < _FEWEST_ROWS:
        return []
    looked_at = frame[rows]
    found = list(_disagreeing(looked_at, schema))
    pairs = near_pairs(looked_at, schema)
    if pairs is not None:
        found += _told(pairs, split.part_of(frame.height)[rows], step)
    return found


def near_pairs(frame: pl.DataFrame, schema: Schema) -> NearRows | None:
    """Return the pairs of rows nearly alike; None where that is the nature of the table."""
    typed, _ = typed_cells(frame, schema)
    plain = _normalised(typed)
    exact = hash_rows(typed)
    numbers = _scaled(typed)
    if numbers.shape[1] == 0:
        one, other = _same(hash_rows(plain))
    else:
        one, other = _close(numbers, _of_text(plain))
    different = exact[one] != exact[other]
    one, other = one[different], other[different]
    touched = len(np.unique(np.concatenate([one, other])))
    if not len(one) or (touched > _NATURAL * frame.height and numbers.shape[1] < 3):
        return None
    return NearRows(one=one, other=other)


def _normalised(typed: pl.DataFrame) -> pl.DataFrame:
    """Return text in lower case without spaces and punctuation, dates to the day."""
    text = pl.selectors.string()
    return typed.with_columns(
        text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", ""),
        pl.selectors.datetime().dt.truncate("1d"),
    )


def _of_text(plain: pl.DataFrame) -> NDArray[np.uint64]:
    """Return a hash uint64 [N] of all that is no number."""
    others = plain.select(~pl.selectors.numeric())
    if not others.width:
        return np.zeros(plain.height, np.uint64)
    return hash_rows(others)


def _scaled(typed: pl.DataFrame) -> Floats:
    """Return the numbers in units of their spread, float64 [N, D]; what is missing lies far off."""
    columns = []
    for series in typed.select(pl.selectors.numeric()).iter_columns():
        values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        finite = values[np.isfinite(values)]
        if len(finite) < 2 or np.ptp(finite) == 0:
            continue
        low, high = np.quantile(finite, [0.01, 0.99])
        spread = float(finite.clip(low, high).std()) or float(finite.std())
        columns.append(np.where(np.isfinite(values), values / spread, 1e6))
    return np.column_stack(columns) if columns else np.zeros((typed.height, 0))


def _same(hashes: NDArray[np.uint64]) -> tuple[Places, Places]:
    """Return pairs of neighbours with the same hash."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    return order[same], order[same + 1]


def _close(numbers: Floats, text: NDArray[np.uint64]) -> tuple[Places, Places]:
    """Return pairs whose texts are the same and whose numbers are all much closer than usual."""
    from scipy.spatial import cKDTree

    random = np.random.default_rng(0)
    width = min(_WIDTH, numbers.shape[1])
    turned = numbers
    if numbers.shape[1] > width:  # orthonormal, so that what is near stays near
        turned = numbers @ np.linalg.qr(random.normal(size=(numbers.shape[1], width)))[0]
    tree = cKDTree(turned)
    _, nearest = tree.query(turned, k=min(_NEIGHBOURS, len(turned)))
    one = np.repeat(np.arange(len(turned)), nearest.shape[1])
    other = nearest.ravel()
    once = one < other
    one, other = one[once], other[once]
    apart = np.abs(numbers[one] - numbers[other]).max(axis=1)
    usual = float(np.median(apart[apart > 0])) if (apart > 0).any() else 0.0
    near = (apart <= min(_NEAR, _FAR_NEARER * usual)) & (text[one] == text[other])
    return one[near], other[near]


def _told(pairs: NearRows, part: Places, step: int) -> Iterator[Finding]:
    """Tell of near rows inside training, and of those that training and a later part share."""
    sampled = "Of the rows that were looked at, " if step > 1 else ""
    inside = (part[pairs.one] == 0) & (part[pairs.other] == 0)
    count = len(np.unique(pairs.other[inside]))
    if count >= max(2, _WORTH_TELLING * (part == 0).sum()):
        yield Finding(
            severity="note",
            title="Nearly the same rows",
            sentence=f"{sampled}{rows_word(count)} of training hardly differ from another row: "
            "written a little differently, rounded, or measured twice.",
            evidence={"rows": count, "of": int((part == 0).sum())},
            action="keep one of each if they are the same thing",
        )
    for code, name in ((1, "validation"), (2, "test")):
        ends = np.concatenate(
            [
                pairs.other[(part[pairs.one] == 0) & (part[pairs.other] == code)],
                pairs.one[(part[pairs.other] == 0) & (part[pairs.one] == code)],
            ]
        )
        count, total = len(np.unique(ends)), int((part == code).sum())
        if count < max(2, _WORTH_TELLING * total):
            continue
        yield Finding(
            severity="warning" if count >= _MANY * total else "note",
            title=f"Rows of {name} hardly differ from training",
            sentence=begun_large(
                f"{sampled}{of_all(count, total)} of {name} hardly differ from a row of training, "
                f"so the {name} figures may look better than new data will."
            ),
            evidence={"rows": count, "of": total, "share": count / total},
            action="part the data with --group by what they belong to, or keep one of each",
        )


def _disagreeing(frame: pl.DataFrame, schema: Schema) -> Iterator[Finding]:
    """Tell of rows that are equal in all but the answer."""
    names = [column.name for column in schema.used()]
    hashes = hash_rows(frame.select(names))
    rows = pl.DataFrame({"row": hashes, "answer": hash_values(frame[schema.target])})
    alike = rows.group_by("row").agg(pl.len().alias("rows"), pl.col("answer").n_unique())
    several = alike.filter(pl.col("rows") > 1)
    torn = several.filter(pl.col("answer") > 1)
    count, repeated = int(torn["rows"].sum()), int(several["rows"].sum())
    natural = repeated >= _NATURAL * frame.height
    if natural or count < max(2, _WORTH_TELLING * frame.height):
        return
    yield Finding(
        severity="note",
        title="Equal rows with different answers",
        sentence=f"{rows_word(count)} hold the same in every column learned from, but not the same "
        f"'{schema.target}': no model can get all of them right.",
        evidence={"rows": count, "of": frame.height},
        action="look whether an answer is wrong, or whether a column that tells them apart is left "
        "out",
    )
