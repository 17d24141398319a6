"""An engineer's own data: what it is taken for, and that its order and its chance are ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from treadle.contracts import Cursor
from treadle.data.own import as_source, fingerprint, is_loader, num_rows_of, rows_of
from treadle.data.own_sources import DatasetSource, DictSource, LoaderSource, TupleSource, to_device
from treadle.errors import DataError

CPU = torch.device("cpu")
START = Cursor(0, 0)


class Squares(Dataset[tuple[Tensor, int]]):
    """Ten samples (row, row²), with noise from all three generators where asked."""

    def __init__(self, *, noisy: bool = False) -> None:
        self.noisy = noisy

    def __len__(self) -> int:
        return 10

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        noise = float(torch.rand(())) + float(np.random.rand()) + random.random()
        return torch.tensor([row + noise * self.noisy]), row * row


class Stream(IterableDataset[Tensor]):
    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.arange(7.0))


class Keeping:
    """Something like torchdata's StatefulDataLoader."""

    batch_size, dataset = 2, Squares()

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.arange(6).split(2))

    def state_dict(self) -> dict[str, int]:
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None: ...


def source_of(data: Any, **options: Any) -> Any:
    found, _ = as_source(data, **{"batch_size": 4, "seed": 1, "device": CPU} | options)
    return found


def first_batch(data: Any) -> Any:
    return next(source_of(data, shuffle=False).batches(START))[0]


x, y = torch.arange(20.0).reshape(10, 2), torch.arange(10)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ((x, y), TupleSource),
        ([x, y], TupleSource),
        ((x.numpy(), y.tolist()), TupleSource),
        ((pd.DataFrame(x.numpy()), pd.Series(y.numpy())), TupleSource),
        (x, TupleSource),
        (x.numpy(), TupleSource),
        (TensorDataset(x, y), TupleSource),
        ({"x": x, "target": y}, DictSource),
        (Squares(), DatasetSource),
        (Subset(Squares(), [1, 2]), DatasetSource),
        ([(x[0], 1), (x[1], 2)], DatasetSource),
        (DataLoader(Squares(), batch_size=4, shuffle=True), DatasetSource),
        (DataLoader(Squares(), batch_size=4), DatasetSource),
        (DataLoader(Squares(), sampler=WeightedRandomSampler([1.0] * 10, 10)), LoaderSource),
        (DataLoader(Squares(), sampler=RandomSampler(Squares(), num_samples=4)), LoaderSource),
        (DataLoader(Squares(), sampler=RandomSampler(Squares(), replacement=True)), LoaderSource),
        (DataLoader(Squares(), batch_sampler=[[0, 1], [2]]), LoaderSource),
        (DataLoader(Stream(), batch_size=2), LoaderSource),
        (Stream(), LoaderSource),
        (Keeping(), LoaderSource),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_data_is_taken_for_what_it_is(data: Any, kind: type) -> None:
    source = source_of(data)
    assert type(source) is kind
    assert is_loader(data) == (kind is LoaderSource or isinstance(data, DataLoader))


def test_batches_have_the_shape_that_was_given() -> None:
    assert [part.shape for part in first_batch((x, y))] == [(4, 2), (4,)]
    assert set(first_batch({"x": x, "target": y})) == {"x", "target"}
    assert set(first_batch({"x": x, "row": y})) == {"x", "row"}
    assert torch.equal(first_batch(x), x[:4])
    inputs, targets = first_batch(Squares())
    assert inputs.shape == (4, 1) and targets.tolist() == [0, 1, 4, 9]


def test_doubles_of_numpy_become_single_and_whole_numbers_stay() -> None:
    doubles, wholes = first_batch((np.zeros((5, 2)), np.arange(5)))
    assert (doubles.dtype, wholes.dtype) == (torch.float32, torch.int64)
    assert first_batch((torch.zeros(5).double(),))[0].dtype == torch.float64


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (7, "kind int"),
        ((x, y[:3]), "differ in their number of rows"),
        ((np.array(["a", "b"]), y[:2]), "holds no numbers"),
        (Subset(Squares(), []), "Dataset is empty"),
        ({}, "no tensors"),
    ],
    ids=["a number", "unequal", "text", "empty", "nothing"],
)
def test_what_cannot_be_data_is_refused_in_words(data: Any, found: str) -> None:
    with pytest.raises(DataError, match=found):
        source_of(data)


def test_a_loader_with_a_standard_sampler_gets_our_order_and_keeps_how_it_fetches() -> None:
    started: list[int] = []
    loader = DataLoader(
        Squares(), batch_size=3, shuffle=True, drop_last=True, worker_init_fn=started.append
    )
    source, said = as_source(loader, batch_size=99, seed=1, device=CPU)
    assert isinstance(source, DatasetSource)
    assert (source.batch_size, source.steps_per_epoch, source.shuffle) == (3, 3, True)
    assert source.loading["worker_init_fn"] == started.append
    assert "Treadle's own took its place" in said[0]
    ordered = source_of(DataLoader(Squares(), batch_size=3, sampler=SequentialSampler(Squares())))
    assert ordered.shuffle is False


def test_a_loader_with_a_sampler_of_its_own_is_said_to_be_not_exact() -> None:
    loader = DataLoader(Squares(), sampler=WeightedRandomSampler([1.0] * 10, 10))
    source, said = as_source(loader, batch_size=4, seed=1, device=CPU)
    assert said[0].startswith("not exact")
    assert getattr(source, "exact") is False  # noqa: B009


def test_a_loader_that_keeps_its_place_is_exact() -> None:
    source, said = as_source(Keeping(), batch_size=4, seed=1, device=CPU)
    assert getattr(source, "exact") is True  # noqa: B009
    assert "keeps its own place" in said[0]


def taken(source: Any, count: int, start: Cursor = START) -> list[tuple[list[float], Cursor]]:
    return [(b[0].flatten().tolist(), cursor) for b, cursor in islice(source.batches(start), count)]


@pytest.mark.parametrize("drop_last", [False, True])
def test_a_dataset_gives_each_sample_once_an_epoch_and_goes_on_from_any_cursor(
    drop_last: bool,
) -> None:
    source = DatasetSource(Squares(), batch_size=3, seed=5, drop_last=drop_last)
    steps = source.steps_per_epoch
    whole = taken(source, 3 * steps)
    for epoch in range(3):
        rows = [row for batch, _ in whole[epoch * steps : (epoch + 1) * steps] for row in batch]
        assert len(rows) == len(set(rows)) == (9 if drop_last else 10)
    for number in range(len(whole) - 1):
        cursor = whole[number][1]
        assert taken(source, len(whole) - number - 1, cursor) == whole[number + 1 :]
    assert whole[-1][1] == Cursor(3, 0)


def test_augmentation_is_the_same_however_many_workers_fetch() -> None:
    alone = taken(DatasetSource(Squares(noisy=True), batch_size=3, seed=5), 9)
    loading = {"num_workers": 2}
    helped = DatasetSource(Squares(noisy=True), batch_size=3, seed=5, loading=loading)
    assert taken(helped, 9) == alone


def test_augmentation_differs_from_epoch_to_epoch_and_seed_to_seed() -> None:
    source = DatasetSource(Squares(noisy=True), batch_size=10, seed=5, shuffle=False)
    (first, _), (second, _) = taken(source, 2)
    other = taken(DatasetSource(Squares(noisy=True), batch_size=10, seed=6, shuffle=False), 1)[0][0]
    assert first != second and first != other


def test_fetching_leaves_the_generators_of_the_training_process_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[union-attr]
    taken(DatasetSource(Squares(noisy=True), batch_size=3), 5)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    assert before[2] == random.getstate()


def test_a_dataset_that_fetches_whole_batches_is_asked_for_them() -> None:
    class Columns(Squares):
        def __getitems__(self, rows: list[int]) -> list[tuple[Tensor, int]]:
            asked.append(len(rows))
            return [self[row] for row in rows]

    asked: list[int] = []
    taken(DatasetSource(Columns(), batch_size=4), 3)
    assert asked == [4, 4, 2]


def test_a_stream_without_a_length_marks_the_end_of_its_epoch() -> None:
    source = source_of(Stream(), batch_size=3)
    cursors = [cursor for _, cursor in islice(source.batches(START), 4)]
    assert cursors == [Cursor(0, 3), Cursor(0, 6), Cursor(1, 0), Cursor(1, 3)]


def test_a_loader_without_rows_is_refused_in_words() -> None:
    class Empty(Keeping):
        def __iter__(self) -> Iterator[Tensor]:
            return iter(())

    with pytest.raises(DataError, match="no batch"):
        next(source_of(Empty()).batches(START))


@pytest.mark.parametrize(
    "data",
    [
        (x, y),
        {"x": x, "y": y},
        (x.numpy(), y.tolist()),
        (pd.DataFrame(x.numpy(), index=range(5, 15)), pd.Series(y.numpy(), index=range(5, 15))),
        (pl.DataFrame(x.numpy()), pl.Series(y.numpy())),
        TensorDataset(x, y),
    ],
    ids=["tensors", "dict", "arrays", "pandas", "polars", "TensorDataset"],
)
def test_rows_are_taken_by_number_from_any_kind(data: Any) -> None:
    assert num_rows_of(data) == 10
    part = rows_of(data, np.array([7, 2]))
    values = list(part.values()) if isinstance(part, dict) else part
    assert np.asarray(values[0]).tolist() == [[14, 15], [4, 5]]
    assert np.asarray(values[1]).tolist() == [7, 2]


def test_rows_of_a_dataset_are_a_dataset() -> None:
    part = rows_of(Squares(), np.array([3]))
    assert len(part) == 1 and part[0][1] == 9


def test_a_fingerprint_tells_tensors_apart_and_validation_too() -> None:
    base = fingerprint(source_of((x, y)))
    assert base == fingerprint(source_of((x.clone(), y)))
    assert base != fingerprint(source_of((x + 1e-6, y)))
    assert base != fingerprint(source_of((x, y.int())))
    assert base != fingerprint(source_of((x, y)), source_of((x, y)))
    assert base["rows"] == 10
    assert fingerprint(source_of((x.bfloat16(), y.bool())))["sha256"]


def test_tensors_move_in_any_nesting() -> None:
    batch = {"a": [torch.ones(1), "text"], "b": (torch.ones(1), {"c": torch.ones(1)})}
    moved = to_device(batch, torch.device("meta"))
    assert moved["a"][0].device == moved["b"][1]["c"].device == torch.device("meta")
    assert moved["a"][1] == "text"
