"""What tests of the verbs share: one thread, and a process that forks trainings."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("forking", Path(__file__).parent / "forking.py")
    assert spec is not None and spec.loader is not None
    forking = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(forking)
    started = forking.Forks(tmp_path_factory.mktemp("package"))
    yield started
    started.close()
