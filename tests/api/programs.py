"""Trainings that tests start in processes of their own, and kill."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import treadle

ROWS, WIDTH = 203, 8


class Killer:
    """A watcher that ends its own process with a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def __call__(self, state: Any) -> None:
        if state.step == self.step:
            os.kill(os.getpid(), self.number)


class Recorder:
    """A loss that notes which rows it saw, and a watcher that writes them down after each step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[int] = []

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.rows += target[:, 1].tolist()
        return nn.functional.cross_entropy(output, target[:, 0])

    def __call__(self, state: Any) -> None:
        line = {"process": os.getpid(), "step": state.step, "rows": self.rows}
        self.rows = []
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def kill_in_save(save: int) -> None:
    """Kill this process in the middle of its so-many-th save, with half its files written."""
    from treadle.loop import checkpoint

    real, begun = checkpoint._write, [0]

    def write(path: Path, parts: Any) -> str:
        written = real(path, parts)
        begun[0] += path.name.startswith("average")
        if begun[0] == save:
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    checkpoint._write = write
    wait_for_each_save()


def wait_for_each_save() -> None:
    """Let every step end with a whole save, however slow the disk is."""
    from treadle.loop import checkpoint

    def each_step(saver: checkpoint.Saver, state: Any) -> None:
        call(saver, state)
        saver.wait()

    call = checkpoint.Saver.__call__
    checkpoint.Saver.__call__ = each_step  # type: ignore[method-assign]


def network() -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(16, 3))


def table() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x_NF = torch.randn(ROWS, WIDTH, generator=generator)
    classes_N = (x_NF[:, 0] * 2 + x_NF[:, 1]).clamp(-1, 1).round().long() + 1
    return x_NF, torch.stack([classes_N, torch.arange(ROWS)], 1)


def whole(
    out: str,
    resume: bool = False,
    kill_at: int = 0,
    number: int = signal.SIGKILL,
    in_save: int = 0,
    save_every: float = 1e-9,
    until: str = "5 epochs",
    **changed: Any,
) -> None:
    """Everything at once: dropout, batch norm, EMA, AdamW, a cosine, accumulation, clipping."""
    if in_save:
        kill_in_save(in_save)
    if threads := changed.pop("process_threads", None):
        torch.set_num_threads(threads)
    module, recorder = network(), Recorder(Path(out).with_suffix(".rows"))
    options: dict[str, Any] = {"lr": 0.01, "average": 0.9, "accumulate": 2, "clip_norm": 1.0}
    treadle.fit(
        module,
        table(),
        loss=recorder.loss,
        metrics={"accuracy": lambda o, t: (o.argmax(1) == t[:, 0]).float().mean()},
        schedule="cosine",
        batch_size=32,
        validate_every=4,
        until=until,
        watchers=[recorder, Killer(kill_at, number)],
        out=out,
        resume=resume,
        save_every_seconds=save_every,
        **options | changed,
    )


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Samples with augmentation by all three generators."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        noise = torch.rand(WIDTH) + float(np.random.rand()) + random.random()
        return torch.full((WIDTH,), row / 60) + noise, torch.tensor([row % 2, row])


def augmented(
    out: str,
    resume: bool = False,
    kill_at: int = 0,
    number: int = signal.SIGKILL,
    workers: int = 0,
    group: bool = False,
) -> None:
    """A DataLoader with augmentation; `group` sends the signal to its workers too, as Ctrl-C."""
    watchers: list[Any] = [Killer(kill_at, number)]
    if group:
        os.setpgid(0, 0)
        watchers = [lambda state: os.killpg(0, number) if state.step == kill_at else None]
    module = network()
    treadle.fit(
        module,
        DataLoader(Noisy(), batch_size=8, shuffle=True, num_workers=workers),
        loss=lambda output, target: nn.functional.cross_entropy(output, target[:, 0]),
        validation=None,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9),
        until="4 epochs",
        watchers=watchers,
        out=out,
        resume=resume,
        save_every_seconds=1e-9,
    )


class Stateful:
    """A loader as torchdata's: shuffled by torch's generator, and it can say where it stands."""

    def __init__(self, dataset: Any, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self.taken, self.drawn, self.loaded = 0, 0, False

    def __len__(self) -> int:
        return (len(self.dataset) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Any:
        seed = int(torch.empty((), dtype=torch.int64).random_())
        if not self.loaded:
            self.taken, self.drawn = 0, seed
        self.loaded = False
        return self._rest()

    def _rest(self) -> Any:
        generator = torch.Generator().manual_seed(self.drawn)
        order = torch.randperm(len(self.dataset), generator=generator)
        while self.taken < len(self):
            rows = order[self.taken * self.batch_size :][: self.batch_size].tolist()
            self.taken += 1
            samples = [self.dataset[row] for row in rows]
            yield tuple(torch.stack(column) for column in zip(*samples, strict=True))

    def state_dict(self) -> dict[str, int]:
        return {"taken": self.taken, "drawn": self.drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.taken, self.drawn, self.loaded = state["taken"], state["drawn"], True


def stateful(out: str, resume: bool = False, kill_at: int = 0) -> None:
    module = network()
    treadle.fit(
        module,
        Stateful(Noisy(), 8),
        loss=lambda output, target: nn.functional.cross_entropy(output, target[:, 0]),
        until="4 epochs",
        watchers=[Killer(kill_at, signal.SIGKILL)],
        out=out,
        resume=resume,
        save_every_seconds=1e-9,
    )


def adversarial(out: str, resume: bool = False, kill_at: int = 0) -> None:
    """Two networks, two optimizers, a torch scheduler, and a step of the user's own."""
    torch.manual_seed(1)
    parts = nn.ModuleDict({"maker": nn.Linear(2, 4), "judge": nn.Linear(4, 1)})
    optimizers = {name: torch.optim.Adam(part.parameters(), 0.01) for name, part in parts.items()}
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizers["maker"], 0.9)
    binary = nn.functional.binary_cross_entropy_with_logits

    def step(state: Any, real_BF: Tensor) -> Tensor:
        fake_BF = parts["maker"](torch.randn(len(real_BF), 2))
        judged_2B1 = parts["judge"](torch.cat([real_BF, fake_BF.detach()]))
        truth_2B1 = torch.cat([torch.ones(len(real_BF), 1), torch.zeros(len(real_BF), 1)])
        state.optimizers["judge"].zero_grad()
        loss = binary(judged_2B1, truth_2B1)
        loss.backward()
        state.optimizers["judge"].step()
        state.optimizers["maker"].zero_grad()
        fooled = binary(parts["judge"](fake_BF), torch.ones(len(real_BF), 1))
        fooled.backward()
        state.optimizers["maker"].step()
        treadle.log("fooled", fooled.detach())
        return loss

    treadle.fit(
        parts,
        torch.randn(50, 4, generator=torch.Generator().manual_seed(2)),
        step=step,
        optimizer=optimizers,
        extras={"decay": decay},
        watchers=[
            lambda state: decay.step() if state.position == 0 else None,
            Killer(kill_at, signal.SIGKILL),
        ],
        batch_size=8,
        until="4 epochs",
        out=out,
        resume=resume,
        save_every_seconds=1e-9,
    )


def hold(out: str, other: str) -> None:
    """Hold a run's lock, and try to train in it from a thread's view of another process."""
    from treadle.folder import RunFolder

    with RunFolder(out).lock():
        child = os.fork()
        if child == 0:
            try:
                whole(out, resume=True)
            except treadle.TreadleError as error:
                Path(other).write_text(str(error))
            os._exit(0)
        os.waitpid(child, 0)


class Wild(Dataset[tuple[Tensor, Tensor]]):
    """Rows that are learned at once, and one that holds wild numbers."""

    def __len__(self) -> int:
        return 320

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        x_F = torch.randn(WIDTH, generator=torch.Generator().manual_seed(row))
        return x_F * (1e4 if row == 7 else 1.0), (x_F[0] > 0).long()


def troubled(
    out: str, trouble: str, resume: bool = False, kill_at: int = 0, number: int = signal.SIGKILL
) -> None:
    """What is noticed while it trains: rows learned by heart, or a row of wild numbers."""
    wait_for_each_save()
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(WIDTH, 128), nn.ReLU(), nn.Linear(128, 2))
    draw = torch.Generator().manual_seed(6)
    x_NF, y_N = torch.randn(460, WIDTH, generator=draw), torch.randint(2, (460,), generator=draw)
    data = {"heart": (x_NF[:60], y_N[:60]), "wild": Wild()}
    treadle.fit(
        network,
        data[trouble],
        validation=(x_NF[60:], y_N[60:]),
        loss="cross_entropy",
        lr=0.02,
        batch_size=20,
        validate_every=2 if trouble == "heart" else 8,
        until="20 epochs" if trouble == "heart" else "2 epochs",
        engine="eager",
        threads=1,
        watchers=[Killer(kill_at, number)],
        out=out,
        resume=resume,
        save_every_seconds=1e-9,
    )
