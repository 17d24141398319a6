"""Costs are held against the data before anything is trained, and said back with their class."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests import small
from treadle.api.goal_of import Goal, read_goal
from treadle.api.options import FitOptions
from treadle.data.tables import plan_target
from treadle.errors import OptionError


def goal_for(target: str = "left", frame: pl.DataFrame | None = None, **said: Any) -> Goal | None:
    rows = small.customers() if frame is None else frame
    options = FitOptions.of({"target": target, **said})
    return read_goal(options, plan_target(rows, target).encoder, rows)


def refused(target: str = "left", frame: pl.DataFrame | None = None, **said: Any) -> str:
    with pytest.raises(OptionError) as caught:
        goal_for(target, frame, **said)
    return str(caught.value)


def test_without_costs_there_is_no_goal() -> None:
    assert goal_for() is None


def test_what_was_understood_names_the_class_in_every_sentence() -> None:
    goal = goal_for(cost="missed=€500 false_alarm=5 caught=-20", volume="2 million a year")
    assert goal is not None and goal.positive == "left = yes" and goal.cases_a_year == 2_000_000
    told = " ".join(goal.sentences)
    assert "A missed 'left = yes' costs €500; a false alarm" in told
    assert "('left = no' taken for 'left = yes') costs €5;" in told
    assert "a 'left = yes' that is found brings €20" in told
    assert "as soon as that is 0.952 % likely" in told


def test_a_cost_may_be_a_column_that_new_rows_must_have() -> None:
    goal = goal_for(cost="missed=paid false_alarm=5")
    assert goal is not None and "'paid', row by row" in " ".join(goal.sentences)


def test_costs_given_in_python_are_a_dict() -> None:
    assert goal_for(cost={"missed": 500, "false_alarm": 5}) == goal_for(
        cost="missed=500 false_alarm=5"
    )


@pytest.mark.parametrize(
    ("target", "said", "words"),
    [
        ("left", {"cost": "missed=500"}, "does not say what a false alarm costs"),
        ("left", {"cost": "missed=5 false_alarm=1 caught=9"}, "saves nothing (missed 5, caught 9)"),
        ("left", {"cost": "missed=5 false_alarm=1 passed=2"}, "no more (1) than letting"),
        ("left", {"cost": "missed=Paid false_alarm=1"}, "did you mean 'paid'?"),
        ("left", {"cost": "missed=left false_alarm=1"}, "the column to predict"),
        ("left", {"cost": "missed=city false_alarm=1"}, "no amount in 240 rows"),
        ("left", {"cost": "missed=income false_alarm=1"}, "holds None in row"),
        ("left", {"cost": "yes>no=5"}, "Say missed=… (a 'left = yes' that is not found)"),
        ("left", {"cost": "too_high=5 too_low=1"}, "does not speak of two classes"),
        ("left", {"capacity": "20 a day"}, "--volume"),
        ("city", {"cost": "missed=5"}, "Berlin>Oslo=5"),
        ("city", {"cost": "Berlni>Oslo=5"}, "did you mean 'Berlin'?"),
        ("city", {"capacity": "5 %"}, "--capacity is for two classes"),
        ("paid", {"cost": "missed=5 false_alarm=1"}, "does not speak of numbers"),
        ("paid", {"cost": "too_high=5"}, "what it costs to be too low"),
        ("paid", {"cost": "too_high=5 too_low=-1"}, "costs more than nothing"),
    ],
)
def test_costs_that_do_not_fit_are_refused_in_words(
    target: str, said: dict[str, Any], words: str
) -> None:
    message = refused(target, **said)
    assert words in message and "hint:" in message


def test_all_that_does_not_fit_is_said_at_once() -> None:
    message = refused(cost="missed=Paid caught=city", capacity="20 a day")
    assert message.startswith("3 problems:")


def test_all_that_was_not_understood_is_one_list() -> None:
    with pytest.raises(OptionError) as caught:
        FitOptions.of({"cost": "mised=5 false_alarm=5k", "capacity": "5 a dya", "lr": -1})
    assert str(caught.value).count("problems:") == 1
    assert str(caught.value).startswith("4 problems:")


def test_a_volume_without_costs_is_refused() -> None:
    with pytest.raises(OptionError, match="matters to --cost"):
        FitOptions.of({"volume": "5 a day"})


def test_a_capacity_is_a_share_of_what_a_day_brings() -> None:
    goal = goal_for(capacity="20 a day", volume="1,000 a day")
    assert goal is not None and goal.capacity == pytest.approx(0.02) and not goal.in_money
    assert "20 a day, which is 2 of 100 cases" in " ".join(goal.sentences)


def test_the_datas_own_dates_say_how_many_a_year_brings() -> None:
    goal = goal_for(cost="missed=5 false_alarm=1", time="since")  # 240 rows, one every third day
    assert goal is not None and goal.cases_a_year == pytest.approx(240 / 717 * 365)
    assert "--volume says otherwise" in " ".join(goal.sentences)


def test_with_dates_a_capacity_is_to_hold_in_each_day_and_else_on_average() -> None:
    goal = goal_for(capacity="20 a week", time="since")
    assert goal is not None and goal.each is not None
    assert (goal.each.column, goal.each.count, goal.each.unit) == ("since", 20, "week")
    assert goal.each.sampled == 1 and "and no week gets more" in " ".join(goal.sentences)
    for said in (
        {"capacity": "20 a day", "volume": "1,000 a day"},
        {"capacity": "5 %", "time": "since"},
        {"capacity": "20 a month", "time": "since"},
    ):
        other = goal_for(**said)
        assert other is not None and other.each is None
        assert "on average" in " ".join(other.sentences)


def test_where_the_data_are_a_sample_of_all_cases_a_day_has_its_share() -> None:
    goal = goal_for(capacity="20 a week", volume="14 a day", time="since")
    assert goal is not None and goal.each is not None
    assert goal.each.sampled == pytest.approx(240 / 717 / 14)


def test_weights_say_how_many_cases_a_row_stands_for() -> None:
    rows = small.customers().with_columns(stands_for=pl.int_range(pl.len()) % 3 + 1)
    cost = "missed=5 false_alarm=1"
    goal = goal_for(frame=rows, cost=cost, weight="stands_for", time="since")
    assert goal is not None and goal.cases_a_year == pytest.approx(480 / 717 * 365)
    assert goal.sentences[-1] == "A row stands for as many cases as 'stands_for' says."


def test_weights_that_balance_the_classes_are_refused_and_thinned_out_rows_are_not() -> None:
    left = pl.col("left") == "yes"
    assert (small.customers()["left"] == "yes").sum() < 120
    heavy, light = (
        small.customers().with_columns(w=pl.when(left).then(a).otherwise(b))
        for a, b in ((3, 1), (1, 3))
    )
    cost = "missed=5 false_alarm=1"
    message = refused(frame=heavy, cost=cost, weight="w")
    assert "is 3 for every 'yes' and 1 for every 'no'" in message and "balances" in message
    assert goal_for(frame=light, cost=cost, weight="w") is not None


def test_a_capacity_alone_needs_no_price_of_a_false_alarm() -> None:
    assert goal_for(cost="missed=5", capacity="5 %") is not None
