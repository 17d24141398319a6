"""Code that is really compiled: it computes what torch computes, and lies where it should."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._inductor.runtime.cache_dir_utils import default_cache_dir as torch_place

from treadle.capture import package
from treadle.capture.package import compile_graph, find, key_of, load, tidy
from treadle.capture.trace import trace


def test_the_cache_keeps_what_was_used_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MOST_KEPT", 2)
    for age, name in enumerate(("new", "used", "old")):
        (tmp_path / f"{name}.so").touch()
        os.utime(tmp_path / f"{name}.so", (1e9 - age, 1e9 - age))
    (tmp_path / "work-killed").mkdir()
    os.utime(tmp_path / "work-killed", (1e9, 1e9))
    (tmp_path / "work-running").mkdir()
    tmp_path.chmod(0o700)
    assert find("old", tmp_path) is not None
    tidy(tmp_path)
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == ["new.so", "old.so", "work-running"]


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_integers_wrap_around_as_torchs_do_and_loops_end_where_they_should(tmp_path: Path) -> None:
    """Without -fwrapv, g++ makes a loop of this that never ends: it takes memory apart."""

    def hashed(tensors: list[Tensor]) -> list[Tensor]:
        mixed = (torch.arange(51) + 1) * -7046029254386353131 + tensors[0][:, None]
        return [(mixed ^ (mixed >> 30)) * -4658895280553007687]

    rows = [torch.arange(64)]
    graph = trace(hashed, rows)
    key = key_of(graph, rows, 1)
    cache = tmp_path / "cache"
    kept_for_ever = Path(torch_place()) / "precompiled_headers"  # 140 MB for each graph
    before = sorted(kept_for_ever.glob("*"))
    path = compile_graph(graph, rows, cache, key, 1)
    assert sorted(kept_for_ever.glob("*")) == before
    assert find(key, cache) == path
    assert [entry.name for entry in cache.iterdir()] == [path.name], "nothing else is left behind"
    (found,) = load(path)(rows)
    assert torch.equal(found, hashed(rows)[0])
