"""Options that are refused before any data is read or trained on, all at once, with a mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Treadle
from tests.inputs.rows import sound, write

OK = ("ok.csv", "--target", "y")

REFUSED = {
    "a misspelt option": ([*OK, "--modle", "trees"], ("no option --modle", "'--model'?")),
    "a misspelt metric": ([*OK, "--metric", "roc_acu"], ("'roc_acu' is not known", "'roc_auc'?")),
    "a metric of numbers": ([*OK, "--metric", "r2"], ("r2 measures numbers", "'y' holds text")),
    "a misspelt column": (["ok.csv", "--target", "Y "], ("no such column", "did you mean 'y'?")),
    "a column in other letters": (["ok.csv", "--target", "SIZE"], ("did you mean 'size'?",)),
    "columns that are not there": (
        [*OK, "--ignore", "colur", "--weight", "wait", "--time", "wen"],
        ("3 problems", "--ignore 'colur'", "'colour'?", "--weight 'wait'", "--time 'wen'"),
    ),
    "a misspelt model": ([*OK, "--model", "tres"], ("--model is 'tres'", "'trees'?")),
    "a device and a place that are nowhere": (
        [*OK, "--device", "gpu", "--track", "tensorbord", "--engine", "fast"],
        ("3 problems", "no device 'gpu'", "'tensorboard'?", "--engine is 'fast'"),
    ),
    "all that contradicts itself": (
        [
            *(*OK, "--time", "y", "--group", "y", "--weight", "y", "--ignore", "y"),
            *("--model", "trees", "--batch-size", "8", "--precision", "bf16"),
            *("--label-delay", "7 dyas", "--until", "5 bananas", "--lr", "-1"),
        ],
        (
            "10 problems",
            "one rule",
            "--target and --time both name 'y'",
            "--target and --group both name 'y'",
            "--target and --weight both name 'y'",
            "--target and --ignore both name 'y'",
            "--batch-size is for the network",
            "--precision is for the network",
            "no length of time",
            "bananas",
            "--lr is -1",
        ),
    ),
    "numbers out of range": (
        [*OK, "--batch-size", "0", "--seed", "-1", "--threads", "0", "--save-every", "0"],
        ("4 problems", "--batch-size is 0", "--seed is -1", "above 0", "of at least 0"),
    ),
    "nothing to stop at": ([*OK, "--until", ""], ("--until: '' was not understood",)),
    "half a condition": ([*OK, "--until", "1 epochs or"], ("was not understood",)),
    "a positive of numbers": (
        ["ok.csv", "--target", "size", "--positive", "1"],
        ("--positive 1: 'size' is a number",),
    ),
    "a positive that is none": ([*OK, "--positive", "Yes"], ("no such value", "'yes'?")),
    "another kind's options": (
        [*OK, "--kind", "table", "--user", "size", "--unfreeze", "1"],
        ("2 problems", "--user does nothing", "--unfreeze does nothing"),
    ),
    "weights below zero": (
        [*OK, "--weight", "size"],
        ("The weight column 'size'", "ok.csv line 3", "0 or more"),
    ),
}


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "ok.csv", sound())


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_cannot_be_met_are_refused_together(name: str, treadle: Treadle) -> None:
    arguments, words = REFUSED[name]
    said = treadle("fit", *arguments, "--out", "run")
    assert said.exit_code == 2 and "Traceback" not in said.err, said.err
    assert [word for word in words if word not in said.err] == [], said.err
    assert "hint: " in said.err and sorted(p.name for p in Path().iterdir()) == ["ok.csv"]


def test_options_in_a_file_are_checked_alike(treadle: Treadle) -> None:
    Path("options.json").write_text('{"target": "y", "untill": "1 epochs", "modle": 3, "lr": "x"}')
    said = treadle("fit", "ok.csv", "--config", "options.json")
    assert said.exit_code == 2
    for words in ("3 problems", "did you mean 'until'?", "did you mean 'model'?", "--lr is 'x'"):
        assert words in said.err


def test_a_misspelt_command_is_told(treadle: Treadle) -> None:
    said = treadle("chekc", "ok.csv")
    assert said.exit_code == 2 and "'check'?" in said.err
