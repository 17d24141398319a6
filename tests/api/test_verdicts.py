"""Verdicts on whole fits: planted causes are named, a sound fit is left in peace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import treadle
from tests.small import customers
from treadle.errors import DivergedError

Rows = tuple[Tensor, Tensor]


def rows(count: int, seed: int, *, noisy: float = 0.0) -> Rows:
    """Five clouds that hardly overlap, in eight inputs; a share of the answers drawn anew."""
    draw = torch.Generator().manual_seed(seed)
    middles = 2.0 * torch.randn(5, 8, generator=torch.Generator().manual_seed(9))
    kind = torch.randint(5, (count,), generator=draw)
    x_NF = middles[kind] + torch.randn(count, 8, generator=draw)
    wrong = torch.rand(count, generator=draw) < noisy
    return x_NF, torch.where(wrong, torch.randint(5, (count,), generator=draw), kind)


def module(width: int = 24) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 5))


def fit(out: Path, *, net: nn.Module | None = None, **options: Any) -> treadle.Run:
    defaults: dict[str, Any] = {
        "loss": "cross_entropy",
        "until": "12 epochs",
        "batch_size": 32,
        "lr": 5e-3,
        "threads": 1,
        "engine": "eager",
        "validation": rows(400, 2),
        "out": out,
    }
    data = options.pop("data", None)
    return treadle.fit(net or module(), data or rows(800, 1), **defaults | options)


def names(run: treadle.Run) -> list[str]:
    return [verdict["name"] for verdict in run.verdicts]


def dead() -> nn.Module:
    net = module()
    with torch.no_grad():
        net[0].bias[:20] = -50.0
    return net


def broken() -> Rows:
    """A few rows hold the same wild numbers, whatever their answer."""
    x_NF, y_N = rows(800, 1)
    x_NF[::160] = 1e4
    y_N[::160] = torch.arange(5)
    return x_NF, y_N


def leaking(count: int, seed: int) -> Rows:
    """Nothing but the last input tells of the answer."""
    _, y_N = rows(count, seed)
    noise = torch.randn(count, 7, generator=torch.Generator().manual_seed(seed))
    return torch.cat([noise, 0.5 * y_N[:, None]], dim=1), y_N


PLANTED: dict[str, Callable[[], dict[str, Any]]] = {
    "rate_too_high": lambda: {"lr": 3.0},
    "rate_too_low": lambda: {"lr": 1e-4},
    "noisy_labels": lambda: {
        "data": rows(800, 1, noisy=0.25),
        "validation": rows(400, 2, noisy=0.25),
    },
    "small_validation": lambda: {"validation": rows(12, 2)},
    "dead_units": lambda: {"net": dead()},
    "spike": lambda: {"data": broken()},
    "leak": lambda: {"data": leaking(800, 1), "validation": leaking(400, 2)},
    "overfitting": lambda: {
        "data": rows(120, 1, noisy=0.3),
        "net": module(256),
        "until": "80 epochs",
        "validation": rows(400, 2),
    },
}


def test_nothing_is_said_of_a_sound_fit(tmp_path: Path) -> None:
    run = fit(tmp_path / "run")
    assert run.verdicts == run.result["verdicts"] == []
    assert [line for line in run.journal if line["topic"] == "verdict"] == []


@pytest.mark.parametrize("cause", PLANTED)
def test_what_was_planted_comes_first(cause: str, tmp_path: Path) -> None:
    run = fit(tmp_path / "run", **PLANTED[cause]())
    assert names(run)[:1] == [cause]
    said = [line["saw"]["name"] for line in run.journal if line["topic"] == "verdict"]
    assert cause in said
    json.dumps(run.verdicts, allow_nan=False)


def test_a_line_where_a_curve_is_needed_is_underfitting(tmp_path: Path) -> None:
    def rings(count: int, seed: int) -> Rows:
        x_NF = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
        return x_NF, (x_NF.square().sum(1) > 1.4).long()

    line = nn.Linear(2, 2)
    run = fit(tmp_path / "run", net=line, data=rings(800, 1), validation=rings(400, 2))
    assert names(run) == ["underfitting"]


def test_a_fit_that_was_given_up_says_so_in_its_journal(tmp_path: Path) -> None:
    x_NF, y_N = rows(200, 1)
    with pytest.raises(DivergedError):
        fit(tmp_path / "run", data=(x_NF * float("nan"), y_N))
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines if '"verdict"' in line]
    assert [line["saw"]["name"] for line in said] == ["diverged"]


def test_looking_changes_neither_the_weights_nor_the_generators(tmp_path: Path) -> None:
    """The trials of other rates train copies: what was trained is as if they had not been."""
    run = fit(tmp_path / "run", lr=1e-4, schedule="constant")
    after = torch.rand(3)
    kept = {name: tensor.clone() for name, tensor in run.module.state_dict().items()}
    torch.manual_seed(0)
    plain = module()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-4)
    from treadle.contracts import Cursor
    from treadle.data.own import as_source
    from treadle.loop.randomness import seed_all

    source, _ = as_source(rows(800, 1), batch_size=32, seed=0, device=torch.device("cpu"))
    seed_all(0)
    for ((x_BF, y_B), _), _ in zip(source.batches(Cursor(0, 0)), range(12 * 25), strict=False):
        optimizer.zero_grad()
        nn.functional.cross_entropy(plain(x_BF), y_B).backward()
        optimizer.step()
    assert names(run) == ["rate_too_low"]  # so a trial was made
    for name, tensor in plain.state_dict().items():
        assert torch.equal(kept[name], tensor)
    assert torch.equal(after, torch.rand(3))


class Odd(nn.Module):
    """A module that only takes the batches it is trained with, and cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = module()

    def forward(self, x_BF: Tensor) -> Tensor:
        assert len(x_BF) <= 32, "too many rows at once"
        return self.inner(x_BF)  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: object) -> nn.Module:
        raise TypeError("this cannot be copied")


def test_a_module_that_cannot_be_looked_at_is_trained_all_the_same(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", net=Odd(), lr=1e-4)
    assert run.result["stopped"]["reason"] == "epochs"
    assert names(run) == ["rate_too_low"]  # its first steps had other rates tried


@pytest.mark.parametrize("kind", ["loader", "dict", "own step", "no validation", "own loss"])
def test_every_way_to_train_goes_through(kind: str, tmp_path: Path) -> None:
    x_NF, y_N = rows(800, 1)
    held = dict(zip(("x", "target"), rows(400, 2), strict=True))

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)  # type: ignore[no-any-return]

    def own_step(state: Any, batch: Rows) -> Tensor:
        loss = nn.functional.cross_entropy(state.model(batch[0]), batch[1])
        state.optimizers["main"].zero_grad()
        loss.backward()
        state.optimizers["main"].step()
        return loss

    ways: dict[str, dict[str, Any]] = {
        "loader": {"data": DataLoader(TensorDataset(x_NF, y_N), batch_size=32, shuffle=True)},
        "dict": {"data": {"x": x_NF, "target": y_N}, "validation": held, "net": Named()},
        "own step": {"step": own_step},
        "no validation": {"validation": None},
        "own loss": {"loss": lambda output, y: nn.functional.nll_loss(output.log_softmax(1), y)},
    }
    assert fit(tmp_path / "run", until="3 epochs", **ways[kind]).result["verdicts"] is not None


@pytest.mark.parametrize("model", ["trees", "neural"])
def test_a_table_has_verdicts_and_the_report_says_them(model: str, tmp_path: Path) -> None:
    frame = customers(400)
    frame = frame.with_columns(settled=frame["left"])
    run = treadle.fit(frame, target="left", model=model, until="8 epochs", out=tmp_path / "run")
    assert "leak" in names(run)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What we noticed" in page and "An input gives the answer away" in page
