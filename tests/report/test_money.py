"""The section on money: the answer first in money, drawn, and never from figures that are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.runs import MakeRun, result
from treadle.contracts import Json
from treadle.report.money import calibration_note, money_first, worth
from treadle.report.page import render
from treadle.report.words import explain


def money(**more: Any) -> Json:
    def rule(name: str, cost: float, *, without: bool = True) -> Json:
        return {
            "name": name,
            "without_model": without,
            "cost": cost,
            "low": cost * 0.9,
            "high": cost * 1.1,
            "saved": cost - 400_000,
        }

    return {
        "in_money": True,
        "unit": "€",
        "per": "year",
        "cases": 20_000.0,
        "volume": "20,000 a year, as you said",
        "positive": "defect",
        "model": {"cost": 400_000.0, "low": 350_000.0, "high": 450_000.0},
        "rules": [
            rule("doing nothing", 2e6),
            rule("flagging everything", 1.5e6),
            rule("the same model, flagging from 0.5 on", 6e5, without=False),
        ],
        "outcomes": [
            {"outcome": "missed", "rows": 10, "cases": 200.0, "cost": 100_000.0},
            {"outcome": "false_alarm", "rows": 60, "cases": 3_000.0, "cost": 300_000.0},
            {"outcome": "caught", "rows": 90, "cases": 4_000.0, "cost": 0.0},
            {"outcome": "passed", "rows": 300, "cases": 12_800.0, "cost": 0.0},
        ],
        "threshold": 0.17,
        "flagged": 0.35,
        "sentences": ["With it, 400,000.", "It saves 1,100,000.", "Of 100 it finds 90."],
    } | more


def curve(chosen: float = 0.35) -> Json:
    shares = [0.0, 0.005, 0.02, *(i / 40 for i in range(1, 41))]
    costs = [100 * (1 - s) ** 4 + 75 * s for s in shares]
    return {"shares": shares, "costs": costs, "chosen": {"share": chosen, "cost": 20.0}}


def drawn(money_found: Json, findings: Json | None = None) -> Any:
    usual: Json = {"money_curve": curve()}
    return worth({"money": money_found}, usual if findings is None else findings)


def test_without_costs_there_is_no_section() -> None:
    assert worth({}, {"money_curve": curve()}) is None and money_first({}) == []


def test_the_answer_begins_with_money_and_the_section_tells_the_rest(make_run: MakeRun) -> None:
    run = make_run(result=result("roc_auc", 0.9, 0.88, 0.92, money=money()))
    page = render(run)
    assert page.index("With it, 400,000.") < page.index("What it is worth")
    assert page.count("Of 100 it finds 90.") == 1
    assert [words in explain(run.path) for words in money()["sentences"]] == [True] * 3
    assert explain(run.path)[0] == "With it, 400,000."


def test_mistakes_stand_in_a_table_in_money() -> None:
    (caught, missed), (alarm, passed) = drawn(money()).confusion
    assert (missed.money, missed.cases, missed.right) == ("€100,000", "200 cases", False)
    assert (alarm.money, alarm.strength, caught.money) == ("€300,000", 10, "€0")
    assert caught.right and passed.right


def test_the_drawings_say_in_words_what_they_show() -> None:
    section = drawn(money())
    assert "this model €400,000" in section.beside and "flagging from 0.5 on" in section.beside
    assert "nothing flagged €2,000,000, everything €1,500,000" in section.curve
    assert (
        "chosen: 35.0 of 100" in section.curve and "more than 17.0 % likely" in section.curve_note
    )


def test_where_few_are_flagged_the_axis_has_decades() -> None:
    few, many = (drawn(money(), {"money_curve": curve(share)}).curve for share in (0.03, 0.3))
    assert ">1<" in few and ">10<" in few and ">20<" in many and ">10<" not in many


def test_gains_are_told_with_their_sign() -> None:
    outcomes = money()["outcomes"]
    outcomes[2]["cost"] = -50_000.0
    assert drawn(money(outcomes=outcomes)).confusion[0][0].money == "−€50,000"


def test_mistakes_between_several_classes_are_listed() -> None:
    pairs = [{"true": "cat", "said": "dog", "rows": 4, "cases": 80.0, "cost": 400.0}]
    section = drawn(money(outcomes=None, pairs=pairs), {})
    assert section.pairs == [("“cat” taken for “dog”", "80.0", "€400")]
    assert section.confusion == [] and section.curve is None


def test_a_capacity_alone_is_no_money() -> None:
    section = drawn(money(in_money=False))
    assert section.title == "What it finds" and section.beside is None and not section.confusion


@pytest.mark.parametrize(
    "broken",
    [
        {"model": None},
        {"rules": "none"},
        {"outcomes": [{"outcome": "missed"}]},
        {"cases": "many"},
        {"sentences": 3},
    ],
)
def test_a_broken_record_leaves_things_out_and_draws_nothing_false(
    make_run: MakeRun, broken: Json
) -> None:
    assert drawn(money(**broken)) is not None
    assert render(make_run(result=result("roc_auc", 0.9, 0.88, 0.92, money=money(**broken))))


def test_words_from_the_data_are_escaped(make_run: MakeRun) -> None:
    found = money(positive="<script>x</script>", sentences=["<b>bold</b>"] * 3)
    page = render(make_run(result=result("roc_auc", 0.9, 0.88, 0.92, money=found)))
    assert "<script>x" not in page and "<b>bold" not in page


def test_probabilities_are_told_with_what_was_done_about_them() -> None:
    test = {"before": 0.05, "after": 0.012, "low": 0.004, "high": 0.02}
    note = calibration_note({"calibration_check": {"method": "platt", "test": test}})
    assert "off by 1.2 percentage points (0.40 to 2.0)" in note and "5.0" in note
    stays = calibration_note({"calibration_check": {"method": "as_is", "test": test}})
    assert "as the model says them." in stays and calibration_note({}) == ""


def test_an_interval_without_a_width_is_not_told() -> None:
    test = {"before": 0.05, "after": 0.0242, "low": 0.0241, "high": 0.0243}
    note = calibration_note({"calibration_check": {"method": "as_is", "test": test}})
    assert note == "On average they are off by 2.4 percentage points, as the model says them."
