"""`treadle check --deep`: what learners of its own find, and the list for a person to look at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from treadle.cli.main import main
from treadle.errors import RunError


def wrong_customers(rows: int = 900, count: int = 40) -> tuple[pl.DataFrame, set[int]]:
    frame = small.customers(rows)
    wrong = set(np.random.default_rng(0).choice(rows, count, replace=False).tolist())
    answers = [
        ("no" if answer == "yes" else "yes") if row in wrong else answer
        for row, answer in enumerate(frame["left"])
    ]
    return frame.with_columns(left=pl.Series(answers)), wrong


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, set[int], Path]:  # type: ignore[type-arg]
    frame, wrong = wrong_customers()
    folder = tmp_path_factory.mktemp("deep")
    return treadle.check(frame, target="left", deep=True, out=folder), wrong, folder


def test_planted_errors_are_listed_worst_first_with_room_for_a_correction(looked) -> None:  # type: ignore[no-untyped-def]
    found, wrong, folder = looked
    listed = pl.read_csv(folder / "label_errors.csv", infer_schema=False)
    assert listed.columns[:8] == ("row mark column given suggested corrected doubt part".split())
    rows = [int(row) - 1 for row in listed["row"]]
    assert np.mean([row in wrong for row in rows[:20]]) >= 0.8
    assert found["label_errors"]["rows"] == len(rows)
    assert set(listed["part"]) == {"train", "validation", "test"}
    assert "(city)" in listed.columns and "(left)" not in listed.columns


def test_what_correcting_would_bring_is_said_with_care(looked) -> None:  # type: ignore[no-untyped-def]
    found, _, _ = looked
    told = next(f for f in found["findings"] if f["title"] == "Answers that may be wrong")
    assert "Some will be right" in told["sentence"] and "--corrections" in told["action"]
    gain = found["label_errors"]["gain"]
    assert gain["low"] <= gain["before"] - gain["after"] <= gain["high"]


def test_the_facts_are_there_for_a_program(looked) -> None:  # type: ignore[no-untyped-def]
    found, _, _ = looked
    json.dumps(found)
    assert [drift["part"] for drift in found["drift"]] == ["validation", "test"]
    assert found["slices"] is not None and found["seconds"] > 0


def test_rows_without_an_answer_do_not_move_the_row_numbers(tmp_path: Path) -> None:
    frame, _ = wrong_customers()
    gaps = pl.concat([frame.head(1).with_columns(left=pl.lit(None, pl.String))] * 9 + [frame])
    treadle.check(gaps, target="left", deep=True, out=tmp_path)
    listed = pl.read_csv(tmp_path / "label_errors.csv")
    for row, given, customer in listed.select("row", "given", "(customer)").iter_rows():
        assert gaps["left"][row - 1] == given and gaps["customer"][row - 1] == customer


def test_it_is_one_json_object_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong_customers()[0].write_csv(tmp_path / "data.csv")
    place = str(tmp_path / "looked")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "check",
                str(tmp_path / "data.csv"),
                "--target",
                "left",
                "--deep",
                "--out",
                place,
                "--json",
            ]
        )
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and Path(found["label_errors"]["file"]).is_file()


def test_numbers_are_looked_at_too() -> None:
    found = treadle.check(small.customers(600), target="paid", deep=True)
    assert {"label_errors", "slices", "drift"} <= set(found)


def test_too_few_rows_say_nothing_of_labels() -> None:
    found = treadle.check(small.customers(50), target="left", deep=True)
    assert "label_errors" not in found and found["drift"] == []


def test_what_is_found_goes_into_the_report_of_a_finished_run(tmp_path: Path) -> None:
    frame, _ = wrong_customers()
    frame.write_csv(tmp_path / "data.csv")
    common = {"target": "left", "threads": 1}
    run = treadle.fit(
        tmp_path / "data.csv", out=tmp_path / "run", model="trees", until="5 epochs", **common
    )
    for _ in range(2):  # told once, however often it is looked at
        treadle.check(tmp_path / "data.csv", deep=True, out=run.path, **common)
    health = json.loads((run.path / "findings.json").read_text())["health"]
    titles = [finding["title"] for finding in health]
    assert titles.count("Answers that may be wrong") == 1
    assert "go against what all other rows say" in (run.path / "report.html").read_text()


@pytest.mark.slow
def test_photos_with_a_wrong_label_are_listed_by_their_paths(tmp_path: Path) -> None:
    folder = small.photos(tmp_path / "photos", each=30)
    (folder / "red" / "05.png").rename(folder / "blue" / "wrong.png")
    found = treadle.check(folder, deep=True, out=tmp_path / "looked", cache=tmp_path / "cache")
    listed = pl.read_csv(tmp_path / "looked" / "label_errors.csv")
    assert listed["photo"][0] == "blue/wrong.png" and listed["suggested"][0] == "red"
    assert found["label_errors"]["rows"] == listed.height


def test_a_run_is_looked_at_by_its_folder_and_its_report_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, wrong = wrong_customers()
    frame.write_csv(tmp_path / "customers.csv")
    monkeypatch.chdir(tmp_path)
    treadle.fit("customers.csv", target="left", model="trees", threads=1, out="run")
    assert "treadle check run --deep" in Path("run/report.html").read_text()
    found = treadle.check("run", deep=True)
    assert {int(row["row"]) - 1 for row in found["label_errors"]["worst"]} & wrong
    page = Path("run/report.html").read_text()
    assert "Answers that may be wrong" in page and "treadle check run --deep" not in page
    assert Path("run/label_errors.csv").exists()


def test_a_run_whose_data_is_gone_says_so(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    small.customers().write_csv(file)
    treadle.fit(file, target="left", model="trees", until="5 epochs", out=tmp_path / "run")
    file.unlink()
    with pytest.raises(RunError, match=r"is not there any more: .*customers\.csv"):
        treadle.check(tmp_path / "run")


def test_a_fit_looks_in_depth_where_it_is_asked_to(tmp_path: Path) -> None:
    frame, _ = wrong_customers()
    treadle.fit(frame, target="left", model="trees", threads=1, deep=True, out=tmp_path / "run")
    assert "Answers that may be wrong" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "label_errors.csv").exists()
