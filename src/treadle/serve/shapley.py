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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.data.hashing import mixed
from treadle.serve.mixture_design import EXACT_UP_TO, Design, design_of

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]
Value: TypeAlias = Callable[[Arrays], Array]
"""Encoded rows, "numbers" [M, F] and "categories" [M, C], to answers, float64 [M, A]."""
AtOnce: TypeAlias = Callable[[Arrays, Array, Array], Array]
"""Rows, whose the groups are, bool [P, G], and the background rows of the others, int64 [P], to the
answers of all mixtures, float64 [N, P, A]."""

TOGETHER, TOGETHER_AT_ONCE = 16, 32
"""Up to so many groups of columns each changes hands by itself: where each mixture is asked for,
and where the answers of all of them are known at once."""
BEHIND = 16
"""So many background rows where each mixture is asked for: the first, which stand for all."""
WALKS_AT_ONCE = 64
"""Background rows, times the orders that each sees, where all mixtures are known at once."""
MOST_PLAYERS = 8
"""Above that all but so many groups of a row, the weaker ones, move together."""
LOOKS_FIRST = 6
STRONG = 0.5
"""A column that was not shown to help on rows the model did not learn from stands behind those that
were, unless its part is at least so much of the row's largest: what was learned of such a column is
mostly chance, and another after the next training."""
CELLS_AT_ONCE = 2_000_000
MIXTURES_AT_ONCE = 65_536


def mixtures_of(groups: dict[str, Array], num_behind: int) -> tuple[int, int]:
    """Return how many mixtures of a row are looked at, about: at once, and where each is asked for.

    num_behind: the background rows that were kept
    """
    num_groups = 1 + max(int(of.max()) for of in groups.values() if len(of))
    if num_groups <= EXACT_UP_TO:
        return num_behind * 2**num_groups, min(BEHIND, num_behind) * 2**num_groups
    return WALKS_AT_ONCE * 2 * num_groups, min(BEHIND, num_behind) * 2 * num_groups


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


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several models whose answers are added up.

    at_once: where there is one, a faster way to the answers of all mixtures, the same numbers
    """

    value: Value
    at_once: AtOnce | None = None


class Explainer:
    """Parts the answers of a model among groups of columns.

    parts:  what the answer is the sum of
    groups: name of an array → the group of each of its columns, int64
    shown:  the groups that go first where only some can be looked at closely, bool [G]
    finish: turns sums, float64 [M, A], into answers
    """

    def __init__(
        self,
        parts: Sequence[Part],
        background: Arrays,
        groups: dict[str, Array],
        shown: Array | None = None,
        finish: Callable[[Array], Array] = lambda sums: sums,
    ) -> None:
        self.models = parts
        self.groups = groups
        self.shown = shown
        self.finish = finish
        self.num_groups = 1 + max(int(of.max()) for of in groups.values() if len(of))
        self.background = self._rows(background, np.zeros(len(background["numbers"]), np.int64))

    def parts(self, arrays: Arrays, asked: Array) -> Array:
        """Return what each group of columns did to each row's answer, float64 [N, G].

        asked: which of the A answers is meant, int64 [N]
        They add up to the row's answer less the mean answer of the background, but for what is
        left to the columns that move together where there are many.
        """
        rows = self._rows(arrays, asked)
        alike = np.column_stack([rows.keys, rows.asked.astype(np.uint64)])
        _, first, back = np.unique(alike, axis=0, return_index=True, return_inverse=True)
        found: Array = self._parts(rows.some(first))[back.reshape(-1)]
        return found

    def _parts(self, rows: Rows) -> Array:
        """Return the parts of rows that all differ, float64 [N, G]."""
        behind = len(self.background)
        at_once = all(model.at_once for model in self.models)
        if at_once and self.num_groups <= TOGETHER_AT_ONCE:
            orders = max(1, WALKS_AT_ONCE // behind)
            return self._estimated(rows, design_of(self.num_groups, behind, orders))
        behind = min(BEHIND, behind)
        if self.num_groups <= TOGETHER:
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
        """Return the answer of every mixture, float64 [N, P].

        own: bool [N or 1, P, G]: what is the row's own; behind: int64 [P]
        """
        fast = [m.at_once for m in self.models if m.at_once] if len(own) == 1 else []
        slow = [m.value for m in self.models if len(own) > 1 or not m.at_once]
        sums = [at_once(rows.arrays, own[0], behind) for at_once in fast]
        if slow:
            sums.append(self._asked_for(slow, rows, own, behind))
        total = np.sum(sums, axis=0)
        finished = self.finish(total.reshape(-1, total.shape[-1])).reshape(total.shape)
        answers: Array = np.take_along_axis(finished, rows.asked[:, None, None], axis=2)[:, :, 0]
        return answers

    def _asked_for(self, models: Sequence[Value], rows: Rows, own: Array, behind: Array) -> Array:
        """Return the sums of every mixture, float64 [N, P, A]; equal ones are asked for once."""
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
        sums: Array = np.sum([model(mixtures) for model in models], axis=0)
        return sums[back.reshape(key.shape)]

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
