"""The small network in Lightning, with its own DataLoader."""

from __future__ import annotations

import logging
import sys
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.contenders import torch_small
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


class Regression(lightning.LightningModule):
    def __init__(self, module: nn.Module, spec: Spec) -> None:
        super().__init__()
        self.module, self.spec = module, spec

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x_BF, y_B1 = batch
        return mse_loss(self.module(x_BF), y_B1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch_small.adamw(self.module, self.spec)


class Ticks(lightning.Callback):
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_train_batch_end(self, *_: Any) -> None:
        self.gate.tick()


def trainer(spec: Spec, gate: Gate) -> None:
    """Train with everything that is optional switched off: no logger, checkpoints or bar."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    x_NF, y_N1 = torch_small.tensors(spec)
    module = torch_small.network(spec)
    loader = DataLoader(TensorDataset(x_NF, y_N1), batch_size=spec["batch"], shuffle=True)
    found = torch_small.facts(module, x_NF, y_N1)
    gate.facts = lambda: found() | {"lightning": lightning.__version__}
    lightning.Trainer(
        max_epochs=sys.maxsize,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Ticks(gate)],
    ).fit(Regression(module, spec), loader)
