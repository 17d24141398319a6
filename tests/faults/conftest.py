"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.storage import Range
from tests.faults.storage_zygote import zygote


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    """Where runs on a disk that fails them are turned."""
    place = tmp_path_factory.mktemp("trials")
    with zygote(place) as forks:
        yield Range(place, forks)
