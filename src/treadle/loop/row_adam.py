"""RowAdam: Adam for large embedding tables, which touches only the rows that a batch looked up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from treadle.errors import OptionError
from treadle.loop.adamw import Unwrapped
from treadle.loop.sparse_rows import put_rows, summed


class RowAdam(Unwrapped):
    """Adam on the touched rows of tables whose gradients are sparse: nn.Embedding(sparse=True).

    A row that no batch looks up is neither read nor written: its moments wait as they are, where
    dense Adam lets them fade and moves the row on by what is left of them. So the time of a step
    follows from the batch and not from the size of the table.

    params:       float32 tables [N, D], or groups of them
    lr, betas, eps, maximize: as torch.optim.SparseAdam has them. eps is added to the root of the
                  second moment as it stands, before its bias is corrected
    weight_decay: decoupled, as in AdamW, and of the touched rows alone; a row that is seen in
                  one batch of a hundred is therefore pulled to zero in one step of a hundred
    row_steps:    which count of steps corrects the bias of moments that started at zero.
                  False, the default: all steps so far, one count for the whole table. This is
                  what torch.optim.SparseAdam does, and up to rounding the two are equal.
                  True: each row's own count of updates, kept in float32 [N]. A row seen for the
                  first time after many steps then moves by lr, as in Adam's own first step.
                  With one count its moments pass for settled ones: it moves by 3.2 lr at first
                  and by 6.5 lr at its tenth update (betas .9 and .999, equal gradients).

    The state is made before step 0 by `prime`, or else at the first step, and is written in place
    from then on: `exp_avg` and `exp_avg_sq` float32 [N, D], and `step`. A state that
    torch.optim.SparseAdam saved can be loaded. Results do not depend on the number of threads.

    Raises: OptionError on a parameter that is no float32 table, a dense gradient, or an option
    out of its range.

    Source: Kingma and Ba, Adam (2015), algorithm 1; Loshchilov and Hutter, Decoupled weight
    decay regularization (2019), algorithm 2.

        table = torch.nn.Embedding(1_000_000, 64, sparse=True)
        optimizer = treadle.RowAdam(table.parameters(), lr=1e-3)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        row_steps: bool = False,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self._rooms: dict[Tensor, _Room] = {}
        super().__init__(params, options | {"row_steps": row_steps, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        problems = _problems(self.param_groups[-1])
        if problems:
            self.param_groups.pop()
            raise OptionError.of(problems)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._rooms = {}
        for group in self.param_groups:  # what SparseAdam's saved state does not have
            for name, value in (("weight_decay", 0.0), ("row_steps", False), ("maximize", False)):
                group.setdefault(name, value)
        for values in self.state.values():
            if "step" in values and not isinstance(values["step"], Tensor):
                values["step"] = torch.tensor(float(values["step"]), dtype=torch.float32)

    def prime(self) -> None:
        """Make the state of every parameter that has none yet."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self._values(parameter, group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the rows that the gradients name, and return the closure's loss, if any."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        present = [
            (parameter, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        _refuse_dense([parameter for parameter, _ in present])
        for parameter, group in present:
            self._update(parameter, group)
        return loss

    def _values(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        values: dict[str, Tensor] = self.state[parameter]
        if "step" not in values:
            values["step"] = torch.zeros((), dtype=torch.float32)
            for name in ("exp_avg", "exp_avg_sq"):
                values[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        if group["row_steps"] and "row_step" not in values:
            values["row_step"] = values["step"].to(parameter.device).repeat(len(parameter))
        return values

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        values = self._values(parameter, group)
        values["step"] += 1
        assert parameter.grad is not None
        gradient = summed(parameter.grad)
        rows_U, gradient_UD = gradient._indices()[0], gradient._values()
        if len(rows_U) == 0:
            return
        room = self._rooms.get(parameter)
        if room is None or len(room.parameter) < len(rows_U):
            most = min(len(parameter), parameter.grad._nnz())
            room = self._rooms[parameter] = _Room(*(_empty(parameter, most) for _ in range(3)))
        tables = _Room(parameter, values["exp_avg"], values["exp_avg_sq"])
        touched = _Room(*(kept[: len(rows_U)] for kept in room))
        for table, kept in zip(tables, touched, strict=True):
            torch.index_select(table, 0, rows_U, out=kept)
        if group["row_steps"]:
            count_U1 = values["row_step"].index_select(0, rows_U)[:, None] + 1
            values["row_step"].index_copy_(0, rows_U, count_U1[:, 0])
            _move(touched, gradient_UD, group, count_U1)
        elif parameter.device.type == "cpu":
            _move_fused(touched, gradient_UD, group, values["step"])
        else:
            _move(touched, gradient_UD, group, values["step"])
        for table, kept in zip(tables, touched, strict=True):
            put_rows(table, rows_U, kept)


class _Room(NamedTuple):
    """A table and its moments, or the touched rows of the three: [U, D] each, kept for reuse."""

    parameter: Tensor
    first: Tensor
    second: Tensor


def _empty(table: Tensor, num_rows: int) -> Tensor:
    return torch.empty(num_rows, table.shape[1], dtype=table.dtype, device=table.device)


def _move_fused(touched: _Room, gradient_UD: Tensor, group: dict[str, Any], step: Tensor) -> None:
    """Update all rows by one count of steps, in torch's one pass over them."""
    beta1, beta2 = group["betas"]
    torch._fused_adamw_(
        [touched.parameter],
        [gradient_UD],
        [touched.first],
        [touched.second],
        [],
        [step],
        lr=float(group["lr"]),
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        # That pass adds eps to the corrected root, SparseAdam to the root as it stands.
        eps=group["eps"] / math.sqrt(1 - beta2 ** float(step)),
        amsgrad=False,
        maximize=group["maximize"],
    )


def _move(touched: _Room, gradient_UD: Tensor, group: dict[str, Any], count: Tensor) -> None:
    """Update rows by a count of steps: one for all, or each row's own, [U, 1]."""
    beta1, beta2 = group["betas"]
    rate = float(group["lr"])
    if group["maximize"]:
        gradient_UD = -gradient_UD
    if group["weight_decay"]:
        touched.parameter.mul_(1 - rate * group["weight_decay"])
    touched.first.lerp_(gradient_UD, 1 - beta1)
    touched.second.mul_(beta2).addcmul_(gradient_UD, gradient_UD, value=1 - beta2)
    exact = count.double()  # in float32, 1 − 0.999 would be off in its fifth digit
    size = rate * (1 - beta2**exact).sqrt() / (1 - beta1**exact)
    moved_UD = touched.first / touched.second.sqrt().add_(group["eps"])
    touched.parameter.sub_(moved_UD.mul_(size.to(moved_UD.dtype)))


def _problems(group: dict[str, Any]) -> list[tuple[str, str]]:
    """Return all that speaks against a group, each with what to do."""
    found = []
    for parameter in group["params"]:
        if parameter.dtype != torch.float32:
            kind = str(parameter.dtype).removeprefix("torch.")
            found.append((f"RowAdam was given numbers of type {kind}.", "It takes float32 tables."))
        elif parameter.ndim != 2 or parameter.is_sparse:
            found.append(
                (
                    f"RowAdam was given a parameter of shape {tuple(parameter.shape)}.",
                    "It takes dense tables of two dimensions, such as nn.Embedding's weight; "
                    "give others to torch.optim.AdamW.",
                )
            )
    if not float(group["lr"]) >= 0:
        found.append((f"RowAdam's lr is {group['lr']}.", "Use 0 or more."))
    if not all(0 <= beta < 1 for beta in group["betas"]):
        found.append((f"RowAdam's betas are {group['betas']}.", "Use two numbers in [0, 1)."))
    if not group["eps"] > 0:
        found.append((f"RowAdam's eps is {group['eps']}.", "Use a number above 0."))
    if not group["weight_decay"] >= 0:
        found.append((f"RowAdam's weight_decay is {group['weight_decay']}.", "Use 0 or more."))
    return found


def _refuse_dense(parameters: list[Tensor]) -> None:
    """Refuse dense gradients before anything is changed."""
    problems = []
    for parameter in parameters:
        gradient, shape = parameter.grad, tuple(parameter.shape)
        assert gradient is not None
        if not gradient.is_sparse:
            problems.append(
                (
                    f"RowAdam met a dense gradient at its parameter of shape {shape}.",
                    "Make the table with nn.Embedding(..., sparse=True), or give this parameter "
                    "to torch.optim.AdamW.",
                )
            )
        elif gradient.sparse_dim() != 1:
            problems.append(
                (
                    f"RowAdam met a gradient of single values at its parameter of shape {shape}.",
                    "It takes gradients of whole rows, as nn.Embedding(..., sparse=True) has them.",
                )
            )
    if problems:
        raise OptionError.of(problems)
