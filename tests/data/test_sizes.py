"""Amounts of memory: as people write them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.sizes import parse_bytes, spell_bytes
from treadle.errors import OptionError


@pytest.mark.parametrize(
    ("written", "num_bytes"),
    [
        ("2 GB", 2_000_000_000),
        ("2gb", 2_000_000_000),
        ("512 MiB", 512 * 1024**2),
        ("1.5 k", 1500),
        ("800", 800),
        (" 7 b ", 7),
        (1 << 30, 1 << 30),
        ("1 TB", 10**12),
    ],
)
def test_sizes_are_read(written: str | int, num_bytes: int) -> None:
    assert parse_bytes(written) == num_bytes


@pytest.mark.parametrize("written", ["", "much", "2 XB", "-1 GB", "0", "0.1", 0, -5, "2 GB 3"])
def test_what_is_no_size_is_refused(written: str | int) -> None:
    with pytest.raises(OptionError, match="memory is"):
        parse_bytes(written)


@given(st.integers(1, 10**14))
def test_a_spelled_size_is_nearly_the_same_size(num_bytes: int) -> None:
    assert parse_bytes(spell_bytes(num_bytes).replace("bytes", "b")) == pytest.approx(
        num_bytes, rel=0.01
    )
