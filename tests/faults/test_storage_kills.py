"""A save killed at any of its calls: the newest whole checkpoint is found, and the end is equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.interposer import EVERY_KIND, Fault
from tests.faults.storage import Range, killed, needs_compiler, sweep_kills
from tests.faults.tiny_run import Plan, checkpoints
from treadle.loop.checkpoint import finished, read

pytestmark = needs_compiler
SHORT = Plan(num_steps=4, every=2, keep=1)


def kills_at(trials: Range, plan: Plan, numbers: range, action: str) -> list[str]:
    found = (killed(trials, plan, [Fault(action=action, at=at)]) for at in numbers)
    ended = [(at, *one) for at, one in zip(numbers, found, strict=True)]
    return [f"call {at}: {problem}" for at, kills, problem in ended if problem or kills != 1]


@pytest.mark.parametrize("action", ["kill", "half then kill"])
def test_a_run_killed_at_a_call_of_a_save_ends_equal_to_the_bit(trials: Range, action: str) -> None:
    calls = trials.whole(SHORT)["calls"]
    assert calls > 100  # two saves, and a last one of the same step
    assert kills_at(trials, SHORT, range(3, calls + 1, 11), action) == []


@pytest.mark.parametrize("kinds", ["r", "ms"])
def test_a_run_killed_at_any_change_of_names_or_sync_ends_equal_to_the_bit(
    trials: Range, kinds: str
) -> None:
    calls = trials.turn(trials.new_root(), SHORT)[1]
    last = sum(call.kind in kinds for call in calls)
    assert last > 4
    faults = [Fault(action="kill", kinds=kinds, at=at) for at in range(1, last + 1)]
    assert [end for fault in faults if (end := killed(trials, SHORT, [fault])) != (1, "")] == []


@pytest.mark.slow
@pytest.mark.parametrize("action", ["kill", "half then kill"])
def test_a_run_killed_at_any_call_at_all_ends_equal_to_the_bit(trials: Range, action: str) -> None:
    plan = Plan(keep=1)
    calls = trials.whole(plan)["calls"]
    assert kills_at(trials, plan, range(1, calls + 1), action) == []


def test_killed_while_the_old_one_is_removed_and_one_is_kept_a_whole_one_is_there(
    trials: Range,
) -> None:
    root = trials.new_root()
    _, calls = trials.turn(root, SHORT)
    counted = [call for call in calls if call.kind in EVERY_KIND]
    pruning = [at for at, call in enumerate(counted, 1) if ".gone.tmp" in str(call)]
    assert len(pruning) >= 10  # it is moved out of sight, then removed file by file
    for at in pruning:
        root = trials.new_root()
        answer, _ = trials.turn(root, SHORT, Fault(action="kill", at=at))
        assert answer["ended"] == -9
        places = finished(checkpoints(root))
        assert [read(place)[1]["step"] for place in places][-1] in (2, 4)
        assert trials.turn(root, SHORT)[0]["digest"] == trials.whole(SHORT)["digest"]


def test_orphans_of_a_kill_are_passed_over_and_collected_at_the_next_start(trials: Range) -> None:
    root = trials.new_root()
    trials.turn(root, SHORT, Fault(action="kill", kinds="s", at=6))
    assert len(orphans(root)) == 1 and finished(checkpoints(root)) == []
    answer, _ = trials.turn(root, SHORT)
    assert answer["began"] == 0 and orphans(root) == []
    assert answer["digest"] == trials.whole(SHORT)["digest"]


def orphans(root: Path) -> list[str]:
    return [place.name for place in checkpoints(root).glob(".*")]


def test_runs_killed_again_and_again_end_equal_to_the_bit(tmp_path: Path) -> None:
    tally = sweep_kills(25, seed=4, place=tmp_path)
    assert tally.wrong == [] and tally.tried >= 25
