"""What the report shows of what a model goes by."""

from __future__ import annotations

from treadle.report.goes_by import MOST_SHOWN, goes_by

FOUND = {
    "importance": [
        {"feature": "idle", "drop": 0.0, "low": -0.01, "high": 0.01, "matters": False},
        {"feature": "age", "drop": 0.1, "low": 0.08, "high": 0.12, "matters": True},
        {"feature": "broken"},
    ],
    "importance_told": {"metric": "roc_auc", "rows": 500, "sentences": ["the model goes by age."]},
}


def test_columns_stand_in_the_order_of_what_they_matter() -> None:
    shown = goes_by(FOUND, "accuracy")
    assert shown is not None and shown.rows == 500 and shown.left_out == 0
    assert shown.chart.index(">age<") < shown.chart.index(">idle<")
    assert "broken" not in shown.chart
    assert "how much worse roc_auc gets" in shown.chart
    assert shown.sentences == ["The model goes by age."]


def test_a_column_that_may_not_matter_is_drawn_hollow() -> None:
    shown = goes_by(FOUND, "accuracy")
    assert shown is not None
    assert shown.chart.count('class="dot ours"') == 1
    assert shown.chart.count('class="dot other"') == 1


def test_only_the_first_columns_are_drawn_and_the_others_counted() -> None:
    many = [{"feature": f"c{i}", "drop": i, "low": i, "high": i} for i in range(MOST_SHOWN + 4)]
    shown = goes_by({"importance": many}, "")
    assert shown is not None and shown.left_out == 4


def test_nothing_is_shown_of_runs_that_did_not_measure_it() -> None:
    assert goes_by({}, "accuracy") is None
    assert goes_by({"importance": "no list", "importance_told": 3}, "accuracy") is None
