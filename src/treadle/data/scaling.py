"""Numbers for networks: each column bent into a bell curve, missing cells flagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.errors import DataError

Floats: TypeAlias = NDArray[np.float32]

LARGEST_SCORE = 5.0
_MOST_KNOTS = 512
_MOST_ROWS = 200_000
_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class NumberScaler:
    """A map of numbers onto standard normal scores, column by column, by their rank in training.

    Kept as arrays, for safetensors: `arrays()` and `from_arrays` lose nothing and need no JSON.

    knots:   float32 [S], each column's known values, ascending, one column after another
    scores:  float32 [S], the normal score at each knot
    starts:  int64 [F + 1], where each column's knots begin
    widths:  float32 [F, 2], the lengths over which scores grow beyond the first and last knot
    flagged: int64 [M], the columns that had missing cells in training and get a flag column
    """

    knots: Floats
    scores: Floats
    starts: NDArray[np.int64]
    widths: Floats
    flagged: NDArray[np.int64]

    @classmethod
    def fit(cls, numbers: Floats) -> NumberScaler:
        """Learn the scores from train numbers float32 [N, F], NaN for missing.

        A value's score is the normal quantile of the middle of the ranks it holds, so ties share
        one and a yes/no column keeps a sane distance between its two. At most 200,000 rows, evenly
        spaced, are looked at; nothing is drawn.

        Source: Conover, Practical Nonparametric Statistics (1999), van der Waerden scores.
        """
        seen = numbers[:: -(-len(numbers) // _MOST_ROWS) or 1]
        columns = [_fit_column(seen[:, i]) for i in range(numbers.shape[1])]
        sizes = [len(knots) for knots, _ in columns]
        widths = [_end_widths(knots) for knots, _ in columns]
        return cls(
            knots=_joined([knots for knots, _ in columns]),
            scores=_joined([scores for _, scores in columns]),
            starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            widths=np.array(widths, np.float32).reshape(-1, 2),
            flagged=np.flatnonzero(np.isnan(numbers).any(axis=0)).astype(np.int64),
        )

    @property
    def num_features(self) -> int:
        """F + M, the width of what `transform` returns."""
        return len(self.starts) - 1 + len(self.flagged)

    def transform(self, numbers: Floats) -> Floats:
        """Return float32 [N, F + M]: scores within ±5, 0 for missing; then the missing flags 0/1.

        Values beyond the training range go on growing, ever more slowly.

        Raises: DataError when the number of columns differs from training.
        """
        num_columns = len(self.starts) - 1
        if numbers.ndim != 2 or numbers.shape[1] != num_columns:
            raise DataError(
                f"Numbers of shape {numbers.shape} do not fit: {num_columns} columns were trained.",
                "give the table the model was trained on",
            )
        scaled = np.empty((len(numbers), self.num_features), np.float32)
        for i in range(num_columns):
            scaled[:, i] = self._scores_of(np.ascontiguousarray(numbers[:, i]), i)
        scaled[:, num_columns:] = np.isnan(numbers[:, self.flagged])
        return scaled

    def _scores_of(self, values: Floats, column: int) -> Floats:
        """Return the scores float32 [N] of one column's values."""
        knots = self.knots[self.starts[column] : self.starts[column + 1]].astype(np.float64)
        scores = self.scores[self.starts[column] : self.starts[column + 1]].astype(np.float64)
        if len(knots) == 0:
            return np.zeros(len(values), np.float32)
        exact = values.astype(np.float64)
        result = np.interp(exact, knots, scores)
        below, above = exact < knots[0], exact > knots[-1]
        low, high = self.widths[column].astype(np.float64)
        result[below] -= np.log1p((knots[0] - exact[below]) / low)
        result[above] += np.log1p((exact[above] - knots[-1]) / high)
        result = np.clip(result, -LARGEST_SCORE, LARGEST_SCORE)
        result[np.isnan(exact)] = 0.0
        return result.astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all that the scaler knows, by name."""
        return {
            "knots": self.knots,
            "scores": self.scores,
            "starts": self.starts,
            "widths": self.widths,
            "flagged": self.flagged,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> NumberScaler:
        """Return the scaler that `arrays()` came from.

        Raises: DataError when the arrays do not belong together.
        """
        try:
            scaler = cls(
                knots=arrays["knots"].astype(np.float32),
                scores=arrays["scores"].astype(np.float32),
                starts=arrays["starts"].astype(np.int64),
                widths=arrays["widths"].astype(np.float32),
                flagged=arrays["flagged"].astype(np.int64),
            )
        except KeyError as error:
            raise DataError(
                f"The scaler's array {error} is missing.", "copy the run again"
            ) from None
        if not scaler._is_whole():
            raise DataError("The scaler's arrays do not belong together.", "copy the run again")
        return scaler

    def _is_whole(self) -> bool:
        num_columns = len(self.starts) - 1
        return (
            self.starts.ndim == self.knots.ndim == self.flagged.ndim == 1
            and num_columns >= 0
            and self.starts[0] == 0
            and bool((np.diff(self.starts) >= 0).all())
            and self.knots.shape == self.scores.shape == (self.starts[-1],)
            and self.widths.shape == (num_columns, 2)
            and bool(((self.flagged >= 0) & (self.flagged < num_columns)).all())
        )


def _fit_column(values: Floats) -> tuple[Floats, Floats]:
    """Return (knots, scores) of one column: all its values, or 512 of its quantiles."""
    ordered = np.sort(values[np.isfinite(values)])
    if len(ordered) == 0:
        return ordered, ordered
    knots = np.unique(ordered)
    if len(knots) > _MOST_KNOTS:
        places = np.linspace(0, len(ordered) - 1, _MOST_KNOTS).round().astype(np.int64)
        knots = np.unique(ordered[places])
    first = np.searchsorted(ordered, knots, side="left")
    last = np.searchsorted(ordered, knots, side="right")
    shares = (first + last) / (2 * len(ordered))
    scores = np.array([_NORMAL.inv_cdf(share) for share in shares], np.float32)
    return knots, scores


def _joined(columns: list[Floats]) -> Floats:
    return np.concatenate(columns) if columns else np.zeros(0, np.float32)


def _end_widths(knots: Floats) -> tuple[float, float]:
    """Return the distances from the middle knot to both ends, never 0."""
    if len(knots) == 0:
        return 1.0, 1.0
    middle = float(knots[len(knots) // 2])
    smallest = max(abs(middle), 1.0) * 1e-6
    low, high = middle - float(knots[0]), float(knots[-1]) - middle
    if len(knots) == 1:
        smallest = max(abs(middle), 1.0)
    return max(low, smallest), max(high, smallest)
