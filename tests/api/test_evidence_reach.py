"""Rows that reach far beyond the others, in data that is at hand."""

from __future__ import annotations

import pytest
import torch

from treadle.api.evidence_reach import wild_rows


def table(count: int = 2_000) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rows", [1, 6])
def test_a_few_wild_rows_are_counted(rows: int) -> None:
    x_NF = table()
    x_NF[7 : 7 + rows] *= 1e4
    count, times = wild_rows({"x": x_NF, "y": torch.zeros(2_000, dtype=torch.long)})
    assert count == rows and 1e3 < times < 1e5


def test_a_wild_number_in_a_column_of_small_ones_is_seen_beside_large_ones() -> None:
    x_NF = table() * torch.tensor([1e-6, 1.0, 1e6, 1.0])
    x_NF[50, 0] = 1.0
    assert wild_rows({"x": x_NF})[0] == 1


@pytest.mark.parametrize("kind", ["normal", "sparse", "heavy", "constant", "empty", "photos"])
def test_sound_numbers_are_not_wild(kind: str) -> None:
    draw = torch.Generator().manual_seed(1)
    sound = {
        "normal": table(),
        "sparse": (table() > 2.5).float() * 7.0,
        "heavy": torch.distributions.StudentT(3.0).sample((2_000, 4)),
        "constant": torch.ones(2_000, 1),
        "empty": torch.zeros(2_000, 3),
        "photos": torch.rand(300, 1, 12, 12, generator=draw),
    }
    assert wild_rows({"x": sound[kind]}) == (0, 0.0)


def test_what_is_no_number_is_as_wild_as_can_be() -> None:
    x_NF = table()
    x_NF[3, 1] = float("inf")
    count, times = wild_rows({"x": x_NF})
    assert count == 1 and times > 1e20
