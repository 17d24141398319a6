"""Every metric is told in words that someone can follow who has never trained a model."""

from __future__ import annotations

import pytest

from treadle.goal import METRICS
from treadle.report.sentences import higher_is_better, sentence_for


@pytest.mark.parametrize(
    ("metric", "value", "baseline", "expected"),
    [
        ("roc_auc", 0.7012, None, "ranks the right one higher 70 times in 100; guessing: 50."),
        ("accuracy", 0.9462, 0.7, "The model names the right class for 95 of 100 cases; it: 70."),
        ("hit@10", 0.19, 0.08, "Ten suggestions contain the next item for 19 of 100; it: 8."),
        ("hit@1", 0.19, 0.08, "One suggestion contains the next item for 19 of 100; it: 8."),
        ("ndcg@20", 0.0107, 0.0054, "20 suggestions earn 11 of 1,000 points"),
        ("log_loss", 0.43, 0.69, "typically given a probability of 65 %; it: 50 %."),
        ("mean_absolute_error", 12.34, 18.1, "prediction of price is off by 12.3; it: 18.1."),
        ("mean_squared_error", 144.0, 400.0, "price is typically off by 12.0, where"),
        ("r2", -0.12, 0.0, "explains −12 of 100 parts of what makes price differ"),
        ("my_own", 1.5, None, "The my own is 1.5000."),
        ("{odd}", 1.5, None, "The {odd} is 1.5000."),
    ],
)
def test_says_what_a_value_means(
    metric: str, value: float, baseline: float | None, expected: str
) -> None:
    told = sentence_for(metric, value, baseline, baseline_name="it", target="price")
    assert expected in told


def test_names_the_class_that_is_looked_for() -> None:
    told = sentence_for("roc_auc", 0.9, target="fraud", positive="yes", classes=["no", "yes"])
    assert told.startswith("Given a case where fraud is “yes” and one where it is not")


def test_text_of_the_user_is_never_taken_for_a_placeholder() -> None:
    told = sentence_for("roc_auc", 0.9, target="{value}", positive="{0}", classes=["a", "b"])
    assert "a case where {value} is “{0}”" in told


def test_interval_stands_beside_the_value_smaller_end_first() -> None:
    assert "(95 % interval: 69.5 to 70.7)" in sentence_for("roc_auc", 0.7012, 0.5, 0.6951, 0.7071)
    assert "(95 % interval: 64 % to 66 %)" in sentence_for("log_loss", 0.43, 0.69, 0.41, 0.45)


def test_decimals_keep_unequal_values_apart_and_nothing_short_of_all_is_called_all() -> None:
    assert "99.5 of 100 cases; the baseline: 99.4." in sentence_for("accuracy", 0.9945, 0.9941)
    assert "99.43 of 100" in sentence_for("accuracy", 0.9943, 0.9941)
    assert "99.97 of 100" in sentence_for("accuracy", 0.9997)
    assert "100 of 100" in sentence_for("accuracy", 1.0)


@pytest.mark.parametrize("metric", [*METRICS, "hit@10", "recall@5", "ndcg@1", "loss"])
def test_every_metric_has_a_sentence_of_its_own(metric: str) -> None:
    told = sentence_for(metric, 0.25, 0.5, 0.2, 0.3, target="y", positive="a", classes=["a", "b"])
    assert not told.startswith(f"The {metric.replace('_', ' ')} is") or metric == "loss"
    assert "{" not in told and told.endswith(".")


def test_knows_which_way_is_better() -> None:
    assert higher_is_better("roc_auc") and higher_is_better("ndcg@7")
    assert higher_is_better("root_mean_squared_error") is False
    assert higher_is_better("my_loss") is False
    assert higher_is_better("something") is None
