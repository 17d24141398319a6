"""What more data would bring, drawn and told; and nothing of files that do not fit."""

from __future__ import annotations

import pytest

from tests.report.runs import MakeRun, result
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.collect import collect, collect_in_words

TOLD: Json = {
    "metric": "accuracy",
    "noun": "photo",
    "rows": 800,
    "now": 0.9,
    "twice": {"times": 2, "low": 0.91, "middle": 0.92, "high": 0.93},
    "four_times": {"times": 4, "low": 0.91, "middle": 0.93, "high": 0.95},
    "points": [
        {"rows": 100, "value": 0.7},
        {"rows": 400, "value": 0.86},
        {"rows": 800, "value": 0.9},
    ],
    "line": [
        {"rows": rows, "low": v - 0.01, "middle": v, "high": v + 0.01}
        for rows, v in ((100, 0.7), (800, 0.9), (1600, 0.92), (3200, 0.93))
    ],
    "sentences": ["more data of the same kind would help.", "The bands hold in 8 of 10 cases."],
    "request": {"title": "Please collect 800 more photos"},
}


@pytest.fixture
def run(make_run: MakeRun) -> RunFolder:
    made = make_run(result=result("accuracy", 0.9, 0.88, 0.92))
    made.write_json("collect.json", TOLD)
    return made


def test_every_training_is_a_dot_and_what_is_ahead_a_band(run: RunFolder) -> None:
    found = collect(run)
    assert found is not None
    assert found.wide.count("point-ours") == 3 and found.wide.count('class="band"') == 1
    assert "photos to learn from" in found.wide and "×2" in found.wide and "×4" in found.wide
    assert "0.9100 to 0.9300 in 8 of 10 cases" in found.wide


def test_sentences_begin_large_and_the_request_is_named_where_it_is(run: RunFolder) -> None:
    found = collect(run)
    assert found is not None
    assert found.sentences[0] == "More data of the same kind would help."
    assert found.request == ""
    (run.path / "request.html").write_text("here")
    again = collect(run)
    assert again is not None and again.request == "request.html"
    assert collect_in_words(run) == TOLD["sentences"]


def test_a_run_that_was_not_asked_has_no_section(make_run: MakeRun) -> None:
    made = make_run(result=result("accuracy", 0.9, 0.88, 0.92))
    assert collect(made) is None and collect_in_words(made) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"points": "none"},
        {"line": [{"rows": 0}]},
        {"points": [{"rows": -5, "value": 0.5}]},
        {"twice": None, "four_times": {"low": "x"}},
    ],
)
def test_what_does_not_fit_is_left_out(run: RunFolder, broken: Json) -> None:
    run.write_json("collect.json", TOLD | broken)
    found = collect(run)
    assert found is None or "×2" not in found.wide
