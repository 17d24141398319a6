"""What each column did to one answer: Shapley values, estimated alike for every row.

A mixture takes some columns from the row and the others from a background row that was kept from
training. A column's part is how much the answer moves when it changes hands, over orders in which
the columns may do so. The orders and the background are the same for every row, so a row's parts
depend on nothing but the row.

Source: Štrumbelj and Kononenko, Explaining prediction models and individual predictions with
feature contributions, 2014 (orders drawn at random); Lundberg and Lee, A Unified Approach to
Interpreting Model Predictions, 2017; Janzing, Minorics and Blöbaum, Feature relevance
quantification in explainable AI, 2020 (columns are replaced, not conditioned on); Mitchell, Cooper,
Frank and Holmes, Sampling Permutations for Shapley Value Estimation, 2022 (each order, and the
same backwards).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.data.hashing import mixed

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]
Value: TypeAlias = Callable[[Arrays], Array]
"""Encoded rows, "numbers" [M, F] and "categories" [M, C], to answers, float64 [M, A]."""

EXACT_UP_TO = 5
"""Groups of columns of which every combination is looked at."""
MOST_PLAYERS = 8
"""Above so many groups of columns (and one), the weaker ones of a row move together."""
LOOKS_FIRST = 6
STRONG = 0.5
"""A column that was not shown to help on rows the model did not learn from stands behind those that
were, unless its part is at least so much of the row's largest: what was learned of such a column is
mostly chance, and another after the next training."""
CELLS_AT_ONCE = 2_000_000
MIXTURES_AT_ONCE = 65_536


@dataclass(frozen=True, kw_only=True)
class Design:
    """The mixtures to look at, and how their answers add up.

    own:     bool [P, G]: whether a group of columns is the row's own
    behind:  int64 [P]: the background row that the others come from
    weights: float64 [P, G]: a group's part is the weighted sum of the P answers
    """

    own: Array
    behind: Array
    weights: Array


def design_of(num_groups: int, num_behind: int) -> Design:
    """Return every combination for a few groups, else some orders."""
    if num_groups <= EXACT_UP_TO:
        return every_combination(num_groups, num_behind)
    return some_orders(num_groups, num_behind)


def every_combination(num_groups: int, num_behind: int) -> Design:
    """Return the design that gives the exact values: all 2^G combinations, behind each row."""
    own = (np.arange(2**num_groups)[:, None] >> np.arange(num_groups) & 1).astype(bool)
    size = own.sum(axis=1, keepdims=True)
    shares = np.array([1 / (num_groups * math.comb(num_groups - 1, s)) for s in range(num_groups)])
    weights = np.where(own, shares[size - 1], -shares[np.minimum(size, num_groups - 1)])
    return Design(
        own=np.tile(own, (num_behind, 1)),
        behind=np.repeat(np.arange(num_behind), len(own)),
        weights=np.tile(weights / num_behind, (num_behind, 1)),
    )


def some_orders(num_groups: int, num_behind: int, seed: int = 0) -> Design:
    """Return a design in which each background row sees one order of the groups, both ways.

    The answer of a model without interplay of more than two columns is parted exactly.
    """
    draw = np.random.default_rng(seed)
    places: dict[tuple[bytes, int], int] = {}
    own: list[Array] = []
    steps: list[tuple[int, int, int]] = []
    for behind in range(num_behind):
        order = draw.permutation(num_groups)
        for way in (order, order[::-1]):
            walk = []
            for taken in range(num_groups + 1):
                mask = np.zeros(num_groups, bool)
                mask[way[:taken]] = True
                key = (mask.tobytes(), behind)
                if key not in places:
                    places[key] = len(own)
                    own.append(mask)
                walk.append(places[key])
            steps += [(a, b, int(g)) for (a, b), g in zip(pairwise(walk), way, strict=True)]
    weights = np.zeros((len(own), num_groups))
    for before, after, group in steps:
        weights[after, group] += 0.5 / num_behind
        weights[before, group] -= 0.5 / num_behind
    behind_of = np.array([behind for _, behind in places], np.int64)
    return Design(own=np.array(own), behind=behind_of, weights=weights)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Encoded rows.

    keys:  uint64 [N, G]: equal where rows hold the same in a group of columns
    asked: int64 [N]: which of the A answers is explained
    """

    arrays: Arrays
    keys: Array
    asked: Array

    def some(self, places: Array) -> Rows:
        arrays = {name: array[places] for name, array in self.arrays.items()}
        return Rows(arrays=arrays, keys=self.keys[places], asked=self.asked[places])

    def __len__(self) -> int:
        return len(self.keys)


class Explainer:
    """Parts the answers of a model among groups of columns.

    groups: name of an array → the group of each of its columns, int64
    shown:  the groups that go first where only some can be looked at closely, bool [G]
    """

    def __init__(
        self,
        value: Value,
        background: Arrays,
        groups: dict[str, Array],
        shown: Array | None = None,
    ) -> None:
        self.value = value
        self.groups = groups
        self.shown = shown
        self.num_groups = 1 + max(int(of.max()) for of in groups.values() if len(of))
        self.background = self._rows(background, np.zeros(len(background["numbers"]), np.int64))

    def parts(self, arrays: Arrays, asked: Array) -> Array:
        """Return what each group of columns did to each row's answer, float64 [N, G].

        asked: which of the A answers is meant, int64 [N]
        They add up to the row's answer less the mean answer of the background, but for what is
        left to the columns that move together where there are many.
        """
        rows, behind = self._rows(arrays, asked), len(self.background)
        if self.num_groups <= MOST_PLAYERS + 2:
            return self._estimated(rows, design_of(self.num_groups, behind))
        rough = self._estimated(rows, design_of(self.num_groups, min(LOOKS_FIRST, behind)))
        player, chosen = _players(rough, self.shown)
        found = self._estimated(rows, design_of(MOST_PLAYERS + 1, behind), player)
        parts = np.zeros_like(rough)
        np.put_along_axis(parts, chosen, found[:, :MOST_PLAYERS], axis=1)
        return parts

    def _estimated(self, rows: Rows, design: Design, player: Array | None = None) -> Array:
        """Return the parts by one design. player: with which of its groups each one is, [N, G]."""
        found = np.zeros((len(rows), design.own.shape[1]))
        for some in _chunks(len(rows), len(design.own), self.num_groups):
            own = design.own[None] if player is None else _of_players(design.own, player[some])
            found[some] = self._answers(rows.some(some), own, design.behind) @ design.weights
        return found

    def _answers(self, rows: Rows, own: Array, behind: Array) -> Array:
        """Return the answer of every mixture, float64 [N, P]; equal ones are asked for once.

        own: bool [N or 1, P, G]: what is the row's own; behind: int64 [P]
        """
        lying = self.background.keys[behind]
        key = np.where(own, rows.keys[:, None, :], lying[None]).sum(axis=2, dtype=np.uint64)
        _, first, back = np.unique(key, return_index=True, return_inverse=True)
        row, place = np.divmod(first, len(behind))
        mask = own[row if len(own) > 1 else np.zeros_like(row), place]
        mixtures = {
            name: np.where(
                mask[:, of], array[row], self.background.arrays[name][behind[place]]
            ).astype(array.dtype, copy=False)
            for name, array in rows.arrays.items()
            for of in [self.groups[name]]
        }
        answers: Array = self.value(mixtures)[back.reshape(key.shape), rows.asked[:, None]]
        return answers

    def _rows(self, arrays: Arrays, asked: Array) -> Rows:
        kept = {name: arrays[name] for name in self.groups}
        return Rows(arrays=kept, keys=_keys(kept, self.groups, self.num_groups), asked=asked)


def ranked(parts: Array, shown: Array | None = None) -> Array:
    """Return the groups of each row, the strongest part first and those without one last, [N, G].

    shown: bool [G]: the others stand behind these, but for parts that are strong
    """
    size = np.abs(parts)
    behind = np.zeros(parts.shape, bool)
    if shown is not None:
        behind = ~(shown | (size >= STRONG * size.max(axis=1, keepdims=True)))
    order: Array = np.lexsort((-size, behind, size == 0), axis=1)
    return order


def _players(rough: Array, shown: Array | None) -> tuple[Array, Array]:
    """Return each group's player, int64 [N, G], and the groups that play alone, [N, 8].

    The last player is all others together: they change hands at once.
    """
    chosen = ranked(rough, shown)[:, :MOST_PLAYERS]
    player = np.full(rough.shape, MOST_PLAYERS, np.int64)
    numbers = np.broadcast_to(np.arange(MOST_PLAYERS), chosen.shape)
    np.put_along_axis(player, chosen, numbers, axis=1)
    return player, chosen


def _of_players(own: Array, player: Array) -> Array:
    """Return masks of players [P, Q] as masks of groups, bool [N, P, G]."""
    masks: Array = own[:, player].transpose(1, 0, 2)
    return masks


def _chunks(count: int, mixtures: int, num_groups: int) -> Iterator[Array]:
    at_once = max(1, min(CELLS_AT_ONCE // (mixtures * num_groups), MIXTURES_AT_ONCE // mixtures))
    for start in range(0, count, at_once):
        yield np.arange(start, min(start + at_once, count))


def _keys(arrays: Arrays, groups: dict[str, Array], num_groups: int) -> Array:
    """Return a number for what a row holds in each group, uint64 [N, G]: equal for equal cells."""
    found = np.zeros((len(next(iter(arrays.values()))), num_groups), np.uint64)
    for salt, (name, of) in enumerate(sorted(groups.items())):
        bits = _bits(arrays[name])
        for place, group in enumerate(of):
            column = mixed(np.full(1, len(groups) * place + salt, np.uint64))
            found[:, group] += mixed(bits[:, place] + column)
    return mixed(found + mixed(np.arange(num_groups, dtype=np.uint64)))


def _bits(array: Array) -> Array:
    """Return equal whole numbers for equal cells, uint64: −0 is 0, every NaN the same."""
    if array.dtype.kind != "f":
        return array.astype(np.int64).view(np.uint64)
    plain = np.where(np.isnan(array), np.nan, array.astype(np.float64)) + 0.0
    return np.ascontiguousarray(plain).view(np.uint64)
