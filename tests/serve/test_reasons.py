"""Reasons beside a table's answers: in order, in the data's own words, alike for equals."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from tests.safety.test_model_folders import NONSENSE, changed, places
from treadle.api.predict import predict, refuse_reasons
from treadle.errors import OptionError, RunError, UserError
from treadle.serve import reasons, shapley
from treadle.serve.predictor import load_predictor

NAMES = ["reason_1", "reason_2", "reason_3"]
SAID = re.compile(
    r"^(?P<column>\w+) .+: (raises|lowers) the chance of 'yes' by [\d.e-]+ in 100"
    r"(, about as much as reason [12])?(; \w+( and \w+)? about as much)?$"
)


@pytest.fixture(scope="module")
def told(table_run: Finished) -> pl.DataFrame:
    found: pl.DataFrame = table_run.run.predict(table_run.tested, reasons=3)
    return found


def test_reasons_stand_behind_the_probabilities_and_change_nothing_else(
    table_run: Finished, told: pl.DataFrame
) -> None:
    plain = table_run.run.predict(table_run.tested)
    assert told.columns == [*plain.columns, *NAMES]
    assert told.drop(NAMES).equals(plain)


def test_each_reason_names_a_column_its_cell_and_what_is_usual(told: pl.DataFrame) -> None:
    for row in told.iter_rows(named=True):
        for name in NAMES:
            found = SAID.match(row[name] or "")
            assert found, row[name]
            cell = row[found["column"]]
            assert f"{found['column']} {'empty' if cell is None else ''}" in row[name]
            assert "(usual " in row[name] or "(as usual)" in row[name]


def test_it_is_said_how_long_many_reasons_take_and_they_stay_the_same(
    table_run: Finished, told: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    model = load_predictor(table_run.path / "model")
    found, _ = model.answer(table_run.tested, reasons=3, tell=heard.append)  # type: ignore[attr-defined]
    assert heard == [] and found.equals(told)
    monkeypatch.setattr(reasons, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(reasons, "LONG_SECONDS", 0.0)
    found, _ = model.answer(table_run.tested, reasons=3, tell=heard.append)  # type: ignore[attr-defined]
    assert len(heard) == 1 and heard[0].startswith(f"the reasons of {found.height} rows take about")
    assert found.equals(told)


def test_a_row_has_the_same_reasons_alone_twice_and_in_another_order(
    table_run: Finished, told: pl.DataFrame
) -> None:
    rows = table_run.tested
    turned = table_run.run.predict(pl.concat([rows, rows]).reverse(), reasons=3)
    assert turned.reverse().select(NAMES).equals(pl.concat([told, told]).select(NAMES))
    alone = pl.concat([table_run.run.predict(rows[i], reasons=3) for i in range(5)])
    assert alone.select(NAMES).equals(told[:5].select(NAMES))


def test_what_decides_the_answer_is_among_the_reasons(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    age, city = draw.integers(18, 80, 900), draw.choice(["Oslo", "Rome", "Turin"], 900)
    frame = pl.DataFrame(
        {
            "one": draw.normal(size=900),
            "age": age,
            "other": draw.choice(["a", "b", "c"], 900),
            "city": city,
            "paid": 10.0 * age + 400.0 * (city == "Rome") + draw.normal(0, 5, 900),
        }
    )
    run = treadle.fit(
        frame[:800], target="paid", model="trees", until="150 epochs", threads=1, out=tmp_path
    )
    found = run.predict(frame[800:].drop("paid"), reasons=2)
    for row in found.iter_rows(named=True):
        named = {str(row[name]).split(" ")[0] for name in NAMES[:2]}
        assert named == {"age", "city"}
        first = row["reason_1"] + row["reason_2"]
        assert f"city {row['city']} (" in first and "'paid' by" in first
        if row["city"] == "Rome":
            assert re.search(r"city Rome .*?: raises 'paid' by", first)


def test_of_several_classes_the_one_that_is_said_is_explained(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    level = draw.uniform(0, 3, 600)
    frame = pl.DataFrame(
        {
            "level": level.round(3),
            "noise": draw.normal(size=600),
            "size": np.array(["small", "middle", "large"])[level.astype(int)],
        }
    )
    run = treadle.fit(
        frame[:500], target="size", model="trees", until="60 epochs", threads=1, out=tmp_path
    )
    found = run.predict(frame[500:].drop("size"), reasons=1)
    for said, reason in found.select("prediction", "reason_1").rows():
        assert re.match(rf"level .*: raises the chance of '{said}' by \d+ in 100$", reason)


def test_a_row_that_cannot_be_read_has_no_reasons(table_run: Finished) -> None:
    rows = table_run.tested.head(6).with_columns(pl.col("age").cast(pl.String))
    rows[2, "age"] = "forty"
    found = table_run.run.predict(rows, reasons=3)
    assert found.columns[-1] == "problem"
    assert found.row(2)[-4:] == (None, None, None, "'age': 'forty' is not a number.")
    assert found["reason_1"].null_count() == 1


def test_a_table_without_rows_gets_the_columns(table_run: Finished) -> None:
    found = table_run.run.predict(table_run.tested.head(0), reasons=2)
    assert found.height == 0 and found.columns[-2:] == NAMES[:2]


def test_more_reasons_than_columns_leave_cells_empty(table_run: Finished) -> None:
    found = table_run.run.predict(table_run.tested.head(2), reasons=20)
    assert found["reason_20"].to_list() == [None, None]


def test_files_get_the_same_reasons(
    table_run: Finished, told: pl.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "answers.csv"
    _, summary = predict(table_run.path, [str(table_run.data / "test.csv")], out=out, reasons=3)
    assert summary["reasons"]["columns"] == NAMES
    assert "Shapley" in summary["reasons"]["method"]
    assert pl.read_csv(out).select(NAMES).equals(told.select(NAMES))


def test_a_module_of_ones_own_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="tables, photos and events"):
        refuse_reasons("module")


@pytest.mark.parametrize("count", [-1, 21, 2.5, True])
def test_a_number_of_reasons_that_makes_no_sense_is_refused(
    table_run: Finished, count: object
) -> None:
    with pytest.raises(OptionError):
        table_run.run.predict(table_run.tested, reasons=count)  # type: ignore[arg-type]


def test_a_model_of_an_earlier_version_predicts_and_says_what_reasons_need(
    table_run: Finished, tmp_path: Path
) -> None:
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    (tmp_path / "model" / "reasons.json").unlink()
    predictor = load_predictor(tmp_path / "model")
    assert predictor.predict(table_run.tested).height == table_run.tested.height
    with pytest.raises(RunError, match="cannot give reasons") as raised:
        predictor.predict(table_run.tested, reasons=3)  # type: ignore[call-arg]
    assert "train it again" in str(raised.value)


CHANGES = {
    "groups": [["age"], ["age"]],
    "usual": {"age": 1.0},
    "format": 2,
    "more": 1,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_refused(table_run: Finished, tmp_path: Path, name: str) -> None:
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    place = tmp_path / "model" / "reasons.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {name: CHANGES[name]}))
    with pytest.raises(RunError, match="not as training left it"):
        load_predictor(tmp_path / "model").predict(  # type: ignore[call-arg]
            table_run.tested, reasons=3
        )


def test_nonsense_anywhere_in_it_is_refused_or_does_no_harm(
    table_run: Finished, tmp_path: Path
) -> None:
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    place = tmp_path / "model" / "reasons.json"
    facts = json.loads(place.read_text())
    tried = [(at, value) for at in places(facts) for value in (*NONSENSE, "gone")]
    refused = 0
    for at, value in random.Random(1).sample(tried, 60):
        place.write_text(changed(facts, at, value))
        try:
            load_predictor(tmp_path / "model").predict(  # type: ignore[call-arg]
                table_run.tested.head(2), reasons=3
            )
        except UserError:
            refused += 1
    assert refused > 30


def test_a_usual_date_that_is_none_is_refused(table_run: Finished, tmp_path: Path) -> None:
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    place = tmp_path / "model" / "reasons.json"
    facts = json.loads(place.read_text())
    facts["usual"]["since"] = "soon"
    place.write_text(json.dumps(facts))
    with pytest.raises(RunError, match="not as training left it"):
        load_predictor(tmp_path / "model").predict(  # type: ignore[call-arg]
            table_run.tested, reasons=3
        )


@pytest.mark.parametrize("change", ["wider", "many", "no code", "infinite", "gone"])
def test_rows_to_compare_with_that_do_not_fit_are_refused(
    table_run: Finished, tmp_path: Path, change: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(table_run.path / "model", tmp_path / "model")
    place = tmp_path / "model" / "background.safetensors"
    held = {name: tensor.clone() for name, tensor in load_file(place).items()}
    if change == "wider":
        held["numbers"] = torch.cat([held["numbers"], held["numbers"]], 1)
    elif change == "many":
        held = {name: tensor.repeat(100, 1) for name, tensor in held.items()}
    elif change == "no code":
        held["categories"][0, 0] = 200
    elif change == "infinite":
        held["numbers"][0, 0] = torch.inf
    else:
        held.pop("numbers")
    save_file(held, place)
    with pytest.raises(RunError, match="not as training left it"):
        load_predictor(tmp_path / "model").predict(  # type: ignore[call-arg]
            table_run.tested, reasons=3
        )


def test_a_model_that_answers_for_costs_explains_its_chances(tmp_path: Path) -> None:
    frame = small.customers()
    run = treadle.fit(
        frame,
        target="left",
        model="trees",
        until="20 epochs",
        cost="missed=500 false_alarm=5",
        threads=1,
        out=tmp_path,
    )
    found = run.predict(frame.head(5), reasons=1)
    assert all("the chance of 'yes'" in reason for reason in found["reason_1"])


def test_parts_add_up_to_the_chance_less_the_chance_of_usual_rows(table_run: Finished) -> None:
    model = load_predictor(table_run.path / "model")
    finds = model._reasons  # type: ignore[attr-defined]
    arrays = model.encoder.encode_rows(table_run.tested).arrays  # type: ignore[attr-defined]
    asked = np.ones(table_run.tested.height, np.int64)
    found = finds.parts(arrays, asked).sum(axis=1)
    usual = 1 / (1 + np.exp(-finds.usual_odds[1]))
    expected = model.chances(arrays)[:, 1] - usual  # type: ignore[attr-defined]
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 0.05


def test_log_odds_of_several_classes_are_of_each_against_all_others() -> None:
    chances = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    expected = np.log([0.2 / 0.8, 0.3 / 0.7, 0.5 / 0.5])
    found = reasons.odds_of(chances)
    assert found[0] == pytest.approx(expected)
    assert np.isfinite(found).all() and found[1, 0] > 13
    sure = np.array([[1 - 1e-4, 1e-4]])
    assert reasons.odds_of(sure)[0] == pytest.approx([np.log(9999), -np.log(9999)])


def test_a_factor_between_two_log_odds_leads_from_one_chance_to_the_other() -> None:
    odds, usual = np.array([2.0, -3.0, 0.5]), np.array([0.0, 1.0, 0.5])
    chance = 1 / (1 + np.exp(-odds))
    found = reasons.chance_by_odds(odds, usual)
    assert (found > 0).all()
    assert found[:2] * (odds - usual)[:2] == pytest.approx(
        chance[:2] - 1 / (1 + np.exp(-usual[:2]))
    )
    assert found[2] == pytest.approx(chance[2] * (1 - chance[2]))


def test_reasons_about_as_strong_as_one_before_say_so() -> None:
    effects = np.array([0.5, -0.45, 0.2, 0.19, 0.7])
    told = [reasons.beside_others(effects, number) for number in range(5)]
    about = ", about as much as reason"
    assert told == ["", f"{about} 1", "", f"{about} 3", ""]


def test_trees_known_at_once_and_trees_asked_one_by_one_give_the_same_reasons(
    table_run: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds = load_predictor(table_run.path / "model")._reasons  # type: ignore[attr-defined]
    arrays = finds.encoder.encode_rows(table_run.tested).arrays
    asked = np.ones(table_run.tested.height, np.int64)
    monkeypatch.setattr(shapley, "BEHIND", 64)
    fast = finds.parts(arrays, asked)
    slow = [shapley.Part(value=part.value) for part in finds.explainer.models]
    monkeypatch.setattr(finds.explainer, "models", slow)
    assert finds.parts(arrays, asked) == pytest.approx(fast, abs=2e-6)


def test_what_is_as_strong_as_the_last_reason_is_counted_up_to_the_first_that_is_not() -> None:
    effects = np.array([0.5, -0.4, 0.35, 0.1, 0.4])
    found = [reasons.num_as_strong_behind(effects, count) for count in (1, 2, 3, 4, 5)]
    assert found == [1, 1, 0, 1, 0]


def test_what_the_cut_leaves_out_by_a_hair_is_named_behind_the_last_reason(
    table_run: Finished, told: pl.DataFrame
) -> None:
    two = table_run.run.predict(table_run.tested, reasons=2)
    named = 0
    for row, (last, third) in enumerate(zip(two["reason_2"], told["reason_3"], strict=True)):
        found = re.search(r"; (\w+)( and \w+)? about as much$", last)
        if found:
            named += 1
            assert third.startswith(f"{found[1]} "), row
    assert 0 < named < two.height
