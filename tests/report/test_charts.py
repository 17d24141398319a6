"""Charts have sane ticks and show every value inside their frame."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.report.charts import Whisker, calibration, scatter, whiskers, wilson
from treadle.report.curves import Mark, curve_chart, grouped, series_of
from treadle.report.spoken import duration, significant
from treadle.report.svg import Scale, spanning, tag, tick_row

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
def test_any_values_get_few_distinct_ticks_inside(values: list[float], log: bool) -> None:
    scale = spanning(values, 10, 400, log=log)
    ticks = scale.ticks(6)
    assert 1 <= len(ticks) <= 8
    assert len(set(tick_row(ticks, scale))) == len(ticks) or max(map(abs, values)) > 1e6
    assert all(10 <= scale(value) <= 400 for value in values)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.583, 0.71, ["0.60", "0.65", "0.70"]),
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (57_000, 131_000, ["60k", "80k", "100k", "120k"]),
        (-5, 5, ["−4", "−2", "0", "2", "4"]),
        (0, 2_500_000, ["0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[str]) -> None:
    scale = Scale(low, high, 0, 1)
    assert tick_row(scale.ticks(5), scale) == expected


def test_wide_ranges_are_drawn_by_ratios() -> None:
    scale = spanning([0.05, 60.0], 0, 1, log=True)
    assert scale.logarithmic
    assert tick_row(scale.ticks(5), scale) == ["0.1", "0.3", "1", "3", "10", "30"]


@given(st.floats(0, 1), st.integers(0, 10_000))
def test_interval_of_a_share_holds_it_and_stays_within_0_and_1(share: float, count: int) -> None:
    low, high = wilson(share, count)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


def test_interval_of_a_share_agrees_with_the_published_formula() -> None:
    low, high = wilson(0.1, 50)
    assert (round(low, 4), round(high, 4)) == (0.0435, 0.2136)


def test_whiskers_tell_value_and_interval_under_the_pointer() -> None:
    rows = [Whisker(name="ours", value=0.7, low=0.69, high=0.71, ours=True)]
    drawn = whiskers(rows, "roc_auc", "says")
    assert "<title>ours: 0.7000, 95 % interval 0.6900 to 0.7100</title>" in drawn


def test_long_names_are_cut_and_kept_whole_under_the_pointer() -> None:
    name = "a column with quite a long name " * 3
    drawn = whiskers([Whisker(name=name, value=1.0)], "drop", "says")
    assert f"<title>{name}: 1.0000</title>" in drawn
    assert "…" in drawn


def test_a_name_that_does_not_fit_beside_its_figure_has_a_line_of_its_own() -> None:
    name, said = "flagging from 0.5 likely on", "15,670,000 [11,620,000, 20,490,000]"
    rows = [Whisker(name=name, value=1.0, said=said), Whisker(name="short", value=2.0, said="2")]
    drawn = whiskers(rows, "cost", "says")
    heights = [float(y) for y in re.findall(r'<text[^>]* y="([\d.]+)"[^>]*class="row-', drawn)]
    assert f">{name}<" in drawn and f">{said}<" in drawn
    assert heights[1] - heights[0] == 16 and heights[2] == heights[3]


def test_equal_values_and_single_points_can_be_drawn() -> None:
    assert "<svg" in scatter([(1.0, 1.0)] * 3, "y")
    assert "<svg" in calibration([(0.0, 0.0, 1), (1.0, 1.0, 1)])
    assert "<svg" in curve_chart("loss", {"train_loss": [(0.0, 2.0)]}, [], {}).wide


def test_marks_that_would_cover_each_other_stand_in_rows() -> None:
    marks = [Mark(number=i, step=100 + i, kind="other", sentence="s") for i in range(3)]
    drawn = curve_chart("loss", {"train_loss": [(0.0, 2.0), (1000.0, 1.0)]}, marks, {}).narrow
    heights = re.findall(r'cy="([\d.]+)" r="9"', drawn)
    assert len(set(heights)) == 3


def test_losses_share_a_chart_and_rates_come_last() -> None:
    names = ("learning_rate", "accuracy", "train_loss", "roc_auc", "validation_loss")
    points = [{"step": 1, "values": dict.fromkeys(names, 1.0) | {"bad": math.nan}}]
    charts = grouped(series_of(points), "roc_auc")
    assert [title for title, _ in charts] == ["loss", "roc_auc", "accuracy", "learning_rate"]
    assert list(charts[0][1]) == ["train_loss", "validation_loss"]


@pytest.mark.parametrize("metric", ["root_mean_squared_error", "mean_absolute_error"])
def test_lines_of_unlike_units_do_not_share_a_chart(metric: str) -> None:
    points = [{"step": 1, "values": {"train_loss": 0.07, "validation_loss": 33.5, metric: 33.5}}]
    charts = dict(grouped(series_of(points), metric))
    assert list(charts["loss in training"]) == ["train_loss"]
    assert charts["root_mean_squared_error"] and list(charts)[:2] == ["loss in training", metric]


def test_markup_escapes_text_and_attributes() -> None:
    assert tag("text", "<b>", class_='"x') == '<text class="&#34;x">&lt;b&gt;</text>'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under a second"),
        (1, "1 second"),
        (74, "74 seconds"),
        (121, "2 minutes"),
        (7_300, "2 hours 2 minutes"),
        (7_200, "2 hours"),
    ],
)
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(12.345, "12.3"), (0.0123, "0.0123"), (61_234, "61,200"), (-3.0, "−3.00"), (0, "0")],
)
def test_numbers_have_three_significant_digits(value: float, words: str) -> None:
    assert significant(value) == words
