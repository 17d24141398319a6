"""What to do next: what makes figures untrue first, then what promises most."""

from __future__ import annotations

import pytest

from tests.report.runs import MakeRun, result
from treadle.contracts import Json
from treadle.report.next_steps import next_steps


def finding(title: str, action: str, **more: object) -> Json:
    entry = {"severity": "warning", "title": title, "sentence": "…", "action": action}
    return entry | {"evidence": {}} | more


def forecast(best: float, middle: float) -> Json:
    return {"metric": "roc_auc", "at_step": 10, "for_step": 20, "best": best, "middle": middle}


LABELS = finding(
    "Answers that may be wrong",
    "look through the list",
    evidence={"gain": {"before": 0.2, "after": 0.15, "low": 0.02, "high": 0.08}},
)
PART = {"where": "'city' is Oslo", "rows": 100, "mean": 0.4, "rest": 0.1}


def titles(run: object) -> list[str]:
    return [step.title or step.sentence for step in next_steps(run)]  # type: ignore[arg-type]


def test_untrue_figures_come_first_then_the_largest_gain(make_run: MakeRun) -> None:
    run = make_run(
        result=result("roc_auc", 0.8, 0.7, 0.9, advice=[], forecasts=[forecast(0.8, 0.81)]),
        findings={"health": [finding("A leak", "leave 'paid' out"), LABELS], "deep": True},
    )
    assert titles(run)[:3] == ["A leak", "Answers that may be wrong", "Train longer"]
    first, second, third = next_steps(run)[:3]
    assert first.first and first.sentence == "Leave 'paid' out."
    assert (
        second.gain == pytest.approx(0.25) and "about 25 % of what it gets wrong" in second.expected
    )
    assert third.gain is not None and abs(third.gain - 0.05) < 1e-9


def test_more_data_is_ranked_by_what_it_was_found_to_bring(make_run: MakeRun) -> None:
    told = {
        "metric": "roc_auc",
        "now": 0.8,
        "twice": {"low": 0.81, "middle": 0.86, "high": 0.88},
        "sentence": "with twice the data 0.81 to 0.88",
    }
    run = make_run(
        result=result("roc_auc", 0.8, 0.7, 0.9, forecasts=[forecast(0.8, 0.81)], advice=[]),
        collect=told,
    )
    assert titles(run)[:2] == ["Collect more data", "Train longer"]


def test_what_the_model_is_better_without_is_to_be_left_out(make_run: MakeRun) -> None:
    things = [
        {"thing": "plan=B", "label": "plan B", "earned": -0.02, "verdict": "harms"},
        {"thing": "age", "earned": 0.1, "verdict": "earns"},
    ]
    told = {"metric": "roc_auc", "whole": 0.8, "things": things}
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, advice=[]), **{"worth-of": told})
    first = next_steps(run)[0]
    assert first.title == "Leave out plan B" and first.gain == pytest.approx(0.1)


def test_what_promises_next_to_nothing_is_not_told(make_run: MakeRun) -> None:
    run = make_run(
        result=result("roc_auc", 0.8, 0.7, 0.9, advice=[], forecasts=[forecast(0.8, 0.8001)])
    )
    assert "Train longer" not in titles(run)


def test_the_worst_part_is_at_most_worth_what_would_go_there(make_run: MakeRun) -> None:
    run = make_run(
        result=result("roc_auc", 0.8, 0.7, 0.9, advice=[]),
        findings={"fails": {"rows": 1000, "mean": 0.13, "parts": [PART]}},
    )
    step = next(step for step in next_steps(run) if step.title == "Mend the worst part")
    assert step.at_most and step.gain is not None and abs(step.gain - 100 * 0.3 / 130) < 1e-9
    assert "At most about 23 % of what it gets wrong" in step.expected


def test_what_was_done_is_not_proposed_again(make_run: MakeRun) -> None:
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, advice=[]), findings={})
    assert "Look at the data in depth" in titles(run)
    done = make_run(
        "done",
        result=result("roc_auc", 0.8, 0.7, 0.9, advice=[], money={"model": {"cost": 1}}),
        findings={"deep": True},
        collect={"metric": "roc_auc"},
    )
    assert titles(done) == []


def test_the_same_advice_is_given_once(make_run: MakeRun) -> None:
    twice = [finding("In validation", "use --group"), finding("In test", "use --group")]
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9), findings={"health": twice})
    assert [step.sentence for step in next_steps(run)].count("Use --group.") == 1


def test_only_grave_verdicts_come_first(make_run: MakeRun) -> None:
    verdicts = [
        {"name": "plateau", "confidence": 0.9, "sentence": "s", "action": "stop sooner"},
        {"name": "leak", "confidence": 0.9, "sentence": "s", "action": "leave it out"},
        {"name": "spike", "confidence": 0.9, "sentence": "s", "action": "x", "taken": True},
    ]
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, advice=["more"], verdicts=verdicts))
    steps = next_steps(run)
    assert [step.sentence for step in steps][:3] == ["Leave it out.", "Stop sooner.", "More."]
    assert [step.first for step in steps][:3] == [True, False, False]


def test_an_unfinished_run_and_torn_files_propose_nothing(make_run: MakeRun) -> None:
    assert next_steps(make_run()) == []
    torn = make_run("torn", result={"metrics": 3, "forecasts": [3]}, findings={"health": [1, {}]})
    assert all(step.gain is None for step in next_steps(torn))
