"""A child process that captures: its answer, its end, and the end of its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from treadle.capture import background
from treadle.capture.background import Background, Captured, Order, Refused, can_fork
from treadle.capture.package import key_of, private
from treadle.capture.trace import CannotCapture, is_random, trace

pytestmark = pytest.mark.skipif(not can_fork(), reason="children are forked on Linux alone")


def order(function: Callable[[list[Tensor]], list[Tensor]], cache: Path, **more: Any) -> Order:
    tensors = [torch.ones(3)]
    return Order(function=function, tensors=tensors, cache=cache, threads=1, notes={}, **more)


def doubled(tensors: list[Tensor]) -> list[Tensor]:
    return [tensors[0] * 2]


def test_without_leave_to_compile_the_child_only_looks(tmp_path: Path) -> None:
    answer = Background(order(doubled, tmp_path, worth_seconds=0.0)).wait(120)
    assert isinstance(answer, Refused)
    assert "too many for what is ahead" in answer.reason


def test_a_child_that_breaks_leaves_a_reason_and_nothing_else(tmp_path: Path) -> None:
    def breaks(tensors: list[Tensor]) -> list[Tensor]:
        raise RuntimeError("no such layer")

    answer = Background(order(breaks, tmp_path)).wait(120)
    assert isinstance(answer, Refused)
    assert "no such layer" in answer.reason


def test_a_child_that_is_killed_is_noticed(tmp_path: Path) -> None:
    child = Background(order(lambda _: time.sleep(60) or [], tmp_path))  # type: ignore[func-returns-value]
    assert child.poll() is None
    os.kill(child._child, signal.SIGKILL)
    answer = child.wait(30)
    assert isinstance(answer, Refused)
    assert "without a word" in answer.reason


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    child = Background(order(lambda _: time.sleep(60) or [], tmp_path))  # type: ignore[func-returns-value]
    answer = child.wait(0.2)
    assert isinstance(answer, Refused)
    assert "longer than" in answer.reason
    assert child._child == 0


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, time, torch\n"
        "from treadle.capture.background import Background, Order\n"
        f"cache = pathlib.Path({str(tmp_path / 'cache')!r})\n"
        "order = Order(function=lambda _: time.sleep(600), tensors=[torch.ones(3)], cache=cache,\n"
        "              threads=1, notes={})\n"
        "print(Background(order)._child, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    child = int(done.stdout)
    for _ in range(100):
        if not _lives(child):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def _lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().split(")")[-1].split()[0]
    except FileNotFoundError:
        return False


def test_what_is_captured_says_whether_it_draws(tmp_path: Path) -> None:
    drawing = trace(lambda t: [torch.rand_like(t[0])], [torch.ones(3)])
    assert is_random(drawing)
    assert not is_random(trace(doubled, [torch.ones(3)]))


def test_the_key_follows_everything_the_code_depends_on() -> None:
    one = [torch.ones(3)]
    keys = {
        key_of(trace(doubled, one), one, 1),
        key_of(trace(doubled, one), one, 2),
        key_of(trace(lambda t: [t[0] * 3], one), one, 1),
        key_of(trace(lambda t: [t[0] * torch.tensor(2.0)], one), one, 1),
        key_of(trace(lambda t: [t[0] * torch.tensor(2.5)], one), one, 1),
        key_of(trace(doubled, [torch.ones(4)]), [torch.ones(4)], 1),
    }
    assert len(keys) == 6
    assert key_of(trace(doubled, one), one, 1) in keys


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = private(tmp_path / "inner" / "cache")
    assert folder.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCapture, match="cannot be used"):
        private(tmp_path / "file")


def test_code_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    from treadle.capture.package import load

    folder = private(tmp_path / "cache")
    (folder / "torn.so").write_bytes(b"\x7fELF torn")
    with pytest.raises(CannotCapture, match="cannot be loaded"):
        load(folder / "torn.so")


def test_a_capture_in_this_process_gives_the_same_answer(tmp_path: Path) -> None:
    answer = background.capture(order(doubled, tmp_path, worth_seconds=0.0))
    assert isinstance(answer, Refused)
    assert not isinstance(answer, Captured)
