"""What a good example looks like: the columns in words, and rows or photos of the train part."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from treadle.api.collecting.ground import Example
from treadle.api.options import FitOptions
from treadle.data.cells import typed_cells
from treadle.data.finding import quoted
from treadle.report.spoken import significant
from treadle.study.part_gain import Part

if TYPE_CHECKING:
    from treadle.api.event_data import EventData
    from treadle.api.image_data import ImageData
    from treadle.api.table_data import TableData

SHOWN_ROWS = 2
SHOWN_PHOTOS = 6
MOST_FIELDS = 16
LONGEST_CELL = 40
THUMBNAIL = 120
KINDS = {"number": "a number", "category": "one of several words", "date": "a date"}
FEW_VALUES = 6


def table_example(data: TableData, options: FitOptions, part: Part | None) -> Example:
    """Return the columns that matter with what they are, and two train rows, the fullest ones.

    Columns that were not learned from are left out, but for the time, the group and the weight.
    """
    train = data.rows("train")
    cells, _ = typed_cells(train, data.schema)
    kinds = {column.name: column.kind for column in data.schema.used()}
    kept = [name for name in (options.time, options.group, options.weight) if name]
    names = list(dict.fromkeys([*kept, *kinds]))[: MOST_FIELDS - 1]
    target = data.target.column
    fields = [(name, _in_words(cells, name, kinds.get(name, ""))) for name in names]
    answer = (
        "a number"
        if data.target.task == "number"
        else "one of: " + quoted([str(c) for c in data.target.classes]).replace("'", "")
    )
    shown = train.select([*names, target])
    rows = [shown.row(place) for place in _fullest(shown, part, target)]
    return Example(
        fields=[*fields, (target, f"the answer: {answer}")],
        rows=[[_cell(value) for value in row] for row in rows],
        left_out=max(0, len({*kept, *kinds}) - len(names)),
    )


def _in_words(cells: pl.DataFrame, name: str, kind: str) -> str:
    if kind == "category" and name in cells.columns:
        values = cells[name].drop_nulls().rename("value").value_counts(sort=True)["value"]
        few = [str(value)[:LONGEST_CELL] for value in values.head(FEW_VALUES)]
        if len(values) <= FEW_VALUES:
            return "one of: " + ", ".join(few)
        return "a word, such as " + ", ".join(few[:3])
    if kind == "number" and name in cells.columns:
        ends = cells[name].cast(pl.Float64, strict=False).drop_nulls().drop_nans()
        if len(ends):
            low, high = ends.quantile(0.01, "nearest"), ends.quantile(0.99, "nearest")
            return f"a number, mostly {_number(low or 0.0)} to {_number(high or 0.0)}"
    return KINDS.get(kind, "as in the rows so far")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else significant(float(value))


def _fullest(rows: pl.DataFrame, part: Part | None, target: str) -> list[int]:
    """Return the places of two rows with few empty cells, of the part; of two answers if it can."""
    places = np.arange(rows.height) if part is None else part.train
    empty = rows[places].select(pl.sum_horizontal(pl.all().is_null())).to_series().to_numpy()
    ordered = [int(place) for place in places[np.argsort(empty, kind="stable")]]
    answers = rows[target].cast(pl.String).to_list()
    other = [place for place in ordered if answers[place] != answers[ordered[0]]]
    return [ordered[0], *(other or ordered[1:])[: SHOWN_ROWS - 1]]


def _cell(value: Any) -> str:
    if value is None:
        return "(empty)"
    said = f"{value:.10g}" if isinstance(value, float) else str(value)
    return said if len(said) <= LONGEST_CELL else said[: LONGEST_CELL - 1] + "…"


def event_example(data: EventData) -> Example:
    """Return the columns that say who, what and when, and two users' latest events."""
    columns = data.encoder.columns.model_dump()
    words = {"user": "who", "item": "what", "time": "when", "event": "what was done"}
    named = [(str(name), words[role], role) for role, name in columns.items() if name]
    frame = data.log.frame
    last = frame.sort("time").unique("user", keep="last", maintain_order=True).tail(SHOWN_ROWS)
    rows = [
        [
            _moment(row["time"])
            if role == "time"
            else _cell(row["kind" if role == "event" else role])
            for _, _, role in named
        ]
        for row in last.iter_rows(named=True)
    ]
    return Example(fields=[(name, what) for name, what, _ in named], rows=rows)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M")


def photo_example(data: ImageData, part: Part | None) -> Example:
    """Return up to six small train photos, of the part's kind or of all kinds in turn."""
    truth, rows = data.truth("train"), data.rows("train")
    places = np.arange(len(truth)) if part is None else part.train
    rank = np.zeros(len(places))
    for kind in np.unique(truth[places]):  # the first of each kind, then the second
        own = truth[places] == kind
        rank[own] = np.arange(int(own.sum()))
    chosen = places[np.argsort(rank, kind="stable")[:SHOWN_PHOTOS]]
    photos = [
        (uri, data.classes[int(truth[place])])
        for place in chosen
        if (uri := _thumbnail(data.files[rows[place]])) is not None
    ]
    return Example(photos=photos)


def _thumbnail(file: Any) -> str | None:
    from PIL import Image

    try:
        with Image.open(file) as photo:
            small = photo.convert("RGB")
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=80)
    except OSError:
        return None
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
