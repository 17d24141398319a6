"""The eager step: forward, loss, backward, clip, check, update.

A step is given the whole effective batch. With accumulation it takes it in equal slices, so that
the loop, the cursor and a checkpoint never stand in the middle of an update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from treadle.capture.one_order import SumsInOneOrder
from treadle.contracts import Collective, Schedule
from treadle.errors import OptionError
from treadle.loop.adamw import AdamW
from treadle.loop.asking import update_asking
from treadle.loop.buffers import BufferGuard
from treadle.loop.out_of_memory import TooLarge, is_out_of_memory
from treadle.loop.row_adam import RowAdam
from treadle.loop.schedules import constant
from treadle.loop.sparse_rows import summed
from treadle.loop.state import TrainState

BatchLoss: TypeAlias = "Callable[[Any], Tensor | tuple[Tensor, Tensor]]"
"""batch → (sum of losses, sum of weights), or a scalar that counts as the batch's mean."""


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """How a step computes.

    accumulate: slices a batch is taken in, to need less memory; the update is the same
    clip_norm:  greatest L2 norm of all gradients together, or None
    average:    decay of the EMA of the weights in (0, 1), or None
    precision:  "bf16" runs forward and loss under autocast; weights stay float32
    """

    accumulate: int = 1
    clip_norm: float | None = None
    average: float | None = None
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        problems = []
        if self.accumulate < 1:
            problems.append((f"accumulate is {self.accumulate}.", "Use 1 or more."))
        if self.clip_norm is not None and self.clip_norm <= 0:
            problems.append((f"clip_norm is {self.clip_norm}.", "Use a number above 0."))
        if self.average is not None and not 0 < self.average < 1:
            problems.append((f"average is {self.average}.", "Use a decay such as 0.999."))
        if problems:
            raise OptionError.of(problems)


class EagerStep:
    """One update of a module by torch optimizers, called as they are.

    Equal to the bit to the plain loop `loss.backward(); optimizer.step()` where nothing more is
    asked for. A batch whose loss or gradient is not finite, or that would make a buffer (a running
    variance) so, is skipped: parameters, optimizer state and buffers stay as they were, and
    `state.totals.non_finite` is raised. Where memory does not suffice for the gradients, TooLarge
    is raised, with all as it was.

    schedule: sets the learning rates before each update. Without one the rates are left alone
              (a torch scheduler of the user's own may move them) unless `state.scale` changes
    """

    def __init__(
        self,
        loss: BatchLoss,
        *,
        schedule: Schedule | None = None,
        options: StepOptions | None = None,
        collective: Collective | None = None,
    ) -> None:
        self.loss = loss
        self.schedule = schedule
        self.options = options or StepOptions()
        self.collective = collective
        self._buffers: BufferGuard | None = None

    def prepare(self, state: TrainState) -> None:
        """Make the state's tensors that this step will change. Call once, before step 0."""
        for optimizer in state.optimizers.values():
            prime(optimizer)
        if self.options.average and not state.average:
            state.average = {
                name: parameter.detach().clone()
                for name, parameter in state.module.named_parameters()
                if parameter.requires_grad
            }

    def __call__(self, state: TrainState, batch: Any) -> None:
        guard = self._buffers = self._buffers or BufferGuard(state.module)
        self.set_rates(state)
        guard.remember()
        with SumsInOneOrder(state.device):
            mean, loss_sum, weight = self._gradients_or_nothing(state, batch, guard)
            sound = self._is_finite(state, mean) and self._update(state, batch, mean)
        if sound:
            self._move_average(state)
            state.totals.add(loss_sum, weight)
        else:
            guard.put_back()
            state.totals.non_finite.add_(1)

    def forget_buffers(self) -> None:
        """Look at the module's buffers anew before the next step: others may have changed them."""
        self._buffers = None

    def set_rates(self, state: TrainState) -> None:
        """Set the learning rates for the next update, where a schedule or a decision says so."""
        if self.schedule is not None:
            set_rate(state, self.schedule)
        elif state.scale != 1.0 or _was_set(state):
            set_rate(state, constant())

    def _update(self, state: TrainState, batch: Any, mean: Tensor) -> bool:
        """Step every optimizer; return False where LBFGS led out of the finite numbers."""
        optimizers = list(state.optimizers.values())
        if not any(isinstance(optimizer, torch.optim.LBFGS) for optimizer in optimizers):
            for optimizer in optimizers:
                optimizer.step()
            return True

        def evaluate() -> Tensor:
            again, _, _ = self._gradients(state, batch)
            self._is_finite(state, again)
            return again

        return update_asking(optimizers, trained(state), mean, evaluate)

    def _gradients_or_nothing(
        self, state: TrainState, batch: Any, guard: BufferGuard
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return what `_gradients` does. Raises: TooLarge, with all as it was before."""
        logged = {name: pair.clone() for name, pair in state.totals.logged.items()}
        random = _random_state(state.device)
        try:
            return self._gradients(state, batch)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        for optimizer in state.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        guard.put_back()
        state.totals.logged = logged
        _set_random_state(state.device, random)
        raise TooLarge(problem)

    def _gradients(self, state: TrainState, batch: Any) -> tuple[Tensor, Tensor, Tensor | float]:
        """Leave the mean loss's gradients in the parameters; return (mean, sum, weight)."""
        for optimizer in state.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        if self.options.accumulate == 1 and self.collective is None:
            loss_sum, weight, mean = self.forward(batch, state.device)
            mean.backward()
            return mean.detach(), loss_sum, weight
        return self._gradients_by_slices(state, batch)

    def _gradients_by_slices(
        self, state: TrainState, batch: Any
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        sums, counts = [], []
        for part in slices(batch, self.options.accumulate):
            loss_sum, weight, _ = self.forward(part, state.device)
            loss_sum.backward()
            sums.append(loss_sum.detach())
            counts.append(torch.as_tensor(weight, dtype=loss_sum.dtype, device=loss_sum.device))
        total, weights = torch.stack(sums).sum(), torch.stack(counts).sum()
        gradients = [p.grad for p in trained(state) if p.grad is not None]
        if self.collective is not None:
            self.collective.sum([*gradients, total, weights])
        torch._foreach_div_(gradients, weights)
        return total / weights, total, weights

    def forward(self, batch: Any, device: torch.device) -> tuple[Tensor, Tensor | float, Tensor]:
        """Return (sum, weight, mean) of the losses; the mean is the user's own scalar where they
        gave one."""
        with self._precision(device):
            loss = self.loss(batch)
        if isinstance(loss, tuple):
            return loss[0], loss[1], loss[0] / loss[1]
        count = num_rows(batch)
        return loss * count, count, loss

    def _precision(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.options.precision == "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _is_finite(self, state: TrainState, mean: Tensor) -> bool:
        """Clip, and tell whether loss and gradients are finite."""
        parameters = [p for p in trained(state) if p.grad is not None]
        limit = self.options.clip_norm
        sparse = [] if limit is None else [p for p in parameters if _gradient(p).is_sparse]
        for parameter in sparse:
            # A row that was looked up twice counts with the norm of its sum; the optimizer finds
            # it summed, and need not do it again.
            parameter.grad = summed(_gradient(parameter))
        gradients = [_values(_gradient(parameter)) for parameter in parameters]
        norm = get_total_norm(gradients) if gradients else mean
        if limit is not None:
            clip_grads_with_norm_(parameters, limit, norm)
        for parameter in sparse:
            _gradient(parameter)._coalesced_(True)  # torch forgets it when it scales the values
        # On a CPU reading the answer costs nothing; on a GPU it is the one place that waits.
        found = norm + mean
        if self._buffers is not None and self._buffers.finite:
            found = found + self._buffers.sum_if_finite()
        return bool(torch.isfinite(found))

    def _move_average(self, state: TrainState) -> None:
        if state.average and self.options.average:
            own = dict(state.module.named_parameters())
            present = [own[name].detach() for name in state.average]
            torch._foreach_lerp_(list(state.average.values()), present, 1 - self.options.average)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Return where torch's generators stand that a forward pass may draw from: 1 µs on a CPU."""
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_device


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)


RATE = "lr_at_start"
"""Where a parameter group keeps the learning rate that the schedule's factor is taken of."""


def set_rate(state: TrainState, schedule: Schedule) -> None:
    """Set every group's learning rate to its own initial rate times the schedule's factor."""
    factor = schedule(state.step, state.horizon, state.scale)
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            rate = group["lr"]
            is_tensor = isinstance(rate, Tensor)
            initial = group.setdefault(RATE, float(rate) if is_tensor else rate)
            if is_tensor:
                rate.fill_(initial * factor)
            else:
                group["lr"] = initial * factor


def _was_set(state: TrainState) -> bool:
    return any(RATE in o.param_groups[0] for o in state.optimizers.values())


def trained(state: TrainState) -> list[Tensor]:
    """Return the parameters that the optimizers hold, each once.

    A module's other parameters gather gradients that nobody uses or clears; they take no part.
    """
    if len(state.optimizers) == 1:
        (only,) = state.optimizers.values()
        return [parameter for group in only.param_groups for parameter in group["params"]]
    return list(
        {
            id(parameter): parameter
            for optimizer in state.optimizers.values()
            for group in optimizer.param_groups
            for parameter in group["params"]
        }.values()
    )


def prime(optimizer: torch.optim.Optimizer) -> None:
    """Make the moments of Adam and AdamW now, as zeros, which is what their first step would do.

    RowAdam makes its own. Other optimizers make their state in their first step, in their own
    way, and are left alone.
    """
    if isinstance(optimizer, RowAdam):
        optimizer.prime()
    if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW, AdamW) or optimizer.state:
        return
    for group in optimizer.param_groups:
        on_device = bool(group["fused"] or group["capturable"])
        for parameter in group["params"]:
            where = parameter.device if on_device else None
            state = optimizer.state[parameter]
            state["step"] = torch.zeros((), dtype=torch.float32, device=where)
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = torch.zeros_like(parameter)


def num_rows(batch: Any) -> int:
    """Return the rows of the first tensor in a batch of tensors, nested in any way."""
    for tensor in _tensors(batch):
        return int(tensor.shape[0]) if tensor.ndim else 1
    return 1


def slices(batch: Any, count: int) -> Iterator[Any]:
    """Yield `count` nearly equal slices of a batch's rows (fewer when it has fewer rows)."""
    rows = num_rows(batch)
    size = -(-rows // count)
    for start in range(0, rows, size):
        yield _slice(batch, start, start + size)


def _slice(value: Any, start: int, end: int) -> Any:
    if isinstance(value, Tensor):
        return value[start:end] if value.ndim else value
    if isinstance(value, dict):
        return {key: _slice(inner, start, end) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_slice(inner, start, end) for inner in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from _tensors(inner)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _values(gradient: Tensor) -> Tensor:
    """Return a gradient's numbers; those of a sparse one may name a row more than once."""
    return gradient._values() if gradient.is_sparse else gradient
