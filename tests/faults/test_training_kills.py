"""Killed anywhere in a step, an epoch or a save, a resumed training ends equal to the bit."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.schedules import Forks, outcome, sweep_schedules, zygote
from tests.faults.training_kinds import KINDS, engines_of

EACH_STEP, SELDOM = 1e-9, 60.0
Started = Callable[[str], Forks]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Return what starts the process that forks trainings of a kind, once each."""
    known: dict[str, Forks] = {}
    with ExitStack() as stack:

        def start(kind: str) -> Forks:
            if kind not in known:
                place = tmp_path_factory.mktemp(kind)
                known[kind] = stack.enter_context(zygote(kind, "eager", place, place))
            return known[kind]

        yield start


def ends_as_if_never_killed(
    forks: Forks, out: Path, kills: list[tuple[str, int]], save_every: float = EACH_STEP
) -> None:
    """Kill and resume at each place, turn to the end, and compare with the whole training."""
    for number, (place, at) in enumerate(kills):
        point = {"place": place, "at": at}
        code = forks.run(out, resume=number > 0, save_every=save_every, point=point)
        assert code == -signal.SIGKILL, forks.said.read_text()
    assert forks.run(out, resume=True, save_every=save_every) == 0, forks.said.read_text()
    got = outcome(out)
    assert got.keys() == forks.expected.keys()
    assert [name for name in got if got[name] != forks.expected[name]] == []


@pytest.mark.parametrize(
    "kills",
    [
        [("slice", 6)],
        [("slice", 6), ("slice", 11)],
        [("update", 4)],
        [("updated", 5)],
        [("watched", 6)],
        [("after", 6)],
        [("validation", 1)],
        [("before", 7), ("slice", 2), ("watched", 1)],
    ],
    ids=[
        "in an accumulation",
        "in two accumulations",
        "before an update",
        "behind an update",
        "at an epoch's end",
        "at an epoch's end, before the watchers",
        "in a validation",
        "three times in one epoch",
    ],
)
@pytest.mark.parametrize("save_every", [EACH_STEP, SELDOM], ids=["saved each step", "never saved"])
def test_killed_beside_a_thread_that_reads_ahead(
    started: Started, tmp_path: Path, kills: list[tuple[str, int]], save_every: float
) -> None:
    forks = started("files")
    ends_as_if_never_killed(forks, tmp_path / "run", kills, save_every)
    assert rows_of_epochs(tmp_path / "run") == rows_of_epochs(forks.place / "runs" / "whole")


def rows_of_epochs(out: Path) -> list[list[int]]:
    """Return the rows of each epoch in their order, each once; a later attempt's count."""
    kept: list[dict[str, Any]] = []
    for line in map(json.loads, out.with_suffix(".rows").read_text().splitlines()):
        if kept and line["process"] != kept[-1]["process"]:
            kept = [old for old in kept if old["step"] < line["step"]]
        kept.append(line)
    rows = [row for line in kept for row in line["rows"]]
    epochs = [rows[start : start + 96] for start in range(0, len(rows), 96)]
    assert all(sorted(epoch) == list(range(96)) for epoch in epochs) and len(epochs) == 4
    assert epochs[0] != epochs[1]
    return epochs


@pytest.mark.parametrize("place", ["update", "schedule", "validation", "watched"])
def test_killed_between_the_optimizer_and_its_schedule(
    started: Started, tmp_path: Path, place: str
) -> None:
    at = 2 if place == "validation" else 8
    ends_as_if_never_killed(started("scheduled"), tmp_path / "run", [(place, at)])


@pytest.mark.parametrize("place", ["sync", "renamed"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_killed_where_something_reaches_the_disk(
    started: Started, tmp_path: Path, place: str, at: int
) -> None:
    ends_as_if_never_killed(started("scheduled"), tmp_path / "run", [(place, at)])


@pytest.mark.parametrize("at", [1, 2])
def test_a_run_killed_before_it_had_its_config_can_be_begun_again(
    started: Started, tmp_path: Path, at: int
) -> None:
    forks, out = started("scheduled"), tmp_path / "run"
    first = {"place": "sync", "at": at}
    assert forks.run(out, resume=False, save_every=SELDOM, point=first) == -signal.SIGKILL
    assert not (out / "config.json").exists()
    assert forks.run(out, resume=False, save_every=SELDOM) == 0, forks.said.read_text()
    assert list(out.glob(".*.tmp")) == []
    assert outcome(out) == forks.expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_random_schedules_ends_right(kind: str) -> None:
    tally = sweep_schedules(kind, "eager", 4, 20_261_122)
    assert tally.wrong == []
    assert tally.tried == 4 and tally.kills >= 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "compiled" in engines_of(kind)])
def test_a_sample_of_random_schedules_of_compiled_steps_ends_right(kind: str) -> None:
    tally = sweep_schedules(kind, "compiled", 20, 20_261_122)
    assert tally.wrong == []
    assert tally.tried >= 20 and tally.kills >= 10
