"""What a model says of many rows: batch by batch, by captured code where that was asked for.

Two things decide how fast that goes. Batches that fit the processor's cache: the network for
tables takes 256 rows at four times the pace of 8,192. And capture, by which nothing but products
and one loop between them is left: measured at three to five times the pace of the eager forward.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from treadle.capture.background import Captured, Order, Refused, capture_and_wait
from treadle.capture.one_order import SumsInOneOrder
from treadle.capture.package import Runner, default_cache, load
from treadle.capture.trace import CannotCapture

ROWS_AT_ONCE = 256
RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""How far captured predictions may be from eager ones: rounding, not another function."""


class Inference:
    """Predictions of one of our models, [N, C] or [N], for rows given as tensors of N rows each.

    Captured code takes every batch, the last one filled up with copies of its first row: so a
    row's prediction does not depend on how many others are asked for.

    model: has `forward(batch)` and `predict(outputs)`, and treats each row by itself
    """

    def __init__(self, model: nn.Module, *, cache: Path | None = None) -> None:
        self.model = model
        self.cache = cache
        self._predicting = _Predicting(model)
        self._run: Runner | None = None

    @property
    def is_captured(self) -> bool:
        return self._run is not None

    def __call__(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Return what the model predicts for the rows, float32 on the CPU."""
        return self._predict(rows, self._run)

    def capture(self, rows: Mapping[str, Tensor], *, worth_seconds: float) -> Captured | Refused:
        """Capture the forward pass for rows like these, and wait for it.

        worth_seconds: what a compiler may take; with 0 only the cache is looked into
        """
        batch = _filled({name: tensor[:1] for name, tensor in sorted(rows.items())})
        with _evaluating(self.model):
            answer = capture_and_wait(self._order(batch, worth_seconds))
        if isinstance(answer, Refused):
            return answer
        try:
            run = load(answer.path)
        except CannotCapture as error:
            return Refused(reason=str(error))
        if not self._agrees(run, rows):
            return Refused(reason="captured, it predicts other values")
        self._run = run
        return answer

    def _order(self, batch: dict[str, Tensor], worth_seconds: float) -> Order:
        names, state = list(batch), list(self._tensors())

        def function(flat: list[Tensor]) -> list[Tensor]:
            given = dict(zip(state, flat, strict=False))
            own = dict(zip(names, flat[len(state) :], strict=True))
            return [torch.func.functional_call(self._predicting, given, (own,))]

        return Order(
            function=function,
            tensors=[*self._tensors().values(), *batch.values()],
            cache=self.cache or default_cache(),
            threads=torch.get_num_threads(),
            notes={},
            worth_seconds=worth_seconds,
        )

    def _predict(self, rows: Mapping[str, Tensor], run: Runner | None) -> Tensor:
        """Return what the model predicts, by the code of `run` where there is any."""
        with _evaluating(self.model), torch.no_grad(), SumsInOneOrder():
            return self._all(dict(sorted(rows.items())), run)

    def _all(self, rows: dict[str, Tensor], run: Runner | None) -> Tensor:
        count = len(next(iter(rows.values())))
        state = list(self._tensors().values())
        parts = []
        for start in range(0, max(1, count), ROWS_AT_ONCE):
            batch = {name: tensor[start : start + ROWS_AT_ONCE] for name, tensor in rows.items()}
            if run is None or count == 0:
                parts.append(self._predicting(batch).cpu())
            else:
                size = min(ROWS_AT_ONCE, count - start)
                parts.append(run([*state, *_filled(batch).values()])[0][:size])
        return torch.cat(parts)

    def _agrees(self, run: Runner, rows: Mapping[str, Tensor]) -> bool:
        some = {name: tensor[:ROWS_AT_ONCE] for name, tensor in rows.items()}
        captured, expected = self._predict(some, run), self._predict(some, None)
        return torch.allclose(captured, expected, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)

    def _tensors(self) -> dict[str, Tensor]:
        own: dict[str, Any] = dict(self._predicting.named_parameters())
        own |= dict(self._predicting.named_buffers())
        return {name: tensor.detach() for name, tensor in own.items()}


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put every part of a model in evaluation mode for a while, and each back as it was."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


class _Predicting(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        predicted: Tensor = self.model.predict(self.model(batch))  # type: ignore[operator]
        return predicted.float()


def _filled(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the batch with as many rows as the code is made for, in memory of its own."""
    filled = {}
    for name, tensor in batch.items():
        missing = ROWS_AT_ONCE - len(tensor)
        if missing:
            tensor = torch.cat([tensor, tensor[:1].expand(missing, *tensor.shape[1:])])
        filled[name] = tensor.contiguous()
    return filled
