"""A tiny training of each kind, as the verbs put it together, to be turned in forked children.

`prepared(kind, engine, place)` reads, splits and encodes once; what it returns trains in a run
folder, again and again, each time in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

import treadle
from tests import small
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, Place, open_place
from treadle.api.table_data import PARTS
from treadle.data.fingerprint import fingerprint
from treadle.goal import DEFAULT, metric_named

Train = Callable[..., str]
"""(out, resume, save_every seconds) → a digest of the weights that the training ends with."""

KINDS = ("own", "neural", "trees", "photos", "events")
ENGINES = {"own": ("eager", "compiled"), "trees": ("eager",)}
ROWS, WIDTH = 96, 6
NUM_STEPS = 24


def engines_of(kind: str) -> tuple[str, ...]:
    """Return the engines that a kind can be trained on."""
    return ENGINES.get(kind, ("eager", "compiled"))


def prepared(kind: str, engine: str, place: Path, num_steps: int = NUM_STEPS) -> Train:
    """Return the training of a kind, with its data read and encoded.

    num_steps: how long it is; trees, files and what has a torch scheduler have their own length
    """
    makers = {"own": _own, "neural": _table, "trees": _table, "photos": _photos, "events": _events}
    makers |= {"files": _files, "scheduled": _scheduled}
    return makers[kind](kind, engine, place, num_steps)


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return a hash of names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()


def network() -> nn.Module:
    """Return a module with everything that keeps state: running statistics and dropout."""
    torch.manual_seed(3)
    layers = [nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(16, 3))


def _own(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    generator = torch.Generator().manual_seed(5)
    x_NF = torch.randn(ROWS, WIDTH, generator=generator)
    y_N = (x_NF[:, 0] * 2 + x_NF[:, 1]).clamp(-1, 1).round().long() + 1

    def train(out: Path, resume: bool, save_every: float) -> str:
        module = network()
        treadle.fit(
            module,
            (x_NF[:80], y_N[:80]),
            validation=(x_NF[80:], y_N[80:]),
            loss="cross_entropy",
            metrics={"accuracy": lambda o, t: (o.argmax(1) == t).float().mean()},
            average=0.9,
            accumulate=2,
            clip_norm=1.0,
            schedule="cosine",
            batch_size=16,
            validate_every=4,
            until=f"{num_steps} steps",
            engine=engine,
            out=out,
            resume=resume,
            save_every_seconds=save_every,
        )
        return digest(module.state_dict().items())

    return train


def _files(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    """Parquet files that do not fit into their budget, so that a thread reads ahead of training.

    Which rows each step saw is written down beside the run.
    """
    from treadle.data.own_files import _RESERVE_BYTES

    random = np.random.default_rng(4)
    for number in range(2):
        rows = np.arange(number * 48, number * 48 + 48)
        frame = pl.DataFrame({"a": random.normal(size=48), "b": random.normal(size=48)})
        frame = frame.with_columns(y=pl.col("a") * 2 - pl.col("b"), row=pl.Series(rows))
        frame.write_parquet(place / f"part-{number}.parquet", row_group_size=8)
    files = sorted(str(path) for path in place.glob("part-*.parquet"))

    def train(out: Path, resume: bool, save_every: float) -> str:
        torch.manual_seed(3)
        module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 1))
        recorder = Recorder(out.with_suffix(".rows"))
        treadle.fit(
            module,
            files,
            target=["y", "row"],
            loss=recorder.loss,
            lr=1e-3,  # what looks for one would show it rows, too
            validation=None,
            memory=_RESERVE_BYTES + 16 * 8 + 2_000,
            accumulate=4,
            batch_size=16,
            until="4 epochs",
            engine=engine,
            watchers=[recorder],
            out=out,
            resume=resume,
            save_every_seconds=save_every,
        )
        return digest(module.state_dict().items())

    return train


class Recorder:
    """A loss that notes which rows it saw, and a watcher that writes them down after each step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[int] = []

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.rows += target[:, 1].int().tolist()
        return nn.functional.mse_loss(output[:, 0], target[:, 0])

    def __call__(self, state: Any) -> None:
        line = {"process": os.getpid(), "step": state.step, "rows": self.rows}
        self.rows = []
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _scheduled(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    """A step of a user's own, and a torch scheduler that a watcher moves after it."""
    x_NF = torch.randn(40, 3, generator=torch.Generator().manual_seed(2))

    def train(out: Path, resume: bool, save_every: float) -> str:
        torch.manual_seed(1)
        module = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

        def step(state: Any, batch_BF: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = (module(batch_BF)[:, 0] - batch_BF.sum(1)).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        treadle.fit(
            module,
            x_NF,
            step=step,
            optimizer=optimizer,
            extras={"decay": decay},
            watchers=[lambda state: decay.step()],
            batch_size=8,
            until="4 epochs",
            out=out,
            resume=resume,
            save_every_seconds=save_every,
        )
        return digest(module.state_dict().items())

    return train


def _table(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    from treadle.api.table_data import prepare, read_table
    from treadle.api.table_members import fit_network, fit_trees
    from treadle.loop.until import steps

    small.customers(rows=160).write_csv(place / "customers.csv")
    options = FitOptions.of(
        {
            "data": str(place / "customers.csv"),
            "target": "left",
            "model": kind,
            "engine": engine,
            "threads": 1,
            **({} if kind == "trees" else {"batch_size": 32}),
        }
    )
    data = prepare(options, read_table(options, None))
    metric = metric_named(DEFAULT[data.target.task], data.target.task)
    fit, until = (fit_trees, steps(120)) if kind == "trees" else (fit_network, steps(num_steps))

    def work(place: Place, options: FitOptions) -> Mapping[str, Tensor]:
        return fit(data, options, metric, until, place).files[kind]

    return _in_place("table", options, fingerprint([place / "customers.csv"]), work)


def _photos(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    """The head of a frozen network, on features that were made before."""
    from treadle.api import fit_images
    from treadle.models import vision

    options = FitOptions.of(
        {
            "data": str(small.photos(place / "photos", each=12)),
            "cache": str(place / "cache"),
            "engine": engine,
            "threads": 1,
            "batch_size": 8,
            "until": f"{num_steps} steps",
        }
    )
    data = fit_images.prepare_images(options)
    metric = metric_named(DEFAULT[data.target.task], data.target.task)
    vision.load_backbone = _once(vision.load_backbone)
    fit_images.features_of = _once(fit_images.features_of)
    fit_images.on_best_engine = lambda backbone, *others: backbone  # type: ignore[assignment]
    truth = {part: data.truth(part) for part in PARTS}
    fit_images.ImageData.truth = lambda self, part: truth[part]  # type: ignore[method-assign]

    def work(place: Place, options: FitOptions) -> Mapping[str, Tensor]:
        _, members = fit_images._fit_members(data, options, metric, place)
        return members[0].files["head"]

    return _in_place("images", options, fingerprint(data.frame.select("hash", "label")), work)


def _once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what gives its first answer again: a forked child may not use polars' threads."""
    kept: list[Any] = []

    def made(*arguments: Any, **named: Any) -> Any:
        if not kept:
            kept.append(make(*arguments, **named))
        return kept[0]

    return made


def _events(kind: str, engine: str, place: Path, num_steps: int) -> Train:
    from treadle.api import fit_events
    from treadle.api.place import train_in
    from treadle.loop.randomness import seed_all

    frame = small.purchases(users=60, items=20)
    options = FitOptions.of(
        {
            "kind": "events",
            "engine": engine,
            "threads": 1,
            "batch_size": 16,
            "until": f"{num_steps} steps",
        }
    )
    data = fit_events.prepare_events(options, frame)
    metric = metric_named(DEFAULT["next_item"], "next_item")

    def work(place: Place, options: FitOptions) -> Mapping[str, Tensor]:
        seed_all(options.seed)
        module, training = fit_events.events_training(data, options, metric)
        training.validate_every = 6
        train_in(place, training, options, {})
        return module.state_dict()

    return _in_place("events", options, fingerprint(data.log.frame), work)


def _in_place(
    kind: str,
    options: FitOptions,
    marks: dict[str, Any],
    work: Callable[[Place, FitOptions], Mapping[str, Tensor]],
) -> Train:
    def train(out: Path, resume: bool, save_every: float) -> str:
        always = _placed(options, out, 60.0)  # how often is saved is a part of the config
        with open_place(kind, always, marks, Attempt(resume=resume)) as place:
            return digest(work(place, _placed(options, out, save_every)).items())

    return train


def _placed(options: FitOptions, out: Path, save_every: float) -> FitOptions:
    """Return the options with a run folder, and how often it is saved to."""
    return options.model_copy(update={"out": str(out), "save_every": save_every})
