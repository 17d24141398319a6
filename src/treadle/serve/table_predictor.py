"""Predicting the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, RootModel

from treadle.capture.inference import Inference
from treadle.contracts import Json, Layout
from treadle.data.frames import to_frame
from treadle.data.scaling import NumberScaler
from treadle.data.tables import TableEncoder, TargetEncoder
from treadle.serve.answering import Answering
from treadle.serve.background import read_background
from treadle.serve.reasons import Reasons, check_count
from treadle.serve.shapley import AtOnce, mixtures_of
from treadle.serve.unchanged import as_written
from treadle.tensors import read_tensors

LOOK_FROM_ROWS = 262_144
COMPILE_FROM_ROWS = 4_000_000
"""From how many rows on captured code is looked for in the cache (which takes about two seconds),
and a compiler waited for. Rules of the number of rows: a clock would move predictions' last bits.
"""

Arrays: TypeAlias = dict[str, NDArray[Any]]
Member: TypeAlias = Callable[[Arrays], NDArray[Any]]


class TablePredictor:
    """The model of a table: its encoders, its members and their weights in the blend."""

    def __init__(self, folder: Path, facts: Json) -> None:
        self.folder = folder
        self.encoder = TableEncoder.model_validate(facts["encoder"])
        self.target = TargetEncoder.model_validate(facts["target"])
        self.blend = _Blend.model_validate(facts["blend"]).root
        self.columns_as_text = self.encoder.table.columns_as_text()
        _check(self.encoder, self.target)
        self.answering = Answering(facts, self.target, self.encoder.table)
        self.columns_learned = [*self.encoder.feature_columns, *self.answering.columns]
        expected = self.encoder.layout(self.target.task, self.target.num_outputs)
        for member in (facts["members"][name] for name in self.blend):
            layout = Layout.model_validate(member["layout"])
            if layout.model_copy(update={"num_numbers": expected.num_numbers}) != expected:
                raise ValueError("a member was trained on other columns or classes")
        self.members = {name: _member(folder, name, facts["members"][name]) for name in self.blend}

    def predict(self, data: Any, *, reasons: int = 0) -> pl.DataFrame:
        """Return the rows of `data` with `prediction`, and `probability_<class>` for classes.

        A model that was fitted for costs answers what costs least; a number stands unmoved in
        `expected` then.

        reasons: how many reasons each row gets, in `reason_1`, `reason_2` …
        """
        return self.answer(data, reasons=reasons)[0]

    def answer(
        self, data: Any, *, reasons: int = 0, tell: Callable[[str], None] = lambda words: None
    ) -> tuple[pl.DataFrame, list[str]]:
        """Return what `predict` does, and what must be said of it.

        tell: hears how long reasons take, before they are done
        """
        check_count(reasons)
        explained = self._reasons if reasons else None
        frame = to_frame(data)
        encoded = self.encoder.encode_rows(frame)
        sound = encoded.problems.is_null().to_numpy()
        predicted = self._blended(encoded.arrays)
        answers, undecided = self.answering.answers(predicted, frame)
        columns = _columns(answers, sound, undecided, encoded.problems, frame.columns)
        if explained is not None:
            said = self.answering.said(answers, predicted, undecided)
            found = explained.of(frame, encoded.arrays, said, sound, reasons, tell)
            columns[len(answers) : len(answers)] = found
        notes = _unseen_words(encoded.unseen) + _replaced_words(frame.columns, columns)
        return frame.with_columns(columns), notes

    @cached_property
    def _reasons(self) -> Reasons:
        """Raises: RunError when the model keeps nothing to compare rows with."""

        def build() -> Reasons:
            kept = read_background(self.folder, self.encoder)
            addends = [_Weighed(self.members[name], share) for name, share in self.blend.items()]
            return Reasons(addends, self._as_said, kept, self.encoder, self.target)

        return as_written(self.folder, build)

    def chances(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return probabilities as they are said, float64 [N, C], or a number foretold, [N, 1]."""
        return self._as_said(_wide(self._blended(arrays)))

    def _as_said(self, blended: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities calibrated, numbers as they are, float64 [N, C or 1]."""
        is_number = self.target.task == "number"
        return blended if is_number else self.answering.calibrator(blended)

    def _blended(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        parts = [weight * self.members[name](arrays) for name, weight in self.blend.items()]
        total: NDArray[Any] = np.sum(parts, axis=0)
        return total


def _columns(
    answers: list[pl.Series],
    sound: NDArray[np.bool_],
    undecided: pl.Series,
    problems: pl.Series,
    taken: list[str],
) -> list[pl.Series]:
    """Return the answers, empty where a row cannot be read; undecided ones keep probabilities."""
    kept = [pl.Series(sound)] * len(answers)
    kept[0] = kept[0] & undecided.is_null()
    empty = [
        series.zip_with(keep, pl.Series([None], dtype=series.dtype))
        for series, keep in zip(answers, kept, strict=True)
    ]
    if bool(kept[0].all()) and "problem" not in taken:
        return empty
    told = problems.zip_with(problems.is_not_null(), undecided)
    return [*empty, told.alias("problem")]


MemberName: TypeAlias = Annotated[str, Field(pattern=r"^(trees|neural)(-\d{1,4})?$")]
"""The usual models, and those of other settings that were tried beside them."""


class _Blend(RootModel[dict[MemberName, FiniteFloat]]):
    """The weight of each member in the answer."""

    root: dict[MemberName, FiniteFloat] = Field(min_length=1)


def _check(encoder: TableEncoder, target: TargetEncoder) -> None:
    """Raise ValueError unless encoder and target, from a file, can belong to a model."""
    used = {column.name for column in encoder.table.used()}
    read = {f.column for f in encoder.numbers} | {f.column for f in encoder.categories}
    if not read <= used:
        raise ValueError("it encodes columns that it does not know")
    least = {"number": 0, "two_classes": 2, "classes": 2}[target.task]
    most = {"number": 0, "two_classes": 2}.get(target.task, len(target.classes))
    if not least <= len(target.classes) <= most:
        raise ValueError(f"{len(target.classes)} classes are no {target.task}")
    target.decode(np.arange(len(target.classes)))


def _unseen_words(unseen: dict[str, tuple[int, str]]) -> list[str]:
    return [
        f"'{name}' holds values that training had not, or hardly, in "
        f"{'1 row' if count == 1 else f'{count:,} rows'}, such as '{example}': they are answered "
        "like any value that is not known."
        for name, (count, example) in unseen.items()
    ]


def _replaced_words(given: list[str], answers: list[pl.Series]) -> list[str]:
    replaced = [f"'{answer.name}'" for answer in answers if answer.name in given]
    if not replaced:
        return []
    return [f"The data had {', '.join(replaced)} already: the new answers stand in their place."]


def _wide(found: NDArray[Any]) -> NDArray[Any]:
    """Return answers as float64 [N, A]."""
    return found.astype(np.float64).reshape(len(found), -1)


class _Weighed:
    """A member's share of the blend, as reasons ask for it."""

    def __init__(self, member: Member, share: float) -> None:
        self.member, self.share = member, share

    def value(self, arrays: Arrays) -> NDArray[Any]:
        return self.share * _wide(self.member(arrays))

    def at_once(self, background: Arrays, groups: dict[str, NDArray[Any]]) -> AtOnce | None:
        """Return a faster way to the shares of mixtures, for trees."""
        if not isinstance(self.member, _Trees):
            return None
        found = self.member.mixtures(background, groups)
        return found and (lambda *asked: self.share * found(*asked))


def _member(folder: Path, name: str, facts: Json) -> Member:
    return (_Trees if name.startswith("trees") else _Network)(folder, name, facts)


class _Trees:
    def __init__(self, folder: Path, name: str, facts: Json) -> None:
        from treadle.models.trees import Trees

        self.trees = Trees(Layout.model_validate(facts["layout"]))
        self.trees.load_state_dict(read_tensors(folder / f"{name}.safetensors"))

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        return self.trees.predict({n: torch.from_numpy(a) for n, a in arrays.items()}).numpy()

    def mixtures(self, background: Arrays, groups: dict[str, NDArray[Any]]) -> AtOnce | None:
        """Return a faster way to what the trees say of mixtures with background rows, if any."""
        from treadle.models.boosting_losses import probabilities
        from treadle.models.tree_mixtures import TreeMixtures
        from treadle.models.tree_paths import can_be_told

        if not can_be_told(self.trees.arrays):
            return None
        known = TreeMixtures(self.trees, background, groups)
        if not known.is_faster(*mixtures_of(groups, len(background["numbers"]))):
            return None

        def at_once(rows: Arrays, own: NDArray[Any], behind: NDArray[Any]) -> NDArray[Any]:
            scores = known.scores(rows, own, behind)
            flat = torch.from_numpy(scores.reshape(-1, scores.shape[-1]))
            said = probabilities(self.trees.layout.task, flat).numpy()
            return _wide(said).reshape(*scores.shape[:2], -1)

        return at_once


class _Network:
    def __init__(self, folder: Path, name: str, facts: Json) -> None:
        from treadle.models.tabular import build
        from treadle.models.tabular_settings import TabularSettings

        scaler = read_tensors(folder / "scaler.safetensors", finite=True)
        self.scaler = NumberScaler.from_arrays({name: t.numpy() for name, t in scaler.items()})
        layout = Layout.model_validate(facts["layout"])
        if layout.num_numbers != self.scaler.num_features:
            raise ValueError("its network takes other columns than its scaler gives")
        network = build(
            layout,
            num_rows=facts["rows"],
            seed=0,
            settings=TabularSettings.model_validate(facts["settings"]),
        )
        network.load_state_dict(read_tensors(folder / f"{name}.safetensors", finite=True))
        self.inference = Inference(network)

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
        rows = {
            "numbers": torch.from_numpy(self.scaler.transform(arrays["numbers"])),
            "categories": torch.from_numpy(arrays["categories"]),
        }
        count = len(rows["numbers"])
        if count >= LOOK_FROM_ROWS and not self.inference.is_captured:
            worth = math.inf if count >= COMPILE_FROM_ROWS else 0.0
            self.inference.capture(rows, worth_seconds=worth)
        found: NDArray[Any] = self.inference(rows).numpy()
        return found
