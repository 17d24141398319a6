"""Each command, as people call it in a terminal and as programs do with --json."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import small
from tests.cli.conftest import Treadle
from tests.conftest import Finished

CONTRACT = (
    "run kind task rows metric metrics baseline stopped engine samples_per_second seconds advice"
)
QUICK = ("--until", "2 epochs", "--threads", "1")


@pytest.fixture
def customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with customers.csv, and the one that commands are run in."""
    monkeypatch.chdir(tmp_path)
    small.customers().write_csv("customers.csv")
    return tmp_path


def test_fit_says_what_it_guessed_and_how_good_the_model_is(
    treadle: Treadle, customers: Path
) -> None:
    said = treadle(
        "fit", "customers.csv", "--target", "left", "--model", "neural", "--out", "run", *QUICK
    )
    assert said.exit_code == 0
    assert "'yes' is the positive class" in said.err and "kept for one test" in said.err
    assert "Given a case where left is “yes”" in said.out
    for words in ("run/report.html", "treadle explain run", "treadle predict run"):
        assert words in said.out


def test_fit_json_is_one_object_with_what_was_promised(treadle: Treadle, customers: Path) -> None:
    said = treadle("fit", "customers.csv", "--target", "paid", "--model", "trees", "--json", *QUICK)
    found = said.json
    assert said.exit_code == 0 and set(CONTRACT.split()) <= set(found)
    assert set(found["rows"]) == {"train", "validation", "test"}
    assert {"name", "validation", "test", "low", "high"} <= set(found["metric"])
    assert {"reason", "epoch", "step", "best_step"} <= set(found["stopped"])
    assert Path(found["run"]).parent.name == "runs"
    assert json.loads((Path(found["run"]) / "result.json").read_text()) == found


def test_options_may_stand_in_a_file_and_the_command_line_is_above_it(
    treadle: Treadle, customers: Path
) -> None:
    written = {"data": "customers.csv", "target": "paid", "batch-size": 32, "until": "1 epochs"}
    Path("options.json").write_text(json.dumps(written))
    said = treadle(
        "fit", "--config", "options.json", "--target", "left", "--model", "neural", "--json",
        "--out", "run", "--threads", "1",
    )  # fmt: skip
    assert said.exit_code == 0, said.err
    options = json.loads(Path("run/config.json").read_text())["options"]
    assert (options["target"], options["batch_size"]) == ("left", 32)


def test_check_describes_the_columns(treadle: Treadle, customers: Path) -> None:
    said = treadle("check", "customers.csv", "--target", "left")
    assert said.exit_code == 0 and "an identifier" in said.out and "168 to learn from" in said.out
    found = treadle("check", "customers.csv", "--target", "left", "--json").json
    assert {"kind", "task", "sentences", "columns", "rows", "findings"} <= set(found)


def test_predict_writes_the_answers_and_says_where(
    treadle: Treadle, table_run: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "answers.csv"
    said = treadle("predict", table_run.path, table_run.data / "test.csv", "--out", out)
    assert said.exit_code == 0 and f"60 rows are in {out}." in said.out
    said = treadle("predict", table_run.path, table_run.data / "test.csv", "--out", out, "--json")
    assert said.json == {
        "out": str(out),
        "kind": "table",
        "rows": 60,
        "problems": 0,
        "notes": [],
    }


def test_predict_gives_so_many_reasons_as_are_asked_for(
    treadle: Treadle, table_run: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "why.csv"
    rows = table_run.data / "test.csv"
    said = treadle("predict", table_run.path, rows, "--out", out, "--reasons", "2", "--json")
    assert said.json["reasons"]["columns"] == ["reason_1", "reason_2"]
    with out.open() as file:
        assert file.readline().strip().endswith("probability_yes,reason_1,reason_2")


@pytest.mark.parametrize("kind", ["table_run", "photo_run", "event_run"])
def test_explain_report_and_runs_read_every_kind_of_run(
    treadle: Treadle, request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    run: Finished = request.getfixturevalue(kind)
    sentences = treadle("explain", run.path, "--json").json["sentences"]
    assert len(sentences) > 2 and sentences[0] in treadle("explain", run.path).out
    page = tmp_path / "page.html"
    assert treadle("report", run.path, "--out", page, "--json").json["report"] == str(page)
    assert "<html" in page.read_text()
    (row,) = treadle("runs", run.path.parent, "--json").json["runs"]
    assert row["state"] == "finished" and row["metric"]
    table = treadle("runs", run.path.parent).out
    assert len(table.splitlines()) == 2 and row["metric"] in table and str(run.path) in table


def test_runs_says_when_there_are_none(treadle: Treadle, tmp_path: Path) -> None:
    assert "no runs" in treadle("runs", tmp_path).out


def test_resume_of_a_finished_run_says_so_and_gives_its_result(
    treadle: Treadle, table_run: Finished
) -> None:
    said = treadle("resume", table_run.path, "--json")
    assert said.exit_code == 0 and "is finished already" in said.err
    assert said.json == table_run.run.result


def test_help_is_there_for_every_command(treadle: Treadle) -> None:
    said = treadle()
    assert said.exit_code == 0
    for command in ("fit", "predict", "check", "resume", "explain", "report", "runs", "demo"):
        assert command in said.out
        assert "--json" in treadle(command, "--help").out


def test_python_runs_the_package_as_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "treadle", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("treadle 0.")


def test_the_version_is_said(treadle: Treadle) -> None:
    assert treadle("--version").out.startswith("treadle 0.")


def test_looking_for_help_imports_neither_torch_nor_a_model() -> None:
    heavy = ("torch", "lightgbm", "sklearn", "polars", "numpy")
    program = (
        "import sys\nfrom treadle.cli.main import main\n"
        "try:\n    main(['fit', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_goes_away_is_no_error(table_run: Finished) -> None:
    command = f"{sys.executable} -m treadle.cli.main explain {table_run.path} | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True)
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", 1)


def test_a_run_of_a_newer_treadle_is_refused_everywhere(
    treadle: Treadle, table_run: Finished, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(table_run.path, newer)
    config = json.loads((newer / "config.json").read_text())
    (newer / "config.json").write_text(json.dumps(config | {"format": 99}))
    test = table_run.data / "test.csv"
    for arguments in (["resume", newer], ["predict", newer, test], ["explain", newer]):
        said = treadle(*arguments)
        assert said.exit_code == 2 and "A newer Treadle wrote it" in said.err
    assert "unreadable" in treadle("runs", tmp_path).out


@pytest.mark.slow
def test_the_demo_ends_with_a_model_far_above_the_baseline(
    treadle: Treadle, tmp_path: Path
) -> None:
    said = treadle("demo", "--out", tmp_path / "run", "--json")
    assert said.exit_code == 0
    assert said.json["metric"]["low"] > said.json["baseline"]["test"] + 0.3
