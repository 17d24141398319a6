"""RowAdam: equal to torch's SparseAdam, and only the rows that a batch looked up change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import treadle
from treadle.errors import OptionError
from treadle.loop import checkpoint, row_adam
from treadle.loop.row_adam import RowAdam
from treadle.loop.state import TrainState, take_back
from treadle.loop.step import EagerStep, StepOptions, prime

NUM_ROWS = 60
KEPT = ("exp_avg", "exp_avg_sq")
Make = Callable[[Any], torch.optim.Optimizer]


def a_table(width: int = 8) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(NUM_ROWS, width, sparse=True)


def some_lookups(count: int, *, size: int = 20) -> list[Tensor]:
    """Return batches in which many rows are looked up more than once."""
    generator = torch.Generator().manual_seed(1)
    uniform = torch.rand(count, size, generator=generator)
    return [(NUM_ROWS * row**3).long() for row in uniform]


def train(table: nn.Embedding, optimizer: torch.optim.Optimizer, batches: list[Tensor]) -> None:
    for lookups in batches:
        optimizer.zero_grad()
        (table(lookups) - 1).square().sum().backward()
        optimizer.step()


def assert_near(ours: torch.optim.Optimizer, torchs: torch.optim.Optimizer) -> None:
    for own, other in zip(ours.param_groups, torchs.param_groups, strict=True):
        for mine, theirs in zip(own["params"], other["params"], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=2e-5, atol=2e-6)
            for name in KEPT:
                kept = ours.state[mine][name], torchs.state[theirs][name]
                torch.testing.assert_close(*kept, rtol=2e-5, atol=2e-6)
            assert float(ours.state[mine]["step"]) == float(torchs.state[theirs]["step"])


@pytest.mark.parametrize("width", [1, 6, 8])
@pytest.mark.parametrize(
    "options",
    [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-2}, {"maximize": True}, {"lr": torch.tensor(0.02)}],
    ids=str,
)
def test_is_equal_to_torchs_sparse_adam(options: dict[str, Any], width: int) -> None:
    ours, torchs = a_table(width), a_table(width)
    own = RowAdam(ours.parameters(), **{"lr": 0.05, **options})
    other = torch.optim.SparseAdam(torchs.parameters(), **{"lr": 0.05, **options})
    batches = some_lookups(30)
    train(ours, own, batches)
    train(torchs, other, batches)
    assert_near(own, other)


def test_either_goes_on_from_what_the_other_saved() -> None:
    batches = some_lookups(20)
    table = a_table()
    first = torch.optim.SparseAdam(table.parameters(), lr=0.05)
    train(table, first, batches[:10])
    copied = copy.deepcopy(table)
    second = RowAdam(copied.parameters())
    take_back(second, first.state_dict())
    train(table, first, batches[10:])
    train(copied, second, batches[10:])
    assert_near(second, first)
    torch.optim.SparseAdam(copied.parameters()).load_state_dict(second.state_dict())


@pytest.mark.parametrize("row_steps", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_the_other_rows_wait_untouched(row_steps: bool, weight_decay: float) -> None:
    table = a_table()
    optimizer = RowAdam(table.parameters(), lr=0.1, weight_decay=weight_decay, row_steps=row_steps)
    train(table, optimizer, some_lookups(5))
    values = optimizer.state[table.weight]
    tensors = [table.weight, *(values[name] for name in KEPT)]
    before = [tensor.detach().clone() for tensor in tensors]
    train(table, optimizer, [torch.tensor([3, 3, 7, 59])])
    for tensor, old in zip(tensors, before, strict=True):
        assert (tensor != old).any(1).nonzero().flatten().tolist() == [3, 7, 59]


def test_where_every_row_is_looked_up_it_is_adamw() -> None:
    ours, dense = a_table(), nn.Embedding(NUM_ROWS, 8)
    dense.load_state_dict(ours.state_dict())
    options: dict[str, Any] = {"lr": 0.05, "weight_decay": 0.1, "eps": 1e-12}
    batches = [torch.randperm(NUM_ROWS) for _ in range(8)]
    train(dense, torch.optim.AdamW(dense.parameters(), **options), batches)
    train(ours, RowAdam(ours.parameters(), **options), batches)
    torch.testing.assert_close(ours.weight, dense.weight, rtol=1e-4, atol=1e-5)


def test_with_row_steps_a_late_row_moves_as_in_adams_first_step() -> None:
    moved = {}
    for row_steps in (False, True):
        table = a_table()
        optimizer = RowAdam(table.parameters(), lr=0.01, row_steps=row_steps)
        train(table, optimizer, [torch.tensor([1])] * 3000)
        before = table.weight[5].detach().clone()
        train(table, optimizer, [torch.tensor([5])])
        moved[row_steps] = float((table.weight[5].detach() - before).abs().mean()) / 0.01
    assert moved[True] == pytest.approx(1.0, rel=1e-3)
    assert moved[False] == pytest.approx(3.1, rel=0.03)


def test_with_row_steps_each_row_is_trained_as_if_it_were_alone() -> None:
    options: dict[str, Any] = {"lr": 0.05, "weight_decay": 0.1, "row_steps": True}
    table, alone = a_table(), a_table()
    batches = some_lookups(12)
    train(table, RowAdam(table.parameters(), **options), batches)
    own = [lookups[lookups == 2] for lookups in batches]
    train(alone, RowAdam(alone.parameters(), **options), [one for one in own if len(one)])
    torch.testing.assert_close(table.weight[2], alone.weight[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_what_other_devices_compute_is_the_same(
    weight_decay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [a_table(), a_table()]
    optimizers = [RowAdam(t.parameters(), lr=0.05, weight_decay=weight_decay) for t in tables]
    train(tables[0], optimizers[0], some_lookups(10))
    monkeypatch.setattr(row_adam, "_move_fused", row_adam._move)
    train(tables[1], optimizers[1], some_lookups(10))
    assert_near(optimizers[1], optimizers[0])


def test_several_tables_in_groups_of_their_own_and_without_gradients() -> None:
    ours, torchs = [[a_table(), a_table(4), a_table()] for _ in range(2)]

    def groups(tables: list[nn.Embedding]) -> list[dict[str, Any]]:
        return [
            {"params": [tables[0].weight, tables[1].weight]},
            {"params": tables[2].parameters(), "lr": 0.2},
        ]

    own, other = RowAdam(groups(ours), lr=0.1), torch.optim.SparseAdam(groups(torchs), lr=0.1)
    prime(own)
    for tables, optimizer in ((ours, own), (torchs, other)):
        for lookups in some_lookups(4):
            optimizer.zero_grad()
            (tables[0](lookups).sum() + tables[1](lookups[:0]).sum()).backward()
            optimizer.step()
    assert torch.equal(ours[2].weight, torchs[2].weight)  # it has had no gradient
    assert torch.equal(ours[1].weight, torchs[1].weight)  # its gradients were empty
    torch.testing.assert_close(ours[0].weight, torchs[0].weight, rtol=2e-5, atol=2e-6)
    steps = [float(own.state[table.weight]["step"]) for table in ours]
    assert steps == [4.0, 4.0, 0.0]


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    found = []
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        table = nn.Embedding.from_pretrained(torch.ones(NUM_ROWS, 64), freeze=False, sparse=True)
        train(table, RowAdam(table.parameters(), lr=0.1), some_lookups(3, size=3000))
        found.append(table.weight.detach())
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@pytest.mark.parametrize("row_steps", [False, True])
def test_state_is_made_before_step_0_and_keeps_its_place(row_steps: bool) -> None:
    table = a_table()
    optimizer = RowAdam(table.parameters(), row_steps=row_steps)
    prime(optimizer)
    values = optimizer.state[table.weight]
    assert set(values) == {"step", *KEPT} | ({"row_step"} if row_steps else set())
    assert all(not tensor.any() for tensor in values.values())
    places = {name: tensor.data_ptr() for name, tensor in values.items()}
    train(table, optimizer, some_lookups(3))
    prime(optimizer)
    take_back(optimizer, copy.deepcopy(optimizer.state_dict()))
    train(table, optimizer, some_lookups(3))
    values = optimizer.state[table.weight]
    assert {name: tensor.data_ptr() for name, tensor in values.items()} == places
    assert float(values["step"]) == 6


@pytest.mark.parametrize("row_steps", [False, True])
def test_goes_on_to_the_bit_from_a_checkpoint(row_steps: bool, tmp_path: Path) -> None:
    batches = some_lookups(8)

    def a_training() -> tuple[TrainState, EagerStep]:
        table = a_table()
        rows = RowAdam(table.parameters(), lr=0.1, weight_decay=0.01, row_steps=row_steps)
        step = EagerStep(lambda lookups: table(lookups).square().sum())
        state = TrainState(model=table, optimizers={"rows": rows})
        step.prepare(state)
        return state, step

    whole, step = a_training()
    for lookups in batches[:5]:
        step(whole, lookups)
    place = checkpoint.write(tmp_path, *whole.snapshot())
    for lookups in batches[5:]:
        step(whole, lookups)
    resumed, step = a_training()
    resumed.restore(*checkpoint.read(place))
    for lookups in batches[5:]:
        step(resumed, lookups)
    files, _ = whole.snapshot()
    for name in ("model", "optimizers"):
        for key, tensor in resumed.snapshot()[0][name].items():
            assert torch.equal(tensor, files[name][key]), key


def a_step(table: nn.Embedding, optimizer: torch.optim.Optimizer, **options: Any) -> Any:
    weights = torch.linspace(-2, 2, 8)
    step = EagerStep(
        lambda batch: (table(batch["item"]) * weights * batch["scale"][:, None]).sum(),
        options=StepOptions(**options),
    )
    state = TrainState(model=table, optimizers={"rows": optimizer})
    step.prepare(state)
    return lambda **batch: step(state, batch) or state


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1}, {"accumulate": 2}], ids=str)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_batch_that_is_not_finite_changes_nothing(options: dict[str, Any], bad: float) -> None:
    table = a_table()
    optimizer = RowAdam(table.parameters(), lr=0.1)
    turn = a_step(table, optimizer, **options)
    turn(item=torch.tensor([3, 3, 7]), scale=torch.ones(3))
    tensors = [table.weight, *optimizer.state[table.weight].values()]
    before = [tensor.detach().clone() for tensor in tensors]
    state = turn(item=torch.tensor([3, 3, 9]), scale=torch.tensor([1.0, bad, 1.0]))
    assert int(state.totals.non_finite) == 1
    assert all(map(torch.equal, tensors, before))


@pytest.mark.parametrize("make", [RowAdam, torch.optim.SparseAdam])
def test_clipping_sees_the_sum_of_a_row_that_was_looked_up_twice(make: Make) -> None:
    table = a_table()
    turn = a_step(table, make(table.parameters()), clip_norm=1e-3)
    turn(item=torch.tensor([3, 3, 3, 7]), scale=torch.tensor([1.0, 1.0, 1.0, 2.0]))
    assert table.weight.grad is not None
    assert table.weight.grad.is_coalesced()  # the optimizer need not sum it a second time
    gradient = table.weight.grad.to_dense()
    assert float(gradient.norm()) == pytest.approx(1e-3, rel=1e-4)
    assert torch.allclose(gradient[3], gradient[7] * 1.5)


def test_a_dense_gradient_is_refused_before_anything_changes() -> None:
    table, dense = a_table(), nn.Embedding(NUM_ROWS, 8)
    optimizer = RowAdam([table.weight, dense.weight])
    before = table.weight.detach().clone()
    (table(torch.tensor([1])).sum() + dense(torch.tensor([1])).sum()).backward()
    with pytest.raises(OptionError, match=r"dense gradient .*\(60, 8\)[\s\S]*sparse=True"):
        optimizer.step()
    assert torch.equal(table.weight, before)


def test_a_gradient_of_single_values_is_refused() -> None:
    table = a_table()
    table.weight.grad = torch.sparse_coo_tensor(
        [[1], [2]], [1.0], (NUM_ROWS, 8), check_invariants=True
    )
    with pytest.raises(OptionError, match="single values"):
        RowAdam(table.parameters()).step()


@pytest.mark.parametrize(
    ("parameter", "options", "words"),
    [
        (torch.zeros(3, 4, dtype=torch.float64), {}, "float64"),
        (torch.zeros(3, 4, dtype=torch.bfloat16), {}, "bfloat16"),
        (torch.zeros(3), {}, r"shape \(3,\)"),
        (torch.zeros(3, 4), {"lr": -1.0}, "lr is -1.0"),
        (torch.zeros(3, 4), {"betas": (0.9, 1.0)}, "betas"),
        (torch.zeros(3, 4), {"eps": 0.0}, "eps"),
        (torch.zeros(3, 4), {"weight_decay": -0.1}, "weight_decay"),
        (torch.zeros(3), {"lr": -1.0, "eps": -1.0}, "3 problems"),
    ],
)
def test_what_it_cannot_take_is_refused(
    parameter: Tensor, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        RowAdam([nn.Parameter(parameter)], **options)


def test_a_closure_gives_its_loss() -> None:
    table = a_table()
    optimizer = treadle.RowAdam(table.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = table(torch.tensor([1, 2])).square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) > 0


def test_a_copy_of_the_optimizer_is_whole() -> None:
    table = a_table()
    optimizer = RowAdam(table.parameters())
    train(table, optimizer, some_lookups(2))
    both = copy.deepcopy([table, optimizer])
    train(both[0], both[1], some_lookups(2))
    train(table, optimizer, some_lookups(2))
    assert torch.equal(both[0].weight, table.weight)
