"""What training bought, in the report: when most of it was there, and what more time costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from treadle.folder import RunFolder
from treadle.report.spent import spent
from treadle.report.words import explain

RUNNING = {"training": {"hours": 100 / 3600, "money": 10.0}, "unit": "€", "sentences": ["So much."]}


def a_run(
    folder: Path, values: list[float], *, began: str = "", seconds: float = 10.0, **more: Any
) -> RunFolder:
    folder.mkdir(parents=True)
    points = [
        {
            "attempt": 1,
            "step": n,
            "epoch": 0,
            "values": {"accuracy": value, "log_loss": 1 - value},
            "clock": {"seconds": n * seconds},
        }
        for n, value in enumerate(values, 1)
    ]
    event = {"topic": "start", "sentence": "…", "step": 0, "attempt": 1, "time": began}
    (folder / "config.json").write_text(json.dumps({"format": 1, "options": {}} | more))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    return RunFolder.open(folder)


RISING = [0.5, 0.7, 0.85, 0.86, 0.84, 0.88, 0.88, 0.89, 0.9, 0.9]


def test_says_when_most_of_the_gain_was_there_and_what_the_second_half_brought(
    tmp_path: Path,
) -> None:
    told = spent(a_run(tmp_path / "run", RISING), {}, "accuracy")
    assert told is not None and told.wide is not None and told.narrow is not None
    assert told.sentences == [
        "While it trained, accuracy on validation rose from 0.5000 to 0.9000. 80 % of that came in "
        "the first 30 seconds of 2 minutes; the second half of the time brought another 0.040."
    ]
    assert "now" in told.wide and "80 % of the gain" in told.wide


def test_an_error_falls(tmp_path: Path) -> None:
    told = spent(a_run(tmp_path / "run", RISING), {}, "log_loss")
    assert told is not None and "fell from 0.5000 to 0.1000" in told.sentences[0]


def test_with_a_rate_the_money_of_a_minute_stands_beside_what_the_last_one_brought(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path / "run", RISING, seconds=30)
    told = spent(run, {"running": RUNNING}, "accuracy")
    assert told is not None
    assert told.sentences[1] == (
        "A minute more costs €6.00 at your rate; the last one brought 0.010."
    )
    assert told.sentences[2] == "So much."


def test_models_stand_one_after_the_other_in_the_order_in_which_they_were_trained(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path / "run", [])
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    a_run(tmp_path / "run" / "members" / "neural", [0.6, 0.92, 0.95], began="2026-01-01T12:05:00")
    a_run(tmp_path / "run" / "members" / "trees", [0.5, 0.8, 0.9], began="2026-01-01T12:00:00")
    told = spent(run, {}, "accuracy")
    assert told is not None and told.wide is not None
    assert "from 0.5000 to 0.9500" in told.sentences[0]
    assert "30 of 60 seconds" in told.sentences[0]
    assert "neural" in told.wide and ">trees<" not in told.wide
    mixed = spent(run, {"metric": {"name": "accuracy", "validation": 0.96}}, "accuracy")
    assert mixed is not None
    assert mixed.sentences[1] == "That is the best model alone; together they reach 0.9600."
    one = {"metric": {"validation": 0.9}, "blend": {"trees": 1.0, "neural": 0.0}}
    alone = spent(run, one, "accuracy")
    assert alone is not None
    assert alone.sentences[1].endswith("models reached; the trees alone, as chosen: 0.9000.")


def test_what_came_at_once_came_in_the_first_second(tmp_path: Path) -> None:
    told = spent(a_run(tmp_path / "run", [0.5, 0.9, 0.9, 0.9, 0.9], seconds=0.4), {}, "accuracy")
    assert told is not None and "in the first second of 2 seconds;" in told.sentences[0]


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5, 0.5, 0.5, 0.5]])
def test_without_a_gain_nothing_is_drawn_and_costs_are_still_told(
    tmp_path: Path, values: list[float]
) -> None:
    run = a_run(tmp_path / "run", values)
    assert spent(run, {}, "accuracy") is None
    told = spent(run, {"running": RUNNING}, "accuracy")
    assert told is not None and told.sentences == ["So much."] and told.wide is None


@pytest.mark.parametrize("running", ["text", {"training": 5}, {"training": {"hours": 0}}])
def test_a_broken_record_leaves_things_out(tmp_path: Path, running: Any) -> None:
    told = spent(a_run(tmp_path / "run", RISING), {"running": running}, "accuracy")
    assert told is not None and len(told.sentences) == 1


def test_the_words_alone_tell_it_too(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", RISING)
    result = {"metric": {"name": "accuracy", "test": 0.9, "validation": 0.9}}
    (run.path / "result.json").write_text(json.dumps(result))
    assert any(words.startswith("While it trained, accuracy on") for words in explain(run.path))
