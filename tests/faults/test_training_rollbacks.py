"""Trainings of each kind that are led astray: skipped, rolled back by decision, resumed alike."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.schedules import Forks, outcome, zygote
from treadle.folder import RunFolder
from treadle.loop.checkpoint import finished, read

NUM_STEPS, EACH_STEP = 240, 1e-9
SKIPPED, SPOILT, SPIKE = 10, (21, 40), (145, 180)
HARM: dict[str, Any] = {
    "steps": NUM_STEPS,
    "spoilt": [[SKIPPED, SKIPPED, "nan"], [*SPOILT, "inf"]],
    "faster": [[*SPIKE, 1_000]],
}
KINDS = ("neural", "photos", "events")
KILLED_AT = (10, 30, 40, 41, 144, 160, 180)
"""Steps behind which a run is killed: beside all that happens to it."""


@pytest.fixture(scope="module", params=KINDS)
def astray(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    yield from led_astray(request.param, "eager", tmp_path_factory.mktemp(request.param))


def led_astray(kind: str, engine: str, place: Path) -> Iterator[Forks]:
    """Yield what forks trainings of a kind; what is expected is one that no kill happened to."""
    with zygote(kind, engine, place, place, NUM_STEPS) as forks:
        assert turned(forks, place / "whole", resume=False) == 0, forks.said.read_text()
        forks.expected = outcome(place / "whole")
        yield forks


def turned(forks: Forks, out: Path, *, resume: bool, **more: Any) -> int:
    return forks.run(out, resume=resume, save_every=EACH_STEP, harm=HARM, **more)


def said(out: Path, topic: str) -> list[tuple[Any, ...]]:
    """Return what the journal says of a topic, each once, however often it was turned."""
    lines = [line for line in RunFolder(out).events() if line["topic"] == topic]
    return sorted({(line["step"], line["sentence"]) for line in lines})


def assert_every_number_is_finite(out: Path) -> None:
    """Weights, moments, running statistics, averages, sums: of every checkpoint that is there."""
    places = finished(out / "checkpoints")
    tensors = {
        f"{place.name} {file} {name}": tensor
        for place in places
        for file, group in read(place)[0].items()
        for name, tensor in group.items()
        if tensor.is_floating_point()
    }
    assert len(tensors) > 10
    assert [name for name, tensor in tensors.items() if not tensor.isfinite().all()] == []


def assert_skipped_and_rolled_back(out: Path) -> None:
    first, second = said(out, "rollback")
    assert first[0] == SPOILT[1] and "not a finite number" in first[1]
    assert second[0] == SPIKE[1] and "the loss stays at" in second[1]
    files, facts = read(finished(out / "checkpoints")[-1])
    assert facts["scale"] == pytest.approx(0.3 * 0.3)
    assert int(files["totals"]["non_finite"]) == 1 + 1 + SPOILT[1] - SPOILT[0]
    assert_every_number_is_finite(out)


def assert_killed_and_resumed_ends_alike(forks: Forks, out: Path) -> None:
    """Kill behind each of the steps in turn, in one run, and look at what it leaves each time."""
    before = 0
    for number, step in enumerate(KILLED_AT):
        # a step that no checkpoint was made of is turned again: kills come at the step or later
        point = {"place": "after", "at": step - before}
        assert turned(forks, out, resume=number > 0, point=point) == -signal.SIGKILL
        if places := finished(out / "checkpoints"):  # on a slow disk the first kill may leave none
            assert_every_number_is_finite(out)
            before = read(places[-1])[1]["step"]
        assert before <= step
    assert before > KILLED_AT[0]
    assert turned(forks, out, resume=True) == 0, forks.said.read_text()
    got = outcome(out)
    assert [name for name in forks.expected if got[name] != forks.expected[name]] == []
    whole = forks.place / "whole"
    assert said(out, "rollback") == said(whole, "rollback")
    assert said(out, "spike") == said(whole, "spike")


def test_a_training_led_astray_is_rolled_back_by_decision_and_keeps_only_finite_numbers(
    astray: Forks,
) -> None:
    assert_skipped_and_rolled_back(astray.place / "whole")


def test_killed_beside_all_that_is_decided_the_same_is_decided_and_the_end_is_the_same(
    astray: Forks, tmp_path: Path
) -> None:
    assert_killed_and_resumed_ends_alike(astray, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_of_compiled_steps(kind: str, tmp_path: Path) -> None:
    for forks in led_astray(kind, "compiled", tmp_path):
        assert_skipped_and_rolled_back(tmp_path / "whole")
        assert_killed_and_resumed_ends_alike(forks, tmp_path / "run")
