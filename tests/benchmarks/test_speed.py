"""The speed suite's own arithmetic: who takes turns when, what a ratio is, when a bar is met."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.speed import data, elsewhere, page, plot, rounds
from benchmarks.speed.contention import Moment, moment, taken_by_others
from benchmarks.speed.measure import judged, settled, share_of_others
from benchmarks.speed.process import AbsentError, Worker
from benchmarks.speed.works import Bar, Contender, Work, all_works, network_spec

ROOT = Path(__file__).parents[2]
BAR = Bar(ours="Treadle, compiled", peer="hand", limit=0.5, instead="Treadle, eager")
BUILT = {"rows": 600, "inputs": 4, "width": 8, "batch": 64, "threads": 1, "warm_steps": 12}


class Recorded:
    """A contender that takes the seconds it is told to, and notes when its turn came."""

    def __init__(self, name: str, seconds: float, log: list[str]) -> None:
        self.name, self.seconds, self.log = name, seconds, log

    def seconds_per_step(self, steps: int) -> float:
        self.log.append(self.name)
        return self.seconds


def test_everyone_trains_once_a_round_and_the_order_rotates() -> None:
    log: list[str] = []
    workers = {name: Recorded(name, 1.0, log) for name in "abc"}
    found = rounds.interleave(workers, 3, None, lambda *_: None)
    assert log == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_turn_has_as_many_steps_as_fill_it() -> None:
    asked: list[int] = []

    class Counting:
        def seconds_per_step(self, steps: int) -> float:
            asked.append(steps)
            return 0.01

    rounds.interleave({"a": Counting()}, 1, 0.8, lambda *_: None)
    assert asked == [1, 4, 16, 80]


def test_one_that_takes_very_long_goes_home_earlier() -> None:
    log: list[str] = []
    workers = {name: Recorded(name, 1.0, log) for name in "ab"}
    found = rounds.interleave(workers, 3, None, lambda *_: None, {"b": 1})
    assert len(found["a"]) == 3
    assert len(found["b"]) == 1
    assert rounds.ratio(found["a"], found["b"]) == (1.0, 1.0, 1.0)


def test_a_contender_that_breaks_drops_out_alone() -> None:
    class Breaking:
        def seconds_per_step(self, steps: int) -> float:
            raise RuntimeError("out of memory")

    lost: list[str] = []
    workers: dict[str, rounds.Timed] = {"a": Breaking(), "b": Recorded("b", 1.0, [])}
    found = rounds.interleave(workers, 2, 0.5, lambda name, why: lost.append(f"{name}: {why}"))
    assert lost == ["a: out of memory"]
    assert list(found) == ["b"]


def test_a_ratio_is_taken_within_each_round() -> None:
    assert rounds.ratio([1.0, 2.0, 6.0], [2.0, 4.0, 3.0]) == (0.5, 0.5, 2.0)


def test_a_bar_is_met_by_the_median_and_not_by_a_stand_in() -> None:
    compiled = {"Treadle, compiled": [1.0, 1.0], "hand": [2.0, 2.0]}
    assert judged(BAR, compiled, {})["met"] is True
    assert judged(BAR, compiled | {"hand": [1.9, 1.9]}, {})["met"] is False
    stand_in = judged(BAR, {"Treadle, eager": [1.0], "hand": [4.0]}, {"Treadle, compiled": "why"})
    assert stand_in["met"] is False
    assert "why" in stand_in["why"]


def test_a_bar_whose_peer_is_absent_is_not_measured() -> None:
    row = judged(BAR, {"Treadle, compiled": [1.0]}, {"hand": "not installed"})
    assert row["met"] is None
    assert row["why"] == "hand: not installed"


def test_a_bar_without_a_peer_is_in_microseconds() -> None:
    row = judged(Bar(ours="loop", peer=None, limit=3.0), {"loop": [2e-6]}, {})
    assert row["met"] is True
    assert row["ratio"][0] == pytest.approx(2.0)


def test_a_script_of_its_own_is_read_by_its_words() -> None:
    said = (
        "parquet turns at 0.812 × the rate in memory (pairs 0.790 to 0.850), in 1.20 × the budget"
    )
    rate, memory = (elsewhere.judged(one, said) for one in elsewhere.SCRIPTS["parquet"].readings)
    assert rate["ratio"] == [0.812, 0.79, 0.85]
    assert rate["met"] is True
    assert memory["met"] is False
    assert elsewhere.judged(elsewhere.SCRIPTS["parquet"].readings[0], "nothing")["met"] is None


def test_every_contender_of_every_work_exists() -> None:
    folder = ROOT / "benchmarks/speed/contenders"
    for work in all_works(None, quick=False):
        for contender in work.contenders:
            module, name = contender.place.split(":")
            assert f"def {name}(" in (folder / f"{module}.py").read_text()


def test_bars_name_contenders_of_their_work() -> None:
    for work in all_works(None, quick=False):
        names = {contender.name for contender in work.contenders}
        named = {name for bar in work.bars for name in (bar.ours, bar.peer, bar.instead) if name}
        assert named <= names, work.key


def test_peers_are_pinned() -> None:
    lines = (ROOT / "benchmarks/speed/peers.txt").read_text().splitlines()
    assert all(line.startswith("#") or line.count("==") == 1 for line in lines if line)


def test_data_and_first_weights_are_a_function_of_the_seed() -> None:
    spec = network_spec(**BUILT)
    first, again = data.regression(spec), data.regression(spec)
    assert all(map(np.array_equal, first, again))
    assert [weight.shape for weight, _ in data.layers(spec)] == [(4, 8), (8, 8), (8, 1)]


def test_what_others_take_is_added_up_over_turns_so_that_a_short_one_cannot_mislead() -> None:
    assert taken_by_others(None, None) is None
    taken = taken_by_others(Moment(0.0, 10.0, 1.0), Moment(1.0, 10.5, 1.5))
    assert taken is not None and taken[0] == 0.0
    one_tick_in_a_short_probe = (0.01, 0.005)
    rows = {"a": {"taken_by_others": [one_tick_in_a_short_probe, (0.0, 1.995)]}}
    assert share_of_others(rows) == pytest.approx(0.005)


def test_this_process_has_a_moment_where_the_system_tells() -> None:
    found = moment(os.getpid())
    assert found is None or found.everyone >= found.one


def test_a_bar_measured_beside_much_other_work_is_not_settled() -> None:
    row = judged(BAR, {"Treadle, compiled": [1.0], "hand": [4.0]}, {})
    assert settled(row, 0.01)["met"] is True
    assert settled(row, 0.2)["met"] is None


@pytest.fixture
def worker() -> Any:
    found = Worker("torch_small:loop", network_spec(**BUILT), Path(sys.executable))
    yield found
    found.kill()


def test_a_worker_warms_up_trains_what_it_is_asked_and_says_what_came_of_it(worker: Worker) -> None:
    assert worker.after_warm_up["loss"] > 0
    assert worker.seconds_per_step(5) > 0
    assert worker.finish()["loss"] < worker.after_warm_up["loss"] * 1.5


def test_treadle_and_the_loop_by_hand_come_to_the_same_weights(worker: Worker) -> None:
    spec = network_spec(**BUILT) | {"engine": "eager"}
    treadle = Worker("treadle_small:small", spec, Path(sys.executable))
    treadle.kill()
    assert treadle.after_warm_up["weights"] == worker.after_warm_up["weights"]


def test_a_contender_that_cannot_be_built_says_why() -> None:
    with pytest.raises(AbsentError, match="no_such_contender"):
        Worker("torch_small:no_such_contender", network_spec(**BUILT), Path(sys.executable))
    with pytest.raises(AbsentError, match="environment is not there"):
        Worker("torch_small:loop", network_spec(**BUILT), ROOT / "nowhere/python")


def results() -> dict[str, Any]:
    row = {
        "seconds": [1e-3, 2e-3],
        "warm_seconds": 1.0,
        "taken_by_others": [(1.0, 2.0)],
        "after_warm_up": {"loss": 0.1},
        "facts": {"peak_mib": 300},
    }
    bars = [judged(BAR, {"Treadle, eager": [1.0], "hand": [4.0]}, {"Treadle, compiled": "why"})]
    work = Work(
        key="a", group="a", title="A: b", spec={}, contenders=(Contender(name="x", place="y:z"),)
    )
    measured = {
        "title": work.title,
        "group": "a",
        "unit": "step",
        "note": "",
        "rows": {"Treadle, eager": row, "hand": row},
        "absent": {"Keras": "not installed"},
        "bars": bars,
        "disturbed": 0.5,
    }
    machine = {
        "date": "2026-01-01",
        "processor": "P",
        "vector_units": [],
        "cores": 2,
        "threads": 2,
        "memory_gib": 8,
        "system": "S",
        "python": "3",
        "commit": "c",
        "load_before": 0.0,
        "own": {},
        "peers": {},
        "accelerator": None,
    }
    growth = {f"growth-rows-{n}": measured | {"group": "growth"} for n in (10_000, 100_000)}
    return {"machine": machine, "works": {"a": measured} | growth, "skipped": {"Parquet": "gone"}}


def test_the_page_says_what_is_not_met_who_is_absent_and_who_disturbed() -> None:
    text = page.page(results(), [])
    assert "**not met** (Treadle, compiled: why)" in text
    assert "| Keras | — absent: not installed |" in text
    assert "Other processes took 50%" in text
    assert "- Parquet: gone" in text
    assert "| 10,000 |" in text


def test_drawings_are_whole_and_name_everyone() -> None:
    works = results()["works"]
    for drawn in (plot.bars("A", works["a"]["rows"], "step"), plot.growth(works)):
        ElementTree.fromstring(drawn)
        assert "Treadle, eager" in drawn
