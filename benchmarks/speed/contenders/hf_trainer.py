"""Hugging Face's Trainer turning a torch module as it is: the small network, the character GPT."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import Dataset

from benchmarks.speed.contenders import torch_small
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


class Ticks(transformers.TrainerCallback):
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.gate.tick()


class Rows(Dataset[dict[str, Tensor]]):
    """Rows of named tensors, one at a time: what the Trainer's own collator takes."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {name: tensor[row] for name, tensor in self.tensors.items()}


class WithLoss(nn.Module):
    """A module whose answer has a loss, as the Trainer wants it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": mse_loss(self.module(x), labels)}


def small(spec: Spec, gate: Gate) -> None:
    """Train the small network. spec: `torch_compile`, the Trainer's own option."""
    x_NF, y_N1 = torch_small.tensors(spec)
    module = torch_small.network(spec)
    found = torch_small.facts(module, x_NF, y_N1)
    gate.facts = lambda: found() | {"transformers": transformers.__version__}
    train(WithLoss(module), Rows({"x": x_NF, "labels": y_N1}), spec, gate)


def train(module: nn.Module, rows: Rows, spec: Spec, gate: Gate) -> None:
    """Turn the Trainer for ever, with the same arithmetic as the others: no clipping, no decay
    of the rate, and nothing logged or saved."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=spec["batch"],
            max_steps=10**9,
            learning_rate=spec["rate"],
            weight_decay=spec["decay"],
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_drop_last=True,
            dataloader_pin_memory=False,
            torch_compile=bool(spec.get("torch_compile")),
        )
        transformers.Trainer(
            model=module, args=arguments, train_dataset=rows, callbacks=[Ticks(gate)]
        ).train()


def threads(spec: Spec) -> None:
    torch.set_num_threads(spec["threads"])
