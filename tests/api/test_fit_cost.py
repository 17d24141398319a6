"""A fit for what mistakes cost: the model's answers, the money, and what a loaded model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.errors import DataError, OptionError, RunError
from treadle.pace import Pace

QUICK = {"until": "40 epochs", "threads": 1, "model": "trees"}
COST = "missed=€50 false_alarm=€5"
PACE = Pace.learned(
    "nowhere", 5, "day", np.linspace(0, 1e6, 500), np.linspace(0, 1, 500)
).model_dump(mode="json")


def fit(out: Path, frame: pl.DataFrame | None = None, **options: Any) -> treadle.Run:
    data = small.customers(900) if frame is None else frame
    return treadle.fit(data, out=out, **{"target": "left", **QUICK, **options})


@pytest.fixture(scope="module")
def costly(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    place = tmp_path_factory.mktemp("costly")
    rows = small.customers(900)
    fit(place / "run", rows[:700], test=None, cost=COST, volume="10,000 a year")
    return Finished(place / "run", place, rows[700:])


def test_money_stands_in_the_result_with_its_interval_beside_doing_without(
    costly: Finished,
) -> None:
    money = costly.run.result["money"]
    assert money["per"] == "year" and money["unit"] == "€" and money["positive"] == "left = yes"
    assert money["model"]["low"] < money["model"]["cost"] < money["model"]["high"]
    names = [rule["name"] for rule in money["rules"] if rule["without_model"]]
    assert names == ["doing nothing", "flagging everything"]
    for rule in money["rules"]:
        assert rule["saved"] == pytest.approx(rule["cost"] - money["model"]["cost"])
        assert rule["saved_low"] <= rule["saved"] <= rule["saved_high"]


def test_the_money_is_what_the_test_rows_cost_under_the_answers(costly: Finished) -> None:
    findings, money = costly.run.folder.read_json("findings.json"), costly.run.result["money"]
    assert findings is not None
    (passed, alarms), (missed, caught) = findings["confusion"]["matrix"]
    rows = passed + alarms + missed + caught
    assert rows == costly.run.result["rows"]["test"]
    assert money["model"]["cost"] == pytest.approx((50 * missed + 5 * alarms) / rows * 10_000)
    assert money["rules"][0]["cost"] == pytest.approx(50 * (missed + caught) / rows * 10_000)
    assert findings["money_curve"]["chosen"]["cost"] * 10_000 == pytest.approx(
        money["model"]["cost"]
    )


def test_accuracy_is_that_of_the_answers_that_are_given(costly: Finished) -> None:
    findings = costly.run.folder.read_json("findings.json")
    assert findings is not None
    (passed, alarms), (missed, caught) = findings["confusion"]["matrix"]
    accuracy = (passed + caught) / (passed + alarms + missed + caught)
    assert costly.run.result["metrics"]["accuracy"]["test"] == pytest.approx(accuracy)


def test_a_loaded_model_flags_from_the_threshold_that_was_chosen(costly: Finished) -> None:
    found = costly.run.predict(costly.tested.drop("left"))
    threshold = costly.run.result["money"]["threshold"]
    assert threshold == pytest.approx(5 / 55)
    flagged = (found["prediction"] == "yes").to_numpy()
    assert (flagged == (found["probability_yes"] > threshold).to_numpy()).all()
    assert flagged.sum() > (found["probability_yes"] > 0.5).sum()
    assert (found["probability_yes"] + found["probability_no"]).to_list() == pytest.approx(
        [1.0] * found.height
    )


def test_the_journal_says_what_was_understood_and_what_it_is_worth(costly: Finished) -> None:
    told: dict[str, list[str]] = {}
    for line in costly.run.journal:
        told.setdefault(line["topic"], []).append(line["sentence"])
    assert "A missed 'left = yes' costs €50" in told["goal"][0]
    assert told["calibration"] and told["money"] == costly.run.result["money"]["sentences"]
    assert told["money"][0].startswith("With this model mistakes cost about €")


def test_costs_of_a_column_decide_row_by_row(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", cost="missed=paid false_alarm=60")
    rows = small.customers(300, seed=5)
    found = run.predict(rows.drop("left"))
    chance, paid = found["probability_yes"].to_numpy(), rows["paid"].to_numpy()
    margin = run.result["money"]["margin"]
    odds = np.log(chance / (1 - chance)) - np.log(60 / np.maximum(paid, 1e-9))
    clear = np.abs(odds - margin) > 1e-6
    assert ((found["prediction"] == "yes").to_numpy() == (odds > margin))[clear].all()
    assert run.result["money"]["threshold"] is None


def test_a_row_without_its_cost_has_probabilities_and_a_word_but_no_answer(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", cost="missed=worth false_alarm=6", frame=priced(), ignore=["worth"])
    rows = priced().drop("left").head(3)
    rows = rows.with_columns(worth=pl.Series([None, 5.0, 5.0]))
    found = run.predict(rows)
    assert found["prediction"].is_null().to_list() == [True, False, False]
    assert found["probability_yes"].null_count() == 0
    assert "'worth' says no amount" in str(found["problem"][0])
    with pytest.raises(DataError, match="'worth' is missing, which says what a mistake costs"):
        run.predict(rows.drop("worth"))


def priced() -> pl.DataFrame:
    return small.customers(500).with_columns(worth=pl.Series(np.linspace(1, 40, 500)))


def test_a_capacity_flags_so_many_and_says_how_many_it_finds(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", capacity="10 %")
    money = run.result["money"]
    assert not money["in_money"] and 0.03 < money["flagged"] < 0.2
    assert money["sentences"][0].startswith("Looking at ")
    found = run.predict(small.customers(900, seed=4).drop("left"))
    assert 0.03 < (found["prediction"] == "yes").mean() < 0.2  # type: ignore[operator]


def test_a_capacity_of_a_week_holds_in_every_week_and_in_those_to_come(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", small.customers(1_500), capacity="1 a week", time="since")
    money = run.result["money"]
    each = money["each"]
    assert each["over"] == 0 and each["most"] == 1 and each["used"] > 0.8
    assert sum(each["flagged"]) == sum(e["rows"] for e in money["outcomes"] if _is_flagged(e))
    assert any("had more than 1 flagged" in words for words in money["sentences"])
    later = small.customers(300, seed=4).with_columns(pl.col("since").dt.offset_by("13y"))
    found = run.predict(later.drop("left"))
    weeks = found.filter(pl.col("prediction") == "yes")["since"].dt.truncate("1w")
    assert len(weeks) > 60 and weeks.n_unique() == len(weeks)
    as_text = later.drop("left").with_columns(pl.col("since").dt.to_string())
    again = run.predict(as_text.sample(fraction=1, shuffle=True, seed=1))
    chosen = again.filter(pl.col("prediction") == "yes")["customer"].sort().to_list()
    assert chosen == found.filter(pl.col("prediction") == "yes")["customer"].sort().to_list()


def _is_flagged(entry: dict[str, Any]) -> bool:
    return entry["outcome"] in ("caught", "false_alarm")


def test_a_simple_model_on_the_same_columns_stands_beside(costly: Finished) -> None:
    money = costly.run.result["money"]
    simple = next(rule for rule in money["rules"] if rule["name"] == "a simple model")
    assert not simple["without_model"]
    cheapest = min(rule["cost"] for rule in money["rules"] if rule["without_model"])
    assert simple["cost"] < cheapest  # it learns: left follows from age, city and income
    assert simple["saved"] == pytest.approx(simple["cost"] - money["model"]["cost"])
    told = [words for words in money["sentences"] if "(logistic regression)" in words]
    assert len(told) == 1 and "would cost about €" in told[0]


@pytest.mark.parametrize(("target", "cost"), [("city", "*>*=1"), ("paid", "too_high=1 too_low=9")])
def test_classes_and_numbers_have_a_simple_model_beside_them(
    tmp_path: Path, target: str, cost: str
) -> None:
    run = fit(tmp_path / "run", small.customers(400), target=target, cost=cost)
    rules = {rule["name"]: rule for rule in run.result["money"]["rules"]}
    assert np.isfinite(rules["a simple model"]["cost"])


def test_a_row_that_stands_for_many_cases_counts_as_many(tmp_path: Path) -> None:
    rows = small.customers(900).with_columns(
        stands_for=pl.when(pl.col("left") == "yes").then(1).otherwise(4)
    )
    run = fit(tmp_path / "run", rows, cost=COST, weight="stands_for")
    findings, money = run.folder.read_json("findings.json"), run.result["money"]
    assert findings is not None
    (passed, alarms), (missed, caught) = findings["confusion"]["matrix"]
    cases = 4 * (passed + alarms) + missed + caught
    paid = 50 * missed + 4 * 5 * alarms
    assert money["model"]["cost"] == pytest.approx(paid / cases * 1_000)
    assert money["flagged"] == pytest.approx((4 * alarms + caught) / cases)
    assert findings["money_curve"]["chosen"]["cost"] == pytest.approx(paid / cases)


def test_among_several_classes_the_cheapest_is_said(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", target="city", cost="*>*=1 Rome>*=30")
    money = run.result["money"]
    assert money["pairs"] and money["model"]["cost"] < money["rules"][0]["cost"]
    found = run.predict(small.customers(200, seed=7))
    most = (found["prediction"] == "Rome").mean()
    assert most is not None and most > 0.5  # type: ignore[operator]


def test_a_number_is_moved_and_what_was_foretold_stands_beside_it(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", target="paid", cost="too_high=1 too_low=9")
    found = run.predict(small.customers(200, seed=7))
    assert (found["prediction"] > found["expected"]).all()
    money = run.result["money"]
    own = next(rule for rule in money["rules"] if not rule["without_model"])
    assert money["model"]["cost"] < own["cost"]


def test_by_time_and_by_group_rows_that_go_together_widen_the_interval(tmp_path: Path) -> None:
    frame = small.customers(600)
    frame = pl.concat([frame, frame, frame]).with_columns(house=pl.int_range(pl.len()) % 600)
    by_group = fit(tmp_path / "group", frame, cost=COST, group="house").result["money"]
    by_time = fit(tmp_path / "time", small.customers(900), cost=COST, time="since")
    assert by_group["per"] == "1,000 cases" and by_time.result["money"]["per"] == "year"
    assert by_time.result["money"]["cases"] == pytest.approx(900 / (3 * 899) * 365)
    rows = sum(outcome["rows"] for outcome in by_group["outcomes"])
    seen = {outcome["outcome"]: outcome["rows"] / rows for outcome in by_group["outcomes"]}
    mean = 50 * seen["missed"] + 5 * seen["false_alarm"]
    variance = 2_500 * seen["missed"] + 25 * seen["false_alarm"] - mean**2
    alone = 2 * 1.96 * 1_000 * (variance / rows) ** 0.5  # were the rows of a house independent
    assert by_group["model"]["high"] - by_group["model"]["low"] > 1.3 * alone


def test_photos_are_flagged_by_their_costs(tmp_path: Path) -> None:
    folder = small.photos(tmp_path / "photos", each=16)
    for photo in (folder / "green").iterdir():
        photo.rename(folder / "blue" / f"g{photo.name}")
    (folder / "green").rmdir()
    run = treadle.fit(
        folder, cost=COST, until="4 epochs", threads=1, cache=tmp_path / "cache", out=tmp_path / "r"
    )
    assert run.result["money"]["positive"] == "red" and run.result["money"]["rules"]
    found = run.predict(folder)
    flagged = (found["prediction"] == "red").to_numpy()
    above = found["probability_red"] > run.result["money"]["threshold"]
    assert flagged.any() and (flagged == above.to_numpy()).all()
    assert any("8 by 8 points of colour" in words for words in run.result["money"]["sentences"])
    with pytest.raises(OptionError, match="Photos have no columns"):
        treadle.fit(folder, cost="missed=price false_alarm=1", out=tmp_path / "other")


def test_costs_of_answers_are_none_of_suggestions(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="does not say what a suggestion brings"):
        treadle.fit(small.purchases(), cost=COST, kind="events", out=tmp_path / "run")
    with pytest.raises(OptionError, match="does not speak of two classes"):
        fit(tmp_path / "other", cost="gain=2 shown=0.1")


def test_too_sure_a_model_is_calibrated_and_the_model_folder_says_how(tmp_path: Path) -> None:
    frame = small.customers(1_500).with_columns(
        left=pl.Series(np.random.default_rng(0).permutation(small.customers(1_500)["left"]))
    )
    frame = pl.concat([small.customers(1_500), frame])  # half of it is noise
    run = fit(tmp_path / "run", frame, until="6 epochs")  # too few rounds: too timid
    findings, model = run.folder.read_json("findings.json"), tmp_path / "run" / "model"
    facts = json.loads((model / "model.json").read_text())
    assert findings is not None and facts["calibrator"]["method"] != "as_is"
    check = findings["calibration_check"]
    assert check["validation"]["after"] < check["validation"]["before"]
    assert check["test"]["low"] <= check["test"]["after"] <= check["test"]["high"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decision", {"kind": "number", "costs": {"entries": []}, "levels": [0.5], "moves": [0]}),
        ("decision", {"kind": "two_classes", "costs": {"entries": []}, "margin": "high"}),
        ("decision", {"kind": "two_classes", "costs": {"entries": []}, "pace": PACE}),
        (
            "decision",
            {
                "kind": "two_classes",
                "costs": {"entries": []},
                "pace": PACE | {"column": "since", "bars": PACE["bars"][::-1]},
            },
        ),
        ("calibrator", {"method": "isotonic", "before": [1, 0], "after": [0, 1]}),
        ("calibrator", {"method": "shifted", "shifts": [0.0, 1.0, 2.0]}),
    ],
)
def test_a_model_whose_answers_were_edited_is_refused(
    costly: Finished, tmp_path: Path, key: str, value: dict[str, Any]
) -> None:
    import shutil

    run = shutil.copytree(costly.path, tmp_path / "run")
    facts = json.loads((run / "model" / "model.json").read_text())
    (run / "model" / "model.json").write_text(json.dumps(facts | {key: value}))
    with pytest.raises(RunError, match="not as training left it"):
        treadle.load(run).predict(costly.tested)
