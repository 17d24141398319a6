"""Predicting the rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from treadle.contracts import Json, Layout
from treadle.data.frames import to_frame
from treadle.data.scaling import NumberScaler
from treadle.data.tables import TableEncoder, TargetEncoder

ROWS_AT_ONCE = 8_192
Member: TypeAlias = Callable[[dict[str, NDArray[Any]]], NDArray[Any]]


class TablePredictor:
    """The model of a table: its encoders, its members and their weights in the blend."""

    def __init__(self, folder: Path, facts: Json) -> None:
        self.encoder = TableEncoder.model_validate(facts["encoder"])
        self.target = TargetEncoder.model_validate(facts["target"])
        self.blend: dict[str, float] = facts["blend"]
        self.columns_as_text = self.encoder.table.columns_as_text()
        self.columns_learned = self.encoder.feature_columns
        makers: dict[str, Callable[[Path, Json], Member]] = {"trees": _Trees, "neural": _Network}
        self.members = {name: makers[name](folder, facts["members"][name]) for name in self.blend}

    def predict(self, data: Any) -> pl.DataFrame:
        """Return the rows of `data` with `prediction`, and `probability_<class>` for classes."""
        frame = to_frame(data)
        encoded = self.encoder.encode_rows(frame)
        sound = encoded.problems.is_null().to_numpy()
        predicted = self._blended(encoded.arrays)
        return frame.with_columns(self._columns(predicted, sound, encoded.problems, frame.columns))

    def _blended(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        parts = [weight * self.members[name](arrays) for name, weight in self.blend.items()]
        total: NDArray[Any] = np.sum(parts, axis=0)
        return total

    def _columns(
        self,
        predicted: NDArray[Any],
        sound: NDArray[np.bool_],
        problems: pl.Series,
        taken: list[str],
    ) -> list[pl.Series]:
        kept = pl.Series(sound)
        if self.target.task == "number":
            answers = [pl.Series("prediction", predicted.astype(np.float64))]
        else:
            labels = self.target.decode(predicted.argmax(axis=1)).alias("prediction")
            answers = [labels] + [
                pl.Series(f"probability_{name}", predicted[:, i].astype(np.float64))
                for i, name in enumerate(self.target.classes)
            ]
        empty = [series.zip_with(kept, pl.Series([None], dtype=series.dtype)) for series in answers]
        if sound.all() and "problem" not in taken:
            return empty
        return [*empty, problems.alias("problem")]


class _Trees:
    def __init__(self, folder: Path, facts: Json) -> None:
        from treadle.models.trees import Trees

        self.trees = Trees(Layout.model_validate(facts["layout"]))
        self.trees.load_state_dict(load_file(folder / "trees.safetensors"))

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        return self.trees.predict({n: torch.from_numpy(a) for n, a in arrays.items()}).numpy()


class _Network:
    def __init__(self, folder: Path, facts: Json) -> None:
        from treadle.models.tabular import build
        from treadle.models.tabular_settings import TabularSettings

        scaler = load_file(folder / "scaler.safetensors")
        self.scaler = NumberScaler.from_arrays({name: t.numpy() for name, t in scaler.items()})
        self.network = build(
            Layout.model_validate(facts["layout"]),
            num_rows=facts["rows"],
            seed=0,
            settings=TabularSettings.model_validate(facts["settings"]),
        ).eval()
        self.network.load_state_dict(load_file(folder / "neural.safetensors"))

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        numbers = torch.from_numpy(self.scaler.transform(arrays["numbers"]))
        categories = torch.from_numpy(arrays["categories"])
        parts = []
        with torch.inference_mode():
            for start in range(0, max(1, len(numbers)), ROWS_AT_ONCE):
                rows = slice(start, start + ROWS_AT_ONCE)
                batch = {"numbers": numbers[rows], "categories": categories[rows]}
                parts.append(self.network.predict(self.network(batch)).float())
        found: NDArray[Any] = torch.cat(parts).numpy()
        return found
