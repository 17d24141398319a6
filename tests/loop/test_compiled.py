"""The captured step at work: compiled for real, once; and what it does beside that."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.capture import background, package
from treadle.data.batches import TensorSource
from treadle.loop import compiled
from treadle.loop.compiled import ENGINE, CompiledStep
from treadle.loop.loop import turn
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions
from treadle.loop.until import StopCondition, parse

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="there is no C++ compiler here"
)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all: what one test compiled, the next finds."""
    return tmp_path_factory.mktemp("compiled")


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(8, 1))


def source() -> TensorSource:
    generator = torch.Generator().manual_seed(1)
    x_NF = torch.randn(60, 5, generator=generator)
    return TensorSource({"x": x_NF, "y": x_NF[:, :1] ** 2}, batch_size=16, seed=2)


class Run:
    """A network in training, as a process would begin it."""

    def __init__(self, make: Callable[..., Any], **more: Any) -> None:
        self.module = network()
        self.state = TrainState(
            model=self.module,
            optimizers={"main": torch.optim.AdamW(self.module.parameters(), lr=0.01)},
            horizon=40,
        )
        options = StepOptions(clip_norm=1.0, average=0.9)
        self.step = make(self.loss, schedule=warmup_cosine(), options=options, **more)
        self.step.prepare(self.state)
        torch.manual_seed(5)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return nn.functional.mse_loss(self.module(batch["x"]), batch["y"])

    def turn(self, until: str | StopCondition) -> Run:
        turn(
            self.state, source(), self.step, until=parse(until) if isinstance(until, str) else until
        )
        return self

    def tensors(self) -> dict[str, Tensor]:
        files, _ = self.state.snapshot()
        return {f"{f}/{n}": tensor for f, group in files.items() for n, tensor in group.items()}


def assert_same(one: Run, other: Run) -> None:
    mine, theirs = one.tensors(), other.tensors()
    assert mine.keys() == theirs.keys()
    assert [name for name, tensor in mine.items() if not torch.equal(tensor, theirs[name])] == []


@needs_compiler
def test_captured_it_trains_as_the_eager_step_does_and_resumes_to_the_bit(cache: Path) -> None:
    eager = Run(EagerStep).turn("10 steps")
    whole = Run(CompiledStep, cache=cache).turn("10 steps")
    assert whole.step.is_engaged, whole.step.notes
    mine, theirs = whole.tensors(), eager.tensors()
    for name in (name for name in theirs if not name.startswith("random")):
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-3, atol=1e-4, msg=name)

    again = Run(CompiledStep, cache=cache).turn("10 steps")
    assert_same(whole, again)

    for stop in (1, 2, 4, 7):  # in an epoch of three full batches and a shorter one
        first = Run(CompiledStep, cache=cache).turn(f"{stop} steps")
        files, facts = copy.deepcopy(first.state.snapshot())
        second = Run(CompiledStep, cache=cache)
        second.state.restore(files, facts)
        second.turn("10 steps")
        assert_same(whole, second)


@needs_compiler
def test_the_second_capture_needs_no_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run(CompiledStep, cache=cache).turn("3 steps")
    monkeypatch.setattr(package, "compile_graph", None)
    monkeypatch.setattr(background, "compile_graph", None)
    run = Run(CompiledStep, cache=cache).turn("3 steps")
    assert run.step.is_engaged
    ((sentence, saw),) = run.step.notes
    assert "was there already" in sentence
    assert saw["cached"]


@needs_compiler
def test_a_change_that_the_code_does_not_know_of_brings_the_eager_step_back(cache: Path) -> None:
    run = Run(CompiledStep, cache=cache).turn("3 steps")
    eager = Run(CompiledStep, cache=cache).turn("3 steps")
    eager.step.disengage(eager.state)
    for one in (run, eager):
        one.module[3].p = 0.5
        torch.manual_seed(6)
        one.turn("6 steps")
    assert "'p' was changed" in run.step.notes[-1][0]
    assert not run.step.is_engaged
    assert run.state.memory[ENGINE] == {"refused": True}
    assert_same(run, eager)


@needs_compiler
def test_a_layer_frozen_on_the_way_stays_frozen(cache: Path) -> None:
    run = Run(CompiledStep, cache=cache).turn("3 steps")
    run.module[0].requires_grad_(False)
    before = run.module[0].weight.clone()
    run.turn("5 steps")
    assert torch.equal(run.module[0].weight, before)
    assert "other parameters are trained" in run.step.notes[-1][0]


@needs_compiler
def test_code_that_computes_something_else_is_not_relied_on(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = package.load

    def wrong(path: Path) -> Any:
        run = load(path)
        return lambda tensors: (run(tensors), tensors[4].mul_(9.0), [])[2]

    monkeypatch.setattr(compiled, "load", wrong)
    run = Run(CompiledStep, cache=cache).turn("5 steps")
    assert not run.step.is_engaged
    assert "computes another" in run.step.notes[-1][0]
    assert_same(run, Run(EagerStep).turn("5 steps"))


class Counting(nn.Linear):
    """A layer whose noise is less with every step: a number that lives in Python."""

    steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps = self.steps + 1
        return super().forward(x) + 1 / self.steps


def refused(module: nn.Module, cache: Path, **more: Any) -> list[str]:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    state = TrainState(model=module, optimizers={"main": optimizer})
    step = CompiledStep(
        lambda batch: nn.functional.mse_loss(module(batch["x"]), batch["y"]), cache=cache, **more
    )
    turn(state, source(), step, until=parse("4 steps"))
    assert not step.is_engaged
    assert state.step == 4
    return [sentence for sentence, _ in step.notes]


def test_a_module_that_counts_in_python_stays_eager(cache: Path) -> None:
    (sentence,) = refused(Counting(5, 1), cache)
    assert sentence.startswith("the step stays uncompiled: ")
    assert "'steps'" in sentence


def test_a_module_that_looks_into_its_tensors_stays_eager(cache: Path) -> None:
    class Looks(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if bool(x.sum() > 0) else -x)

    (sentence,) = refused(Looks(5, 1), cache)
    assert "looks at a number inside a tensor" in sentence


def test_without_a_compiler_one_sentence_says_so_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    (sentence,) = refused(nn.Linear(5, 1), tmp_path / "cache")
    assert "there is no C++ compiler here" in sentence


def test_a_cache_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    (sentence,) = refused(nn.Linear(5, 1), tmp_path / "cache")
    assert "others may write to" in sentence


def test_batches_of_other_things_stay_eager(cache: Path) -> None:
    module = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    state = TrainState(model=module, optimizers={"main": optimizer})
    step = CompiledStep(lambda batch: module(batch["x"]).square().mean(), cache=cache)
    batch = {"x": torch.ones(3, 5), "names": {"a", "b"}}
    for _ in range(3):
        step(state, batch)
        state.step += 1
    assert "other things than tensors" in step.notes[0][0]
