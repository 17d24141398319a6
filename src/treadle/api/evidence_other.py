"""A quick learner of another kind, and each input on its own: what the data would have allowed.

Shape legend: N rows to learn from, M rows to answer, F inputs, O outputs (classes, or numbers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from treadle.watch.evidence import Array, Column

    Codes = NDArray[np.int64]

MOST_ROWS = 600
MOST_INPUTS = 2_048
MOST_WORDS = 50
"""Of how many different whole numbers each becomes an input of its own."""

WIDTHS = (0.3, 1.0, 3.0)
RIDGE = 0.1
NEAREST = 4
SUSPECTS = 6
COPY = 0.98
"""From which correlation on two inputs say the same."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows as numbers: x [N, F], and the answers y, codes int64 [N] or numbers float64 [N, O].

    classes: how many there are; 0 for numbers
    """

    x: Array
    y: Codes | Array
    classes: int

    @property
    def answers(self) -> Array:
        """The answers as numbers [N, O], classes as 0 and 1."""
        if not self.classes:
            return self.y.astype(np.float64)
        return np.eye(self.classes)[self.y]

    @classmethod
    def both(cls, inputs: list[Tensor], target: Tensor, count: int) -> tuple[Rows, Rows]:
        """Return the first `count` rows and the others; all are given in one for their classes."""
        x = np.concatenate([part.double().numpy() for part in inputs], axis=1)
        y = target.detach().reshape(len(target), -1).cpu().numpy()
        names = y.shape[1] == 1 and (y.dtype.kind in "iub" or set(np.unique(y)) <= {0.0, 1.0})
        found, codes = np.unique(y, return_inverse=True)
        answers: Any = codes.reshape(-1) if names else y.astype(np.float64)
        parts = slice(count), slice(count, None)
        first, second = (
            cls(x=x[p], y=answers[p], classes=len(found) if names else 0) for p in parts
        )
        return first, second

    def with_rows(self, more: Rows) -> Rows:
        """Return these rows and more."""
        x, y = np.concatenate([self.x, more.x]), np.concatenate([self.y, more.y])
        return Rows(x=x, y=y, classes=self.classes)


def best_of(seen: Sequence[tuple[Rows, Rows]]) -> Array:
    """Return how far off a kernel ridge regression is on each held-out row, [M].

    seen: the train rows and the held-out rows as they may be seen. What counts is the way of seeing
          them that has the least error when each train row in turn is left out.
    """
    return min((_fitted(*pair) for pair in seen), key=lambda found: found[0])[1]


def kernel_ridge(train: Rows, held_out: Rows) -> Array:
    """Return how far off a kernel ridge regression is on each held-out row, [M]."""
    return _fitted(train, held_out)[1]


def _fitted(train: Rows, held_out: Rows) -> tuple[float, Array]:
    """Return the error when each train row in turn is left out, and how far off it is otherwise.

    Its width is that of the least such error.
    Source: Rifkin and Lippert, Notes on Regularized Least Squares (2007), section 2.
    """
    import torch

    few = np.unique(np.linspace(0, len(train.x) - 1, min(MOST_ROWS, len(train.x))).astype(int))
    center, spread = train.x.mean(0), train.x.std(0) + 1e-9
    x = torch.from_numpy(((train.x[few] - center) / spread).clip(-6, 6)).float()
    new = torch.from_numpy(((held_out.x - center) / spread).clip(-6, 6)).float()
    answers = torch.from_numpy(train.answers[few]).float()
    mean = answers.mean(0)
    far = torch.cdist(x, x).square()
    usual = far.median().clamp_min(1e-9)
    best, found = float("inf"), (WIDTHS[0], answers)
    for width in WIDTHS:
        kernel = torch.exp(-far / (usual * width)) + RIDGE * torch.eye(len(x))
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        weights = inverse @ (answers - mean)
        error = float((weights / inverse.diagonal()[:, None]).square().mean())
        if error < best:
            best, found = error, (width, weights)
    width, weights = found
    said = torch.exp(-torch.cdist(new, x).square() / (usual * width)) @ weights + mean
    return best, off(said.double().numpy(), held_out)


def off(said: Array, rows: Rows) -> Array:
    """Return how far off answers are: 0 or 1 for classes, else the squared distance."""
    if rows.classes:
        wrong: Array = (said.argmax(1) != rows.y).astype(np.float64)
        return wrong
    squares: Array = np.square(said - rows.y).mean(1)
    return squares


def telling_column(rows: Rows) -> Column | None:
    """Return the input that tells most of the answer alone; None where none tells anything."""
    from treadle.watch.evidence import Column

    suspects = by_tie(rows)[:SUSPECTS]
    told = {int(place): told_alone(rows, int(place)) for place in suspects}
    if not told:
        return None
    first = max(told, key=lambda place: told[place])
    others = [told[place] for place in told if not _are_copies(rows.x, first, place)]
    return Column(name=f"number {first + 1}", right=told[first], next=max(others, default=0.0))


def by_tie(rows: Rows) -> NDArray[np.intp]:
    """Return the inputs' places, the one first whose mean differs most from answer to answer."""
    answers = rows.answers - rows.answers.mean(0)
    x = rows.x - rows.x.mean(0)
    spread = np.sqrt(np.square(x).sum(0))[:, None] * np.sqrt(np.square(answers).sum(0))[None]
    ties = np.square(x.T @ answers / np.maximum(spread, 1e-12)).max(1)
    places: NDArray[np.intp] = np.argsort(-ties)
    tied: NDArray[np.intp] = places[ties[places] > 0]
    return tied


def told_alone(rows: Rows, place: int) -> float:
    """Return the share of a constant answer's errors that one input takes away.

    A row is answered by those of the other half that are nearest in this input alone, by the
    nearest or by a few, whichever is better; the worse of both halves counts.
    """
    scores = [[_told_by(rows, place, fit, few) for few in (1, NEAREST)] for fit in _halves(rows)]
    return float(max(min(of_half) for of_half in zip(*scores, strict=True)))


def _told_by(rows: Rows, place: int, fit: NDArray[np.bool_], few: int) -> float:
    order = np.argsort(rows.x[fit, place], kind="stable")
    known, answers = rows.x[fit, place][order], rows.answers[fit][order]
    ends = [np.searchsorted(known, rows.x[~fit, place], side) for side in ("left", "right")]
    near = (((ends[0] + ends[1]) // 2)[:, None] + np.arange(few) - few // 2).clip(0, len(known) - 1)
    if few == 1:  # of the two that it stands between, the one that is nearer
        before = (near - 1).clip(0)
        off_by = [np.abs(known[places] - rows.x[~fit, place][:, None]) for places in (before, near)]
        near = np.where(off_by[0] < off_by[1], before, near)
    said = answers[near].mean(1)
    rest = Rows(x=rows.x[~fit], y=rows.y[~fit], classes=rows.classes)
    chance = float(off(np.tile(answers.mean(0), (len(said), 1)), rest).mean())
    return 1.0 - float(off(said, rest).mean()) / chance if chance else 0.0


def _halves(rows: Rows) -> Iterator[NDArray[np.bool_]]:
    half = np.random.default_rng(0).permutation(len(rows.x)) % 2 == 0
    yield half
    yield ~half


def _are_copies(x: Array, one: int, other: int) -> bool:
    if one == other:
        return True
    tie = np.corrcoef(x[:, one], x[:, other])[0, 1]
    return bool(abs(tie) > COPY)


def as_inputs(tensors: list[Tensor]) -> list[Tensor] | None:
    """Return tensors [N, …] as float columns [N, F] each, words as an input for each word.

    None where they are too many, or are names of too many things.
    """
    import torch

    found = []
    for tensor in tensors:
        flat = tensor.detach().reshape(len(tensor), -1).cpu()
        if not flat.is_floating_point():
            words = int(flat.max()) + 1 if flat.numel() and int(flat.min()) >= 0 else MOST_WORDS + 1
            if words > MOST_WORDS:
                return None
            flat = torch.nn.functional.one_hot(flat.long(), words).reshape(len(flat), -1)
        found.append(flat)
    return found if sum(part.shape[1] for part in found) <= MOST_INPUTS else None
