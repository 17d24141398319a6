"""Random schedules of kill and resume against tiny trainings: hundreds a minute, all kinds.

    tally = sweep_schedules("own", "eager", count=500, seed=1)
    assert not tally.wrong, tally.wrong

Each schedule kills a training once to four times, at places drawn by Hypothesis, resumes it every
time, and compares where it ends with a training that was never killed: weights, moments, averages,
generators, cursor, what the watchers remember, the history and the curve, to the bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.faults.training_kinds import NUM_STEPS

ROOT = Path(__file__).parent.parent.parent
MODULE = "tests.faults.training_zygote"
STEPS = {"trees": 120}
PLACES = ("begin", "before", "update", "updated", "watched", "validation", "sync", "renamed")
Schedule = list[dict[str, Any]]


@dataclass
class Tally:
    """How many schedules were tried, how many kills that were, and which ended wrong (and how)."""

    tried: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def sweep_schedules(
    kind: str, engine: str, count: int, seed: int, *, home: Path | None = None
) -> Tally:
    """Try `count` random schedules of kill and resume on one kind and engine.

    home: where caches (of compiled code, of photo features) are kept; by default nowhere for long
    """
    # what is killed loses nothing that it has written: memory serves as well as a disk, and faster
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="treadle-faults-", dir=memory) as name,
        zygote(kind, engine, Path(name), home or Path(name)) as forks,
    ):
        return forks.sweep(count, seed)


def schedules(kind: str) -> st.SearchStrategy[Schedule]:
    """Return how schedules are drawn: one to four kills, each with its own cadence of saves."""
    steps = STEPS.get(kind, NUM_STEPS)

    def at(place: str) -> st.SearchStrategy[int]:
        most = {"begin": 1_000, "validation": steps // 6, "sync": 60, "renamed": 10}
        return st.integers(1, most.get(place, steps))

    point = st.sampled_from(PLACES).flatmap(
        lambda place: st.fixed_dictionaries(
            {
                "place": st.just(place),
                "at": at(place),
                "save_every": st.sampled_from([1e-9, 1e-9, 0.02, 60.0]),
            }
        )
    )
    return st.lists(point, min_size=1, max_size=4)


class Forks:
    """The process that forks, and the training that was never killed."""

    def __init__(self, process: subprocess.Popen[str], place: Path, kind: str) -> None:
        self.process, self.place, self.kind = process, place, kind
        self.said = place / "said"
        assert self._answer() == "ready", self.said.read_text()
        whole = place / "runs" / "whole"
        whole.parent.mkdir()
        code = self.run(whole, resume=False, save_every=0.02, measure=True)
        assert code == 0, self.said.read_text()
        self.expected = outcome(whole)

    def run(self, out: Path, *, resume: bool, save_every: float, **more: Any) -> int:
        """Train in a child; return an exit code, or minus a signal."""
        order = {"out": str(out), "resume": resume, "save_every": save_every, **more}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said.read_text()
        return json.loads(line)

    def sweep(self, count: int, number: int) -> Tally:
        tally, start = Tally(), time.monotonic()

        @seeded(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(schedules(self.kind))
        def attempt(schedule: Schedule) -> None:
            self._try(schedule, tally)

        attempt()
        tally.seconds = time.monotonic() - start
        return tally

    def _try(self, schedule: Schedule, tally: Tally) -> None:
        """Turn one schedule to its end, and note where it ended otherwise than it should."""
        out = self.place / "runs" / f"{tally.tried}"
        tally.tried += 1
        problem, code = "", 1
        for number, point in enumerate(schedule):
            code = self.run(out, resume=number > 0, save_every=point["save_every"], point=point)
            if code >= 0:
                break
            tally.kills += 1
        if code < 0:
            code = self.run(out, resume=True, save_every=0.02)
        if code != 0:
            problem = f"ended with {code}: {self.said.read_text()[-2000:]}"
        else:
            got = outcome(out)
            names = sorted(got.keys() | self.expected.keys())
            problem = ", ".join(n for n in names if got.get(n) != self.expected.get(n))
        if problem:
            tally.wrong.append(f"{self.kind}: {json.dumps(schedule)}: {problem}")
        else:
            shutil.rmtree(out)


@contextlib.contextmanager
def zygote(
    kind: str, engine: str, place: Path, home: Path, num_steps: int = NUM_STEPS
) -> Iterator[Forks]:
    """Start the process that forks, on a copy of the package: a run remembers its code."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "treadle", place / "package" / "treadle", ignore=ignored)
    paths = {"PYTHONPATH": f"{place / 'package'}{os.pathsep}{ROOT}", "HOME": str(home)}
    with (place / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, kind, engine, str(place), str(num_steps)],
            env=os.environ | paths | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            cwd=place,
        )
    with process:
        try:
            yield Forks(process, place, kind)
        finally:
            process.send_signal(signal.SIGKILL)


def outcome(out: Path) -> dict[str, str]:
    """Return all that must be equal to the bit, by name: hashes, and the curve."""
    from treadle.loop.checkpoint import finished

    places = finished(out / "checkpoints")
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in places[-1].glob("*.safetensors")
    }
    facts = json.loads((places[-1] / "state.json").read_text())
    del facts["seconds"]
    found["state.json"] = json.dumps(facts, sort_keys=True)
    found["curve"] = json.dumps(curve(out))
    found["end"] = out.with_suffix(".end").read_text()
    return found


def curve(out: Path) -> list[dict[str, Any]]:
    """Return the points of the curve but for what a clock says of them."""
    from treadle.folder import RunFolder

    return [
        {key: value for key, value in line.items() if key not in ("attempt", "clock")}
        for line in RunFolder(out).metrics()
    ]


def main() -> None:
    """Sweep one kind and engine: python -m tests.faults.schedules KIND ENGINE COUNT SEED."""
    kind, engine, count, number = sys.argv[1:5]
    tally = sweep_schedules(kind, engine, int(count), int(number))
    print(
        f"{kind} {engine}: {tally.tried} schedules, {tally.kills} kills, {len(tally.wrong)} wrong, "
        f"{tally.seconds:.0f} seconds"
    )
    for line in tally.wrong[:5]:
        print(line)


if __name__ == "__main__":
    main()
