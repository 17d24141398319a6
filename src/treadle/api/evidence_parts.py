"""What is measured of our own models for the verdicts: networks and trees that predict a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.api.evidence_other import Rows, as_inputs, kernel_ridge
from treadle.api.evidence_rows import counting_fired

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.watch.evidence import Array, Column, Seen

    Part = dict[str, Tensor]

ROWS_AT_ONCE = 256
SUSPICIOUS = 0.8
"""The share of a constant answer's errors that are gone, from which it is asked whether the answer
was given away."""

LEAST = 1e-7
"""The least probability that a loss is taken of: float32 knows none that are nearer to 1."""


class PartSight:
    """Looks at predictions of a sample of the train part and of the validation part.

    predict: (a model, or None for the one in training; part) → probabilities [N, C] or values [N]
    parts, truths: of train and validation; class codes int64 [N], or values [N]
    inputs:  the tensors of a part that are inputs in numbers; none where a quick learner of
             another kind would not understand them
    known:   the column that gives the answer away, where the data was looked at for it
    alone:   looks for such a column at the end, where looking costs more: only for a model that is
             good enough for the answer to have been given away
    best:    the model with its best weights, where these are not put into the one in training
    rate_a_round: of trees: what share of the error that is left a round takes away at most
    """

    def __init__(
        self,
        predict: Callable[[Any, Part], Any],
        parts: tuple[Part, Part],
        truths: tuple[Any, Any],
        *,
        inputs: tuple[str, ...] = (),
        known: Column | None = None,
        alone: Callable[[], Column | None] | None = None,
        best: Callable[[], Any] | None = None,
        rate_a_round: float | None = None,
    ) -> None:
        self.predict, self.inputs, self.known = predict, inputs, known
        self.rate_a_round = rate_a_round
        self.parts, self.truths, self._best, self._model = parts, truths, best, None
        self._alone = alone
        self.held_out_rows = len(truths[1])
        self.same_units = truths[1].dtype.kind in "iu"  # numbers are learned scaled

    def to_best(self) -> None:
        """Look at the best weights from here on."""
        self._model = self._best() if self._best else None

    def look(self, most_rows: int) -> Seen:
        """Return what the model in training does with the sampled rows."""
        return self._look(self._model, most_rows)

    def silent(self, most_rows: int) -> Mapping[str, tuple[int, int]]:
        """Return by layer (units, how many are zero for every sampled row)."""
        if self.rate_a_round is not None:  # trees have none, and are not built yet
            return {}
        fired: Mapping[str, tuple[int, int]] = self._predicted(None, self._sampled(most_rows)[0])[1]
        return fired

    def constant(self, most_rows: int) -> tuple[Array | None, Array | None]:
        """Return the loss, and how far off, of each validation row for the best constant answer."""
        (_, truth), (_, held) = self._sampled(most_rows)
        if truth.dtype.kind in "iu":
            count = int(max(truth.max(), held.max())) + 1
            shares = np.bincount(truth, minlength=count) / len(truth)
            said = np.tile(shares, (len(held), 1))
        else:
            said = np.full(len(held), truth.mean(), dtype=np.float64)
        return losses(said, held), missed(said, held)

    def other(self, most_rows: int) -> Array | None:
        """Return how far off a quick learner of another kind is, on each validation row."""
        import torch

        if not self.inputs:
            return None
        (train, truth), (held, held_truth) = self._sampled(most_rows)
        both = as_inputs([torch.cat([train[name], held[name]]) for name in self.inputs])
        if both is None or not sum(part.shape[1] for part in both):
            return None
        answers = torch.from_numpy(np.concatenate([truth, held_truth]))
        return kernel_ridge(*Rows.both(both, answers, len(truth)))

    def column(self, most_rows: int) -> Column | None:
        """Return the column that gives the answer away, where one was found."""
        if self.known is not None or self._alone is None or self._solved(most_rows) < SUSPICIOUS:
            return self.known
        return self._alone()

    def _solved(self, most_rows: int) -> float:
        """Return the share of a constant answer's errors that the model does not make."""
        right, chance = self.look(most_rows).missed, self.constant(most_rows)[1]
        if right is None or chance is None or not chance.any():
            return 0.0
        return 1.0 - float(right.mean() / chance.mean())

    def _look(self, model: Any, most_rows: int) -> Seen:
        from treadle.watch.evidence import Seen

        (train, truth), (held, held_truth) = self._sampled(most_rows)
        said, silent = self._predicted(model, (train, truth))
        answers, _ = self._predicted(model, (held, held_truth))
        names = answers.ndim == 2
        return Seen(
            train=losses(said, truth),
            held_out=losses(answers, held_truth),
            missed=missed(answers, held_truth),
            sureness=answers.max(1) if names else None,
            said=None if names else answers,
            truth=None if names else held_truth.astype(np.float64),
            classes=answers.shape[1] if names else 0,
            silent=silent,
        )

    def _predicted(self, model: Any, rows: tuple[Part, Any]) -> tuple[Array, Any]:
        """Return the predictions for some rows, and which units were silent for all of them."""
        part, truth = rows
        said = []
        with counting_fired() as fired:
            for start in range(0, len(truth), ROWS_AT_ONCE):
                fired.again()
                few = {name: t[start : start + ROWS_AT_ONCE] for name, t in part.items()}
                said.append(_numbers(self.predict(model, few)))
        return np.concatenate(said), fired.silent

    def _sampled(self, most_rows: int) -> list[tuple[Part, Any]]:
        """Return the sampled rows of train and of validation, with their truths."""
        return [
            _spread(part, t, most_rows) for part, t in zip(self.parts, self.truths, strict=True)
        ]


def predicting(network: Any) -> Callable[[Any, Part], Any]:
    """Return how one of our networks, or a copy of it, predicts a part."""

    def predict(model: Any, part: Part) -> Any:
        from treadle.api.inference import inputs_of
        from treadle.watch.validation import evaluating

        asked = network if model is None else model
        with evaluating(asked, inference=False):
            return asked.predict(asked(inputs_of(part)))

    return predict


def leak_among(findings: Any) -> Column | None:
    """Return the column that the look at the data found to give the answer away."""
    from treadle.data.health import LEAK
    from treadle.watch.evidence import Column

    for finding in findings:
        if finding.title == LEAK:
            seen = finding.evidence
            score = max(value for name, value in seen.items() if name in ("roc_auc", "r2"))
            return Column(name=f"the column '{seen['column']}'", right=float(score), next=None)
    return None


def losses(said: Array, truth: Any) -> Array:
    """Return the loss of each row: the logarithmic one for classes, else the squared distance."""
    if said.ndim == 2:
        right: Array = said[np.arange(len(truth)), truth]
        return -np.log(np.clip(right, LEAST, 1.0))
    squares: Array = np.square(said - truth)
    return squares


def missed(said: Array, truth: Any) -> Array:
    """Return how far off each answer is: 0 or 1 for classes, else the squared distance."""
    off: Array = said.argmax(1) != truth if said.ndim == 2 else np.square(said - truth)
    return off.astype(np.float64)


def _spread(part: Part, truth: Any, most_rows: int) -> tuple[Part, Any]:
    """Return at most so many rows of a part, spread evenly, and their truths."""
    import torch

    if len(truth) <= most_rows:
        return part, truth
    rows = np.linspace(0, len(truth) - 1, most_rows).astype(np.int64)
    places = torch.from_numpy(rows)
    return {name: t[places.to(t.device)] for name, t in part.items()}, truth[rows]


def _numbers(values: Any) -> Array:
    array = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    found: Array = array.astype(np.float64)
    return found
