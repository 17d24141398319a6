"""Small tables made at random from all that real ones have: odd types, gaps, names and values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.data.test_read import workbook

Random = np.random.Generator
KEY = "the row's own key"
WORDS = [
    "red",
    "blue",
    "größe",
    "日本",
    "a b",
    "x,y",
    'say "hi"',
    "it's",
    "🙂",
    "NA",
    "-",
    "None",
    "z\u0301",
]
NAMES = [
    *(
        "size",
        "Größe",
        "日本語",
        "with space",
        "comma,name",
        'quote"name',
        "=SUM(A1)",
        "-5",
        "@x",
        "+",
    ),
    *(
        "step",
        "topic",
        "row",
        "weight",
        "problem",
        "prediction",
        "numbers",
        "class",
        "target",
        "None",
    ),
    *(
        "🙂",
        "new\nline",
        "count",
        "value",
        "rows",
        "hash",
        "index",
        "literal",
        "x" * 300,
        "a.b",
        "col;umn",
        "'quoted'",
        "id",
        "%s {x}",
        "null",
        "probability_a",
    ),
]
EXTREMES = [1e308, -1e308, -0.0, 5e-324, 1e-310, 2.0**53 + 2, 1e39, -3.4e38, 0.1 + 0.2, 1e18]


@dataclass(kw_only=True)
class RandomTable:
    """A table, how it is given, and what is asked of the fit."""

    frame: pl.DataFrame
    form: str
    options: dict[str, Any]
    traits: list[str] = field(default_factory=list)

    def given(self, place: Path, frame: pl.DataFrame, name: str) -> Any:
        """Return rows in the table's form: a path below `place`, or data in memory."""
        if self.form in ("polars", "pandas"):
            return frame if self.form == "polars" else frame.to_pandas()
        path = place / f"{name}.{self.form.removesuffix(';')}"
        if self.form == "parquet":
            frame.write_parquet(path)
        elif self.form == "jsonl":
            frame.write_ndjson(path)
        elif self.form == "xlsx":
            path.write_bytes(workbook({"S": [frame.columns, *map(list, as_text(frame).rows())]}))
        else:
            separator = {"csv": ",", "csv;": ";", "tsv": "\t"}[self.form]
            as_text(frame).write_csv(path, separator=separator)
        return path


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what a file of text can hold of a frame: lists as text, times as text."""
    texts = [
        pl.Series(name, [None if cell is None else str(cell) for cell in frame[name].to_list()])
        for name, dtype in frame.schema.items()
        if dtype.is_nested() or dtype.is_temporal() or dtype == pl.Boolean
    ]
    return frame.with_columns(texts)


def _texts(random: Random, rows: int) -> list[str]:
    return [WORDS[i] for i in random.integers(0, len(WORDS), rows)]


def _dates(random: Random, rows: int, pattern: str) -> list[str]:
    days = pl.Series(random.integers(0, 900, rows)).cast(pl.Int64)
    start = pl.Series([19_700]).cast(pl.Int64)[0]
    return (days + start).cast(pl.Int32).cast(pl.Date).dt.strftime(pattern).to_list()


def _decimal_commas(random: Random, rows: int) -> list[str]:
    return [f"{value:.2f}".replace(".", ",") for value in random.normal(0, 900, rows)]


def _mixed(random: Random, rows: int) -> list[str]:
    return [
        f"{v:.3f}" if random.random() < 0.7 else str(random.choice(WORDS))
        for v in random.normal(size=rows)
    ]


COLUMNS: dict[str, Callable[[Random, int], Any]] = {
    "fractions": lambda r, n: r.normal(0, 10.0 ** r.integers(-6, 7), n),
    "whole numbers": lambda r, n: r.integers(-50, 50, n),
    "counts": lambda r, n: r.poisson(3, n),
    "large whole numbers": lambda r, n: r.integers(-(2**62), 2**62, n),
    "extreme numbers": lambda r, n: [EXTREMES[i] for i in r.integers(0, len(EXTREMES), n)],
    "infinite numbers": lambda r, n: r.choice([np.inf, -np.inf, 1.5, 2.25], n),
    "not-a-numbers": lambda r, n: r.choice([np.nan, 1.5, 2.25, -3.5], n),
    "few words": _texts,
    "many words": lambda r, n: [f"w{i}" for i in r.integers(0, max(n // 2, 2), n)],
    "sentences": lambda r, n: [
        f"sentence {i} with, commas; and more" for i in r.integers(0, 10**6, n)
    ],
    "formulas": lambda r, n: [
        ["=1+1", "-x", "+49", "@a", "'=b", "-5"][i] for i in r.integers(0, 6, n)
    ],
    "days": lambda r, n: _dates(r, n, "%Y-%m-%d"),
    "days first": lambda r, n: _dates(r, n, "%d.%m.%Y"),
    "two readings": lambda r, n: [f"0{a}/0{b}/2024" for a, b in r.integers(1, 9, (n, 2))],
    "moments": lambda r, n: _dates(r, n, "%Y-%m-%d 10:%d:00"),
    "yes or no": lambda r, n: r.random(n) < 0.3,
    "identifiers": lambda r, n: np.arange(n),
    "one value": lambda r, n: ["same"] * n,
    "nothing": lambda r, n: pl.Series([None] * n, dtype=pl.Float64),
    "codes with zeros": lambda r, n: [f"0{i:04}" for i in r.integers(0, 30, n)],
    "decimal commas": _decimal_commas,
    "currencies": lambda r, n: [f"${v:,.2f}" for v in r.normal(900, 400, n)],
    "shares": lambda r, n: [f"{v:.1f}%" for v in r.random(n) * 100],
    "mixed": _mixed,
    "missing words": lambda r, n: [
        ["NA", "null", "-", "1.5", "2", "n/a"][i] for i in r.integers(0, 6, n)
    ],
    "lists": lambda r, n: [[int(i)] * 2 for i in r.integers(0, 5, n)],
}
TARGETS: dict[str, Callable[[Random, int], Any]] = {
    "two words": lambda r, n: [["stay", "go"][i] for i in r.integers(0, 2, n)],
    "two odd words": lambda r, n: [["=yes", 'n"o,'][i] for i in r.integers(0, 2, n)],
    "zero and one": lambda r, n: r.integers(0, 2, n),
    "truth": lambda r, n: r.random(n) < 0.4,
    "a rare one": lambda r, n: r.random(n) < 0.06,
    "classes": lambda r, n: [f"c{i}" for i in r.integers(0, 5, n)],
    "classes and a rare one": lambda r, n: ["rare" if i == 3 else f"c{i % 3}" for i in range(n)],
    "numbered classes": lambda r, n: r.integers(1, 7, n),
    "one class": lambda r, n: ["same"] * n,
    "a number": lambda r, n: r.normal(size=n),
    "a large number": lambda r, n: r.normal(size=n) * 1e30,
    "a tiny number": lambda r, n: r.normal(size=n) * 1e-30,
    "a far number": lambda r, n: 1e9 + r.normal(size=n),
    "a number of few values": lambda r, n: r.poisson(2, n) / 2,
    "numbers with gaps": lambda r, n: pl.Series(
        [None if i % 5 == 0 else i * 7 % 31 / 2 for i in range(n)]
    ),
    "infinite answers": lambda r, n: r.choice([np.inf, 1.5, 2.5, 3.25, 7.125], n),
    "days to predict": lambda r, n: _dates(r, n, "%Y-%m-%d"),
}
FORMS = ["csv", "csv", "csv;", "tsv", "jsonl", "parquet", "xlsx", "polars", "pandas"]


def random_table(seed: int) -> RandomTable:
    """Return the random table of that number, always the same."""
    random = np.random.default_rng(seed)
    rows = int(random.choice([3, 9, 24, 60, 120, 300], p=[0.04, 0.06, 0.15, 0.25, 0.3, 0.2]))
    names = [str(name) for name in random.choice(NAMES, random.integers(1, 8), replace=False)]
    kinds = [str(kind) for kind in random.choice(list(COLUMNS), len(names))]
    if random.random() < 0.6 and rows > 9:
        kinds[0] = "fractions"
    columns = [_column(random, n, k, rows) for n, k in zip(names, kinds, strict=True)]
    answer = str(random.choice(list(TARGETS)))
    target = "y" if random.random() < 0.8 else "=y ß"
    frame = pl.DataFrame([*columns, _series(target, TARGETS[answer](random, rows))])
    frame = frame.with_columns(pl.Series(KEY, [f"k-{i:05}" for i in range(rows)]))
    if random.random() < 0.15:
        frame = pl.concat([frame, frame.head(max(rows // 3, 1))]).with_columns(
            pl.Series(KEY, [f"k-{i:05}" for i in range(rows + max(rows // 3, 1))])
        )
    table = RandomTable(frame=frame, form=str(random.choice(FORMS)), options={"target": target})
    table.options |= _options(random, names, kinds)
    table.traits = [table.form, f"{frame.height} rows", answer, *kinds]
    return table


def _column(random: Random, name: str, kind: str, rows: int) -> pl.Series:
    series = _series(name, COLUMNS[kind](random, rows))
    share = random.choice([0.0, 0.0, 0.05, 0.5, 0.95])
    gone = pl.Series(random.random(rows) < share)
    return series.zip_with(~gone, pl.Series([None], dtype=series.dtype))


def _series(name: str, cells: Any) -> pl.Series:
    return cells.alias(name) if isinstance(cells, pl.Series) else pl.Series(name, cells)


def _options(random: Random, names: list[str], kinds: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {"model": str(random.choice(["trees", "neural", "auto"]))}
    for name, kind in zip(names, kinds, strict=True):
        if kind in ("days", "moments") and random.random() < 0.3:
            options["time"] = name
        elif kind in ("few words", "many words", "codes with zeros") and random.random() < 0.15:
            options["group"] = name
        elif kind == "counts" and random.random() < 0.3:
            options["weight"] = name
        elif kind in ("mixed", "two readings") and random.random() < 0.7:
            options["ignore"] = [name]
    if "time" in options:
        options.pop("group", None)
    return options
