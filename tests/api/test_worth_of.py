"""`worth_of`: what parts of the data earned, by forks that differ in them alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api.label_list import row_marks
from treadle.api.pricing import work as worth_of_work
from treadle.api.pricing.asked import Asking
from treadle.api.pricing.recipe import until_of
from treadle.api.pricing.table import table_ground
from treadle.api.training import Observer
from treadle.contracts import Json
from treadle.errors import DataError, Interrupted, OptionError, RunError, UserError
from treadle.folder import RunFolder
from treadle.loop.until import parse
from treadle.models.boosting import BoostingRound
from treadle.report.words import explain

ROWS = 700
THINGS = ["age, paid", "supplier=B"]  # what is paid follows age: each alone could be missed
QUICK = {"model": "trees", "until": "25 epochs", "threads": 1, "engine": "eager", "lr": 0.1}


def suppliers(rows: int = ROWS) -> pl.DataFrame:
    """Customers from three suppliers; B's answers are thrown dice."""
    frame = small.customers(rows)
    draw = np.random.default_rng(5)
    supplier = draw.choice(["A", "B", "C"], rows, p=[0.5, 0.3, 0.2])
    thrown = np.where(draw.random(rows) < 0.5, "yes", "no")
    answers = np.where(supplier == "B", thrown, frame["left"].to_numpy())
    return frame.with_columns(supplier=pl.Series(supplier), left=pl.Series(answers))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with customers.csv and a finished run."""
    found = tmp_path_factory.mktemp("worth_of")
    suppliers().write_csv(found / "customers.csv")
    treadle.fit(
        found / "customers.csv", target="left", ignore="supplier", out=found / "run", **QUICK
    )
    return found


@pytest.fixture(scope="module")
def priced(place: Path) -> Json:
    return treadle.worth_of(place / "run", without=THINGS, seeds=3)


def told(record: Json, start: str) -> Json:
    return next(entry for entry in record["things"] if entry["thing"].startswith(start))


def test_a_column_that_decides_is_worth_keeping_and_thrown_dice_are_not(priced: Json) -> None:
    age, dice = told(priced, "the columns 'age'"), told(priced, "supplier=B")
    assert age["verdict"] == "earns" and age["low"] > 0.02
    assert "worth keeping" in age["sentence"]
    assert dice["high"] < age["low"]
    assert dice["others"]["earned"] < dice["others"]["high"] < 0.05
    assert [entry["earned"] for entry in priced["things"]] == sorted(
        (entry["earned"] for entry in priced["things"]), reverse=True
    )


def test_the_list_stands_in_the_run_its_report_and_its_words(place: Path, priced: Json) -> None:
    kept = json.loads((place / "run" / "worth-of.json").read_text())
    assert kept["things"][0]["earned"] == pytest.approx(priced["things"][0]["earned"])
    page = (place / "run" / "report.html").read_text()
    assert "What the data earned" in page and "supplier=B" in page
    assert any(
        line.startswith("What data earned: The columns 'age'") for line in explain(place / "run")
    )


def test_each_fork_is_a_run_folder_that_says_what_was_changed(place: Path, priced: Json) -> None:
    forks = sorted((place / "run" / "worth-of").glob("*/seed-*/*"))
    assert len(forks) == 9
    changed = {(RunFolder.open(fork).plan or {})["fork"]["changed"] for fork in forks}
    assert changed == {None, *(entry["thing"] for entry in priced["things"])}


def test_test_rows_are_neither_learned_from_nor_judged_by(place: Path, priced: Json) -> None:
    ground = table_ground(RunFolder.open(place / "run"))
    for turn in ground.turns(7):
        used = np.concatenate([turn.learn, turn.choose, turn.judge])
        assert not set(used) & set(ground.split.test)
    assert treadle.load(place / "run").result["test_scorings"] == 1


def test_rows_are_taken_from_learning_and_choosing_and_not_from_the_judges(place: Path) -> None:
    from treadle.api.pricing.table import forked

    ground = table_ground(RunFolder.open(place / "run"))
    (thing,), _ = ground.learner.things(Asking(without=("supplier=B",)))
    data, turn = ground.learner.data, ground.turns(1)[0]  # type: ignore[attr-defined]
    seen = forked(data, ground.options, turn, thing)
    assert "B" not in set(seen.rows("train")["supplier"]) | set(seen.rows("validation")["supplier"])
    assert "B" in set(seen.rows("test")["supplier"])
    assert (seen.split.test == turn.judge).all()


def test_what_is_done_is_not_done_again(place: Path, priced: Json, monkeypatch: Any) -> None:
    monkeypatch.setattr(worth_of_work, "fit_fork", _must_not_be_called)
    said: list[str] = []
    again = treadle.worth_of(
        place / "run",
        without=THINGS,
        seeds=3,
        observer=Observer(line=lambda line: said.append(line["sentence"])),
    )
    assert again == priced
    assert any("all 9 trainings are done already" in sentence for sentence in said)


def _must_not_be_called(*given: object, **named: object) -> None:
    raise AssertionError("it was trained again")


def copied(place: Path, to: Path) -> Path:
    """Return a run of the same data and seed elsewhere, not priced yet."""
    (to / "customers.csv").write_bytes((place / "customers.csv").read_bytes())
    treadle.fit(to / "customers.csv", target="left", ignore="supplier", out=to / "run", **QUICK)
    return to / "run"


@pytest.mark.parametrize("killed_at_round", [3, 110])
def test_killed_in_the_middle_it_goes_on_to_the_same_answer_to_the_bit(
    place: Path, priced: Json, tmp_path: Path, killed_at_round: int
) -> None:
    run, grow, grown = copied(place, tmp_path), BoostingRound.__call__, [0]

    def kill(step: BoostingRound, *given: Any) -> None:
        grown[0] += 1
        if grown[0] == killed_at_round:
            raise KeyboardInterrupt
        grow(step, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoostingRound, "__call__", kill)
        with pytest.raises(Interrupted):
            treadle.worth_of(run, without=THINGS, seeds=3)
    done = {path: path.stat().st_mtime_ns for path in run.glob("worth-of/*/*/*/result.json")}
    assert len(done) == killed_at_round // 25
    record = treadle.worth_of(run, without=THINGS, seeds=3)
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    assert record["things"] == priced["things"]


def test_a_second_list_stands_beside_the_first(place: Path, priced: Json) -> None:
    treadle.worth_of(place / "run", without="income", seeds=3)
    kept = json.loads((place / "run" / "worth-of.json").read_text())
    assert {entry["thing"] for entry in kept["things"]} >= {
        "the columns 'age', 'paid'",
        "the column 'income'",
    }


def test_corrections_are_judged_by_the_corrected_answers(tmp_path: Path) -> None:
    frame = small.customers(ROWS)
    wrong = np.random.default_rng(3).permutation(ROWS)[: ROWS // 4]
    flipped = frame["left"].to_numpy().copy()
    flipped[wrong] = np.where(flipped[wrong] == "yes", "no", "yes")
    given = frame.with_columns(left=pl.Series(flipped))
    given.write_csv(tmp_path / "customers.csv")
    marks = row_marks(pl.read_csv(tmp_path / "customers.csv", try_parse_dates=True), "left")
    pl.DataFrame(
        {
            "row": wrong + 1,
            "mark": [marks[row] for row in wrong],
            "given": flipped[wrong],
            "corrected": frame["left"].to_numpy()[wrong],
        }
    ).write_csv(tmp_path / "fixed.csv")
    treadle.fit(tmp_path / "customers.csv", target="left", out=tmp_path / "run", **QUICK)
    record = treadle.worth_of(tmp_path / "run", corrections=str(tmp_path / "fixed.csv"), seeds=3)
    (entry,) = record["things"]
    assert entry["adds"] and entry["count"] == len(wrong)
    assert entry["earned"] > 0 and "bring" in entry["sentence"]

    fixed = str(tmp_path / "fixed.csv")
    treadle.fit(
        tmp_path / "customers.csv",
        target="left",
        corrections=fixed,
        out=tmp_path / "corrected",
        **QUICK,
    )
    had = treadle.worth_of(tmp_path / "corrected", corrections=fixed, seeds=3)["things"][0]
    assert not had["adds"] and had["count"] == len(wrong)
    assert had["earned"] == pytest.approx(entry["earned"], abs=0.03) and had["earned"] > 0


def test_further_rows_are_learned_from_and_those_among_the_judges_are_not(place: Path) -> None:
    from treadle.api.pricing.table import forked

    more = pl.concat([suppliers(), small.customers(300, seed=9).with_columns(supplier=pl.lit("A"))])
    more.write_csv(place / "more.csv")
    ground = table_ground(RunFolder.open(place / "run"))
    (thing,), _ = ground.learner.things(Asking(adding=str(place / "more.csv")))
    data, turn = ground.learner.data, ground.turns(1)[0]  # type: ignore[attr-defined]
    seen = forked(data, ground.options, turn, thing)
    assert thing.adds and thing.count == ROWS + 300
    assert len(seen.split.train) == len(turn.learn) + ROWS + 300 - len(turn.judge)
    names = ["age", "income", "paid"]
    assert not set(seen.rows("train")[names].rows()) & set(seen.rows("test")[names].rows())


def test_each_value_of_a_column_is_a_line(place: Path) -> None:
    ground = table_ground(RunFolder.open(place / "run"))
    things, said = ground.learner.things(Asking(each="supplier"))
    assert [thing.name.split(" ")[0] for thing in things] == [
        "supplier=A",
        "supplier=B",
        "supplier=C",
    ]
    assert not said
    _, said = ground.learner.things(Asking(each="since"))
    assert "most frequent" in said[0]


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("left", "is the column to predict"),
        ("customer", "does not learn from that column"),
        ("supplier=Z", "no row is meant by that"),
        ("age<old", "is none"),
        ("city<Oslo", "which is not below or above another"),
        ("left=yes", "no 'yes' would be left"),
        ("age>0", "would be left"),
        ("rows:gone.csv", "there is no such file"),
        ("age, income, city, since, paid", "no column would be left"),
    ],
)
def test_what_cannot_be_priced_is_refused_in_words(place: Path, without: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        treadle.worth_of(place / "run", without=without)


def test_all_mistakes_are_told_at_once(place: Path) -> None:
    with pytest.raises(OptionError) as caught:
        treadle.worth_of(place / "run", without=["prise", "supplier=Z", "left"])
    assert str(caught.value).startswith("3 problems")


def test_rows_are_found_by_number_date_and_emptiness(place: Path) -> None:
    pl.DataFrame({"row": [1, 5, 9]}).write_csv(place / "bad.csv")
    ground = table_ground(RunFolder.open(place / "run"))
    frame = ground.frame
    asked = (f"rows:{place / 'bad.csv'}", "since<2021-01-01", "income=", "age>=30 and city=Rome")
    things, _ = ground.learner.things(Asking(without=asked))
    listed, early, empty, both = (np.flatnonzero(thing.rows) for thing in things)
    assert list(listed) == [0, 4, 8]
    assert len(early) == frame.filter(pl.col("since") < pl.date(2021, 1, 1)).height > 0
    assert len(empty) == frame["income"].null_count()
    assert set(frame["city"][both]) == {"Rome"} and frame["age"][both].min() >= 30


def test_of_rows_in_time_validation_judges_and_the_end_of_training_chooses(tmp_path: Path) -> None:
    small.customers(ROWS).write_csv(tmp_path / "customers.csv")
    treadle.fit(
        tmp_path / "customers.csv", target="left", time="since", out=tmp_path / "run", **QUICK
    )
    ground = table_ground(RunFolder.open(tmp_path / "run"))
    turn = ground.turns(3)[2]
    since = ground.frame["since"]
    assert ground.ahead and set(turn.judge) == set(ground.split.validation)
    assert since[turn.learn].max() < since[turn.choose].min()  # type: ignore[operator]
    assert since[turn.choose].max() < since[turn.judge].min()  # type: ignore[operator]
    record = treadle.worth_of(tmp_path / "run", without="age", seeds=2)
    assert record["judged_by"] == "validation"
    assert "rows of the validation part judged" in " ".join(record["sentences"])


def test_with_costs_the_price_is_in_money(tmp_path: Path) -> None:
    small.customers(ROWS).write_csv(tmp_path / "customers.csv")
    treadle.fit(
        tmp_path / "customers.csv",
        target="left",
        cost="missed=€500 false_alarm=€50",
        volume="12,000 a year",
        out=tmp_path / "run",
        **QUICK,
    )
    record = treadle.worth_of(tmp_path / "run", without="age", seeds=2)
    money = record["things"][0]["money"]
    assert money["unit"] == "€" and money["per"] == "year" and money["earned"] > 10_000
    assert "€" in record["sentences"][0] and "a year" in record["sentences"][0]


def test_of_a_blend_the_model_that_counts_most_is_trained(
    table_run: Finished, tmp_path: Path
) -> None:
    shutil.copytree(table_run.path, tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    folder.write_json(
        "result.json", treadle.load(folder.path).result | {"blend": {"trees": 0.4, "neural": 0.6}}
    )
    ground = table_ground(folder)
    assert ground.recipe.model == "neural" and ground.recipe.until == "2 epochs"
    assert "is a blend" in ground.notes[0]
    record = treadle.worth_of(folder.path, without="age", seeds=2)
    assert record["model"] == "neural" and "the network of this run" in " ".join(
        record["sentences"]
    )


def test_minutes_of_a_run_are_the_steps_they_came_to() -> None:
    assert until_of(parse("3 minutes"), {"reason": "minutes", "step": 70}) == "70 steps"
    asked = parse("9 epochs or 3 minutes or roc_auc >= 0.9")
    assert until_of(asked, {"reason": "reached", "step": 7}) == "9 epochs or roc_auc >= 0.9"
    assert until_of(None, {"reason": "no_better", "step": 7}) == ""


def test_a_changed_file_is_told(place: Path, tmp_path: Path) -> None:
    run = copied(place, tmp_path)
    suppliers(ROWS - 20).write_csv(tmp_path / "customers.csv")
    ground = table_ground(RunFolder.open(run))
    assert "the file customers.csv has changed" in ground.notes[0]


def test_data_from_python_is_asked_for_and_taken(tmp_path: Path) -> None:
    frame = small.customers(ROWS)
    run = treadle.fit(frame, target="left", out=str(tmp_path / "run"), **QUICK)
    with pytest.raises(RunError, match="came from Python"):
        treadle.worth_of(run, without="age")
    ground = table_ground(run.folder, frame)
    assert ground.frame.height == ROWS and not ground.notes


def test_a_budget_means_fewer_seeds_and_one_too_small_is_refused(place: Path) -> None:
    with pytest.raises(OptionError, match="2 paired trainings"):
        treadle.worth_of(place / "run", without="paid", budget="0.1 seconds")
    with pytest.raises(OptionError, match="--seeds is 1"):
        treadle.worth_of(place / "run", without="paid", seeds=1)


def test_a_budget_that_runs_out_leaves_whole_seeds(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = table_ground(RunFolder.open(place / "run"))
    things, _ = ground.learner.things(Asking(without=("paid",)))
    made: list[tuple[int, bool]] = []
    monkeypatch.setattr(worth_of_work, "fit_fork", _noted(made))
    monkeypatch.setattr(worth_of_work, "is_done", lambda place: False)
    work = worth_of_work.Work(ground, things, ground.turns(5), Observer(), limit=1_000.0)
    work.plan()
    clock = iter(np.arange(0.0, 1e6, 170.0))
    monkeypatch.setattr(worth_of_work.time, "monotonic", lambda: float(next(clock)))
    work.began = 0.0
    assert len(work.train()) == 2
    assert made == [(0, False), (0, True), (1, False), (1, True)]


def _noted(made: list[tuple[int, bool]]) -> Callable[..., None]:
    def fit(ground: Any, where: Any, turn: Any, number: int, thing: Any, look: Any) -> None:
        made.append((number, thing is not None))

    return fit


def test_runs_of_events_and_unfinished_ones_are_refused_in_words(
    event_run: Finished, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="learned from events"):
        treadle.worth_of(event_run.path, without="user=U1")
    folder = RunFolder.create(tmp_path / "half")
    folder.write_json("config.json", {"format": 1, "kind": "table", "options": {}})
    with pytest.raises(RunError, match="was not finished"):
        treadle.worth_of(folder.path, without="x")


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    small.customers(120).write_csv(tmp_path / "few.csv")
    treadle.fit(tmp_path / "few.csv", target="paid", out=tmp_path / "run", **QUICK)
    with pytest.raises(DataError, match="too few to tell"):
        treadle.worth_of(tmp_path / "run", without="age")
