"""A run in words: the answer first, honest about luck, and never silent about what is missing."""

from __future__ import annotations

import pytest

from tests.report.runs import MakeRun, event, result
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.report.answer import sentence
from treadle.report.words import explain, runs_table


def test_answers_first_then_says_how_sure_and_why_it_ended(two_classes: RunFolder) -> None:
    told = explain(two_classes.path)
    assert told[0] == (
        "Given a case where repaid is “no” and one where it is not, the model ranks the right one "
        "higher 70 times in 100; guessing: 50."
    )
    assert "measured on 100 rows that it had never seen" in told[1]
    assert "given 69 to 71" in told[1] and "beats the baseline by more than luck" in told[1]
    assert told[2] == (
        "Training took 74 seconds and ended because validation was no better for 5 checks in a row."
    )
    assert "What to do next: Collect more rows." in told
    assert "9 rows twice." in told
    assert "At step 300: The rate was lowered." in told


def test_the_time_of_other_settings_is_told_beside_that_of_training(make_run: MakeRun) -> None:
    run = make_run(result=result("roc_auc", 0.7, 0.6, 0.8, tune={"seconds": 640.0}))
    assert any(
        told.startswith("Training took 74 seconds and ended because")
        and told.endswith("Trying other settings made that 11 minutes in all.")
        for told in explain(run.path)
    )


@pytest.mark.parametrize(
    ("test", "low", "high", "verdict"),
    [
        (0.7, 0.48, 0.8, "luck alone could explain its lead"),
        (0.49, 0.4, 0.6, "it is no better than the baseline"),
        (0.3, 0.2, 0.4, "it is worse than the baseline, by more than luck explains"),
    ],
)
def test_says_when_the_baseline_is_not_surely_beaten(
    make_run: MakeRun, test: float, low: float, high: float, verdict: str
) -> None:
    baseline = {"name": "guessing", "test": 0.5}
    run = make_run(result=result("roc_auc", test, low, high, baseline=baseline))
    assert verdict in explain(run.path)[1]


def test_lower_is_better_for_an_error(make_run: MakeRun) -> None:
    baseline = {"name": "always the mean", "test": 9.0}
    run = make_run(result=result("mean_absolute_error", 5.0, 4.0, 6.0, baseline=baseline))
    assert "beats the baseline by more than luck" in explain(run.path)[1]


def test_warns_of_a_test_part_that_was_scored_often(make_run: MakeRun) -> None:
    run = make_run(result=result("roc_auc", 0.7, 0.6, 0.8, test_scorings=4))
    assert any("scored 4 times" in sentence for sentence in explain(run.path))


def test_a_figure_from_validation_is_called_that(make_run: MakeRun) -> None:
    metric = {"name": "loss", "validation": 0.53, "test": None}
    run = make_run(result={"metric": metric, "rows": {"validation": 200}})
    assert "measured on 200 rows kept apart for validation" in explain(run.path)[1]


def test_an_interrupted_run_says_how_to_go_on(make_run: MakeRun) -> None:
    values = {"roc_auc": 0.6, "learning_rate": 0.1}
    point = {"attempt": 1, "step": 40, "epoch": 0, "values": values}
    run = make_run(metrics=[point])
    told = explain(run.path)
    assert told[0].startswith("This run has no result yet")
    assert "step 40. There it measured roc_auc 0.6000." in told[1]
    assert told[2].endswith(f"no checkpoint was saved yet, with: treadle resume {run.path}")


def test_a_run_cannot_send_commands_to_the_terminal(make_run: MakeRun) -> None:
    run = make_run(result=result("roc_auc", 0.7, 0.6, 0.8, advice=["\x1b[2Jmore\x07 rows"]))
    assert "What to do next: [2Jmore rows." in explain(run.path)


def test_explaining_what_is_no_run_is_an_error(make_run: MakeRun) -> None:
    with pytest.raises(RunError, match="there is no run"):
        explain(make_run().path.parent / "loanz")


def test_runs_are_listed_newest_first_with_broken_ones_named(
    two_classes: RunFolder, make_run: MakeRun
) -> None:
    make_run("later", events=[event(0, "start", "x") | {"time": "2027-01-01T00:00:00+00:00"}])
    make_run("new format", config={"format": 9})
    rows = runs_table(two_classes.path.parent)
    assert [row["run"] for row in rows] == ["later", "loans", "new format"]
    assert [row["state"] for row in rows] == ["unfinished", "finished", "unreadable"]
    assert "format 9" in rows[2]["problem"]
    assert rows[1]["metric"] == "roc_auc" and rows[1]["value"] == 0.7012
    assert rows[1]["target"] == "repaid" and rows[1]["baseline"] == 0.5


def test_a_sentence_of_no_words_is_nothing() -> None:
    assert sentence(" ") == "" and sentence("as it is") == "As it is."
