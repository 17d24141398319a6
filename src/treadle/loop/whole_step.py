"""A whole update as one function of a flat list of tensors: what a captured step is made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from treadle.loop.buffers import SMALL, is_small_and_finite
from treadle.loop.leaves import Skeleton
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, slices, trained
from treadle.loop.update import Values, update_of

Places: TypeAlias = "list[tuple[dict[str, Any], str]]"
"""Where a module keeps one tensor: more than one place where parts of it share the tensor."""

LOGS = "logs"


class WholeStep:
    """Forward, loss, backward, clipping, finite check, optimizers and EMA of one kind of batch.

    `tensors` says what the function is called with: the batch's leaves, a learning rate a group,
    and every tensor of the state that a step changes. A batch whose loss or gradient is not
    finite changes none of them but the count of such batches.

    skeleton: of the batches that it is for
    """

    def __init__(self, eager: EagerStep, state: TrainState, skeleton: Skeleton) -> None:
        self.eager, self.state, self.skeleton = eager, state, skeleton
        self.optimizers = list(state.optimizers.values())
        self.updates = [update_of(optimizer) for optimizer in self.optimizers]
        self.groups = [group for o in self.optimizers for group in o.param_groups]
        self.parameter_places = _places(state.module, "_parameters")
        self.buffer_places = _places(state.module, "_buffers")
        self.finite_buffers = [
            i
            for i, ((owner, name), *_) in enumerate(self.buffer_places)
            if is_small_and_finite(owner[name])
        ]
        self.number_of = {
            id(owner[name]): i for i, ((owner, name), *_) in enumerate(self.parameter_places)
        }
        # (optimizer, group of all, number of the parameter, names of its values in the optimizer)
        self.slots = [
            (o, g, self.number_of[id(p)], p, _value_names(optimizer, p))
            for o, optimizer in enumerate(self.optimizers)
            for g, group in enumerate(self.groups)
            if any(group is own for own in optimizer.param_groups)
            for p in group["params"]
        ]
        self.averaged = self._averaged()
        self.rates = [torch.zeros((), dtype=torch.float64) for _ in self.groups]
        self._rates_were = [0.0 for _ in self.groups]
        self.notes: dict[str, Any] = {}

    def tensors(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return all that the function is called with, as it is now."""
        totals = self.state.totals
        flat = [*leaves, *self.rates, totals.loss, totals.weight, totals.non_finite]
        flat += [owner[name] for (owner, name), *_ in self.parameter_places]
        flat += [owner[name] for (owner, name), *_ in self.buffer_places]
        for o, _, _, parameter, names in self.slots:
            values = self.optimizers[o].state[parameter] if names else {}
            flat += [values[name] for name in names]
        flat += self.state.average.values()
        return flat

    def set_rates(self) -> None:
        """Take over the groups' learning rates, as the schedule or the user has set them."""
        for i, group in enumerate(self.groups):
            if (rate := float(group["lr"])) != self._rates_were[i]:
                self.rates[i].fill_(rate)
                self._rates_were[i] = rate

    def __call__(self, flat: list[Tensor]) -> list[Tensor]:
        """Make one update of the tensors of `flat`; return what was logged, named in `notes`."""
        given = iter(flat)
        batch = self.skeleton.filled([next(given) for _ in self.skeleton.leaves])
        rates = [next(given) for _ in self.groups]
        totals = [next(given) for _ in range(3)]
        parameters = [next(given) for _ in self.parameter_places]
        buffers = [next(given) for _ in self.buffer_places]
        values = [{name: next(given) for name in names} for *_, names in self.slots]
        averages = list(given)

        mean, loss_sum, weight, gradients, moved, logged = self._gradients(
            batch, parameters, buffers
        )
        present = [gradient for gradient in gradients.values() if gradient is not None]
        norm = _norm(present) if present else mean
        finite = torch.isfinite(norm + mean + self._of_buffers(moved))
        self._clip(gradients, norm)
        after = self._updated(parameters, gradients, values, rates, finite)
        for buffer, new in zip(buffers, moved, strict=True):
            if new is not None:
                buffer.copy_(torch.where(finite, new, buffer))
        self._move_averages(averages, after, finite)
        _add_up(totals, loss_sum, weight, finite)
        return logged

    def _gradients(
        self, batch: Any, parameters: list[Tensor], buffers: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, dict[int, Tensor | None], list[Tensor | None], list[Tensor]]:
        """Return mean loss, sum, weight, gradients by parameter, buffers as moved, what was logged.

        A buffer that the forward pass leaves alone is None among those moved.
        """
        leaves = [
            tensor.detach().requires_grad_(owner[name].requires_grad)
            for tensor, ((owner, name), *_) in zip(parameters, self.parameter_places, strict=True)
        ]
        working = [buffer.clone() for buffer in buffers]
        wanted = {n: leaves[n] for _, _, n, *_ in self.slots if leaves[n].requires_grad}
        sums: list[Tensor] = []
        weights: list[Tensor] = []
        found: dict[int, Tensor | None] = dict.fromkeys(wanted)
        count = self.eager.options.accumulate
        with (
            swapped(self.parameter_places, leaves),
            swapped(self.buffer_places, working),
            _logging(self.state, self.notes) as logged,
        ):
            for part in slices(batch, count) if count > 1 else [batch]:
                loss_sum, weight, mean = self.eager.forward(part, self.state.device)
                objective = mean if count == 1 else loss_sum
                news = torch.autograd.grad(objective, list(wanted.values()), allow_unused=True)
                for number, new in zip(wanted, news, strict=True):
                    found[number] = _sum(found[number], new)
                sums.append(loss_sum.detach())
                weights.append(_as_tensor(weight, loss_sum))
            moved = _moved(working, [owner[name] for (owner, name), *_ in self.buffer_places])
        if count == 1:
            return mean.detach(), sums[0], weights[0], found, moved, logged
        total, whole = torch.stack(sums).sum(), torch.stack(weights).sum()
        found = {number: None if g is None else g / whole for number, g in found.items()}
        return total / whole, total, whole, found, moved, logged

    def _of_buffers(self, moved: list[Tensor | None]) -> Tensor | float:
        """Return a number that is finite where every buffer is so still that was at first."""
        watched = [moved[i] for i in self.finite_buffers]
        return sum(new.sum() for new in watched if new is not None)

    def _clip(self, gradients: dict[int, Tensor | None], norm: Tensor) -> None:
        limit = self.eager.options.clip_norm
        if limit is None:
            return
        factor = torch.clamp(limit / (norm + 1e-6), max=1.0)
        for number, gradient in gradients.items():
            if gradient is not None:
                gradients[number] = gradient * factor

    def _updated(
        self,
        parameters: list[Tensor],
        gradients: dict[int, Tensor | None],
        values: list[Values],
        rates: list[Tensor],
        finite: Tensor,
    ) -> list[Tensor]:
        """Step every optimizer in place, where all is finite; return the parameters after it."""
        after = list(parameters)
        for (o, g, number, *_), own in zip(self.slots, values, strict=True):
            gradient, update = gradients.get(number), self.updates[o]
            if gradient is None:
                continue
            assert update is not None, "an optimizer that cannot be captured was not refused"
            new, new_values = update(after[number], gradient, own, self.groups[g], rates[g])
            after[number] = torch.where(finite, new, after[number])
            for name, value in new_values.items():
                own[name].copy_(torch.where(finite, value, own[name]))
        for parameter, new in zip(parameters, after, strict=True):
            if new is not parameter:
                parameter.copy_(new)
        return after

    def _move_averages(self, averages: list[Tensor], after: list[Tensor], finite: Tensor) -> None:
        decay = self.eager.options.average
        if decay is None:
            return
        for average, number in zip(averages, self.averaged, strict=True):
            moved = torch.lerp(average, after[number], 1 - decay)
            average.copy_(torch.where(finite, moved, average))

    def _averaged(self) -> list[int]:
        """Return the number of the parameter that each average is of."""
        own = dict(self.state.module.named_parameters())
        return [self.number_of[id(own[name])] for name in self.state.average]


def why_not(eager: EagerStep, state: TrainState) -> str | None:
    """Return why this step cannot be captured, as the end of a sentence; None where it may be."""
    if not isinstance(state.model, nn.Module):
        return "the model is no torch module"
    if state.device.type != "cpu":
        return f"so far steps are captured for the processor alone, and this is on {state.device}"
    if eager.collective is not None:
        return "several machines train together"
    for name, optimizer in state.optimizers.items():
        if update_of(optimizer) is None:
            return (
                f"the optimizer {type(optimizer).__name__} ('{name}') is not one whose update can "
                "be captured (Adam, AdamW and SGD are)"
            )
    return _why_not_parameters(state)


def _why_not_parameters(state: TrainState) -> str | None:
    own = {id(parameter) for parameter in state.module.parameters()}
    if any(id(parameter) not in own for parameter in trained(state)):
        return "an optimizer holds parameters that are not the module's"
    if any(parameter.is_complex() for parameter in trained(state)):
        return "it has complex parameters"
    if any(p.grad is not None and p.grad.is_sparse for p in trained(state)):
        return "it has sparse gradients"
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            if group.get("momentum") and any(
                optimizer.state.get(p, {}).get("momentum_buffer") is None for p in group["params"]
            ):
                return "a parameter with momentum has had no gradient yet"
    return None


def _places(module: nn.Module, which: str) -> list[Places]:
    """Return for each tensor of a module, once, every place where it is kept."""
    found: dict[int, Places] = {}
    for part in module.modules():
        owner: dict[str, Any] = getattr(part, which)
        for name, tensor in owner.items():
            if tensor is not None:
                found.setdefault(id(tensor), []).append((owner, name))
    return list(found.values())


def _value_names(optimizer: torch.optim.Optimizer, parameter: Tensor) -> list[str]:
    values = optimizer.state.get(parameter, {})
    return [name for name, value in values.items() if isinstance(value, Tensor)]


@contextmanager
def swapped(places: list[Places], tensors: list[Tensor]) -> Iterator[None]:
    """Let the module work on other tensors for a while."""
    before = [owner[name] for (owner, name), *_ in places]
    try:
        for group, tensor in zip(places, tensors, strict=True):
            for owner, name in group:
                owner[name] = tensor
        yield
    finally:
        for group, tensor in zip(places, before, strict=True):
            for owner, name in group:
                owner[name] = tensor


@contextmanager
def _logging(state: TrainState, notes: dict[str, Any]) -> Iterator[list[Tensor]]:
    """Gather what is logged inside as tensors that the function returns; names go to `notes`."""
    gathered: list[Tensor] = []
    names: list[str] = []

    def log(name: str, value: Tensor | float) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"'{name}' is logged as a Python number, which would be frozen")
        names.append(name)
        gathered.append(value.detach().double())

    own = state.totals.log
    state.totals.log = log  # type: ignore[method-assign]
    try:
        yield gathered
    finally:
        state.totals.log = own  # type: ignore[method-assign]
        notes[LOGS] = names


def _moved(working: list[Tensor], now: list[Tensor]) -> list[Tensor | None]:
    """Return each buffer as a forward pass left it: written to, or another one in its place."""
    return [
        new if new is not old or new._version > 0 or new.numel() <= SMALL else None
        for old, new in zip(working, now, strict=True)
    ]


def _norm(gradients: list[Tensor]) -> Tensor:
    each = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    norm: Tensor = torch.linalg.vector_norm(each)
    return norm


def _sum(before: Tensor | None, new: Tensor | None) -> Tensor | None:
    return new if before is None else before if new is None else before + new


def _as_tensor(weight: Tensor | float, like: Tensor) -> Tensor:
    if isinstance(weight, Tensor):
        return weight.detach()
    return torch.full_like(like.detach(), float(weight))


def _add_up(totals: list[Tensor], loss_sum: Tensor, weight: Tensor, finite: Tensor) -> None:
    loss, weights, non_finite = totals
    loss.add_(torch.where(finite, loss_sum, 0.0))
    weights.add_(torch.where(finite, weight, 0.0))
    non_finite.add_(torch.where(finite, 0, 1))
