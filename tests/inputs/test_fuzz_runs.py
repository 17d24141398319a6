"""Run folders and journals torn or garbled at random: read or refused by all who look at them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Finished
from tests.inputs.fuzzing import result_or_refusal, tries
from treadle.folder import EVENTS, METRICS, RunFolder, latest_attempts, read_lines
from treadle.loop.journal import Journal
from treadle.report.page import write
from treadle.report.words import explain, runs_table

JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ["time", "attempt", "step", "topic", "sentence", "value", "saw", "epoch", "values", "clock"]
LINE = st.dictionaries(st.sampled_from(KEYS), JSON).map(lambda line: json.dumps(line).encode())
GOOD = [
    {"time": "2025-01-01T00:00:00.000+00:00", "attempt": 1, "step": s, "topic": "rate", "value": s}
    | {"sentence": "so.", "epoch": 0, "values": {"loss": 0.5}}
    for s in range(4)
]
LINES = st.lists(
    st.one_of(
        LINE, st.binary(max_size=30), st.sampled_from([json.dumps(g).encode() for g in GOOD])
    ),
    max_size=8,
)


@tries(150)
@given(lines=LINES, torn=st.integers(0, 30))
def test_a_garbled_journal_is_read_replayed_and_written_on(
    lines: list[bytes], torn: int, tmp_path: Path
) -> None:
    content = b"\n".join(lines)
    (tmp_path / EVENTS).write_bytes(content[: max(len(content) - torn, 0)])
    (tmp_path / METRICS).write_bytes(content)
    before = list(read_lines(tmp_path / EVENTS))
    journal = Journal(tmp_path)
    assert journal.attempt >= 1
    journal.replay_after(1)
    earlier = [line for line in before if line.get("topic") == "rate" and "value" in line]
    decided = journal.decide("rate", 3, lambda: ("made now", "so.", {}))
    assert decided == "made now" or decided in [line["value"] for line in earlier]
    journal.say("test", "all is well.", step=4)
    journal.measure(4, 0, {"loss": 0.25})
    after = list(read_lines(tmp_path / EVENTS))
    assert json.dumps(after[: len(before)]) == json.dumps(before)
    assert after[-1]["sentence"] == "all is well."
    points = latest_attempts(read_lines(tmp_path / METRICS))
    assert points[-1]["values"] == {"loss": 0.25}


@tries(60)
@given(lines=LINES)
def test_lines_that_are_whole_are_kept_whatever_stands_between(
    lines: list[bytes], tmp_path: Path
) -> None:
    good = [json.dumps(line).encode() for line in GOOD]
    mixed = [part for pair in zip(good, [*lines, *[b""] * 4], strict=False) for part in pair]
    (tmp_path / EVENTS).write_bytes(b"\n".join(mixed))
    found = list(read_lines(tmp_path / EVENTS))
    assert [line for line in GOOD if line not in found] == []


@pytest.fixture(scope="module")
def finished(table_run: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("spoiled") / "run"
    shutil.copytree(table_run.path, place, ignore=shutil.ignore_patterns("checkpoints"))
    return place


FILES = ["config.json", "plan.json", "data.json", "findings.json", "result.json"]
FILES += [EVENTS, f"members/trees/{METRICS}", "model/model.json"]


@pytest.mark.parametrize("name", FILES)
@tries(8)
@given(content=st.one_of(st.binary(max_size=60), JSON.map(lambda j: json.dumps(j).encode())))
def test_any_file_of_a_run_may_be_garbled(name: str, content: bytes, finished: Path) -> None:
    look_at(finished, name, content)


@pytest.mark.parametrize("name", FILES)
@tries(12)
@given(
    share=st.floats(0, 1), piece=st.binary(min_size=1, max_size=3), value=JSON, spot=st.integers()
)
def test_any_file_of_a_run_may_be_torn_or_hold_other_values(
    name: str, share: float, piece: bytes, value: Any, spot: int, finished: Path
) -> None:
    whole = (finished / name).read_bytes()
    at = int(share * len(whole))
    look_at(finished, name, whole[:at])
    look_at(finished, name, whole[:at] + piece + whole[at + 1 :])
    if name.endswith(".json"):
        found = json.loads(whole)
        found[sorted(found)[spot % len(found)]] = value
        look_at(finished, name, json.dumps(found).encode())


def look_at(run: Path, name: str, content: bytes) -> None:
    """Put a file in place, look at the run in every way, and put back what was there."""
    path = run / name
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        result_or_refusal(lambda: explain(run))
        result_or_refusal(lambda: write(run, run.parent / "report.html"))
        result_or_refusal(lambda: runs_table(run.parent))
        result_or_refusal(lambda: RunFolder.open(run).metrics())
    finally:
        path.write_bytes(whole)
