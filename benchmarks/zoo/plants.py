"""What is planted in a sound training of an own module, so that its trouble is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.zoo.recipe import Place
from benchmarks.zoo.rows import Maker, Rows

if TYPE_CHECKING:
    from benchmarks.zoo.own import OwnBase

Spike = Literal["", "rows", "batches", "targets", "once"]


@dataclass(frozen=True, kw_only=True)
class Plant:
    """What differs from the base. Nothing of it makes the healthy recipe.

    rate:         times the right learning rate
    the others, up to `patience`: in place of the base's, where they are not None
    noisy:        share of all targets that are drawn anew
    leak:         a new input holds the target, off by so much of its spread; None: no leak
    spike:        inputs × 10,000 in a few rows or whole batches (of all epochs, or of two),
                  or targets of whole batches
    dead:         share of the hidden units whose bias is so low that they never fire
    """

    rate: float = 1.0
    rows: int | None = None
    held_out: int | None = None
    epochs: int | None = None
    network: str | None = None
    weight_decay: float | None = None
    optimizer: str | None = None
    schedule: str | None = None
    patience: int | None = None
    noisy: float = 0.0
    leak: float | None = None
    spike: Spike = ""
    dead: float = 0.0


WILD = 1e4
SPIKE_SHARE = 0.003
SPIKE_BATCHES = 2
SPIKE_EPOCHS = range(3, 5)
DEAD_BIAS = -30.0


def plant_in_rows(
    make: Maker, base: OwnBase, plant: Plant, seed: int, place: Place
) -> tuple[Rows, Rows]:
    """Return the rows to train on and the rows to validate on."""
    count, held_out = plant.rows or base.rows, plant.held_out or base.held_out
    drawn = make(count + held_out, seed, place.data, place.cache)
    if plant.noisy:
        drawn = _noisy(drawn, plant.noisy, seed)
    if plant.leak is not None:
        drawn = _leaking(drawn, plant.leak, seed)
    train, held = drawn.take(slice(0, count)), drawn.take(slice(count, None))
    return (_wild_rows(train, seed) if plant.spike == "rows" else train), held


def _noisy(rows: Rows, share: float, seed: int) -> Rows:
    """Draw that share of the targets anew: another row's, whatever the inputs say."""
    draw = torch.Generator().manual_seed(seed + 101)
    places = torch.randperm(len(rows), generator=draw)[: round(share * len(rows))]
    target = rows.target.clone()
    if rows.has_classes:
        new = torch.randint(rows.shape.outputs, (len(places),), generator=draw)
        target[places] = new
    else:
        target[places] = target[torch.randint(len(rows), (len(places),), generator=draw)]
    return replace(rows, target=target)


def _leaking(rows: Rows, off: float, seed: int) -> Rows:
    """Add an input that is the target, nearly."""
    draw = torch.Generator().manual_seed(seed + 202)
    told = rows.target.float().reshape(len(rows), -1)[:, :1]
    told = (told - told.mean()) / told.std()
    told = told + off * torch.randn(len(rows), 1, generator=draw)
    first, *rest = rows.inputs
    if rows.shape.side:  # the brightness of a corner tells
        first = first.clone()
        first[:, 0, :2, :2] = told[:, :, None] * 1.5
        return replace(rows, inputs=(first, *rest))
    inputs = (torch.cat([first, told], dim=1), *rest)
    return replace(rows, inputs=inputs, shape=replace(rows.shape, inputs=rows.shape.inputs + 1))


def _wild_rows(rows: Rows, seed: int) -> Rows:
    draw = torch.Generator().manual_seed(seed + 303)
    count = max(2, round(SPIKE_SHARE * len(rows)))
    places = torch.randperm(len(rows), generator=draw)[:count]
    return replace(rows, inputs=_made_wild(rows.inputs, places))


def _made_wild(inputs: tuple[Tensor, ...], places: Tensor) -> tuple[Tensor, ...]:
    first, *rest = inputs
    first = first.clone()
    first[places] *= WILD
    return first, *rest


def training_data(rows: Rows, base: OwnBase, plant: Plant, seed: int) -> Any:
    """Return tensors, or a loader some of whose batches are broken from end to end."""
    if plant.spike in ("", "rows"):
        return rows.tensors()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed + 404))
    broken = order[: SPIKE_BATCHES * base.batch_size]
    if plant.spike == "targets":
        bad = replace(rows.take(broken), target=rows.target[broken] * WILD)
    else:
        bad = rows.take(broken)
        bad = replace(bad, inputs=_made_wild(bad.inputs, torch.arange(len(broken))))
    both = [
        torch.cat([sound, wild]) for sound, wild in zip(rows.tensors(), bad.tensors(), strict=True)
    ]
    batches = FixedBatches(order.split(base.batch_size), len(rows), seed)
    batches.broken_epochs = SPIKE_EPOCHS if plant.spike == "once" else range(10_000)
    return DataLoader(TensorDataset(*both), batch_sampler=batches)


class FixedBatches:
    """Gives the same batches each epoch, in an order drawn anew; in some epochs two are broken.

    The broken stand-ins of the first two batches' rows lie behind the `num_rows` sound ones.
    """

    def __init__(self, batches: Sequence[Tensor], num_rows: int, seed: int) -> None:
        self.batches = [part.tolist() for part in batches]
        self.broken_epochs: range = range(0)
        self.num_rows = num_rows
        self.epoch = 0
        self.draw = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[list[int]]:
        broken = self.epoch in self.broken_epochs
        for place in torch.randperm(len(self.batches), generator=self.draw).tolist():
            if broken and place < SPIKE_BATCHES:
                first = self.num_rows + place * len(self.batches[0])
                yield list(range(first, first + len(self.batches[place])))
            else:
                yield self.batches[place]
        self.epoch += 1  # a pass that is broken off, as by a search for the rate, does not count

    def __len__(self) -> int:
        return len(self.batches)


def plant_in_weights(module: nn.Module, plant: Plant) -> None:
    """Set the biases before the activations so low that most units never fire."""
    if not plant.dead:
        return
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    with torch.no_grad():
        for layer in layers[:-1]:
            count = round(plant.dead * len(layer.bias))
            layer.bias[torch.randperm(len(layer.bias))[:count]] = DEAD_BIAS
