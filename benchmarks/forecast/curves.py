"""Long curves, by treadle itself: five times the steps that are forecast from.

    python benchmarks/forecast/curves.py --to curves.jsonl [--runs 240] [--folder DATA]

A curve is one line: the task and its half, how it was trained, and the validation metric by step.
Runs whose rate falls come in threes, laid out for N, 2 N and 5 N steps, since a longer plan is
another curve. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tasks
import torch
from torch import nn

import treadle

ODD_RUNS = 180
"""Runs below this number are of any kind, far too slow and far too fast ones among them."""


def settings_of(number: int) -> dict[str, Any]:
    """Return what the run of that number is: drawn by chance, the same every time."""
    chance = np.random.default_rng(number)
    names = tasks.names()
    schedule = str(chance.choice(["constant", "constant", "cosine", "warmup-stable-decay"]))
    asked = {
        "number": number,
        "task": names[number % len(names)],
        "schedule": schedule,
        "optimizer": str(chance.choice(["adamw", "adamw", "adam", "sgd", "rmsprop"])),
        "rate": float(10 ** chance.uniform(-1.2, 0.7)),  # times what is usual for the optimizer
        "width": int(chance.choice([8, 16, 32, 64, 128])),
        "layers": int(chance.choice([1, 2, 3])),
        "dropout": float(chance.choice([0.0, 0.0, 0.1, 0.3])),
        "batch_size": int(chance.choice([16, 32, 64, 128])),
        "rows": float(chance.choice([1.0, 1.0, 0.5, 0.2])),
        "validation_share": float(chance.choice([0.15, 0.3, 0.3, 0.5])),
        "metric": str(chance.choice(["loss", "loss", "accuracy", "other"])),
        "steps": int(chance.choice([100, 160, 240, 400])),
        "checks": int(chance.choice([20, 50, 100])),
        "seed": int(chance.integers(1_000)),
    }
    if number < ODD_RUNS:
        return asked
    return asked | {  # as sensible people train: near the right rate, and until it is at rest
        "rate": float(10 ** chance.uniform(-0.5, 0.5)),
        "steps": int(chance.choice([240, 400, 640])),
        "checks": int(chance.choice([12, 16, 24])),
        "rows": float(chance.choice([1.0, 0.5])),
    }


def module_of(task: tasks.Task, asked: dict[str, Any]) -> nn.Module:
    width, outputs = asked["width"], task.answers or task.target.shape[1]
    layers: list[nn.Module] = []
    if task.kind == "conv":
        layers += [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten()]
        inside = 144
    elif task.kind in ("codes", "sequence"):
        layers += [nn.Embedding(task.cardinality, 12)]
        if task.kind == "sequence":
            layers += [LastState(12, width)]
            inside = width
        else:
            layers += [nn.Flatten()]
            inside = 12 * task.inputs.shape[1]
    else:
        inside = task.inputs.shape[1]
    for _ in range(asked["layers"]):
        layers += [nn.Linear(inside, width), nn.ReLU(), nn.Dropout(asked["dropout"])]
        inside = width
    return nn.Sequential(*layers, nn.Linear(inside, outputs))


class LastState(nn.Module):
    """What a small recurrent network holds at a sequence's end, [B, D]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.cell = nn.GRU(inputs, width, batch_first=True)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.cell(values)[0][:, -1]


def optimizer_of(name: str, module: nn.Module, rate: float) -> torch.optim.Optimizer:
    parameters = module.parameters()
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=0.05 * rate, momentum=0.9)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=1e-3 * rate)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=3e-3 * rate)


def curve_of(asked: dict[str, Any], steps: int) -> dict[str, Any]:
    """Train once, and return the curve."""
    task = tasks.make(asked["task"])
    count = max(80, int(len(task.inputs) * asked["rows"]))
    inputs, target = task.inputs[:count], task.target[:count]
    held = max(20, int(len(inputs) * asked["validation_share"]))
    torch.manual_seed(asked["seed"])
    module = module_of(task, asked)
    metric, up = _metric(asked["metric"], task)
    folder = Path(tempfile.mkdtemp())
    began = time.monotonic()
    try:
        run = treadle.fit(
            module,
            (inputs[held:], target[held:]),
            validation=(inputs[:held], target[:held]),
            loss="cross_entropy" if task.answers else "mean_squared_error",
            metrics=() if metric == "loss" else (metric,),
            metric=metric,
            optimizer=optimizer_of(asked["optimizer"], module, asked["rate"]),
            schedule=asked["schedule"],
            batch_size=asked["batch_size"],
            until=f"{steps} steps",
            validate_every=max(1, asked["steps"] // asked["checks"]),
            engine="eager",
            threads=1,
            save_every_seconds=1e6,
            out=folder / "run",
            seed=asked["seed"],
        )
        points = [(point["step"], point["values"]) for point in run.metrics]
        rolled = sum(line["topic"] == "rollback" for line in run.journal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "task": task.name,
        "half": task.half,
        "kind": task.kind,
        "asked": asked,
        "metric": metric,
        "higher_is_better": up,
        "schedule": asked["schedule"],
        "horizon": steps,
        "rows": len(inputs) - held,
        "validation_rows": held,
        "rollbacks": rolled,
        "seconds": round(time.monotonic() - began, 2),
        "steps": [step for step, _ in points],
        "values": [_short(values[metric]) for _, values in points],
        "train_loss": [_short(values["train_loss"]) for _, values in points],
    }


def _metric(asked: str, task: tasks.Task) -> tuple[str, bool]:
    if asked == "loss":
        return "loss", False
    if not task.answers:
        return ("r2", True) if asked == "accuracy" else ("mean_absolute_error", False)
    if asked == "other" and task.answers == 2:
        return "roc_auc", True
    return "accuracy", True


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--runs", type=int, default=240)
    parser.add_argument("--folder", type=Path, default=tasks.FOLDER, help="tables and photos")
    options = parser.parse_args()
    tasks.FOLDER = options.folder
    warnings.simplefilter("ignore")
    done = set()
    if options.to.exists():
        lines = [json.loads(line) for line in options.to.read_text().splitlines()]
        done = {(line["asked"]["number"], line["horizon"]) for line in lines if "asked" in line}
    for number in range(options.first, options.first + options.runs):
        asked = settings_of(number)
        steps = asked["steps"]
        lengths = [5 * steps] if asked["schedule"] == "constant" else [steps, 2 * steps, 5 * steps]
        for length in lengths:
            if (number, length) in done:
                continue
            try:
                line = curve_of(asked, length)
            except treadle.TreadleError as error:
                line = {"failed": str(error)[:200], "asked": asked, "horizon": length}
            with options.to.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(number, asked["task"], asked["schedule"], length, line.get("seconds"), flush=True)


if __name__ == "__main__":
    main()
