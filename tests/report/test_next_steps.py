"""What to do next: what makes figures untrue first, then what promises most."""

from __future__ import annotations

import pytest

from tests.report.runs import MakeRun, result
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.longer import hardly
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


def test_training_longer_is_not_advised_where_it_is_told_to_help_hardly(make_run: MakeRun) -> None:
    band = forecast(0.8, 0.8016) | {"low": 0.8, "high": 0.8017}
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, advice=[], forecasts=[band]))
    assert hardly(band) and "Train longer" not in titles(run)
    wider = band | {"middle": 0.82, "high": 0.84}
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, advice=[], forecasts=[wider]))
    assert not hardly(wider) and "Train longer" in titles(run)


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


def test_a_leak_that_the_look_at_the_data_found_is_told_once(make_run: MakeRun) -> None:
    seen = {"evidence": {"leak": "alone", "column": "paid"}}
    verdict = {"name": "leak", "confidence": 0.9, "sentence": "s", "action": "leave it out"}
    run = make_run(
        result=result(
            "roc_auc", 0.8, 0.7, 0.9, verdicts=[verdict | {"saw": {"input": "the column 'paid'"}}]
        ),
        findings={"health": [finding("A leak", "--ignore paid", **seen)]},
    )
    assert [step.sentence for step in next_steps(run) if step.first] == ["--ignore paid."]
    other = make_run("other", result=result("roc_auc", 0.8, 0.7, 0.9, verdicts=[verdict]))
    assert "An input gives the answer away" in titles(other)


def test_few_rows_of_a_class_are_told_once(make_run: MakeRun) -> None:
    advice = "There are only 60 rows of 'wave' to learn from."
    few = finding("Few rows", "collect 'wave'", evidence={"class": "wave", "rows": 90, "of": 900})
    run = make_run(
        result=result("accuracy", 0.8, 0.7, 0.9, advice=[advice]), findings={"health": [few]}
    )
    assert advice in titles(run) and "Few rows" not in titles(run)


def test_a_simple_model_that_is_surely_cheaper_comes_before_all_that_could_be_mended(
    make_run: MakeRun,
) -> None:
    rule = {"name": "a simple model", "saved_low": -300.0, "saved_high": -200.0}
    money = {"unit": "€", "per": "year", "simple": "A simple model", "rules": [rule]}
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, money=money))
    first = next_steps(run)[0]
    assert (
        first.title == "Take a simple model instead" and "€200 to 300 less a year" in first.sentence
    )
    maybe = money | {"rules": [rule | {"saved_high": 10.0}]}
    unsure = make_run("unsure", result=result("roc_auc", 0.8, 0.7, 0.9, money=maybe))
    assert "Take a simple model instead" not in titles(unsure)


def test_test_rows_that_are_unlike_validation_are_told_beyond_luck(make_run: MakeRun) -> None:
    def told(name: str, validation: float, test: float, low: float, high: float) -> list[str]:
        found = result(name, test, low, high)
        found["metric"]["validation"] = validation
        return titles(make_run(f"{name}{validation}", result=found))

    words = "Find out what changed"
    assert words in told("root_mean_squared_error", 17.8, 57.3, 56.1, 58.5)
    assert words not in told("root_mean_squared_error", 56.0, 57.3, 56.1, 58.5)
    assert words not in told("root_mean_squared_error", 17.8, 57.3, 30.0, 80.0)
    assert words in told("roc_auc", 0.95, 0.80, 0.78, 0.82)
    assert words not in told("roc_auc", 0.60, 0.80, 0.78, 0.82)  # better than it was


def test_where_costs_choose_the_answers_mistakes_that_pay_are_not_to_be_mended(
    make_run: MakeRun,
) -> None:
    fails = {"fails": {"rows": 1000, "mean": 0.13, "parts": [PART]}}
    found = result("roc_auc", 0.8, 0.7, 0.9, money={"model": {"cost": 1}})
    assert "Mend the worst part" not in titles(make_run(result=found, findings=fails))


def test_longer_training_of_one_model_of_a_blend_says_whose_figure_it_is(
    make_run: MakeRun,
) -> None:
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9, blend={"trees": 0.2, "neural": 0.8}))
    member = RunFolder.create(run.path / "members" / "neural")
    member.write_json("config.json", {"format": 1, "kind": "table"})
    member.write_json("result.json", {"forecasts": [forecast(0.8, 0.85)]})
    (step,) = [step for step in next_steps(run) if step.title == "Train longer"]
    assert "roc_auc of the network alone is expected at 0.8500" in step.sentence
    assert step.expected.endswith("there.")


def test_costs_of_several_classes_are_proposed_in_their_own_words(make_run: MakeRun) -> None:
    run = make_run(result=result("accuracy", 0.8, 0.7, 0.9, task="classes"))
    (step,) = [step for step in next_steps(run) if step.title == "Say what a mistake costs"]
    assert "*>*=1" in step.how and "missed" not in step.how


def test_the_list_of_doubted_answers_is_named_where_it_lies(make_run: MakeRun) -> None:
    action = "look through label_errors.csv (treadle check … --deep --out FOLDER), fill in"
    found = {"health": [LABELS | {"action": action}]}
    run = make_run(result=result("roc_auc", 0.8, 0.7, 0.9), findings=found)
    assert next_steps(run)[0].sentence.startswith("Look through label_errors.csv (treadle check")
    (run.path / "label_errors.csv").write_text("row\n")
    assert next_steps(run)[0].sentence == f"Look through {run.path}/label_errors.csv, fill in."


def test_a_column_that_was_left_out_as_asked_is_not_to_be_left_out_again(make_run: MakeRun) -> None:
    seen = {"evidence": {"leak": "identifier", "column": "number", "learned_from": False}}
    found = {"health": [finding("An identifier tells the answer", "leave it out", **seen)]}
    whole = result("roc_auc", 0.8, 0.7, 0.9)
    assert titles(make_run(result=whole, findings=found))[0] == "An identifier tells the answer"
    config = {"format": 1, "kind": "table", "options": {"ignore": ["number"]}}
    run = make_run("ignored", config=config, result=whole, findings=found)
    assert "An identifier tells the answer" not in titles(run)


def test_columns_to_ignore_for_one_reason_are_one_step(make_run: MakeRun) -> None:
    why = "if it is only known once the answer is: --ignore"
    found = [finding("A leak", f"{why} {name}") for name in ("paid", "'paid on'")]
    other = finding("Another", "use --group")
    run = make_run(
        result=result("roc_auc", 0.8, 0.7, 0.9), findings={"health": [found[0], other, found[1]]}
    )
    assert [step.sentence for step in next_steps(run)[:2]] == [
        "If it is only known once the answer is: --ignore paid --ignore 'paid on'.",
        "Use --group.",
    ]
