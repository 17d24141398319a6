"""What people call the items of a log: from a file of items, or from a column of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from treadle.data.events import identifiers
from treadle.data.events_columns import words_of
from treadle.data.read import read_tables
from treadle.errors import DataError

TITLE_WORDS = ("title", "name", "label", "description", "titel", "nombre", "nom", "titre")
LONGEST_TITLE = 120
_LEAST_KNOWN = 0.05
_ONE_TITLE_AN_ITEM = 0.99


@dataclass(frozen=True, kw_only=True)
class Titles:
    """Titles by item, as the log spells items; notes: where they come from, in words.

    column: the column of the log that holds them, None where it is not the log's
    """

    by_item: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    column: str | None = None

    def of(self, items: Sequence[str]) -> list[str | None]:
        """Return a title for each item, None where there is none."""
        return [self.by_item.get(item) for item in items]


def titles_of(file: str | None, log: pl.DataFrame, item: str) -> Titles:
    """Return the titles in a file of items, else those that a log itself holds, if any.

    log: as it was read; item: its column of items

    Raises: DataError for a file that cannot be read or names none of the items.
    """
    return _in_log(log, item) if file is None else _in_file(Path(file), log[item], item)


def _in_file(file: Path, given: pl.Series, item: str) -> Titles:
    items = identifiers(given).drop_nulls().unique()
    frame = read_tables([str(file)]).frame
    known = {
        name: int(identifiers(frame[name]).unique().is_in(items.implode()).sum())
        for name in frame.columns
    }
    key = max(known, key=lambda name: (known[name], name == item), default="")
    if not key or known[key] < max(_LEAST_KNOWN * len(items), 1):
        first = ", ".join(f"'{name}'" for name in items.head(3))
        raise DataError(
            f"--items {file}: no column of it holds the items of the log, such as {first}.",
            f"One column must hold what '{item}' holds, and another what people call it.",
        )
    column = _title_column([name for name in frame.columns if name != key], frame)
    if column is None:
        raise DataError(
            f"--items {file}: no column of it says what the items are called.",
            f"Beside '{key}', give a column of texts, such as 'title'.",
        )
    pairs = pl.DataFrame({"item": identifiers(frame[key]), "title": frame[column].cast(pl.String)})
    found = _by_item(pairs.filter(pl.col("item").is_in(items.implode())))
    note = (
        f"--items {file.name}: '{column}' says what items are called, for {len(found):,} of "
        f"{len(items):,} items."
    )
    return Titles(by_item=found, notes=(note,))


def _title_column(names: Sequence[str], frame: pl.DataFrame) -> str | None:
    """Return the column that speaks of a title by its name, else the first one of texts."""
    texts = [name for name in names if frame.schema[name] == pl.String]
    named = [name for word in TITLE_WORDS for name in texts if word in words_of(name)]
    return next(iter([*named, *texts]), None)


def _in_log(log: pl.DataFrame, item: str) -> Titles:
    """Return the titles of a log's own column: one that is named so, and the same for an item."""
    texts = [name for name in log.columns if log.schema[name] == pl.String and name != item]
    for word in TITLE_WORDS:
        for name in texts:
            if word not in words_of(name):
                continue
            pairs = pl.DataFrame({"item": identifiers(log[item]), "title": log[name]}).drop_nulls()
            alone = pairs.group_by("item").agg(pl.col("title").n_unique() == 1)["title"]
            apart = pairs["title"].n_unique() > pairs["item"].n_unique() / 2
            if len(alone) and apart and int(alone.sum()) >= _ONE_TITLE_AN_ITEM * len(alone):
                note = f"'{name}' says what items are called."
                return Titles(by_item=_by_item(pairs), notes=(note,), column=name)
    return Titles()


def _by_item(pairs: pl.DataFrame) -> dict[str, str]:
    titles = pairs["title"].str.strip_chars().str.slice(0, LONGEST_TITLE)
    kept = pairs.with_columns(title=titles).drop_nulls().filter(pl.col("title") != "")
    kept = kept.unique("item", keep="first", maintain_order=True)
    return dict(zip(kept["item"], kept["title"], strict=True))
