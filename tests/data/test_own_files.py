"""Files within a budget of memory: how many row groups at once, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from tests.data.parquet import numbered, write
from treadle.contracts import Cursor
from treadle.data import own_files
from treadle.data.columns import infer_schema
from treadle.data.encoders import TableEncoder
from treadle.data.own import as_source, fingerprint
from treadle.data.own_files import FileOptions, Part, groups_within, sources_of_files
from treadle.data.parquet_columns import plan_columns
from treadle.data.parquet_files import open_parquet
from treadle.data.row_groups import RowGroupSource
from treadle.errors import DataError, OptionError

CPU = torch.device("cpu")
RESERVE = 1_000


@pytest.fixture(autouse=True)
def _small_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let budgets of a few thousand bytes be enough for tables of a few rows."""
    monkeypatch.setattr(own_files, "_RESERVE_BYTES", RESERVE)


def made(data: Any, validation: Any = None, **options: Any) -> Any:
    files = FileOptions(**{"target": "y"} | options)
    return sources_of_files(data, validation, files, batch_size=8, seed=1, device=CPU)


def part_of(path: Path) -> Part:
    table = open_parquet(path)
    return Part(table=table, plan=plan_columns(table, target="y"))


ROW = 9  # two float32 and an int8
ORDERED = ROW + 8  # and the row's place in the order
BLOCKS = 2 * ROW + 8  # a row that is trained on, with its place, and one that is read ahead
FIXED = RESERVE + 10 * 16  # and a column of a row group of 10


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (FIXED + 10 * BLOCKS, 1),
        (FIXED + 20 * BLOCKS - 1, 1),
        (FIXED + 20 * BLOCKS, 2),
        (FIXED + 100 * ORDERED - 1, 6),
        (FIXED + 100 * ORDERED, 10),
        (10**12, 10),
    ],
)
def test_a_budget_holds_two_blocks_or_everything(
    tmp_path: Path, budget: int, expected: int
) -> None:
    part = part_of(numbered(tmp_path / "a.parquet", 100))
    assert groups_within(budget, part, None) == (expected, 0)


def test_validation_files_take_their_part_of_the_budget(tmp_path: Path) -> None:
    train = part_of(numbered(tmp_path / "a.parquet", 100))
    held_out = part_of(numbered(tmp_path / "b.parquet", 50))
    assert groups_within(FIXED + 30 * BLOCKS, train, None) == (3, 0)
    assert groups_within(FIXED + 30 * BLOCKS + 20 * ROW, train, held_out) == (3, 1)
    assert groups_within(FIXED + 100 * ORDERED + 20 * ROW, train, held_out) == (10, 1)
    assert groups_within(FIXED + 150 * ORDERED, train, held_out) == (10, 5)


@pytest.mark.parametrize("validates", [False, True])
def test_too_little_memory_is_refused_with_what_would_do(tmp_path: Path, validates: bool) -> None:
    path = numbered(tmp_path / "a.parquet", 500_000, group_rows=100_000)
    part = part_of(path)
    held_out = part if validates else None
    with pytest.raises(OptionError, match="largest row group has 100,000 rows") as raised:
        groups_within(2_000_000, part, held_out)
    (would_do,) = re.findall(r'memory="(\d+) MB"', raised.value.hint)
    assert groups_within(int(would_do) * 1_000_000, part, held_out)[0] == 1


def test_data_that_fits_is_read_once_and_said_so(tmp_path: Path) -> None:
    source, held_out, said = made(numbered(tmp_path / "a.parquet"), memory="1 MB")
    assert source.is_kept_whole and held_out is None
    assert said == ["the data fits into the 1 MB it may take, so it is read once and kept."]


def test_larger_data_is_read_in_pieces_and_said_so(tmp_path: Path) -> None:
    source, held_out, said = made(
        numbered(tmp_path / "a.parquet", 200), "auto", memory=FIXED + 30 * BLOCKS
    )
    assert isinstance(source, RowGroupSource) and not source.is_kept_whole
    assert source.num_rows + held_out.num_rows == 200
    assert f"{held_out.num_rows} of 200 rows" in said[0]
    assert f"20 row groups in a new order, {source.groups_at_once} at a time" in said[1]
    trained = {
        int(x[0])
        for (b, _), _ in zip(
            source.batches(Cursor(0, 0)), range(source.steps_per_epoch), strict=False
        )
        for x in b[0]
    }
    validated = {int(x[0]) for b in held_out.once() for x in b[0]}
    assert trained | validated == set(range(200)) and not trained & validated


def test_validation_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    data = numbered(tmp_path / "a.parquet")
    other = write(tmp_path / "b.parquet", {"a": [1.0], "c": [2.0], "y": [1]})
    with pytest.raises(DataError, match="lack 'b', have 'c' besides"):
        made(data, other)
    turned = write(tmp_path / "c.parquet", {"b": [1.0], "a": [2.0], "y": [1]})
    with pytest.raises(DataError, match="another order"):
        made(data, turned)
    assert made(data, turned, columns=["a", "b"])[1].num_rows == 1


def test_an_encoder_stands_alone_and_memory_is_an_amount() -> None:
    with pytest.raises(OptionError, match="encode was given, and target"):
        FileOptions(target="y", encode=lambda frame: {})
    with pytest.raises(OptionError, match="memory is 'much'"):
        FileOptions(memory="much")


def test_the_fitted_encoder_of_a_table_can_be_used(tmp_path: Path) -> None:
    cities = ["Rome", "Oslo", None, "Bern", "Rome"] * 8
    columns = {"city": cities, "size": np.random.default_rng(0).random(40), "y": [0, 1] * 20}
    path = write(tmp_path / "a.parquet", columns)
    frame = pl.read_parquet(path)
    encoder = TableEncoder.fit(frame, infer_schema(frame, "y"))

    def encode(rows: pl.DataFrame) -> dict[str, Any]:
        return encoder.encode(rows) | {"target": rows["y"].cast(pl.Float32).to_numpy()}

    source, _, _ = made(path, target=None, encode=encode, memory=FIXED + 3_000)
    batch, _ = next(source.batches(Cursor(0, 0)))
    whole = encode(frame)
    same = batch["numbers"] == torch.from_numpy(np.asarray(whole["numbers"])).T  # [B, 40]
    rows = same.int().argmax(1)
    assert same.any(1).all()
    for name in ("numbers", "categories", "target"):
        assert torch.equal(batch[name], torch.from_numpy(np.asarray(whole[name]))[rows])


def test_a_path_alone_is_a_source_of_all_its_columns(tmp_path: Path) -> None:
    source, said = as_source(
        str(numbered(tmp_path / "a.parquet")), batch_size=8, seed=1, device=CPU
    )
    assert said == []
    assert torch.cat(list(source.once())).shape == (47, 3)


def test_a_fingerprint_tells_data_columns_and_order_apart(tmp_path: Path) -> None:
    path = numbered(tmp_path / "a.parquet", 100)
    small = FIXED + 20 * BLOCKS
    base = fingerprint(made(path, memory=small)[0])
    assert base == fingerprint(made(path, memory=small + 1)[0])
    others = [
        made(path, memory=10**9),
        made(path, memory=small, columns=["a"]),
        made(path, "auto", memory=small + 20 * BLOCKS),
        made(numbered(tmp_path / "b.parquet", 100, first=1), memory=small),
    ]
    prints = [base["sha256"]] + [fingerprint(source, held)["sha256"] for source, held, _ in others]
    assert len(set(prints)) == 5
