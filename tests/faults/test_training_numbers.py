"""NaN, infinity and spikes: nothing of them is kept, and what is decided is decided again."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import treadle
from treadle.api.log import _turning
from treadle.errors import DivergedError
from treadle.folder import RunFolder
from treadle.loop.checkpoint import finished, read

ROWS, WIDTH, BATCH = 320, 4, 16
STEPS_PER_EPOCH, SPIKE_STEP = ROWS // BATCH, 313
NAN, INFINITE, HUGE = math.nan, math.inf, 1e30
ENGINES = ["eager", pytest.param("compiled", marks=pytest.mark.slow)]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


def table() -> tuple[Tensor, Tensor]:
    x_NF = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1))
    return x_NF, x_NF.sum(1, keepdim=True)


def spoil_gradient(module: nn.Module, steps: set[int], value: float) -> Callable[..., Tensor]:
    """Return a loss whose gradient, not its value, is spoilt at some steps."""
    count = [0]

    def loss(output: Tensor, target: Tensor) -> Tensor:
        found = nn.functional.mse_loss(output, target)
        if torch.is_grad_enabled():
            count[0] += 1
            if count[0] in steps:
                found.register_hook(lambda gradient: gradient * value)
        return found

    return loss


def fit(out: Path, data: Any, module: nn.Module | None = None, **options: Any) -> treadle.Run:
    usual: dict[str, Any] = {
        "loss": "mean_squared_error",
        "lr": 1e-3,  # what looks for one would turn the steps that are counted here
        "validation": None,
        "batch_size": BATCH,
        "until": "3 epochs",
        "engine": "eager",
        "average": 0.9,
        "save_every_seconds": 1e-9,
    }
    return treadle.fit(module or network(), data, out=out, **usual | options)


def everything_finite(out: Path) -> bool:
    """Tell whether every number of every checkpoint, and of the model, is finite."""
    from safetensors.torch import load_file

    found = [load_file(file) for file in (out / "model").glob("*.safetensors")]
    for place in finished(out / "checkpoints"):
        found += list(read(place)[0].values())
    tensors = [tensor for group in found for tensor in group.values()]
    assert len(tensors) > 20
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def topics(out: Path, *wanted: str) -> list[str]:
    return [line["topic"] for line in RunFolder(out).events() if line["topic"] in wanted]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE, HUGE], ids=str)
@pytest.mark.parametrize("row", [0, 200])
def test_a_row_that_is_not_finite_or_overflows_is_skipped_and_counted(
    tmp_path: Path, value: float, row: int, engine: str
) -> None:
    """A huge number passes the loss through batch normalisation, but not its running variance."""
    x_NF, y_N1 = table()
    x_NF[row, 1] = value
    fit(tmp_path / "run", (x_NF, y_N1), engine=engine)
    assert everything_finite(tmp_path / "run")
    state = json.loads((finished(tmp_path / "run/checkpoints")[-1] / "state.json").read_text())
    assert state["step"] == 3 * STEPS_PER_EPOCH
    totals = read(finished(tmp_path / "run/checkpoints")[-1])[0]["totals"]
    assert int(totals["non_finite"]) == 3


@pytest.mark.parametrize("value", [NAN, INFINITE, 1e38])
@pytest.mark.parametrize("step", [1, 7])
def test_a_gradient_that_is_not_finite_or_overflows_is_skipped(
    tmp_path: Path, value: float, step: int
) -> None:
    module = network()
    fit(tmp_path / "run", table(), module, loss=spoil_gradient(module, {step}, value))
    assert everything_finite(tmp_path / "run")
    totals = read(finished(tmp_path / "run/checkpoints")[-1])[0]["totals"]
    assert int(totals["non_finite"]) == 1


def test_the_skipped_step_changed_nothing(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []
    module = network()

    def remember(state: Any) -> None:
        if state.step in (6, 7):
            values = state.optimizers["main"].state.values()
            moments = {f"{i}.{n}": t for i, v in enumerate(values) for n, t in v.items()}
            seen.append(copy.deepcopy({**module.state_dict(), **moments, **state.average}))

    fit(
        tmp_path / "run",
        table(),
        module,
        loss=spoil_gradient(module, {7}, NAN),
        watchers=[remember],
    )
    before, after = seen
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def thrown_off(output: Tensor, target: Tensor) -> Tensor:
    """Return a loss whose gradient is a thousand times too large at one step of the run."""
    found = nn.functional.mse_loss(output, target)
    state = _turning.get()
    if state is not None and torch.is_grad_enabled() and state.step + 1 == SPIKE_STEP:
        found.register_hook(lambda gradient: gradient * 1_000)
    return found


def spiking(
    out: Path, until: str, *, resume: bool = False, rate: float = 0.02, **more: Any
) -> treadle.Run:
    """Train with plain SGD, where a gradient of 1,000 times its size throws the weights off."""
    x_NF, y_N1 = table()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, 1))
    return treadle.fit(
        module,
        (x_NF, y_N1),
        loss=thrown_off,
        validation=(x_NF[:64], y_N1[:64]),
        optimizer=torch.optim.SGD(module.parameters(), lr=rate),
        batch_size=BATCH,
        validate_every=10,
        until=until,
        engine="eager",
        out=out,
        resume=resume,
        **{"save_every_seconds": 1e-9} | more,
    )


def spike_decisions(out: Path) -> list[tuple[Any, ...]]:
    """Return what was decided and noticed, each once, however often it was turned."""
    wanted = ("rollback", "spike", "non_finite")
    lines = [line for line in RunFolder(out).events() if line["topic"] in wanted]
    found = {(line["step"], line["topic"], line["sentence"]) for line in lines}
    return sorted(found)


def last(out: Path) -> tuple[Any, ...]:
    files, facts = read(finished(out / "checkpoints")[-1])
    del facts["seconds"]
    tensors = {
        f"{file}/{name}": tensor.numpy().tobytes()
        for file, group in files.items()
        for name, tensor in group.items()
    }
    return tensors, json.dumps(facts)


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def spiked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("spiked") / "run"
    spiking(out, "30 epochs")
    return out


def test_a_spike_that_throws_the_weights_off_is_rolled_back_and_training_goes_on(
    spiked: Path,
) -> None:
    assert "rollback" in topics(spiked, "rollback")
    run = treadle.load(spiked, module=nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)))
    assert run.result["validation_metrics"]["loss"] < 0.5
    assert everything_finite_in_checkpoints(spiked)


def everything_finite_in_checkpoints(out: Path) -> bool:
    return all(
        bool(tensor.isfinite().all())
        for place in finished(out / "checkpoints")
        for group in read(place)[0].values()
        for tensor in group.values()
        if tensor.is_floating_point()
    )


@pytest.mark.parametrize("before", [-21, -1, 0, 1, 19, 20, 21])
def test_resumed_beside_a_rollback_the_same_is_decided_and_the_end_is_the_same(
    tmp_path: Path, spiked: Path, before: int
) -> None:
    rollback = next(line for line in RunFolder(spiked).events() if line["topic"] == "rollback")
    out, stop_at = tmp_path / "run", rollback["step"] + before

    def stop(state: Any) -> None:
        if state.step == stop_at:
            raise Stop

    with pytest.raises(Stop):
        spiking(out, "30 epochs", watchers=[stop])
    spiking(out, "30 epochs", resume=True)
    assert spike_decisions(out) == spike_decisions(spiked)
    assert last(out) == last(spiked)


def test_what_cannot_be_brought_back_is_stopped_with_a_report(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(DivergedError) as raised:
        spiking(out, "30 epochs", rate=1e6)
    assert "Training was put back 3 times" in raised.value.message
    (stop,) = [line for line in RunFolder(out).events() if line["topic"] == "stop"]
    assert stop["saw"]["reason"] == "diverged"
    assert topics(out, "rollback") == ["rollback"] * 3
    assert "put back" in (out / "report.html").read_text()
    assert everything_finite_in_checkpoints(out)


def own_step(spoilt: set[int]) -> Callable[..., Any]:
    def step(state: Any, batch: Any) -> Tensor:
        (optimizer,) = state.optimizers.values()
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(state.module(batch[0]), batch[1])
        if state.step + 1 in spoilt:
            loss = loss * NAN
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_step_of_a_users_own_that_writes_nan_is_put_back_before_anything_is_saved(
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"loss": None, "average": None, "step": own_step({9, 30})}
    fit(tmp_path / "run", table(), **options)
    assert everything_finite(tmp_path / "run")
    said = [e for e in RunFolder(tmp_path / "run").events() if e["topic"] == "rollback"]
    assert [line["step"] for line in said] == [9, 30]
    assert "the weights are not finite numbers any more" in said[0]["sentence"]
