"""What a run depends on has changed: refused by name, or gone on with and labelled when asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

import treadle
from tests import small
from treadle.api.resume import resume
from treadle.errors import DataError, RunError
from treadle.folder import RunFolder


class Stop(Exception):
    pass


def stop_at(step: int) -> Callable[[Any], None]:
    def stop(state: Any) -> None:
        if state.step == step:
            raise Stop

    return stop


def fit(out: Path, data: Any, **options: Any) -> treadle.Run:
    torch.manual_seed(0)
    return treadle.fit(
        nn.Linear(2, 1),
        data,
        loss="mean_squared_error",
        validation=None,
        batch_size=8,
        until="6 epochs",
        engine="eager",
        out=out,
        **{"save_every_seconds": 1e-9} | options,
    )


def tensors() -> tuple[Tensor, Tensor]:
    x_NF = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    return x_NF, x_NF.sum(1, keepdim=True)


def begun(out: Path, data: Any, **options: Any) -> None:
    with pytest.raises(Stop):
        fit(out, data, watchers=[stop_at(7)], **options)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("versions", "torch"), "versions torch: was 1.0, is"),
        (("versions", "polars"), "versions polars: was 1.0, is"),
        (("code",), "code: was 1.0, is"),
        (("threads",), "threads: was 1.0, is"),
        (("capability",), "capability: was 1.0, is"),
        (("python",), "python: was 1.0, is"),
        (("data", "sha256"), "the data has changed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_another_tuple_is_refused_by_name_or_labelled_when_asked(
    tmp_path: Path, path: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "run"
    begun(out, tensors())
    plan = json.loads((out / "plan.json").read_text())
    place = plan["machine"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = "1.0"
    (out / "plan.json").write_text(json.dumps(plan))
    before = (out / "events.jsonl").read_bytes()
    with pytest.raises(RunError, match="cannot be resumed to the bit") as raised:
        fit(out, tensors(), resume=True)
    assert said in raised.value.message and "not-exact" in raised.value.hint
    assert (out / "events.jsonl").read_bytes() == before
    run = fit(out, tensors(), resume=True, not_exact=True)
    assert any(f"not exact: {said}" in line["sentence"] for line in run.journal)


def test_changed_tensors_are_refused(tmp_path: Path) -> None:
    begun(tmp_path / "run", tensors())
    x_NF, y_N1 = tensors()
    x_NF[3, 1] += 1e-6
    with pytest.raises(RunError, match="the data has changed"):
        fit(tmp_path / "run", (x_NF, y_N1), resume=True)


def parquet(folder: Path, number: int, seed: int = 0) -> str:
    """Write a Parquet file; of another seed it has other values and the same size."""
    random = np.random.default_rng(seed + number)
    columns = {name: random.normal(size=64) for name in "aby"}
    path = folder / f"part-{number}.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=8, compression="uncompressed")
    return str(path)


def test_of_parquet_files_the_changed_one_is_named_at_a_resume(tmp_path: Path) -> None:
    files = [parquet(tmp_path, number) for number in range(3)]
    begun(tmp_path / "run", files, target=["y"])
    parquet(tmp_path, 1, seed=9)
    with pytest.raises(RunError) as raised:
        fit(tmp_path / "run", files, target=["y"], resume=True)
    assert f"the file {files[1]} has changed" in raised.value.message
    assert files[0] not in raised.value.message and files[2] not in raised.value.message


def test_of_parquet_files_the_one_that_changes_while_training_is_named(tmp_path: Path) -> None:
    from treadle.data.own_files import _RESERVE_BYTES

    files = [parquet(tmp_path, number) for number in range(2)]

    def change(state: Any) -> None:
        if state.step == 20:
            parquet(tmp_path, 1, seed=9)

    with pytest.raises(DataError, match=r"part-1\.parquet' was changed while it was being"):
        fit(
            tmp_path / "run",
            files,
            target=["y"],
            memory=_RESERVE_BYTES + 8 * 16 + 1_000,
            watchers=[change],
        )
    assert RunFolder(tmp_path / "run").checkpoints()


def test_of_tables_the_changed_file_is_named_at_a_resume(tmp_path: Path) -> None:
    for number in range(2):
        small.customers(rows=120, seed=number).write_csv(tmp_path / f"part-{number}.csv")
    files = [str(tmp_path / f"part-{number}.csv") for number in range(2)]
    out = tmp_path / "run"
    options = {"target": "left", "model": "trees", "threads": 1, "until": "3 epochs"}
    treadle.fit(files, out=out, **options)
    (out / "result.json").unlink()
    with Path(files[1]).open("a") as file:
        file.write(Path(files[0]).read_text().splitlines()[5] + "\n")
    with pytest.raises(RunError, match=r"the file part-1\.csv has changed") as raised:
        resume(out)
    assert "part-0" not in raised.value.message
