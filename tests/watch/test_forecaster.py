"""The watcher that forecasts: when it speaks, what it says, and how it checks what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from treadle.contracts import Json, Validation
from treadle.goal import LOSS, METRICS, Metric
from treadle.loop.journal import Journal
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.until import parse
from treadle.watch.forecast_plan import Plan
from treadle.watch.forecaster import Forecaster


def turned(
    forecaster: Forecaster, curve: Callable[[int], float], steps: range, state: TrainState
) -> TrainState:
    """Measure the curve at the steps, and let the watcher see each."""
    metric = forecaster.plan.metric
    for step in steps:
        state.step = step
        value = curve(step)
        state.history.append(Validation(step=step, epoch=0, metrics={metric.name: value}))
        if metric.better(value, state.best_value):
            state.best_step, state.best_value = step, value
        forecaster(state)
    return state


def a_state(horizon: int = 0) -> TrainState:
    return TrainState(model=nn.Linear(1, 1), horizon=horizon)


def a_forecaster(journal: Journal, metric: Metric = LOSS, **more: Any) -> Forecaster:
    plan = {name: more.pop(name) for name in ("max_steps", "levels", "factor") if name in more}
    about = {"run": "here", "rows": 500}
    return Forecaster(journal, Plan(metric=metric, about=about, **plan), **more)


def falling(step: int) -> float:
    return 0.2 + 2.0 * step**-0.5


def said(journal: Journal, topic: str) -> list[Json]:
    return [line for line in journal.lines if line["topic"] == topic]


def test_says_what_twice_and_five_times_the_steps_would_bring() -> None:
    journal = Journal()
    turned(a_forecaster(journal, max_steps=1_000), falling, range(10, 210, 10), a_state())
    last = said(journal, "forecast")[-1]
    now = last["step"]
    assert [told["for_step"] for told in last["saw"]["forecasts"]] == [2 * now, 5 * now, 1_000]
    assert f"twice the steps ({2 * now:,})" in last["sentence"]
    assert "would longer help?" in last["sentence"]
    assert all(t["low"] <= t["middle"] <= t["high"] for t in last["saw"]["forecasts"])


def test_speaks_seldom_where_nothing_is_new() -> None:
    journal = Journal()
    turned(a_forecaster(journal), falling, range(10, 5_000, 10), a_state())
    spoken = [line["step"] for line in said(journal, "forecast")]
    assert 3 <= len(spoken) <= 14
    assert all(later >= 1.2 * earlier for earlier, later in pairwise(spoken))


def test_speaks_again_at_once_where_the_curve_took_another_turn() -> None:
    journal = Journal()
    forecaster, state = a_forecaster(journal), a_state()
    turned(forecaster, lambda step: 1.0 + 0.001 * (step % 3), range(10, 300, 10), state)
    before = len(said(journal, "forecast"))
    turned(forecaster, lambda step: 1.0 - (step - 290) / 400, range(300, 420, 10), state)
    assert len(said(journal, "forecast")) > before


def test_is_silent_while_there_are_too_few_validations() -> None:
    journal = Journal()
    turned(a_forecaster(journal), falling, range(10, 50, 10), a_state())
    assert journal.lines == []


def test_checks_each_forecast_when_its_step_comes_and_keeps_it() -> None:
    journal, kept = Journal(), list[Json]()
    state = turned(a_forecaster(journal, keep=kept.append), falling, range(10, 800, 10), a_state())
    assert kept
    for line in kept:
        truth = falling(line["for_step"] // 10 * 10)
        assert line["truth"] == pytest.approx(truth)
        assert line["held"] == (line["low"] <= truth <= line["high"])
        assert line["rows"] == 500
        assert line["at_step"] < line["for_step"] <= 790
    assert len(said(journal, "forecast_check")) == len(kept)
    assert all(told["for_step"] > 790 for told in state.memory["forecast"]["open"])


def test_what_came_worse_than_its_band_was_too_hopeful() -> None:
    journal, kept = Journal(), list[Json]()
    forecaster, state = a_forecaster(journal, keep=kept.append), a_state()
    turned(forecaster, lambda step: 2.0 - step / 40, range(10, 70, 10), state)
    turned(forecaster, lambda step: 3.0, range(70, 400, 10), state)
    missed = [line for line in kept if not line["held"]]
    assert missed
    assert all(line["too_hopeful"] for line in missed)
    assert any("too hopeful" in line["sentence"] for line in said(journal, "forecast_check"))


def test_a_fall_that_no_band_held_was_not_hopeful_enough() -> None:
    journal, kept = Journal(), list[Json]()
    forecaster, state = a_forecaster(journal, keep=kept.append), a_state()
    turned(forecaster, lambda step: 2.0 + 0.01 * (step % 3), range(10, 200, 10), state)
    turned(forecaster, lambda step: 0.1, range(200, 400, 10), state)
    missed = [line for line in kept if not line["held"]]
    assert missed
    assert not any(line["too_hopeful"] for line in missed)


def test_beyond_a_falling_rate_s_plan_is_another_plan_which_this_run_never_checks() -> None:
    journal, kept = Journal(), list[Json]()
    schedule = warmup_cosine()
    forecaster = a_forecaster(
        journal, factor=lambda step, end: schedule(step, end, 1.0), keep=kept.append
    )
    turned(forecaster, falling, range(10, 310, 10), a_state(horizon=300))
    (other,) = {
        told["another_plan"]
        for line in said(journal, "forecast")
        for told in line["saw"]["forecasts"]
        if told["for_step"] > 300
    }
    assert other is True
    assert max(line["for_step"] for line in kept) <= 300


def test_a_level_that_will_not_be_reached_is_said_once_with_what_may_reach_it() -> None:
    journal = Journal()
    levels = parse("accuracy >= 0.99 or accuracy >= 0.8 or loss <= 0.1").levels
    forecaster = a_forecaster(journal, METRICS["accuracy"], levels=levels, max_steps=600)
    turned(forecaster, lambda step: 0.85 - 0.5 * step**-0.7, range(10, 500, 10), a_state())
    (line,) = said(journal, "unreachable")
    assert line["sentence"].startswith("accuracy >= 0.99 will hardly be reached")
    assert "more or better data" in line["sentence"]
    assert 0.8 < line["saw"]["highest"] < 0.99


def test_the_record_s_factor_is_a_decision_and_is_asked_for_once() -> None:
    asked = []

    def width() -> tuple[float, str]:
        asked.append(1)
        return 1.5, "20 of the last 38 forecasts here came true (8 of 10 should)"

    plain, journal = Journal(), Journal()
    without = turned(a_forecaster(plain), falling, range(10, 500, 10), a_state())
    state = turned(a_forecaster(journal, width=width), falling, range(10, 500, 10), a_state())
    (line,) = said(journal, "track_record")
    assert line["value"] == 1.5
    assert "50% wider" in line["sentence"]
    assert asked == [1]
    wide, usual = (said(j, "forecast")[0]["saw"]["forecasts"][0] for j in (journal, plain))
    assert wide["middle"] - wide["low"] == pytest.approx(1.5 * (usual["middle"] - usual["low"]))
    assert wide["high"] <= wide["best"]
    assert state.memory == without.memory  # two fresh runs are equal to the bit, record or not


def test_a_resumed_run_keeps_to_the_factor_that_was_decided(tmp_path: Path) -> None:
    state = a_state()
    first = a_forecaster(Journal(tmp_path), width=lambda: (1.5, "…"))
    turned(first, falling, range(10, 300, 10), state)
    again = a_forecaster(Journal(tmp_path), width=lambda: (0.7, "…"))
    turned(again, falling, range(300, 600, 10), state)
    made = {told["width"] for line in events(tmp_path) for told in line["saw"]["forecasts"]}
    assert made == {1.5}


def events(folder: Path) -> list[Json]:
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [line for line in lines if line["topic"] == "forecast"]


def test_a_resumed_run_says_and_keeps_what_the_whole_one_would() -> None:
    def lines(journal: Journal) -> list[tuple[int, str]]:
        return [(line["step"], line["topic"]) for line in journal.lines]

    whole = Journal()
    state = turned(a_forecaster(whole), falling, range(10, 900, 10), a_state())
    first, second = Journal(), Journal()
    other = turned(a_forecaster(first), falling, range(10, 450, 10), a_state())
    files, facts = other.snapshot()
    resumed = a_state()
    resumed.restore(files, facts)
    turned(a_forecaster(second), falling, range(450, 900, 10), resumed)
    parts = [(step, topic) for step, topic in [*lines(first), *lines(second)]]
    assert [pair for pair in parts if pair[1] != "track_record"] == [
        pair for pair in lines(whole) if pair[1] != "track_record"
    ]
    assert resumed.memory == state.memory
