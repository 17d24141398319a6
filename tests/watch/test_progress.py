"""Progress: a glance at the training, at a cadence of seconds."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import nn

from treadle.contracts import Validation
from treadle.loop.state import TrainState
from treadle.watch.progress import Glance, Progress


def a_progress(shown: list[Glance], **limits: float) -> Progress:
    return Progress(
        shown.append, name="mine", metric_name="loss", num_rows=100, batch_rows=10.0, **limits
    )


def test_shows_at_most_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, shown = [0.0], []  # type: ignore[var-annotated]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    state, progress = TrainState(model=nn.Linear(1, 1)), a_progress(shown)
    for step in range(1, 101):
        now[0] += 0.01
        state.step = step
        progress(state)
    assert 3 <= len(shown) <= 5
    assert shown[-1].samples_per_second == pytest.approx(1_000, rel=0.05)


def test_a_glance_says_where_training_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    now, shown = [0.0], []  # type: ignore[var-annotated]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    state = TrainState(model=nn.Linear(1, 1))
    progress = a_progress(shown, max_steps=50, max_seconds=1e6)
    state.step = 1
    progress(state)
    state.step, state.epoch, state.position = 25, 2, 50
    state.totals.add(torch.tensor(8.0), 4.0)
    state.history.append(Validation(step=20, epoch=2, metrics={"loss": 0.5, "train_loss": 0.7}))
    state.best_value = 0.4
    now[0] = 2.5
    progress(state)
    glance = shown[-1]
    assert (glance.epoch, glance.step, glance.loss) == (2.5, 25, 2.0)
    assert (glance.metric, glance.best, glance.share) == (0.5, 0.4, 0.5)
    assert glance.seconds_left == pytest.approx(2.5)
    state.totals.take_mean()
    assert progress.glance(state).loss == 0.7


def test_without_a_plan_share_and_time_left_are_not_known() -> None:
    progress = a_progress([])
    state = TrainState(model=nn.Linear(1, 1), step=3)
    progress(state)
    glance = progress.glance(state)
    assert math.isnan(glance.share) and math.isnan(glance.seconds_left) and math.isnan(glance.loss)
