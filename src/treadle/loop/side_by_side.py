"""Several learning rates trained side by side, in one vectorised step.

Each rate has a lane of its own: a copy of the weights, of the optimizer's values, of the buffers.
All lanes see the same batches and are stepped by one captured function (torch.func.vmap over the
whole step); so eight small networks cost little more than one, where one leaves a processor idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from treadle.capture.background import Order, Refused, capture_and_wait
from treadle.capture.one_order import SumsInOneOrder
from treadle.capture.package import Runner, default_cache, load
from treadle.capture.trace import CannotCapture
from treadle.errors import OptionError
from treadle.loop.leaves import Matcher, leaves_of, skeleton_of
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.whole_step import WholeStep, swapped, why_not


class Lanes(Protocol):
    """K learning rates in training over the same batches."""

    def __call__(self, batch: Any) -> None:
        """Take one step in every lane."""
        ...

    def take_losses(self) -> Tensor:
        """Return each lane's mean loss since the last call, float64 [K]; NaN where none counted."""
        ...

    def skipped(self) -> Tensor:
        """Return how many batches each lane skipped as not finite, int64 [K]."""
        ...

    def weights(self, lane: int) -> dict[str, Tensor]:
        """Return the parameters of one lane by name: copies."""
        ...


def side_by_side(
    eager: EagerStep,
    state: TrainState,
    batch: Any,
    factors: Sequence[float],
    *,
    cache: Path | None = None,
) -> tuple[Lanes, str | None]:
    """Return lanes that begin from `state`, and why they go one after another where they do.

    The rates stay what they are, without a schedule; the state is left as it is.

    batch:   one like those to come; others are taken as well, but not by compiled code
    factors: K factors on the learning rates that the optimizers have now, each above 0

    Raises: OptionError for factors that are no positive numbers.
    """
    if not factors or not all(factor > 0 for factor in factors):
        raise OptionError(f"the factors are {list(factors)}.", "Give numbers above 0, one a run.")
    problem = why_not(eager, state)
    if eager.options.accumulate > 1:
        problem = "batches are taken in slices"
    if problem is None:
        try:
            return Vectorised(eager, state, batch, factors, cache=cache), None
        except CannotCapture as error:
            problem = str(error)
    return OneAfterAnother(eager, state, factors), problem


class Vectorised:
    """Lanes stepped by one function, vectorised over them and compiled.

    Raises: CannotCapture.
    """

    def __init__(
        self,
        eager: EagerStep,
        state: TrainState,
        batch: Any,
        factors: Sequence[float],
        *,
        cache: Path | None = None,
    ) -> None:
        self.eager, self.state = eager, state
        self._lane = _Lane(eager, state, skeleton_of(batch))
        self._match = Matcher(self._lane.skeleton)
        self._begin(factors)
        self._run = self._captured(cache or default_cache())

    def __call__(self, batch: Any) -> None:
        leaves = self._match(batch)
        with torch.no_grad(), SumsInOneOrder():
            if leaves is not None:
                self._run([*leaves, *self.lanes])
                return
            lane = _Lane(self.eager, self.state, skeleton_of(batch))
            _step_all(lane, [*leaves_of(batch), *self.lanes])

    def take_losses(self) -> Tensor:
        loss, weight, _ = self.totals
        means = loss / weight
        loss.zero_()
        weight.zero_()
        return means

    def skipped(self) -> Tensor:
        return self.totals[2].clone()

    def weights(self, lane: int) -> dict[str, Tensor]:
        own = {id(parameter): name for name, parameter in self.state.module.named_parameters()}
        return {
            own[id(owner[name])]: stacked[lane].clone()
            for ((owner, name), *_), stacked in zip(
                self._lane.parameter_places, self._parameters, strict=True
            )
        }

    def _begin(self, factors: Sequence[float]) -> None:
        """Make `lanes`: K copies of all that a step changes, in the order that it takes them."""
        lane, count = self._lane, len(factors)
        lane.set_rates()
        own = [tensor.detach() for tensor in lane.tensors([])]
        rates = len(lane.rates)
        each = torch.tensor(list(factors), dtype=torch.float64)
        self.totals = [torch.zeros_like(total).repeat(count) for total in own[rates : rates + 3]]
        stacked = [
            tensor.expand(count, *tensor.shape).clone(memory_format=torch.contiguous_format)
            for tensor in own[rates + 3 :]
        ]
        self._parameters = stacked[: len(lane.parameter_places)]
        self.lanes = [*(rate * each for rate in own[:rates]), *self.totals, *stacked]

    def _captured(self, cache: Path) -> Runner:
        order = Order(
            function=lambda flat: _step_all(self._lane, flat),
            tensors=[*self._lane.skeleton.empty_leaves(), *self.lanes],
            cache=cache,
            threads=torch.get_num_threads(),
            notes={},
        )
        answer = capture_and_wait(order)
        if isinstance(answer, Refused):
            raise CannotCapture(answer.reason)
        return load(answer.path)


class OneAfterAnother:
    """Lanes that take turns with the state's own module and optimizers."""

    def __init__(self, eager: EagerStep, state: TrainState, factors: Sequence[float]) -> None:
        self.step = _AtItsRate(eager.loss, options=eager.options, collective=eager.collective)
        self.state = state
        self._own = state.snapshot()
        self._lanes = []
        for factor in factors:
            state.restore(*self._own)
            state.totals.restore(
                {n: torch.zeros_like(t) for n, t in state.totals.tensors().items()}
            )
            for optimizer in state.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = group["lr"] * factor
            self._lanes.append(state.snapshot())
        state.restore(*self._own)

    def __call__(self, batch: Any) -> None:
        for number, lane in enumerate(self._lanes):
            self.state.restore(*lane)
            self.step.forget_buffers()
            self.step(self.state, batch)
            self._lanes[number] = self.state.snapshot()
        self.state.restore(*self._own)

    def take_losses(self) -> Tensor:
        means = torch.stack([totals["loss"] / totals["weight"] for totals in self._totals()])
        for totals in self._totals():
            totals["loss"].zero_()
            totals["weight"].zero_()
        return means

    def skipped(self) -> Tensor:
        return torch.stack([totals["non_finite"] for totals in self._totals()])

    def weights(self, lane: int) -> dict[str, Tensor]:
        files, _ = self._lanes[lane]
        names = dict(self.state.module.named_parameters())
        return {name: tensor.clone() for name, tensor in files["model"].items() if name in names}

    def _totals(self) -> list[dict[str, Tensor]]:
        return [files["totals"] for files, _ in self._lanes]


class _AtItsRate(EagerStep):
    """An eager step that leaves the learning rates as they are."""

    def set_rates(self, state: TrainState) -> None:
        pass


def _step_all(lane: WholeStep, flat: list[Tensor]) -> list[Tensor]:
    """Step every lane by one call: `flat` is a batch's leaves, and what the lanes keep, stacked."""
    count = len(lane.skeleton.leaves)
    leaves, lanes = flat[:count], flat[count:]

    def one(*own: Tensor) -> Tensor:
        lane([*leaves, *own])
        return own[0]

    torch.func.vmap(one, randomness="different")(*lanes)
    return []


class _Lane(WholeStep):
    """A whole step that can be vectorised: its gradients come from torch.func."""

    def _gradients(self, batch: Any, parameters: list[Tensor], buffers: list[Tensor]) -> Any:
        wanted = {
            n: parameters[n]
            for _, _, n, *_ in self.slots
            if self.parameter_places[n][0][0][self.parameter_places[n][0][1]].requires_grad
        }

        def objective(leaves: dict[int, Tensor]) -> tuple[Tensor, Any]:
            own = [leaves.get(n, parameter) for n, parameter in enumerate(parameters)]
            working = [buffer.clone() for buffer in buffers]
            with swapped(self.parameter_places, own), swapped(self.buffer_places, working):
                loss_sum, weight, mean = self.eager.forward(batch, self.state.device)
                moved = [owner[name] for (owner, name), *_ in self.buffer_places]
            whole = torch.as_tensor(weight, dtype=loss_sum.dtype) + torch.zeros_like(loss_sum)
            return mean, (loss_sum, whole, moved)

        found, (mean, (loss_sum, weight, moved)) = torch.func.grad_and_value(
            objective, has_aux=True
        )(wanted)
        return mean, loss_sum, weight, found, moved, []
