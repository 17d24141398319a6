"""The state: everything that changes, taken and put back to the bit, in tensors that stay."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from treadle.contracts import Validation
from treadle.errors import RunError, TreadleError
from treadle.loop.randomness import (
    generator_states,
    kept_generators,
    seed_all,
    set_generator_states,
)
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions
from treadle.loop.tree import flatten, unflatten


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


class Counter:
    """Something of a user's own, with a state."""

    def __init__(self) -> None:
        self.state: dict[Any, Any] = {"count": 0}

    def state_dict(self) -> dict[Any, Any]:
        return self.state

    def load_state_dict(self, state: dict[Any, Any]) -> None:
        self.state = state


def a_state(**extras: Any) -> tuple[TrainState, EagerStep]:
    module = a_network()
    optimizers = {
        "first": torch.optim.AdamW(module[0].parameters(), lr=0.1),
        "rest": torch.optim.SGD([*module[1].parameters(), *module[3].parameters()], 0.1, 0.9),
    }
    state = TrainState(model=module, optimizers=optimizers, extras=extras, horizon=10)
    step = EagerStep(lambda x: module(x).square().mean(), options=StepOptions(average=0.9))
    step.prepare(state)
    return state, step


def train(state: TrainState, step: EagerStep, steps: int) -> None:
    for _ in range(steps):
        batch = torch.randn(6, 4) + random.random() + float(np.random.randn())
        step(state, batch)
        state.advance(state.cursor._replace(position=state.position + 6))
        state.history.append(Validation(step=state.step, epoch=0, metrics={"loss": 1 / state.step}))
        state.totals.log("seen", 2.0)
        state.keep_best(1 / state.step)
        state.memory["mine"] = {"steps": state.step}


def same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor):
        return (
            isinstance(second, Tensor)
            and first.dtype == second.dtype
            and bool(torch.equal(first.nan_to_num(7.0), second.nan_to_num(7.0)))
        )
    if isinstance(first, np.ndarray):
        return isinstance(second, np.ndarray) and bool(np.array_equal(first, second))
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second or first != first)


tensors = st.builds(
    lambda values, dtype: torch.tensor(values).to(dtype),
    st.lists(st.integers(0, 100), max_size=4),
    st.sampled_from([torch.float32, torch.int64, torch.bool, torch.bfloat16]),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    tensors,
    st.lists(st.floats(-1e9, 1e9), max_size=3).map(lambda v: np.array(v, np.float32)),
    st.integers(0, 9).map(np.int64),
)
keys = st.one_of(st.text("ab/$1", max_size=3), st.integers(0, 3))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=12,
)


@given(trees)
def test_nested_state_survives_being_taken_apart_and_saved(tree: Any) -> None:
    import json

    from safetensors.torch import load, save

    tensors: dict[str, Tensor] = {}
    skeleton = json.loads(json.dumps(flatten(tree, tensors)))
    copies = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    again = unflatten(skeleton, load(save(copies)))
    assert same(again, tree)


def test_keys_that_read_alike_stay_apart() -> None:
    tree = {1: torch.ones(1), "1": torch.zeros(1), "a": {"b": torch.ones(2)}, "a/b": torch.ones(3)}
    tensors: dict[str, Tensor] = {}
    assert same(unflatten(flatten(tree, tensors), tensors), tree)
    assert len(tensors) == 4


@pytest.mark.parametrize("value", [{1, 2}, object(), lambda: 0, 1j, b"raw", np.array(["a"])])
def test_what_a_checkpoint_cannot_hold_is_refused_by_its_path(value: Any) -> None:
    with pytest.raises(TreadleError, match=r"'/outer/0'.*cannot hold") as raised:
        flatten({"outer": [value]}, {})
    assert "never pickles" in raised.value.hint


def test_a_restored_state_goes_on_to_the_bit() -> None:
    seed_all(4)
    state, step = a_state(mine=Counter())
    train(state, step, 3)
    state.extras["mine"].state = {"count": 3, 7: (torch.ones(2), np.arange(3))}  # type: ignore[attr-defined]
    files, facts = state.snapshot()
    train(state, step, 4)
    whole = state.snapshot()

    seed_all(99)
    other, other_step = a_state(mine=Counter())
    other.restore(files, facts)
    assert same(other.extras["mine"].state_dict(), state.extras["mine"].state_dict())
    train(other, other_step, 4)
    again = other.snapshot()
    assert same(again[0], whole[0])
    assert same({**again[1], "seconds": 0}, {**whole[1], "seconds": 0})


def test_a_snapshot_is_a_copy_that_later_steps_cannot_change() -> None:
    state, step = a_state()
    train(state, step, 2)
    files, facts = state.snapshot()
    before = {file: {n: t.clone() for n, t in group.items()} for file, group in files.items()}
    memory = dict(facts["memory"]["mine"])
    state.restore(files, facts)
    train(state, step, 3)
    assert same(files, before)
    assert facts["memory"]["mine"] == memory
    assert len(facts["history"]) == 2


def test_tensors_keep_their_place_when_a_state_is_restored() -> None:
    state, step = a_state()
    train(state, step, 2)

    def places() -> list[int]:
        of_module = [t.data_ptr() for t in state.module.state_dict().values()]
        of_optimizers = [
            t.data_ptr()
            for o in state.optimizers.values()
            for values in o.state.values()
            for t in values.values()
        ]
        others = [*state.average.values(), state.totals.loss, state.totals.non_finite]
        return of_module + of_optimizers + [t.data_ptr() for t in others]

    before = places()
    files, facts = state.snapshot()
    train(state, step, 2)
    state.restore(files, facts)
    assert places() == before


def test_an_optimizer_keeps_the_memory_format_of_its_moments() -> None:
    module = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(module.parameters())
    state = TrainState(model=module, optimizers={"main": optimizer})
    step = EagerStep(lambda x: module(x).square().mean())
    step.prepare(state)
    step(state, torch.randn(2, 3, 5, 5))
    state.restore(*state.snapshot())
    assert optimizer.state[module.weight]["exp_avg"].stride() == module.weight.stride()


def test_what_a_checkpoint_does_not_hold_is_asked_for_in_words() -> None:
    state, _ = a_state()
    files, facts = state.snapshot()
    other, _ = a_state(scheduler=Counter())
    with pytest.raises(RunError, match="no state of 'scheduler' among its extras"):
        other.restore(files, facts)


def test_best_weights_are_the_averaged_ones_where_there_are_any() -> None:
    state, step = a_state()
    train(state, step, 3)
    average = {name: tensor.clone() for name, tensor in state.average.items()}
    train(state, step, 1)
    state.best_weights.clear()
    for name, tensor in average.items():
        state.average[name].copy_(tensor)
    state.keep_best(0.5)
    state.give_back_best()
    assert same(dict(state.module.named_parameters()), average) or all(
        torch.equal(p, average[name]) for name, p in state.module.named_parameters()
    )


def test_a_shared_weight_comes_back_averaged_under_both_its_names() -> None:
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    state = TrainState(model=module)
    state.average = {"0.weight": torch.full((3, 3), 7.0)}
    state.keep_best(1.0)
    state.give_back_best()
    assert torch.equal(module[1].weight, torch.full((3, 3), 7.0))
    files, facts = state.snapshot()
    state.restore(files, facts)


def test_a_module_with_a_state_of_its_own_beside_tensors_is_kept() -> None:
    class Odd(nn.Linear):
        mark = "before"

        def get_extra_state(self) -> Any:
            return {"mark": self.mark}

        def set_extra_state(self, state: Any) -> None:
            self.mark = state["mark"]

    module = Odd(2, 1)
    state = TrainState(model=module)
    state.keep_best(1.0)
    files, facts = state.snapshot()
    module.mark = "after"
    state.give_back_best()
    state.restore(files, facts)
    assert module.mark == "before"


def test_generators_of_torch_numpy_and_python_go_on_from_where_they_stood() -> None:
    seed_all(3)
    random.gauss(0, 1)
    np.random.randn()
    states = generator_states()

    def draws() -> list[float]:
        drawn = [float(torch.rand(())), float(np.random.randn()), random.random()]
        return [*drawn, random.gauss(0, 1), float(np.random.rand()), float(torch.randn(()))]

    first = draws()
    seed_all(5)
    set_generator_states(states)
    assert draws() == first


def test_what_is_drawn_inside_can_be_kept_from_moving_the_generators() -> None:
    before = generator_states()
    with kept_generators():
        seed_all(77)
        random.random()
    assert same(generator_states(), before)


def test_logged_values_are_averaged_and_forgotten() -> None:
    state = TrainState(model=nn.Linear(1, 1))
    state.totals.log("b", 1.0)
    state.totals.log("a", torch.tensor(3.0, requires_grad=True))
    state.totals.log("b", 2.0)
    assert list(state.totals.take_logged().items()) == [("a", 3.0), ("b", 1.5)]
    assert state.totals.take_logged() == {}


def test_the_mean_loss_of_no_batch_is_not_a_number() -> None:
    assert math.isnan(TrainState(model=nn.Linear(1, 1)).totals.take_mean())
