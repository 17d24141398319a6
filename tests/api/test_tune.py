"""Trials beside the usual settings: which are made, in what time, and what a resume makes again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from treadle.api.member import Member
from treadle.api.tune import Budget, Family, Tuner
from treadle.contracts import Json
from treadle.errors import DivergedError, Interrupted, OptionError
from treadle.goal import METRICS
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition
from treadle.study.dials import Dial

WIDTH = Dial(name="width", words="width", scale="log", low=1, high=1_000, factor=8)
METRIC = METRICS["roc_auc"]
Fit = Callable[[str, Json, float, StopCondition], Member]


def member(name: str, value: float, seconds: float = 0.01) -> Member:
    nothing = np.zeros(1)
    trained: Json = {"seconds": seconds, "stopped": {"step": 7}}
    return Member(
        name=name,
        files={},
        facts={},
        validation=nothing,
        test=nothing,
        value=value,
        trained=trained,
    )


def better_where_wide(name: str, changes: Json, share: float, until: StopCondition) -> Member:
    return member(name, 0.5 + 0.04 * math.log(changes["width"]))


def tuner(
    fit: Fit, folder: Path | None = None, *, seconds: float = 1_000, usual_seconds: float = 0.01
) -> Tuner:
    family = Family(
        name="trees",
        usual={"width": 10},
        dials=[WIDTH],
        member=member("trees", 0.592, usual_seconds),
        overhead=0.0,
        fit=fit,
    )
    return Tuner(
        families=[family], metric=METRIC, journal=Journal(folder), budget=Budget(seconds), seed=0
    )


def test_what_is_best_at_a_short_length_is_tried_for_longer() -> None:
    lengths: list[float] = []

    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        lengths.append(round(share, 3))
        return better_where_wide(name, changes, share, until)

    tuning = tuner(fit)
    found = tuning.members()
    assert lengths[:13] == [0.111] * 9 + [0.333] * 3 + [1.0]
    first = tuning.trials[:13]
    widest = sorted((t.changes["width"] for t in first[:9]), reverse=True)[:3]
    assert sorted((t.changes["width"] for t in first[9:12]), reverse=True) == widest
    assert first[12].changes["width"] == widest[0]
    assert max(found, key=lambda one: one.value).value == max(t.value for t in tuning.trials)


def test_later_brackets_look_beside_the_best_found() -> None:
    tuning = tuner(better_where_wide)
    tuning.members()
    by_bracket = [max(t.value for t in tuning.trials if t.bracket == n) for n in (1, 2, 3)]
    assert by_bracket == sorted(by_bracket) and by_bracket[2] > by_bracket[0]


def test_where_nothing_is_better_it_ends_early_and_says_so() -> None:
    tuning = tuner(lambda name, changes, share, until: member(name, 0.4))
    tuning.members()
    assert {trial.bracket for trial in tuning.trials} == {1, 2}
    assert "bring nothing better any more" in tuning.journal.lines[-1]["sentence"]


def test_no_more_is_begun_than_the_budget_holds() -> None:
    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        time.sleep(0.02 * share)
        return better_where_wide(name, changes, share, until)

    for seconds, count in ((4.25, 3), (4.1, 0)):  # 4 seconds are kept for the end
        tuning = tuner(fit, seconds=seconds, usual_seconds=0.02)
        tuning.members()
        assert tuning.budget.spent < seconds
        assert (len(tuning.trials) > 0) == (count > 0)
        assert "too little to try more" in tuning.journal.lines[-1]["sentence"]


def test_a_trial_is_told_when_the_time_is_up() -> None:
    bounds: list[float] = []

    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        bounds.append(until.max_minutes * 60)
        return member(name, 0.4)

    tuner(fit, seconds=100).members()
    assert bounds[0] == pytest.approx(94, abs=0.1) and bounds[-1] <= bounds[0]


def test_a_trial_that_diverges_is_no_end_of_it() -> None:
    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        if changes["width"] > 15:
            raise DivergedError("it diverged")
        return better_where_wide(name, changes, share, until)

    tuning = tuner(fit)
    found = tuning.members()
    assert any(math.isnan(trial.value) for trial in tuning.trials)
    assert found and all(math.isfinite(one.value) for one in found)


def test_where_all_diverge_the_usual_settings_are_left_alone() -> None:
    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        raise DivergedError("it diverged")

    tuning = tuner(fit)
    assert tuning.members() == []
    assert "came to a result" in tuning.journal.lines[1]["sentence"]


@pytest.mark.parametrize("killed_at", [1, 5, 10, 13, 20])
def test_killed_and_resumed_it_tries_what_it_would_have_tried(
    tmp_path: Path, killed_at: int
) -> None:
    straight = tuner(better_where_wide)
    straight.members()
    made: list[str] = []

    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        if len(made) == killed_at:
            raise Interrupted("killed")
        made.append(name)
        return better_where_wide(name, changes, share, until)

    with pytest.raises(Interrupted):
        tuner(fit, tmp_path).members()
    again: list[str] = []

    def go_on(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        again.append(name)
        return better_where_wide(name, changes, share, until)

    resumed = tuner(go_on, tmp_path)
    found = resumed.members()
    assert resumed.trials == straight.trials
    assert [one.name for one in found] == [trial.name for trial in straight._pool()]
    undecided = max(rung for rung in (0, 9, 12, 13) if rung <= killed_at)
    assert set(made) & set(again) <= {one.name for one in found} | set(made[undecided:])


def test_time_that_earlier_attempts_took_counts(tmp_path: Path) -> None:
    tuner(better_where_wide, tmp_path, seconds=50).members()
    later = tuner(better_where_wide, tmp_path, seconds=50, usual_seconds=30)
    later._carry_over()
    assert later.budget.spent >= 30


def test_a_budget_too_short_is_refused(tmp_path: Path) -> None:
    from treadle.api.options import FitOptions

    with pytest.raises(OptionError, match="too short to try anything"):
        FitOptions.of({"tune": "20 seconds"})
    with pytest.raises(OptionError, match="no length of time"):
        FitOptions.of({"tune": "soon"})
    assert FitOptions.of({"tune": "30min"}).tune_seconds == 1_800
