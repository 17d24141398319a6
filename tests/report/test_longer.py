"""Would longer help, in the report: an answer, what came of forecasts, and a chart with a band."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from treadle.folder import RunFolder
from treadle.report.longer import best_so_far, longer


def a_run(folder: Path, bands: list[dict[str, Any]], *events: dict[str, Any]) -> RunFolder:
    folder.mkdir()
    points = [
        {
            "attempt": 1,
            "step": n,
            "epoch": 0,
            "values": {"accuracy": 0.5 + n / 400 - 0.1 * (n == 60)},
            "clock": {"seconds": n / 2},
        }
        for n in range(10, 110, 10)
    ]
    (folder / "config.json").write_text(json.dumps({"format": 1, "options": {}}))
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, points)) + "\n")
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    (folder / "result.json").write_text(json.dumps({"forecasts": bands}))
    return RunFolder.open(folder)


def a_band(step: int, low: float, middle: float, high: float) -> dict[str, Any]:
    numbers = {"low": low, "middle": middle, "high": high, "best": 0.75}
    return {"metric": "accuracy", "at_step": 100, "for_step": step} | numbers


def an_event(topic: str, sentence: str, **saw: Any) -> dict[str, Any]:
    return {"topic": topic, "sentence": sentence, "step": 5, "attempt": 1, "saw": saw}


def test_says_whether_longer_would_help_and_draws_the_band(tmp_path: Path) -> None:
    bands = [a_band(200, 0.76, 0.8, 0.85), a_band(500, 0.77, 0.85, 0.93)]
    (told,) = longer(a_run(tmp_path / "run", bands))
    assert told.sentences[0].startswith("It would: accuracy is 0.7500 now, and with twice")
    assert "0.7600 to 0.8500" in told.sentences[0]
    assert told.wide is not None and told.narrow is not None
    assert 'class="band"' in told.wide
    assert "minutes of training" in told.wide


def test_says_where_it_would_hardly(tmp_path: Path) -> None:
    (told,) = longer(a_run(tmp_path / "run", [a_band(200, 0.75, 0.75, 0.76)]))
    assert told.sentences[0].startswith("Hardly")


def test_tells_what_came_of_the_forecasts_and_of_earlier_runs(tmp_path: Path) -> None:
    checks = [an_event("forecast_check", "…", held=held) for held in (True, True, False)]
    record = an_event("track_record", "31 of the last 38 forecasts here came true: …")
    aim = an_event("unreachable", "accuracy >= 0.99 will hardly be reached: …")
    run = a_run(tmp_path / "run", [a_band(200, 0.76, 0.8, 0.85)], record, *checks, aim)
    (told,) = longer(run)
    assert "Of the forecasts made on the way, 2 of 3 came true." in told.sentences
    assert any(words.startswith("Before this run, 31 of the last 38") for words in told.sentences)
    assert told.sentences[-1].startswith("accuracy >= 0.99 will hardly")


def test_the_best_so_far_never_gets_worse(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", [])
    values = [value for _, value in best_so_far(run.metrics(), "accuracy", up=True)]
    assert values == sorted(values)
    assert len(values) == 10


def test_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    strange = [{"metric": 5, "at_step": "x"}, {"for_step": None}, a_band(50, 1, 2, 3)]
    assert longer(a_run(tmp_path / "run", strange)) == []


def test_a_run_without_forecasts_has_no_such_section(tmp_path: Path) -> None:
    assert longer(a_run(tmp_path / "run", [])) == []
