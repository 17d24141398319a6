"""The stop of the loop's own: where more is not worth it, and never before something is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from treadle.contracts import Validation
from treadle.goal import LOSS, METRICS, Metric
from treadle.loop.journal import Journal
from treadle.loop.schedules import warmup_cosine, warmup_stable_decay
from treadle.loop.state import TrainState
from treadle.watch.enough import FEWEST_CHECKS, Enough
from treadle.watch.forecast import Target
from treadle.watch.forecast_plan import Plan


def turned(
    enough: Enough, curve: Callable[[int], float], steps: range, state: TrainState
) -> TrainState:
    """Measure the curve until the condition gives a reason."""
    metric = enough.plan.metric
    for step in steps:
        state.step = step
        value = curve(step)
        state.history.append(Validation(step=step, epoch=0, metrics={metric.name: value}))
        if metric.better(value, state.best_value):
            state.best_step, state.best_value = step, value
        enough(state)
        if enough.condition(state):
            break
    return state


def an_enough(journal: Journal, metric: Metric = LOSS, **more: Any) -> Enough:
    plan = {name: more.pop(name) for name in ("max_steps", "factor") if name in more}
    return Enough(journal, Plan(metric=metric, about={}, **plan), **more)


def saturating(step: int) -> float:
    return 0.5 + math.exp(-step / 100) + 0.002 * (step * 7919 % 13) / 13


def a_state(horizon: int = 0) -> TrainState:
    return TrainState(model=nn.Linear(1, 1), horizon=horizon)


def test_stops_a_curve_that_has_come_to_rest_and_says_why() -> None:
    journal = Journal()
    enough = an_enough(journal, worth=0.01)
    state = turned(enough, saturating, range(10, 5_000, 10), a_state())
    assert 300 < state.step < 1_500
    reason = enough.condition(state)
    assert reason is not None
    assert reason.kind == "enough"
    assert "0.01, what you said it must bring" in reason.sentence
    assert journal.lines[-1]["value"] == state.step


def test_goes_on_where_much_is_gained_yet() -> None:
    state = turned(
        an_enough(Journal(), worth=0.01),
        lambda step: 2.0 * step**-0.3,
        range(10, 3_000, 10),
        a_state(),
    )
    assert state.step == 2_990


@pytest.mark.parametrize(("small", "large"), [(0.002, 0.02), (0.02, 0.2)])
def test_the_more_a_gain_must_be_the_sooner_it_stops(small: float, large: float) -> None:
    def end(worth: float) -> int:
        return turned(
            an_enough(Journal(), worth=worth),
            lambda step: 0.1 + step**-0.7,
            range(10, 20_000, 10),
            a_state(),
        ).step

    assert end(large) < end(small)


def test_a_worth_of_nothing_never_stops() -> None:
    state = turned(an_enough(Journal(), worth=0.0), saturating, range(10, 2_000, 10), a_state())
    assert state.step == 1_990


def test_without_a_word_a_gain_must_be_half_of_the_noise() -> None:
    journal = Journal()
    enough = an_enough(journal, error=lambda value: 0.1)
    turned(enough, saturating, range(10, 5_000, 10), a_state())
    saw = journal.lines[-1]["saw"]
    assert saw["noise"] == pytest.approx(0.1)
    assert saw["worth"] == pytest.approx(0.05)
    assert saw["gain"] < saw["worth"]
    assert "half of how uncertain that figure is" in journal.lines[-1]["sentence"]


def test_does_not_stop_before_anything_is_learned() -> None:
    """A model may stand still for long before it finds what decides."""
    state = turned(
        an_enough(Journal(), worth=0.05),
        lambda step: 1.0 + 0.001 * (step % 7),
        range(10, 2_000, 10),
        a_state(),
    )
    assert state.step == 1_990


def test_what_was_learned_before_the_first_validation_counts() -> None:
    """Where an epoch teaches nearly all, validation stands still from its first look on."""
    journal, state = Journal(), a_state()
    enough = an_enough(journal, worth=0.05)
    for step in range(10, 2_000, 10):
        state.step = step
        value = 1.0 + 0.001 * (step % 7)
        metrics = {"train_loss": 0.5 + 2.0 / step, "loss": value}
        state.history.append(Validation(step=step, epoch=0, metrics=metrics))
        if LOSS.better(value, state.best_value):
            state.best_step, state.best_value = step, value
        enough(state)
        if enough.condition(state):
            break
    assert state.step < 500


def test_goes_on_while_the_loss_falls_though_the_metric_stands_still() -> None:
    """The first trees rank rows by luck; what they learn shows in the loss long before."""

    def end(fall: float) -> int:
        enough, state = an_enough(Journal(), METRICS["roc_auc"], worth=0.01), a_state()
        for step in range(1, 200):
            state.step = step
            value = 0.6 + 0.2 * min(1.0, step / 5) - 0.02 * (step > 5)
            metrics = {"validation_loss": 0.7 - fall * step, "roc_auc": value}
            state.history.append(Validation(step=step, epoch=0, metrics=metrics))
            if METRICS["roc_auc"].better(value, state.best_value):
                state.best_step, state.best_value = step, value
            enough(state)
            if enough.condition(state):
                break
        return state.step

    assert end(fall=0.0) < 50
    assert end(fall=0.003) == 199


def test_looks_at_some_validations_first() -> None:
    state = turned(an_enough(Journal(), worth=10.0), saturating, range(10, 5_000, 10), a_state())
    assert 10 * FEWEST_CHECKS <= state.step <= 13 * FEWEST_CHECKS


def test_a_rate_that_is_to_fall_yet_runs_out_early_before_training_stops() -> None:
    schedule, journal = warmup_cosine(), Journal()
    enough = an_enough(
        journal, worth=0.05, factor=lambda step, end: schedule(step, end, 1.0), max_steps=10_000
    )
    state = turned(enough, saturating, range(10, 10_010, 10), a_state(horizon=10_000))
    decided = journal.lines[-1]
    assert decided["step"] < state.horizon == decided["value"] < 5_000
    assert state.step >= state.horizon
    assert schedule(state.horizon, state.horizon, 1.0) == pytest.approx(0, abs=1e-9)
    assert "learning rate runs out by step" in decided["sentence"]


def test_a_plan_that_is_nearly_over_is_left_to_end() -> None:
    schedule, end = warmup_cosine(), 10 * FEWEST_CHECKS + 20
    enough = an_enough(
        Journal(), worth=10.0, factor=lambda step, end: schedule(step, end, 1.0), max_steps=end
    )
    state = turned(enough, saturating, range(10, end + 10, 10), a_state(horizon=end))
    assert state.horizon == state.step == end


def test_what_the_fall_of_the_rate_brings_anyway_is_no_reason_to_go_on() -> None:
    """Until the rate has fallen early, and until it has fallen late, much the same is gained."""
    schedule, journal = warmup_cosine(), Journal()
    enough = an_enough(
        journal, worth=0.02, factor=lambda step, end: schedule(step, end, 1.0), max_steps=2_000
    )
    noisy = lambda step: 0.5 + math.exp(-step / 60) + 0.1 * (step * 7919 % 13) / 13  # noqa: E731
    turned(enough, noisy, range(10, 2_010, 10), a_state(horizon=2_000))
    (decided,) = [line for line in journal.lines if line["topic"] == "enough"]
    (band,) = enough.plan.bands(a_state_at(decided["step"], noisy), [Target(step=2_000, decay=1)])
    assert decided["saw"]["gain"] < band.gain


def a_state_at(step: int, curve: Callable[[int], float]) -> TrainState:
    state = a_state()
    state.step = step
    state.history = [
        Validation(step=at, epoch=0, metrics={"loss": curve(at)}) for at in range(10, step + 10, 10)
    ]
    return state


def test_a_resumed_run_stops_where_the_whole_one_does(tmp_path: Path) -> None:
    def end(cut: int | None) -> int:
        journal, state = Journal(tmp_path / str(cut)) if cut else Journal(), a_state()
        first = range(10, cut or 5_000, 10)
        if cut:
            (tmp_path / str(cut)).mkdir()
        state = turned(an_enough(journal, worth=0.01), saturating, first, state)
        if cut:
            files, facts = state.snapshot()
            state = a_state()
            state.restore(files, facts)
            again = Journal(tmp_path / str(cut))
            again.replay_after(state.step)
            enough = an_enough(again, worth=0.01)
            turned(enough, saturating, range(cut, 5_000, 10), state)
        return state.step

    whole = end(None)
    assert end(300) == end(whole - 10) == whole


def test_a_metric_of_which_more_is_better_is_weighed_the_same_way() -> None:
    state = turned(
        an_enough(Journal(), METRICS["accuracy"], worth=0.005),
        lambda step: 0.9 - 0.5 * math.exp(-step / 100),
        range(10, 5_000, 10),
        a_state(),
    )
    assert 300 < state.step < 2_000


def test_a_rate_that_is_held_runs_out_where_validation_stands_still() -> None:
    journal, held = Journal(), warmup_stable_decay(warmup=0.02)
    enough = an_enough(
        journal, max_steps=10_000, factor=lambda step, horizon: held(step, horizon, 1.0)
    )
    state = a_state(horizon=10_000)
    turned(
        enough,
        lambda step: max(1.0 - step / 400, 0.5) + 0.001 * (step > 200),
        range(10, 10_001, 10),
        state,
    )
    stops = math.ceil(260 * 1.25)
    assert state.horizon == stops
    assert state.step == 330
    assert held(260, state.horizon, 1.0) == pytest.approx(1.0, abs=0.02)
    assert held(stops, state.horizon, 1.0) == 0.0
    assert "stood still for 6 checks" in journal.lines[-1]["sentence"]


def test_the_rate_runs_out_from_the_best_weights() -> None:
    journal, held = Journal(), warmup_stable_decay(warmup=0.02)
    enough = an_enough(
        journal, max_steps=10_000, factor=lambda step, horizon: held(step, horizon, 1.0)
    )
    state = a_state(horizon=10_000)
    state.keep_start()
    begun = {name: tensor.clone() for name, tensor in state.module.state_dict().items()}

    def worse_after_200(step: int) -> float:
        for parameter in state.module.parameters():
            parameter.data.add_(1.0)
        return 1.0 if step <= 200 else 2.0

    turned(enough, worse_after_200, range(200, 261, 10), state)
    for name, tensor in state.module.state_dict().items():
        assert torch.equal(tensor, begun[name])
    assert "its best weights, those of step 200" in journal.lines[-1]["sentence"]


class Bouncing:
    """A training at a held rate whose losses are given by step."""

    def __init__(self, folder: Path | None, train_loss: Callable[[int], float]) -> None:
        held = warmup_stable_decay(warmup=0.02)
        self.journal = Journal(folder)
        self.journal.replay_after(-1)
        self.enough = an_enough(
            self.journal, max_steps=10_000, factor=lambda step, horizon: held(step, horizon, 1.0)
        )
        self.train_loss = train_loss
        self.state = a_state(horizon=10_000)

    def turn(self, until: int) -> None:
        state = self.state
        for step in range(state.step + 10, until + 1, 10):
            state.step = step
            value = max(1.0 - step / 400, 0.5) + 0.01 * (step > 200)
            metrics = {"loss": value, "train_loss": self.train_loss(step)}
            state.history.append(Validation(step=step, epoch=0, metrics=metrics))
            if LOSS.better(value, state.best_value):
                state.keep_best(value)
            for parameter in state.module.parameters():
                parameter.data.add_(1.0)
            self.enough(state)


def until_200(step: int) -> float:
    return max(1.0 - step / 400, 0.5)


def test_where_the_loss_of_training_stands_still_too_the_rate_is_lowered_first() -> None:
    case = Bouncing(None, until_200)
    case.turn(260)
    assert case.state.scale == pytest.approx(0.3)
    assert case.state.horizon == 10_000
    for name, tensor in case.state.module.state_dict().items():
        assert torch.equal(tensor, case.state.best_weights[name])
    case.turn(290)
    assert [line["topic"] for line in case.journal.lines] == ["lower", "lower"]
    case.turn(350)
    assert case.state.scale == pytest.approx(0.3**3)
    assert case.journal.lines[-1]["topic"] == "enough"
    assert case.state.horizon < 10_000


def test_where_the_train_rows_are_learned_by_heart_the_rate_runs_out_at_once() -> None:
    case = Bouncing(None, lambda step: 1.0 - step / 400)
    case.turn(260)
    assert [line["topic"] for line in case.journal.lines] == ["enough"]
    assert case.state.scale == 1.0


def test_a_resumed_run_lowers_the_rate_where_it_was_lowered(tmp_path: Path) -> None:
    Bouncing(tmp_path, until_200).turn(260)
    lines = (tmp_path / "events.jsonl").read_text().replace('"value": 0.3', '"value": 0.25')
    (tmp_path / "events.jsonl").write_text(lines)
    case = Bouncing(tmp_path, until_200)
    case.turn(260)
    assert case.state.scale == pytest.approx(0.25)


def test_where_it_only_runs_the_rate_out_no_forecast_ends_training() -> None:
    journal, held = Journal(), warmup_stable_decay(warmup=0.02)
    enough = an_enough(
        journal,
        max_steps=10_000,
        factor=lambda step, horizon: held(step, horizon, 1.0),
        still=3,
        weighs=False,
    )
    state = a_state(horizon=10_000)
    turned(enough, saturating, range(10, 1_500, 10), state)
    assert all("stood still for 3 checks" in line["sentence"] for line in journal.lines)
    weighing = an_enough(Journal(), max_steps=10_000, worth=0.1)
    assert turned(weighing, saturating, range(10, 1_500, 10), a_state()).step < state.step
