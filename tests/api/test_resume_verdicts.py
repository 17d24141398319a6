"""The resume law for what is noticed: a fit that was killed says what one that was not says."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from treadle.folder import RunFolder

Forks = Any


def verdicts(out: Path) -> list[tuple[int, str, Any]]:
    """Return what was said at which step; of a step that was turned twice, what was said last."""
    lines = [line for line in RunFolder(out).events() if line["topic"] == "verdict"]
    said = {(line["step"], line["saw"]["name"], "with_the_answer" in line["saw"]): line["saw"]
            for line in lines}  # fmt: skip
    return [(step, name, saw) for (step, name, _), saw in sorted(said.items(), key=str)]


@pytest.mark.parametrize(
    ("trouble", "name", "kills"),
    [("heart", "overfitting", (7, 35)), ("wild", "spike", (9, 20))],
)
def test_a_killed_fit_says_the_same_verdicts_at_the_same_steps(
    trouble: str, name: str, kills: tuple[int, ...], forks: Forks, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain", tmp_path / "killed"
    assert forks.run("troubled", out=plain, trouble=trouble) == 0
    for number, step in enumerate(kills):
        given = {"trouble": trouble, "resume": number > 0, "kill_at": step}
        assert forks.run("troubled", out=out, **given) == -signal.SIGKILL
    assert forks.run("troubled", out=out, trouble=trouble, resume=True) == 0
    assert verdicts(out) == verdicts(plain)
    result, expected = RunFolder(out).result, RunFolder(plain).result
    assert result is not None and expected is not None
    assert result["verdicts"] == expected["verdicts"]
    steps = [step for step, said, _ in verdicts(plain) if said == name]
    assert kills[0] < max(steps)
    assert min(steps) < kills[-1] < result["stopped"]["step"]  # said on the way, before a kill
