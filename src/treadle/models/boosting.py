"""Boosting under the loop: a round is a step, LightGBM finds the splits.

Resuming a LightGBM model that samples rows or columns is not exact. So training goes in blocks:
each block of rounds is a new Booster whose seeds come from (seed, rounds before it) and whose
starting point is the scores so far. Nothing else crosses the border of two blocks, so a run that
is resumed there continues to the bit; in between, checkpoints must wait for the next border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from treadle.contracts import Batch, Layout
from treadle.errors import DataError
from treadle.models import boosting_losses, tree_text
from treadle.models.lightgbm_threads import at_most
from treadle.models.tree_arrays import Array, TreeArrays, joined, no_trees
from treadle.models.tree_settings import TreeSettings
from treadle.models.trees import Trees, columns_of, num_columns

if TYPE_CHECKING:
    import lightgbm

_Metric: TypeAlias = "Callable[[Array, lightgbm.Dataset], list[tuple[str, float, bool]]]"


class _Totals(Protocol):
    def add(self, loss: Tensor, weight: Tensor) -> object: ...


class _KeepsTotals(Protocol):
    @property
    def totals(self) -> _Totals: ...


class BoostingRound:
    """One round of boosting: the step that the loop takes for trees.

    `trees` grows by a whole block wherever the number of rounds is a multiple of `block_rounds`:
    save there only, where `at_block_end` is true. `so_far` has every round at any time.
    `threads` may be set before any round to fewer than `num_threads`; of large tables the number
    moves the last bits.
    """

    def __init__(
        self,
        trees: Trees,
        train: Batch,
        validation: Batch | None,
        layout: Layout,
        settings: TreeSettings,
        seed: int,
        num_threads: int,
    ) -> None:
        self.trees, self.layout, self.settings = trees, layout, settings
        self.block_rounds = settings.block_rounds
        self._seed, self._num_threads = seed, num_threads
        self.threads = num_threads
        self._target, self._weight = train["target"], train.get("weight")
        self._train = _Part(train, layout, self._parameters(0), None)
        self._validation = (
            None
            if validation is None
            else _Part(validation, layout, self._parameters(0), self._train)
        )
        self._booster: lightgbm.Booster | None = None
        self._filled: list[bool] = []  # for each round of this block: did it find a split?
        self._start_scores(train, validation)

    @property
    def num_rounds(self) -> int:
        """Rounds done so far, those of the unfinished block included."""
        return self.trees.num_rounds + len(self._filled)

    @property
    def at_block_end(self) -> bool:
        return not self._filled

    def __call__(self, state: _KeepsTotals, batch: Batch) -> None:
        """Do one round. `batch` is the whole train part, which this step was built with."""
        if self._train.splittable:
            self._filled.append(self._grow())
        else:
            self._filled.append(False)
            assert self.trees.train_scores is not None
            self._follow(_flat(self.trees.train_scores.numpy()), self._train.dataset)
        state.totals.add(self._loss, self._loss_weight)
        if self.num_rounds % self.block_rounds == 0:
            self._close_block()

    def validation_predictions(self) -> Tensor:
        """Return what `predict` gives for the validation part now, without predicting again."""
        return boosting_losses.probabilities(self.layout.task, self.validation_scores())

    def validation_scores(self) -> Tensor:
        """Return the scores of the validation part after the last round, float64 [V, O]."""
        if self._booster is None:
            assert self.trees.validation_scores is not None, "there is no validation part"
            return self.trees.validation_scores
        return self._scores_by(self._booster.eval_valid)

    def _scores_by(self, evaluate: Callable[[_Metric], object]) -> Tensor:
        with at_most(self.threads):
            return _captured(evaluate, self.layout.num_outputs)

    def so_far(self) -> Trees:
        """Return a copy of all rounds done, those of the unfinished block included."""
        found = self.trees.truncated(self.trees.num_rounds)
        found.append(self._block_arrays())
        return found

    def _grow(self) -> bool:
        """Let LightGBM do a round; return whether it found any split."""
        booster = self._open_block() if self._booster is None else self._booster
        num_trees = booster.num_trees()
        with at_most(self.threads):
            booster.update(fobj=self._follow)
        return booster.num_trees() > num_trees

    def _follow(self, scores: Array, _: lightgbm.Dataset) -> tuple[Array, Array]:
        found = boosting_losses.derivatives(
            self.layout.task, torch.from_numpy(scores), self._target, self._weight
        )
        self._loss, self._loss_weight = found.loss, found.weight
        return found.gradient.numpy(), found.hessian.numpy()

    def _start_scores(self, train: Batch, validation: Batch | None) -> None:
        """Set the scores to go on from: those saved, else the base, or of the trees there are."""
        trees, task = self.trees, self.layout.task
        if trees.num_rounds == 0 and trees.train_scores is None:
            trees.base_scores = boosting_losses.base_scores(
                task, self._target, self._weight, self.layout.num_outputs
            )
            trees.forget_booster()
        if trees.train_scores is None:
            trees.train_scores = trees.scores(train)
        if validation is not None and trees.validation_scores is None:
            trees.validation_scores = trees.scores(validation)

    def _open_block(self) -> lightgbm.Booster:
        import lightgbm

        self._train.start_at("train", self.trees.train_scores)
        parameters = self._parameters(self.trees.num_rounds)
        self._booster = lightgbm.Booster(parameters, self._train.dataset)
        if self._validation is not None:
            self._validation.start_at("validation", self.trees.validation_scores)
            self._booster.add_valid(self._validation.dataset, "validation")
        return self._booster

    def _close_block(self) -> None:
        self.trees.append(self._block_arrays())
        if self._booster is not None:
            self.trees.train_scores = self._scores_by(self._booster.eval_train)
            if self._validation is not None:
                self.trees.validation_scores = self._scores_by(self._booster.eval_valid)
        self._booster, self._filled = None, []

    def _block_arrays(self) -> TreeArrays:
        """Return the trees of this block; LightGBM leaves out a round that found no split."""
        found = no_trees()
        if self._booster is not None:
            found = tree_text.read(self._booster.model_to_string(num_iteration=-1))
        return _with_empty_rounds(found, self._filled, self.layout.num_outputs)

    def _parameters(self, rounds_before: int) -> dict[str, object]:
        """Return LightGBM's parameters for the block that starts after so many rounds."""
        seeds = np.random.SeedSequence((self._seed, rounds_before)).generate_state(3) >> 1
        dataset_seed = np.random.SeedSequence(self._seed).generate_state(1) >> 1
        return self.settings.parameters() | {
            "objective": "none",
            "metric": "none",
            "num_class": self.layout.num_outputs,
            "num_threads": self._num_threads,
            "deterministic": True,
            "force_row_wise": True,
            "boost_from_average": False,
            "verbosity": -1,
            "data_random_seed": int(dataset_seed[0]),
            "bagging_seed": int(seeds[0]),
            "feature_fraction_seed": int(seeds[1]),
            "extra_seed": int(seeds[2]),
        }


class _Part:
    """One part of the table as LightGBM holds it: binned columns, and scores to start from."""

    def __init__(
        self, batch: Batch, layout: Layout, parameters: dict[str, object], reference: _Part | None
    ) -> None:
        import lightgbm

        self.dataset: lightgbm.Dataset = lightgbm.Dataset(
            columns_of(batch, layout),
            batch["target"].numpy(),
            reference=None if reference is None else reference.dataset,
            categorical_feature=list(range(layout.num_numbers, num_columns(layout))),
            params=parameters,
        ).construct()
        # LightGBM drops columns that no split could use, and aborts when none is left
        num_bins = map(self.dataset.feature_num_bin, range(num_columns(layout)))
        self.splittable = any(bins > 1 for bins in num_bins)

    def start_at(self, part: str, scores: Tensor | None) -> None:
        """Let the next Booster start from `scores`, float64 [N, O]."""
        num_rows = self.dataset.num_data()
        if scores is None or len(scores) != num_rows:
            raise DataError(
                f"The checkpoint has scores of {0 if scores is None else len(scores)} {part} rows; "
                f"this table has {num_rows}.",
                "resume with the data that the run was started with",
            )
        self.dataset.set_init_score(scores.numpy().ravel(order="F"))


def _flat(scores: Array) -> Array:
    """Return scores as LightGBM hands them over: [N] where there is one output."""
    return scores[:, 0] if scores.shape[1] == 1 else scores


def _captured(evaluate: Callable[[_Metric], object], num_outputs: int) -> Tensor:
    """Return the scores float64 [N, O] that LightGBM hands to a metric of the user's own."""
    seen: list[Array] = []

    def keep(scores: Array, _: lightgbm.Dataset) -> list[tuple[str, float, bool]]:
        seen.append(scores.copy())
        return []

    evaluate(keep)
    return torch.from_numpy(np.ascontiguousarray(seen[0]).reshape(-1, num_outputs))


def _with_empty_rounds(found: TreeArrays, filled: list[bool], num_outputs: int) -> TreeArrays:
    """Put rounds of nothing where LightGBM found no split, so that rounds can be counted."""
    if all(filled):
        return found
    ends = np.cumsum(filled) * num_outputs
    empty = tree_text.constant_trees(num_outputs)
    parts = [
        found.between(end - num_outputs, end) if full else empty
        for full, end in zip(filled, ends, strict=True)
    ]
    return joined(parts)
