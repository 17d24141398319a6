"""What the houses agree on: words, shapes and protocols. Importing this touches no torch.

Shape legend, used in every house: B rows of a batch, N rows of a split, F number features,
C category features, O outputs, K ensemble members, T steps of a sequence, I items, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.loop.state import TrainState

Kind: TypeAlias = Literal["table", "images", "events", "module"]
Task: TypeAlias = Literal["two_classes", "classes", "number", "next_item", "own"]
ColumnKind: TypeAlias = Literal["number", "category", "date", "left_out"]

Batch: TypeAlias = "dict[str, Tensor]"
"""Name → tensor whose first dimension is the row. `row` int64 [B] is each row's number in its
source; `weight` float32 [B] and `mask` bool [B] are optional."""

LossParts: TypeAlias = "tuple[Tensor, Tensor]"
"""(sum of the losses of a batch, sum of its weights): two scalars. The step divides once."""


class Frozen(BaseModel):
    """A record that travels as JSON: unknown keys are refused, nothing changes once built."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cursor(NamedTuple):
    """Where training stands in its data: the epoch, and how many samples of it were taken."""

    epoch: int
    position: int


class Layout(Frozen):
    """The shape of an encoded table, all that a model must know of it.

    num_numbers:    F, width of batch["numbers"], float32 [B, F]
    cardinalities:  C sizes; batch["categories"] is [B, C] with codes in [0, size), in the narrowest
                    of uint8, int16 and int32 that holds them all: a model widens what it looks up.
                    Code 0 is the bucket of values unseen in training, code 1 of missing ones.
    num_outputs:    O: 1 for two_classes (a logit) and number, the number of classes otherwise
    """

    num_numbers: int
    cardinalities: tuple[int, ...]
    task: Task
    num_outputs: int


class Source(Protocol):
    """Endless batches in an order that is a function of (seed, epoch), from any cursor on."""

    num_rows: int

    def batches(self, start: Cursor) -> Iterator[tuple[Batch, Cursor]]:
        """Yield (batch, the cursor after it); a cursor at an epoch's end is (epoch + 1, 0)."""
        ...


class Step(Protocol):
    """One update: forward, loss, backward, optimizer. Adds to state.totals, waits for nothing."""

    def __call__(self, state: TrainState, batch: Batch) -> None: ...


class Watcher(Protocol):
    """Sees the state after each step; says what it saw through the journal."""

    def __call__(self, state: TrainState) -> None: ...


class Model(Protocol):
    """A network of ours: a module whose forward takes a Batch, and two functions of its outputs."""

    def __call__(self, batch: Batch) -> Tensor: ...
    def loss(self, outputs: Tensor, batch: Batch) -> LossParts: ...
    def predict(self, outputs: Tensor) -> Tensor:
        """Probabilities float32 [B, O or 2] for classes, values float32 [B] for a number."""
        ...


class Collective(Protocol):
    """What several machines do together; one machine needs none of it."""

    def sum(self, tensors: list[Tensor]) -> None:
        """Add up each tensor over all ranks, in place."""
        ...

    def broadcast(self, value: object) -> object:
        """Return rank 0's value on every rank."""
        ...


@dataclass(frozen=True, kw_only=True)
class Validation:
    """One validation of the model in training: where it stood and what was measured."""

    step: int
    epoch: int
    metrics: Mapping[str, float]


Schedule: TypeAlias = Callable[[int, int, float], float]
"""(step, horizon in steps, scale) → the factor on the learning rate. A pure function."""

Json: TypeAlias = dict[str, Any]


def mix(*numbers: int) -> int:
    """Return a 63-bit number that depends on all `numbers` and on nothing else.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014):
    the finalizer of SplitMix64, applied in turn.
    """
    mixed = 0
    for number in numbers:
        mixed = (mixed + number * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & ((1 << 64) - 1)
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & ((1 << 64) - 1)
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & ((1 << 64) - 1)
        mixed ^= mixed >> 31
    return mixed & ((1 << 63) - 1)
