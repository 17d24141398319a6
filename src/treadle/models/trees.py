"""Gradient-boosted trees of one table: arrays that predict, save, load and can be cut short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from treadle.contracts import Batch, Layout
from treadle.errors import BrokenCheckpointError, DataError
from treadle.models import boosting_losses, tree_text
from treadle.models.tree_arrays import DTYPES, RETRAIN, Array, TreeArrays, checked, joined, no_trees

if TYPE_CHECKING:
    import lightgbm

SCORES = ("train_scores", "validation_scores")
LITTLE_WORK = 100_000


class Trees:
    """Boosted trees for one table: R rounds of O trees each, over F numbers and C categories.

    A row's score is base + round 1 + round 2 + …, added in this order in float64.
    train_scores [N, O], validation_scores [V, O]: float64, the scores of the two parts after the
    last round; only there while training, to go on from.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.arrays = no_trees()
        self.base_scores = torch.zeros(layout.num_outputs, dtype=torch.float64)
        self.train_scores: Tensor | None = None
        self.validation_scores: Tensor | None = None
        self._booster: lightgbm.Booster | None = None

    @property
    def num_rounds(self) -> int:
        return self.arrays.num_trees // self.layout.num_outputs

    def predict(self, batch: Batch, num_rounds: int | None = None) -> Tensor:
        """Return probabilities float32 [B, 2 or O], or values [B], after the first rounds (all)."""
        return boosting_losses.probabilities(self.layout.task, self.scores(batch, num_rounds))

    def scores(self, batch: Batch, num_rounds: int | None = None) -> Tensor:
        """Return the scores, float64 [B, O], before they are turned into probabilities."""
        columns = columns_of(batch, self.layout)
        rounds = self.num_rounds if num_rounds is None else min(num_rounds, self.num_rounds)
        if not len(columns):
            return torch.zeros((0, self.layout.num_outputs), dtype=torch.float64)
        found = self._as_booster().predict(
            columns,
            raw_score=True,
            num_iteration=rounds + 1,
            num_threads=threads_for(len(columns) * (rounds + 1), torch.get_num_threads()),
        )
        return torch.from_numpy(np.asarray(found).reshape(len(columns), -1).copy())

    def truncated(self, num_rounds: int) -> Trees:
        """Return the first `num_rounds` rounds, without what is needed only to train on."""
        kept = Trees(self.layout)
        kept.arrays = self.arrays.first(min(num_rounds, self.num_rounds) * self.layout.num_outputs)
        kept.base_scores = self.base_scores.clone()
        return kept

    def importance(self) -> Tensor:
        """Return the total gain of the splits on each column, float64 [F + C]."""
        gains = torch.zeros(num_columns(self.layout), dtype=torch.float64)
        features = torch.from_numpy(self.arrays.split_feature).long()
        return gains.index_add_(0, features, torch.from_numpy(self.arrays.gain))

    def append(self, arrays: TreeArrays) -> None:
        """Add trees behind those that are there."""
        self.arrays = joined([self.arrays, arrays])
        self.forget_booster()

    def forget_booster(self) -> None:
        """Let the next prediction see what was changed here."""
        self._booster = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return all of it as tensors, ready for a file."""
        state = {name: torch.from_numpy(array) for name, array in self.arrays.as_dict().items()}
        state["base_scores"] = self.base_scores
        for name in SCORES:
            if getattr(self, name) is not None:
                state[name] = getattr(self, name)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the trees of a file, after checking that they are trees of this layout.

        Raises: BrokenCheckpointError, with the tree's number, leaving what is here untouched.
        """
        known = {name: tensor.cpu().numpy() for name, tensor in state.items() if name in DTYPES}
        arrays = checked(known, self.layout)
        num_outputs = self.layout.num_outputs
        if arrays.num_trees % num_outputs:
            raise BrokenCheckpointError(
                f"{arrays.num_trees} trees do not make whole rounds of {num_outputs}.", RETRAIN
            )
        scores = {name: _checked_scores(name, state, num_outputs) for name in SCORES}
        base = state.get("base_scores")
        if base is None or base.shape != (num_outputs,) or not base.isfinite().all():
            raise BrokenCheckpointError(
                f"The base scores of the trees are not {num_outputs} finite numbers.", RETRAIN
            )
        self.arrays, self.base_scores, self._booster = arrays, base.double().cpu().clone(), None
        self.train_scores, self.validation_scores = (scores[name] for name in SCORES)

    def _as_booster(self) -> lightgbm.Booster:
        if self._booster is None:
            import lightgbm

            base = self.base_scores.numpy()
            text = tree_text.write(self.arrays, base, num_columns(self.layout))
            self._booster = lightgbm.Booster(model_str=text)
        return self._booster


def columns_of(batch: Batch, layout: Layout) -> Array:
    """Return numbers and categories side by side, float [B, F + C]; unseen categories are NaN.

    float32 holds every code up to 2²⁴; above that float64 is used.
    """
    numbers, codes = batch["numbers"], batch["categories"]
    widths = numbers.shape[1], codes.shape[1]
    expected = layout.num_numbers, len(layout.cardinalities)
    if widths != expected:
        raise DataError(
            f"The table has {widths[0]} number and {widths[1]} category columns; "
            f"the trees were fitted on {expected[0]} and {expected[1]}.",
            "encode the table with the encoders that were saved with the trees",
        )
    large = max(layout.cardinalities, default=0) > 2**24
    dtype = torch.float64 if large else torch.float32
    seen = codes.to(dtype).masked_fill(codes == 0, torch.nan)
    return torch.cat([numbers.to(dtype), seen], 1).cpu().numpy()


def num_columns(layout: Layout) -> int:
    return layout.num_numbers + len(layout.cardinalities)


def threads_for(work: int, num_threads: int) -> int:
    """Return one thread for little work: two would wait for each other, far more so on a busy CPU.

    work: cells to look through in a round, or trees to walk through
    """
    return 1 if work < LITTLE_WORK else num_threads


def _checked_scores(name: str, state: Mapping[str, Tensor], num_outputs: int) -> Tensor | None:
    scores = state.get(name)
    if scores is None:
        return None
    if scores.dtype != torch.float64 or scores.ndim != 2 or scores.shape[1] != num_outputs:
        raise BrokenCheckpointError(
            f"{name} is {scores.dtype} {list(scores.shape)}; "
            f"expected float64 [rows, {num_outputs}].",
            RETRAIN,
        )
    return scores.cpu().clone()
