"""The examples run, reach their floor, and stay below the ceiling that would smell of a leak."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
MOST_LINES = 80
SHOWN = ("table", "photos", "events", "own_module")


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_is_one_page(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs_between_its_floor_and_its_ceiling(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []  # an example cleans up after itself
