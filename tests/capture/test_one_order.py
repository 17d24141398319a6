"""Sums over looked-up rows, which two threads would add up as they come."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import torch
from torch import _C, Tensor

from treadle.capture.one_order import SumsInOneOrder
from treadle.capture.package import compile_graph, key_of, load
from treadle.capture.trace import trace


def test_what_was_asked_of_torch_before_is_asked_again_afterwards() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    with contextlib.suppress(KeyError), SumsInOneOrder():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        raise KeyError
    assert torch.are_deterministic_algorithms_enabled() == before
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_a_user_who_asked_for_errors_gets_them_inside_as_well() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with SumsInOneOrder():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.use_deterministic_algorithms(False)


def test_on_a_gpu_nothing_is_asked() -> None:
    with SumsInOneOrder(torch.device("cuda")):
        assert not _C._get_deterministic_algorithms()


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_compiled_code_of_two_threads_adds_rows_up_in_one_order(tmp_path: Path) -> None:
    """Compiled as torch would, nearly every repetition differs in some last bits."""

    def gathered(tensors: list[Tensor]) -> list[Tensor]:
        rows, places = tensors
        summed = torch.zeros(40, 16).index_put((places,), rows, accumulate=True)
        return [summed, torch.zeros(40, 16).scatter_add(0, places[:, None].expand(-1, 16), rows)]

    generator = torch.Generator().manual_seed(0)
    given = [
        torch.randn(20_000, 16, generator=generator),
        torch.randint(40, (20_000,), generator=generator),
    ]
    graph = trace(gathered, given)
    path = compile_graph(graph, given, tmp_path / "cache", key_of(graph, given, 2), 2)
    run = load(path)
    with SumsInOneOrder():
        first = run(given)
        for _ in range(10):
            assert all(torch.equal(a, b) for a, b in zip(first, run(given), strict=True))
