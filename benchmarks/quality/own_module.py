"""Does the eager step change anything? 200 steps beside the loop one would write by hand.

    python benchmarks/quality/own_module.py

A network with dropout and batch normalisation is trained on the same rows, in the same order,
three ways: by hand, by the pieces (`turn` and `EagerStep`), and by `treadle.fit`. Every loss and
every weight must be equal to the bit.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

import treadle
from treadle.data.batches import order

ROWS, INPUTS, CLASSES, BATCH, SEED = 3_000, 20, 5, 64, 0
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Outcome = tuple[list[Tensor], dict[str, Tensor]]
OPTIMIZERS: dict[str, Optimizer] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "SGD, momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3),
    "Adam, amsgrad": lambda p: torch.optim.Adam(p, lr=1e-3, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
}


def network() -> nn.Module:
    torch.manual_seed(7)
    first = [nn.Linear(INPUTS, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*first, nn.Linear(64, 64), nn.GELU(), nn.Linear(64, CLASSES))


def table() -> tuple[Tensor, Tensor]:
    x_NF = torch.randn(ROWS, INPUTS, generator=torch.Generator().manual_seed(1))
    return x_NF, (x_NF[:, :CLASSES] + x_NF[:, CLASSES : 2 * CLASSES] ** 2).argmax(1)


def by_hand(make: Optimizer, steps: int) -> Outcome:
    module, (x_NF, y_N), losses = network(), table(), []
    optimizer = make(module.parameters())
    torch.manual_seed(SEED)
    epoch = 0
    while len(losses) < steps:
        for rows in order(ROWS, SEED, epoch).split(BATCH)[: steps - len(losses)]:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(x_NF[rows]), y_N[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        epoch += 1
    return losses, dict(module.state_dict())


def by_pieces(make: Optimizer, steps: int) -> Outcome:
    module, (x_NF, y_N), losses = network(), table(), []

    def loss(batch: dict[str, Tensor]) -> Tensor:
        found = nn.functional.cross_entropy(module(batch["x"]), batch["y"])
        losses.append(found.detach())
        return found

    state = treadle.TrainState(model=module, optimizers={"main": make(module.parameters())})
    step = treadle.EagerStep(loss)
    step.prepare(state)
    source = treadle.TensorSource({"x": x_NF, "y": y_N}, batch_size=BATCH, seed=SEED)
    torch.manual_seed(SEED)
    treadle.turn(state, source, step, until=treadle.steps(steps))
    return losses, dict(module.state_dict())


def by_fit(make: Optimizer, steps: int) -> Outcome:
    module, losses, last = network(), [], {}

    def loss(output: Tensor, target: Tensor) -> Tensor:
        found = nn.functional.cross_entropy(output, target)
        losses.append(found.detach())
        return found

    def keep(state: treadle.TrainState) -> None:
        if state.step == steps:  # fit gives back the best weights; here the last are compared
            last.update({name: t.clone() for name, t in state.module.state_dict().items()})

    with tempfile.TemporaryDirectory() as place:
        treadle.fit(
            module,
            table(),
            loss=loss,
            optimizer=make(module.parameters()),
            validation=None,
            batch_size=BATCH,
            seed=SEED,
            until=treadle.steps(steps),
            watchers=[keep],
            out=Path(place) / "run",
        )
    return losses, last


def differing(got: Outcome, expected: Outcome) -> str:
    """Return what differs, in words, or nothing."""
    losses = sum(not torch.equal(a, b) for a, b in zip(got[0], expected[0], strict=True))
    weights = [name for name in expected[1] if not torch.equal(got[1][name], expected[1][name])]
    return f"{losses} losses, {len(weights)} tensors differ" if losses or weights else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the eager step with a loop by hand.")
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    print(f"{steps} steps of {BATCH} rows, 1 thread, torch {torch.__version__}")
    failed = False
    for name, make in OPTIMIZERS.items():
        expected = by_hand(make, steps)
        for way, outcome in (("pieces", by_pieces(make, steps)), ("fit", by_fit(make, steps))):
            found = differing(outcome, expected)
            failed |= bool(found)
            print(f"{name:14} {way:7} {found or 'all losses and weights equal to the bit'}")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
