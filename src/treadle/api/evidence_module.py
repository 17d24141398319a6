"""What is measured of an engineer's own module for the verdicts, with the weights it has now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.api.evidence_other import Rows, as_inputs, best_of, telling_column
from treadle.api.evidence_photos import are_photos, patches
from treadle.api.evidence_rows import (
    best_constant,
    counting_fired,
    missed,
    one_number,
    probabilities,
    row_losses,
)
from treadle.api.module_loss import TARGETS, BatchLoss, parts_of

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.data.own import Own
    from treadle.watch.evidence import Array, Column, Seen


class ModuleSight:
    """Looks at a module's answers to a fixed sample of the train rows and of the validation rows.

    Only data that is kept whole in memory is sampled: asking a loader for rows may move it. Rows
    go through the module in batches of the size that it is trained with.
    """

    same_units = True

    def __init__(self, loss: BatchLoss, source: Own, held_out: Own | None) -> None:
        self.loss, self.source, self.held_out = loss, source, held_out
        self.held_out_rows = held_out.num_rows if held_out is not None else 0

    def to_best(self) -> None:
        """Look at the best weights from here on: they are in the module."""

    def look(self, most_rows: int) -> Seen:
        """Return what the module does with the sampled rows."""
        return self._look(self.loss, most_rows)

    def silent(self, most_rows: int) -> Mapping[str, tuple[int, int]]:
        """Return by layer (units, how many are zero for every sampled row)."""
        silent: Mapping[str, tuple[int, int]] = self._answers(self.loss, self.source, most_rows)[2]
        return silent

    def constant(self, most_rows: int) -> tuple[Array | None, Array | None]:
        """Return the loss, and how far off, of each validation row for the best constant answer."""
        output, target, _ = self._answers(self.loss, self.source, most_rows)
        held, truth, _ = self._answers(self.loss, self.held_out, most_rows)
        if held is None:
            return None, None
        if output is None:  # a loader's rows are not asked for: validation's own answers must do
            output, target = held, truth
        answer = best_constant(self._of, output, target)
        if answer is None:
            return None, None
        same = answer.expand_as(held)
        return row_losses(self._of, same, truth), missed(same, truth, self._said(same, truth))

    def other(self, most_rows: int) -> Array | None:
        """Return how far off a quick learner of another kind is, on each validation row."""
        sampled = self._sampled(most_rows)
        if sampled is None:
            return None
        inputs, answers, count = sampled
        ways = [as_inputs(inputs), *([[patches(inputs[0])]] if are_photos(inputs) else [])]
        pairs = [Rows.both(way, answers, count) for way in ways if way is not None]
        return best_of(pairs) if pairs else None

    def column(self, most_rows: int) -> Column | None:
        """Return the input that tells most of the answer alone."""
        sampled = self._sampled(most_rows)
        both = None if sampled is None else as_inputs(sampled[0])
        if sampled is None or both is None:
            return None
        train, held_out = Rows.both(both, *sampled[1:])
        return telling_column(train.with_rows(held_out))

    def _look(self, loss: BatchLoss, most_rows: int) -> Seen:
        from treadle.watch.evidence import Seen

        output, target, silent = self._answers(loss, self.source, most_rows)
        held, truth, _ = self._answers(loss, self.held_out, most_rows)
        train = None if output is None else row_losses(self._of, output, target)
        if held is None:
            return Seen(train=train, silent=silent)
        said = self._said(held, truth)
        return Seen(
            train=train,
            held_out=row_losses(self._of, held, truth),
            missed=missed(held, truth, said),
            sureness=None if said is None else said.max(1),
            classes=0 if said is None else said.shape[1],
            silent=silent,
            **one_number(held, truth, said),
        )

    def _answers(self, loss: BatchLoss, source: Any, most_rows: int) -> tuple[Any, Any, Any]:
        """Return (outputs, targets, silent units) of sampled rows; None, None, {} for no tensors.

        A loss that the module computes itself says nothing of single rows.
        """
        import torch

        from treadle.watch.validation import evaluating

        if not _is_kept(source) or self.loss.loss is None:
            return None, None, {}
        pairs = []
        with evaluating(loss.module, inference=False), counting_fired() as fired:
            for batch in sample(source, most_rows):
                fired.again()
                pairs.append(parts_of(loss.module, batch))
        silent = fired.silent
        outputs = [getattr(output, "logits", output) for output, _ in pairs]
        if not all(isinstance(x, torch.Tensor) for x in [*outputs, *(y for _, y in pairs)]):
            return None, None, silent
        return torch.cat(outputs), torch.cat([target for _, target in pairs]), silent

    def _said(self, output: Tensor, target: Tensor) -> Array | None:
        """Return the probability of each class, where the targets name classes."""
        loss = self.loss.loss
        words = f"{getattr(loss, '__name__', '')} {type(loss).__name__}".lower()
        names = not target.is_floating_point() or "binary" in words or "bce" in words
        return probabilities(output, target) if names else None

    def _sampled(self, most_rows: int) -> tuple[list[Tensor], Tensor, int] | None:
        """Return the inputs and the targets of the sampled rows, and how many are of train."""
        import torch

        if not (_is_kept(self.source) and _is_kept(self.held_out)):
            return None
        (train, y), (held, truth) = (
            _columns(sample(source, most_rows)) for source in (self.source, self.held_out)
        )
        if (
            y is None
            or truth is None
            or any(x.shape == y.shape and torch.equal(x, y) for x in train)
        ):
            return None  # no target, or one that is the input itself, to be squeezed through
        inputs = [torch.cat([a, b]) for a, b in zip(train, held, strict=True)]
        return inputs, torch.cat([y, truth]), len(y)

    @property
    def _of(self) -> Any:
        return self.loss.loss


def sample(source: Any, most_rows: int) -> list[Any]:
    """Return batches of rows spread evenly over a source in memory."""
    import torch

    count = min(most_rows, source.num_rows)
    rows = torch.from_numpy(np.linspace(0, source.num_rows - 1, count).astype(np.int64))
    parts = rows.to(source.device).split(source.batch_size)
    named = [{name: t[part] for name, t in source.tensors.items()} for part in parts]
    return [source._formed(batch) for batch in named]


def _is_kept(source: Any) -> bool:
    from treadle.data.batches import TensorSource

    return isinstance(source, TensorSource)


def _columns(batches: list[Any]) -> tuple[list[Any], Any]:
    """Return the tensors that a module is given, and the target, where there is one."""
    import torch

    first = batches[0]
    if isinstance(first, Mapping):
        target = next((name for name in TARGETS if name in first), None)
        whole = {name: torch.cat([batch[name] for batch in batches]) for name in first}
        return [whole[n] for n in sorted(whole) if n != target], whole.get(target or "")
    if isinstance(first, tuple) and len(first) > 1:
        columns = [torch.cat(parts) for parts in zip(*batches, strict=True)]
        return columns[:-1], columns[-1]
    return [], None
