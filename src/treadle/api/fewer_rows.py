"""A prepared table with fewer rows to learn from; validation and test stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.options import FitOptions
from treadle.api.table_data import TableData, encoded_parts, scaled_on_train
from treadle.data.leak_scores import text_codes
from treadle.data.tables import TableEncoder

if TYPE_CHECKING:
    import polars as pl

Places: TypeAlias = NDArray[np.int64]

SEED = 0xDA7A
"""Other numbers than a split of the same seed draws."""


def on_rows(data: TableData, rows: Places, options: FitOptions) -> TableData:
    """Return the table as it would be, were these all the rows to learn from.

    All that is fitted on the train part is fitted anew: on fewer rows fewer values are known.
    rows: int64, ascending places in the train part
    """
    parted = replace(data.split, train=data.split.train[rows])
    train: pl.DataFrame = data.frame[parted.train]
    encoder = TableEncoder.fit(train, data.schema)
    target = scaled_on_train(data.target, train[data.target.column])
    found = replace(
        data,
        encoder=encoder,
        target=target,
        split=parted,
        parts=encoded_parts(data.frame, parted, encoder, target, options.weight),
    )
    # what is suspicious about the table was said of all its rows, and takes longer than a fit
    found.__dict__["findings"] = []
    return found


def shuffled(data: TableData, options: FitOptions, seed: int) -> list[Places]:
    """Return the train part in pieces of random order, each of which must stay whole."""
    codes = text_codes(data.rows("train")[options.group]) if options.group else None
    return in_pieces(data.truth("train"), codes, seed, is_number=data.target.task == "number")


def in_pieces(
    truth: NDArray[Any], group: NDArray[Any] | None, seed: int, *, is_number: bool
) -> list[Places]:
    """Return rows in pieces of random order: rows of a group are one piece.

    Without groups and of classes, pieces come so that each stretch of them has about the shares of
    the whole.
    """
    random = np.random.default_rng((seed, SEED))
    if group is not None:
        return _in_groups(group, random)
    order = random.permutation(len(truth))
    if not is_number:
        order = _evenly(truth, order, random)
    return [order[place : place + 1] for place in range(len(order))]


def taken(pieces: list[Places], start: float, end: float) -> Places:
    """Return the rows of the pieces between two shares of all rows, ascending."""
    sizes = np.cumsum([0, *(len(piece) for piece in pieces)])
    first, last = (int(np.searchsorted(sizes, share * sizes[-1] - 0.5)) for share in (start, end))
    return np.sort(np.concatenate(pieces[first : max(last, first + 1)]))


def _in_groups(codes: NDArray[Any], random: np.random.Generator) -> list[Places]:
    order = np.argsort(codes, kind="stable")
    borders = np.flatnonzero(np.diff(codes[order])) + 1
    pieces = np.split(order.astype(np.int64), borders)
    return [pieces[place] for place in random.permutation(len(pieces))]


def _evenly(truth: NDArray[Any], order: Places, random: np.random.Generator) -> Places:
    """Return an order in which every stretch has about the same share of each class."""
    place = np.empty(len(truth))
    for kind in np.unique(truth):
        own = order[truth[order] == kind]
        place[own] = (np.arange(len(own)) + random.random()) / len(own)
    return np.argsort(place, kind="stable").astype(np.int64)
