"""What reasons compare a row with: a few train rows, and what is usual, kept with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from treadle.contracts import Frozen
from treadle.data.tables import TableEncoder
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.tensors import read_tensors

Array: TypeAlias = NDArray[Any]

FACTS, ROWS = "reasons.json", "background.safetensors"
MOST_ROWS = 256


class Background(Frozen):
    """What model/reasons.json holds.

    groups: the columns that are learned from; those of one group tell nearly the same
    usual:  column → its usual value in training: a number's median, the commonest text, the middle
            date as ISO writes it; None where most rows hold nothing
    years:  columns of whole numbers that look like years, which are written without a comma
    helping: columns of the groups that were shown to help on rows the model did not learn from;
            none where that was not measured
    """

    format: int = Field(default=1, ge=1, le=1)
    groups: tuple[tuple[str, ...], ...] = Field(min_length=1)
    usual: dict[str, FiniteFloat | str | None]
    years: tuple[str, ...] = ()
    helping: tuple[str, ...] = ()


def read_background(folder: Path, encoder: TableEncoder) -> tuple[Background, dict[str, Array]]:
    """Return what was kept, and the rows' arrays, once both are sure to fit the encoder.

    Raises: RunError when there is none, as in runs of earlier versions; ValueError and others
    where a file is not as training left it.
    """
    found = RunFolder(folder).read_json(FACTS)
    if found is None or not (folder / ROWS).exists():
        raise RunError(
            f"the model at {folder} cannot give reasons: it keeps no rows to compare with.",
            "An earlier Treadle trained it. It predicts as ever without --reasons; train it again "
            "to get reasons.",
        )
    facts = Background.model_validate(found)
    columns = [name for group in facts.groups for name in group]
    expected = columns_of(encoder)
    if sorted(columns) != sorted(expected) or not set(columns) <= set(facts.usual):
        raise ValueError("its reasons speak of other columns than it learned from")
    tensors = {name: tensor.numpy() for name, tensor in read_tensors(folder / ROWS).items()}
    _check(tensors, encoder)
    return facts, {name: tensors[name] for name in ("numbers", "categories")}


def columns_of(encoder: TableEncoder) -> list[str]:
    """Return the columns that something is made of, in the table's order."""
    made = {f.column for f in encoder.numbers} | {f.column for f in encoder.categories}
    return [name for name in encoder.feature_columns if name in made]


def places_of(groups: tuple[tuple[str, ...], ...], encoder: TableEncoder) -> dict[str, Array]:
    """Return the group of each column of the encoded arrays, int64."""
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    return {
        "numbers": np.array([group_of[f.column] for f in encoder.numbers], np.int64),
        "categories": np.array([group_of[f.column] for f in encoder.categories], np.int64),
    }


def _check(tensors: dict[str, Array], encoder: TableEncoder) -> None:
    """Raise ValueError unless the rows are such as the encoder makes."""
    numbers, categories = tensors["numbers"], tensors["categories"]
    layout = encoder.layout("number")
    rows, largest = len(numbers), np.array(layout.cardinalities)
    if not 1 <= rows <= MOST_ROWS or len(categories) != rows:
        raise ValueError(f"it keeps {rows:,} rows to compare with, not 1 to {MOST_ROWS}")
    if numbers.shape != (rows, layout.num_numbers) or numbers.dtype != np.float32:
        raise ValueError("the rows it compares with have other numbers than it learned from")
    if categories.shape != (rows, len(largest)) or categories.dtype != encoder.code_type:
        raise ValueError("the rows it compares with have other categories than it learned from")
    if np.isinf(numbers).any() or ((categories < 0) | (categories >= largest)).any():
        raise ValueError("the rows it compares with hold what no encoder makes")
