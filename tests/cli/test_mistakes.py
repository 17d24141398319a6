"""A user's mistake: exit 2, one message with what was found, expected and to be done, no traces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import small
from tests.cli.conftest import Treadle
from tests.conftest import Finished

CUSTOMERS = ("customers.csv", "--target", "left")


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small.customers().write_csv("customers.csv")
    small.purchases().drop("user").write_csv("nobody.csv")
    Path("empty.csv").touch()
    Path("header.csv").write_text("a,left\n")
    Path("same.csv").write_text("a,left\n1,x\n2,x\n3,x\n")
    Path("list.json").write_text("[1]")
    Path("texts/a").mkdir(parents=True)
    Path("texts/a/notes.txt").write_text("hello\n")


MISTAKES = {
    "no such file": (["costumers.csv", "--target", "left"], "did you mean 'customers.csv'?"),
    "no data": ([], "no data was given"),
    "no such column": (["customers.csv", "--target", "lef"], "did you mean 'left'?"),
    "no target": (["customers.csv", "--kind", "table"], "--target"),
    "an empty file": (["empty.csv", "--target", "left"], "is empty"),
    "a header alone": (["header.csv", "--target", "left"], "no rows"),
    "a target with one class": (["same.csv", "--target", "left"], "holds only 'x'"),
    "a folder of nothing": (["texts"], "neither photos nor tables"),
    "no photos": (["texts", "--kind", "images"], "no photos"),
    "an unknown model": ([*CUSTOMERS, "--model", "tree"], "did you mean 'trees'?"),
    "an unknown metric": ([*CUSTOMERS, "--metric", "foo"], "'foo' is not known"),
    "a metric of another task": ([*CUSTOMERS, "--metric", "r2"], "r2"),
    "an unknown schedule": ([*CUSTOMERS, "--schedule", "foo"], "no schedule 'foo'"),
    "an unknown unit": ([*CUSTOMERS, "--until", "5 bananas"], "bananas"),
    "an aim that is not measured": (
        [*CUSTOMERS, "--until", "50 epochs or hit@3 > 1", "--model", "neural"],
        "not measured",
    ),
    "an unknown class": ([*CUSTOMERS, "--positive", "maybe"], "no such value"),
    "no user": (["nobody.csv", "--kind", "events"], "--user COLUMN"),
    "two rules of splitting": ([*CUSTOMERS, "--time", "since", "--group", "city"], "one rule"),
    "a delay without a time": ([*CUSTOMERS, "--label-delay", "7 days"], "--time COLUMN"),
    "a delay that is none": (
        [*CUSTOMERS, "--time", "since", "--label-delay", "7 dyas"],
        "no length of time",
    ),
    "an option of another kind": (
        [*CUSTOMERS, "--unfreeze", "2", "--user", "age", "--kind", "table"],
        "--user does nothing for a table",
    ),
    "no such sink": ([*CUSTOMERS, "--track", "tensorbord"], "did you mean 'tensorboard'?"),
    "no such device": ([*CUSTOMERS, "--device", "abacus"], "no device 'abacus'"),
    "no run to start from": ([*CUSTOMERS, "--start-from", "nowhere"], "no run at nowhere"),
    "a file to start from": ([*CUSTOMERS, "--start-from", "same.csv"], "is a file"),
    "a file of no options": ([*CUSTOMERS, "--config", "list.json"], "no JSON object"),
    "no file of options": ([*CUSTOMERS, "--config", "gone.json"], "could not be read"),
    "no such option": ([*CUSTOMERS, "--targt", "left"], "--targt"),
    "no number": ([*CUSTOMERS, "--seed", "many"], "--seed"),
    "too small a number": ([*CUSTOMERS, "--lr", "0"], "above 0"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_once_and_leaves_nothing_behind(treadle: Treadle, name: str) -> None:
    arguments, words = MISTAKES[name]
    before = sorted(Path().rglob("*"))
    said = treadle("fit", *arguments, "--out", "new/run")
    assert said.exit_code == 2 and words in said.err, said.err
    assert said.err.count("error: ") == 1 and "Traceback" not in said.err
    assert "hint: " in said.err and said.out == ""
    assert sorted(Path().rglob("*")) == before


def test_all_mistakes_are_told_together(treadle: Treadle) -> None:
    said = treadle("fit", *CUSTOMERS, "--model", "foo", "--metric", "foo", "--until", "x")
    assert "3 problems:" in said.err


def test_programs_get_the_mistake_as_json(treadle: Treadle) -> None:
    said = treadle("fit", "gone.csv", "--target", "x", "--json")
    assert said.exit_code == 2
    assert set(said.json) == {"error", "hint", "exit_code"} and said.json["exit_code"] == 2
    assert said.json["error"] in said.err


def test_a_fault_of_ours_is_exit_1_and_asks_for_a_report(
    treadle: Treadle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("treadle.api.fit_data.fit_data", broken)
    said = treadle("fit", *CUSTOMERS, "--json")
    assert said.exit_code == 1 and "Traceback" in said.err
    assert "a fault in Treadle" in said.json["error"] and "report" in said.json["hint"]


@pytest.mark.parametrize(
    ("place", "words"),
    [("customers.csv", "is a file"), ("texts", "holds other things")],
)
def test_a_place_that_is_taken_is_left_alone(treadle: Treadle, place: str, words: str) -> None:
    before = sorted(Path().rglob("*"))
    said = treadle("fit", *CUSTOMERS, "--out", place)
    assert said.exit_code == 2 and words in said.err and sorted(Path().rglob("*")) == before


def test_a_run_that_is_there_is_only_replaced_when_asked(
    treadle: Treadle, table_run: Finished
) -> None:
    said = treadle("fit", *CUSTOMERS, "--out", table_run.path)
    assert said.exit_code == 2
    assert "a finished run" in said.err and "--overwrite" in said.err
    Path("half").mkdir()
    shutil.copy(table_run.path / "config.json", "half/config.json")
    said = treadle("fit", *CUSTOMERS, "--out", "half")
    assert "an unfinished run" in said.err and "treadle resume half" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resume", "texts"], "no run at texts"),
        (["resume", "gone"], "no run at gone"),
        (["explain", "customers.csv"], "it is a file"),
        (["report", "gone"], "no run at gone"),
        (["runs", "gone"], "no folder gone"),
        (["predict", "gone", "customers.csv"], "no run at gone"),
        (["check", "gone.csv", "--target", "left"], "no file gone.csv"),
    ],
)
def test_what_is_no_run_is_said_to_be_none(
    treadle: Treadle, arguments: list[str], words: str
) -> None:
    said = treadle(*arguments)
    assert said.exit_code == 2 and words in said.err


def test_a_member_is_not_resumed_by_itself(treadle: Treadle, table_run: Finished) -> None:
    said = treadle("resume", table_run.path / "members" / "trees")
    assert said.exit_code == 2 and "one part of the run" in said.err


def unfinished(run: Finished) -> Path:
    """Copy a run as it was just before its end, together with its data."""
    for name in ("customers.csv", "test.csv"):
        shutil.copy(run.data / name, name)
    shutil.copytree(run.path, "half")
    for name in ("result.json", "report.html"):
        Path("half", name).unlink()
    config = json.loads(Path("half/config.json").read_text())
    config["options"] |= {"data": ["customers.csv"], "test": ["test.csv"]}
    Path("half/config.json").write_text(json.dumps(config))
    return Path("half")


def test_changed_data_is_refused_by_name_and_taken_when_asked(
    treadle: Treadle, table_run: Finished
) -> None:
    run = unfinished(table_run)
    text = Path("customers.csv").read_text()
    Path("customers.csv").write_text(text.replace("C00007", "C10007"))
    said = treadle("resume", run)
    assert said.exit_code == 2
    assert "the file customers.csv has changed" in said.err and "--not-exact" in said.err
    said = treadle("resume", run, "--not-exact", "--json")
    assert said.exit_code == 0 and "not exact" in said.err and said.json["rows"]


def test_data_that_is_gone_is_said_with_how_to_name_it(
    treadle: Treadle, table_run: Finished
) -> None:
    run = unfinished(table_run)
    Path("customers.csv").rename("moved.csv")
    said = treadle("resume", run)
    assert said.exit_code == 2 and "not there any more" in said.err and "--data" in said.err


def test_going_on_with_what_is_refused_leaves_the_record_as_it_was(
    treadle: Treadle, table_run: Finished
) -> None:
    run = unfinished(table_run)
    before = (run / "config.json").read_bytes()
    assert treadle("resume", run, "--until", "5 bananas").exit_code == 2
    with Path("customers.csv").open("a") as file:
        file.write("C99999,30,1000.0,Rome,2022-01-01,300.0,no\n")
    assert treadle("resume", run, "--until", "9 epochs").exit_code == 2
    assert json.loads((run / "config.json").read_text()) == json.loads(before)
