"""One process a run folder; SIGTERM saves and stops; a second one waits for nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.schedules import Forks, outcome, zygote
from treadle import lock
from treadle.errors import RunError
from treadle.folder import RunFolder

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    place = tmp_path_factory.mktemp("own")
    with zygote("own", "eager", place, place) as started:
        yield started


HOLD = """
    import sys, time
    from treadle.folder import RunFolder

    with RunFolder(sys.argv[1]).lock():
        print("held", flush=True)
        time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Return a process that holds a folder's lock."""
    process = started(HOLD, folder)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def started(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def ended(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_SECONDS)


def test_the_second_process_is_refused_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = [0.0]
    monkeypatch.setattr(lock.time, "monotonic", lambda: waited[0])

    def sleep(seconds: float) -> None:
        waited[0] += seconds

    monkeypatch.setattr(lock.time, "sleep", sleep)
    process = holder(tmp_path)
    with pytest.raises(RunError, match=f"another process \\(number {process.pid}\\)"):
        RunFolder(tmp_path).lock().__enter__()
    assert 0 < waited[0] < 1
    ended(process, signal.SIGKILL)


def test_a_lock_that_a_killed_process_left_is_no_lock(tmp_path: Path) -> None:
    process = holder(tmp_path)
    ended(process, signal.SIGKILL)
    assert (tmp_path / "lock").read_text() == str(process.pid)
    with RunFolder(tmp_path).lock():
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_child_that_outlives_its_killed_parent_keeps_no_lock(tmp_path: Path) -> None:
    """As a DataLoader's worker does for some seconds."""
    program = """
        import os, sys, time
        from treadle.folder import RunFolder

        with RunFolder(sys.argv[1]).lock():
            if os.fork() == 0:
                time.sleep(600)
            print("held", flush=True)
            time.sleep(600)
    """
    process = started(program, tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    try:
        with RunFolder(tmp_path).lock():
            pass
    finally:
        os.kill(int(children[0]), signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [1, 7, 10])
def test_a_signal_saves_where_it_stands_and_goes_on_to_the_same_end(
    forks: Forks, tmp_path: Path, number: int, step: int
) -> None:
    out = tmp_path / "run"
    point = {"place": "watched", "at": step, "signal": number}
    assert forks.run(out, resume=False, save_every=60.0, point=point) == 130
    assert [place.name for place in RunFolder(out).checkpoints()] == [f"step-{step:09d}"]
    assert forks.run(out, resume=True, save_every=60.0) == 0
    assert outcome(out) == forks.expected


def test_a_signal_in_a_validation_waits_for_it_and_no_longer(forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "run"
    point = {"place": "validation", "at": 2, "signal": signal.SIGTERM}
    assert forks.run(out, resume=False, save_every=60.0, point=point) == 130
    assert [place.name for place in RunFolder(out).checkpoints()] == ["step-000000008"]
    assert forks.run(out, resume=True, save_every=60.0) == 0
    assert outcome(out) == forks.expected


# a disk that hangs, as a network's does: the save under way never ends
HANGING = """
    import os, sys, time, torch
    from treadle.cli import main as cli
    from treadle.loop import checkpoint

    def hang(*arguments):
        os.write(1, b"saving\\n")
        time.sleep(600)

    def fit(args, **options):
        import treadle
        module = torch.nn.Linear(2, 1)
        def slow(state): time.sleep(0.01)
        treadle.fit(module, torch.randn(64, 2), loss=lambda o, t: o.square().mean(),
                    validation=None, until="100000 steps", out=sys.argv[1], watchers=[slow],
                    engine="eager", save_every_seconds=0.05)

    checkpoint.commit = hang
    if sys.argv[2] == "cli":
        cli.app = fit
        sys.argv = ["treadle", sys.argv[1]]
        cli.main()
    else:
        fit(())
"""


@pytest.mark.parametrize(
    ("how", "number", "code"),
    [
        ("script", signal.SIGTERM, -signal.SIGTERM),
        ("cli", signal.SIGTERM, -signal.SIGTERM),
        ("cli", signal.SIGINT, 130),
    ],
)
def test_a_second_signal_waits_for_nothing_even_while_a_save_hangs(
    tmp_path: Path, how: str, number: int, code: int
) -> None:
    process = started(HANGING, tmp_path / "run", how)
    assert process.stdout is not None and process.stdout.readline() == "saving\n"
    process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None  # the first waits for the save: it is given its grace
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == code, err
    assert "Traceback" not in err
