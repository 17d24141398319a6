"""The journal: appended, durable where it decides, replayed to the step, torn lines tolerated."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from treadle.folder import RunFolder, latest_attempts, read_lines
from treadle.loop.journal import Journal


def decision(value: Any) -> Any:
    return lambda: (value, f"decided {value}.", {"saw": 1})


def never() -> Any:
    raise AssertionError("this was decided before")


def test_a_line_says_when_in_which_attempt_at_which_step_and_what(tmp_path: Path) -> None:
    Journal(tmp_path).say("data", "there are ten rows.", step=4, rows=10)
    (line,) = read_lines(tmp_path / "events.jsonl")
    assert line.pop("time").endswith("+00:00")
    sentence = "there are ten rows."
    assert line == {"attempt": 1, "step": 4, "topic": "data", "sentence": sentence} | {
        "saw": {"rows": 10}
    }


def test_attempts_are_counted(tmp_path: Path) -> None:
    for attempt in (1, 2, 3):
        journal = Journal(tmp_path)
        assert journal.attempt == attempt
        journal.say("start", "again.")


def test_a_torn_last_line_is_passed_over_and_closed(tmp_path: Path) -> None:
    Journal(tmp_path).say("start", "begun.")
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"attempt": 1, "step": 3, "topi')
    (tmp_path / "metrics.jsonl").write_bytes(b'{"attempt": 1, "st')
    journal = Journal(tmp_path)
    journal.say("resume", "goes on.")
    journal.measure(4, 0, {"loss": 1.0})
    assert [line["topic"] for line in read_lines(path)] == ["start", "resume"]
    assert [line["step"] for line in read_lines(tmp_path / "metrics.jsonl")] == [4]
    assert [json.loads(line) for line in path.read_bytes().splitlines()[-1:]]


def test_a_decision_is_on_disk_before_it_takes_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((tmp_path / "events.jsonl").read_text())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal(tmp_path)
    assert journal.decide("rate", 5, decision(0.3)) == 0.3
    assert '"value": 0.3' in synced[0]
    journal.say("data", "no need to wait.")
    assert len(synced) == 2  # the file, and once the folder that lists it
    journal.decide("rate", 6, decision(0.4))
    assert len(synced) == 3 and '"value": 0.4' in synced[-1]


def test_decisions_after_the_checkpoint_are_replayed_and_not_made_anew(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    for step, value in ((10, 0.1), (20, 0.2), (30, 0.3)):
        first.decide("rate", step, decision(value))
    second = Journal(tmp_path)
    second.replay_after(20)
    assert second.decide("rate", 30, never) == 0.3
    assert second.decide("rate", 20, decision(0.9)) == 0.9
    assert second.decide("horizon", 30, decision(7)) == 7


def test_from_the_beginning_every_decision_is_replayed_step_0_too(tmp_path: Path) -> None:
    Journal(tmp_path).decide("threads", 0, decision(2))
    second = Journal(tmp_path)
    second.replay_after(-1)
    assert second.decide("threads", 0, never) == 2


def test_a_fresh_journal_replays_nothing(tmp_path: Path) -> None:
    Journal(tmp_path).decide("rate", 5, decision(1))
    assert Journal(tmp_path).decide("rate", 5, decision(2)) == 2


def test_of_two_attempts_at_a_decision_the_later_is_replayed(tmp_path: Path) -> None:
    Journal(tmp_path).decide("rate", 5, decision(1))
    Journal(tmp_path).decide("rate", 5, decision(2))
    third = Journal(tmp_path)
    third.replay_after(4)
    assert third.decide("rate", 5, never) == 2


def test_a_stop_is_never_replayed(tmp_path: Path) -> None:
    Journal(tmp_path).decide("stop", 5, decision(True), ties=False)
    second = Journal(tmp_path)
    second.replay_after(0)
    assert second.decide("stop", 5, decision(False), ties=False) is False


def test_a_replayed_decision_survives_a_third_attempt(tmp_path: Path) -> None:
    Journal(tmp_path).decide("rate", 30, decision(0.3))
    second = Journal(tmp_path)
    second.replay_after(20)
    second.decide("rate", 30, never)
    third = Journal(tmp_path)
    third.replay_after(10)
    assert third.decide("rate", 30, never) == 0.3


def test_numbers_come_back_to_the_bit(tmp_path: Path) -> None:
    value = 0.1 + 0.2
    Journal(tmp_path).decide("rate", 1, decision(value))
    second = Journal(tmp_path)
    second.replay_after(0)
    assert second.decide("rate", 1, never) == value


def test_curves_keep_the_clock_apart_and_say_nan_as_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.measure(3, 1, {"loss": 0.5, "auc": math.nan}, seconds=1.5)
    (line,) = read_lines(tmp_path / "metrics.jsonl")
    assert line["values"] == {"loss": 0.5, "auc": None}
    assert line["clock"] == {"seconds": 1.5}
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_a_resumed_attempt_takes_the_place_of_the_steps_it_turns_again(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.say("start", "begun.")
    for step in (10, 20, 30, 40):
        first.measure(step, 0, {"loss": float(step)})
    second = Journal(tmp_path)
    second.say("resume", "goes on.")
    second.measure(30, 0, {"loss": 0.0})
    points = RunFolder(tmp_path).metrics()
    assert [(p["step"], p["attempt"]) for p in points] == [(10, 1), (20, 1), (30, 2)]


def test_attempts_are_told_apart_by_number_not_by_place() -> None:
    lines = [{"attempt": a, "step": s} for a, s in ((1, 5), (1, 10), (2, 5), (3, 8), (3, 9))]
    kept = [(line["attempt"], line["step"]) for line in latest_attempts(lines)]
    assert kept == [(2, 5), (3, 8), (3, 9)]


def test_a_listener_hears_what_is_said_and_not_the_curves() -> None:
    heard: list[str] = []
    journal = Journal(listener=lambda line: heard.append(line["topic"]))
    journal.say("data", "ten rows.")
    journal.measure(1, 0, {"loss": 1.0})
    journal.decide("rate", 2, decision(1))
    assert heard == ["data", "rate"]
    assert [line.get("topic") for line in journal.lines] == ["data", None, "rate"]
