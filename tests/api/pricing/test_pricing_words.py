"""What a price list says, read by someone who has never trained a model."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.api.pricing.words import plan_words, price_sentence
from treadle.goal import METRICS

AREA, MISS = METRICS["roc_auc"], METRICS["root_mean_squared_error"]


def entry(verdict: str, earned: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    usual = {"thing": "supplier=B (1,240 rows)", "kind": "rows", "count": 1240, "adds": False}
    usual |= {
        "with": 0.9 if earned < 1 else 400.0,
        "without": 0.9 - earned if earned < 1 else 450.0,
    }
    return usual | {"verdict": verdict, "earned": earned, "low": low, "high": high} | more


@pytest.mark.parametrize(
    ("said", "metric", "expected"),
    [
        (
            entry("earns", 0.0123, 0.0042, 0.0211),
            AREA,
            "supplier=B (1,240 rows) earned 0.0123 of ROC AUC (0.0042 to 0.0211): worth keeping.",
        ),
        (
            entry("harms", -0.0123, -0.0211, -0.0042),
            AREA,
            "supplier=B (1,240 rows) harm: to leave them out would raise ROC AUC by 0.0123 (0.0042 "
            "to 0.0211).",
        ),
        (
            entry("unclear", 0.001, -0.003, 0.005),
            AREA,
            "supplier=B (1,240 rows): what they earned cannot be told from nothing, +0.0010 of ROC "
            "AUC (−0.0030 to +0.0050).",
        ),
        (
            entry("earns", 35.2, 10.4, 60.0, thing="the column 'price'", kind="columns", count=0),
            MISS,
            "The column 'price' lowered root mean squared error by 35 (10 to 60): worth keeping.",
        ),
        (
            entry("harms", -35.2, -60.0, -10.4, thing="the column 'price'", kind="columns"),
            MISS,
            "The column 'price' harms: to leave it out would lower root mean squared error by 35 "
            "(10 to 60).",
        ),
        (
            entry("earns", 0.02, 0.01, 0.03, thing="the 40 corrected answers of f.csv",
                  kind="corrections", adds=True, count=40),
            AREA,
            "The 40 corrected answers of f.csv would bring 0.020 of ROC AUC (0.010 to 0.030): "
            "worth correcting.",
        ),
        (
            entry("harms", -0.02, -0.03, -0.01, thing="the 500 rows of more.csv", kind="more",
                  adds=True, count=500),
            AREA,
            "The 500 rows of more.csv would harm: they would lower ROC AUC by 0.020 (0.010 to "
            "0.030).",
        ),
    ],
)  # fmt: skip
def test_a_line_says_what_was_earned_and_what_follows(
    said: dict[str, Any], metric: Any, expected: str
) -> None:
    assert price_sentence(said, metric) == expected


def test_what_earned_little_is_worth_keeping_where_it_costs_little() -> None:
    told = price_sentence(entry("earns", 0.0006, 0.0001, 0.0011), AREA)
    assert told.endswith("(0.00010 to 0.00110): little, so worth keeping where it costs little.")


def test_what_rows_earned_for_other_cases_is_told_where_that_is_another_story() -> None:
    own = {"verdict": "unclear", "earned": 0.001, "low": -0.01, "high": 0.01}
    worse = {"verdict": "harms", "earned": -0.02, "low": -0.03, "high": -0.01}
    told = price_sentence(entry("earns", 0.02, 0.01, 0.03, others=own), AREA)
    assert told.endswith("for others it cannot be told from nothing.")
    told = price_sentence(entry("unclear", 0.0, -0.01, 0.01, others=worse), AREA)
    assert told.endswith("ROC AUC is better without them, by 0.020 (0.010 to 0.030).")
    told = price_sentence(entry("earns", 0.02, 0.01, 0.03, others=worse | own), AREA)
    assert "cases of their own kind" in told


def test_money_comes_first_where_the_run_has_costs() -> None:
    money = {"verdict": "earns", "earned": 12_345.0, "low": 2_000.0, "high": 22_000.0}
    said = entry("unclear", 0.001, -0.003, 0.005, money=money | {"unit": "€", "per": "year"})
    assert price_sentence(said, AREA).startswith(
        "supplier=B (1,240 rows) earned €12,300 a year (€2,000 to €22,000): worth keeping."
    )
    lost = {"verdict": "harms", "earned": -12.0, "low": -22.0, "high": -2.0, "unit": "", "per": ""}
    told = price_sentence(entry("harms", -0.1, -0.2, -0.05, money=lost), AREA)
    assert "to leave them out would save 12.0 for every 1,000 cases (2.00 to 22.0)" in told


def test_the_plan_says_how_much_there_is_to_do_and_how_long_it_takes() -> None:
    words = plan_words(3, 5, "trees", 20, 20, 240.0)
    assert words == "3 things, 5 paired seeds: 20 trainings of boosted trees, about 4 minutes."
    assert "15 of them done already" in plan_words(3, 5, "neural", 20, 5, 30.0)
    assert "all 20 trainings are done already" in plan_words(3, 5, "neural", 20, 0, 0.0)
