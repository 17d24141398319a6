"""What is wrong, or suspicious, with a table before anything is learned from it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from treadle.data.columns import Schema, text_of
from treadle.data.fading import fading
from treadle.data.finding import Finding, of_100, quoted, rows_word, worst_first
from treadle.data.later_dates import find_later_dates
from treadle.data.leak import LEAK, Leak
from treadle.data.leaks import find_leaks
from treadle.data.leaks_derived import find_derived
from treadle.data.leaks_of_rows import find_row_leaks, placed_rows
from treadle.data.repeated_rows import repeated_rows
from treadle.data.split import Split
from treadle.data.target import TargetEncoder

__all__ = ["FEWEST_RARE_ROWS", "LEAK", "Finding", "check_table"]

FEWEST_RARE_ROWS = 200
"""Below this many rows of the rarest class a single split says little (DESIGN, law 6)."""

_SAMPLE_ROWS = 100_000
_MOSTLY_MISSING = 0.5
_MISSING_SHIFT = 0.2
_ONE_SIDED = 0.9
_SHOWN = 5


def check_table(
    train: pl.DataFrame,
    validation: pl.DataFrame,
    test: pl.DataFrame,
    schema: Schema,
    target: TargetEncoder,
    whole: tuple[pl.DataFrame, Split] | None = None,
) -> list[Finding]:
    """Return what is suspicious about a split table, warnings first.

    Looks at 100,000 rows of a part at most, evenly spaced, and says so.

    whole: all rows in the order given, and how they are parted; without it nothing is said of
           leaks that only show between rows
    """
    parts = {"train": train, "validation": validation, "test": test}
    sampled = {name: _sampled(part) for name, part in parts.items()}
    findings = [
        *repeated_rows(sampled, schema),
        *_leaks(sampled["train"], schema, target, whole),
        *_missing(sampled, schema),
        *_infinite(sampled["train"], schema),
        *_unseen(parts, schema),
        *_classes(parts, target),
        *_few_rows(parts, schema, target),
        *_left_out(schema),
        *_sampling(parts),
        *_fading(whole, target),
    ]
    return worst_first(findings)


def _sampled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.gather_every(-(-frame.height // _SAMPLE_ROWS)) if frame.height else frame


def _leaks(
    train: pl.DataFrame,
    schema: Schema,
    target: TargetEncoder,
    whole: tuple[pl.DataFrame, Split] | None,
) -> Iterator[Finding]:
    leaks = find_leaks(train, schema, target)
    if whole is not None:
        leaks += _leaks_between_rows(*whole, schema, target, leaks)
    of_things = {name for leak in leaks for name in leak.more.get("identifiers", ())}
    # a person's number tells nothing but whose row it is: their rows in several parts are the fault
    leaks = [leak for leak in leaks if leak.kind != "alone" or leak.column not in of_things]
    told: set[tuple[str, ...]] = set()
    for leak in leaks:
        if leak.columns[:1] not in told:
            yield leak.finding()
        if leak.columns:
            told.add(leak.columns[:1])


def _fading(whole: tuple[pl.DataFrame, Split] | None, target: TargetEncoder) -> list[Finding]:
    if whole is None or whole[1].rule.method != "time" or whole[1].rule.column is None:
        return []
    rule = whole[1].rule
    return fading(whole[0], target, str(rule.column), rule.label_delay_seconds)


def _leaks_between_rows(
    frame: pl.DataFrame, split: Split, schema: Schema, target: TargetEncoder, leaks: list[Leak]
) -> list[Leak]:
    """Return the leaks that only show when all rows are looked at together."""
    known = frozenset(leak.column for leak in leaks)
    found = find_derived(frame[split.rows], schema, target, known)
    placed = placed_rows(frame, split, schema, target)
    if placed is None:
        return found
    rule = split.rule
    if rule.method == "time" and rule.column is not None:
        found += find_later_dates(placed.rows, schema, rule.column, placed.measure)
    return found + find_row_leaks(placed, rule.method)


def _missing_share(cells: pl.Series) -> float:
    if cells.dtype == pl.String:
        cells = text_of(cells)
    elif cells.dtype.is_float():
        cells = cells.fill_nan(None)
    return cells.null_count() / max(cells.len(), 1)


def _missing(parts: dict[str, pl.DataFrame], schema: Schema) -> Iterator[Finding]:
    names = [column.name for column in schema.used()]
    train, test = (
        {name: _missing_share(parts[part][name]) for name in names} for part in ("train", "test")
    )
    mostly = {name: share for name, share in train.items() if share > _MOSTLY_MISSING}
    some = {name: share for name, share in train.items() if 0 < share <= _MOSTLY_MISSING}
    if mostly:
        yield Finding(
            severity="note",
            title="Mostly empty columns",
            sentence=f"More than half of the cells are missing in {quoted(list(mostly))}; that a "
            "cell is missing is learned from like a value.",
            evidence=mostly,
        )
    if some:
        yield Finding(
            severity="note",
            title="Missing cells",
            sentence=f"Some cells are missing in {quoted(list(some))}; they need no filling.",
            evidence=some,
        )
    shifted = {n: [train[n], test[n]] for n in names if abs(train[n] - test[n]) > _MISSING_SHIFT}
    if shifted and parts["test"].height:
        yield Finding(
            severity="warning",
            title="Missing differently in test",
            sentence=f"{quoted(list(shifted))}: far more, or fewer, cells are missing in test "
            "than in training.",
            evidence=shifted,
            action="find out what changed in how this data is collected",
        )


def _infinite(train: pl.DataFrame, schema: Schema) -> Iterator[Finding]:
    kinds = train.schema  # once: a frame makes it anew each time it is asked
    floats = [c.name for c in schema.used() if kinds[c.name].is_float()]
    counts = {name: int(train[name].is_infinite().sum()) for name in floats}
    infinite = {name: count for name, count in counts.items() if count}
    if infinite:
        yield Finding(
            severity="warning",
            title="Infinite numbers",
            sentence=f"{quoted(list(infinite))} hold infinite numbers; they count as missing.",
            evidence=infinite,
            action="look for a division by zero where this data is made",
        )


def _unseen(parts: dict[str, pl.DataFrame], schema: Schema) -> Iterator[Finding]:
    """Tell of texts in validation and test that training lacks; large tables are not looked at."""
    if parts["train"].height > _SAMPLE_ROWS:
        return
    counts: dict[str, int] = {}
    examples: dict[str, str] = {}
    for name in (column.name for column in schema.used() if column.kind == "category"):
        known = text_of(parts["train"][name]).unique()
        for part in ("validation", "test"):
            cells = text_of(parts[part][name]).drop_nulls()
            new = cells.filter(~cells.is_in(known.implode()))
            if new.len():
                counts[name] = counts.get(name, 0) + new.len()
                examples.setdefault(name, str(new[0])[:40])
    if counts:
        told = ", ".join(f"'{name}' ('{examples[name]}')" for name in list(counts)[:_SHOWN])
        yield Finding(
            severity="note",
            title="Values not seen in training",
            sentence=f"Validation and test hold values that training does not, in {told}; they "
            "are answered like any value that is not known.",
            evidence=counts,
        )


def _classes(parts: dict[str, pl.DataFrame], target: TargetEncoder) -> Iterator[Finding]:
    if target.task == "number":
        return
    answers = pl.concat([text_of(part[target.column]) for part in parts.values()])
    counted = answers.rename("value").value_counts(name="rows")
    counts = {str(name): int(rows) for name, rows in counted.iter_rows()}
    rarest = min(counts, key=lambda name: (counts[name], name))
    total = sum(counts.values())
    if counts[rarest] < FEWEST_RARE_ROWS:
        yield Finding(
            severity="warning",
            title="Few rows of a class",
            sentence=f"'{rarest}' has only {rows_word(counts[rarest])}, so every figure comes with "
            f"a wide margin; {FEWEST_RARE_ROWS} or more would narrow it.",
            evidence={"class": rarest, "rows": counts[rarest], "of": total},
            action=f"collect more rows of '{rarest}' if you can",
        )
    commonest = max(counts, key=lambda name: (counts[name], name))
    share = counts[commonest] / total
    if share >= _ONE_SIDED:
        yield Finding(
            severity="note",
            title="Uneven classes",
            sentence=f"'{commonest}' is {of_100(share)} of 100 rows, so a high accuracy says "
            "little: always answering it would have that, too.",
            evidence=counts if len(counts) <= 20 else {commonest: counts[commonest]},
            action="judge by average precision, or say what mistakes cost"
            if len(counts) == 2
            else "judge by --metric balanced_accuracy, or say what mistakes cost",
        )


def _few_rows(
    parts: dict[str, pl.DataFrame], schema: Schema, target: TargetEncoder
) -> Iterator[Finding]:
    """Tell of too few rows: for their number alone, or for so many columns."""
    total, to_learn = sum(part.height for part in parts.values()), parts["train"].height
    if target.task == "number" and total < FEWEST_RARE_ROWS:
        yield Finding(
            severity="warning",
            title="Few rows",
            sentence=f"There are only {rows_word(total)}, {parts['test'].height} of them to test "
            f"on, so every figure comes with a wide margin; {FEWEST_RARE_ROWS} or more would "
            "narrow it.",
            evidence={"rows": total, "test": parts["test"].height},
            action="collect more rows if you can",
        )
    columns = len(schema.used())
    if columns > to_learn:
        yield Finding(
            severity="note",
            title="More columns than rows",
            sentence=f"There are more columns ({columns:,}) than rows to learn from "
            f"({to_learn:,}): of so many, some fit the answers by chance and tell nothing of new "
            "rows.",
            evidence={"columns": columns, "rows": to_learn},
            action="trust what the test says, not which columns were used; more rows help most",
        )


def _left_out(schema: Schema) -> Iterator[Finding]:
    left = {c.name: c.why for c in schema.columns if c.kind == "left_out"}
    if left:
        told = "; ".join(f"'{name}': {why}" for name, why in list(left.items())[:_SHOWN])
        more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield Finding(
            severity="note",
            title="Columns not learned from",
            sentence=f"{told}{more}.",
            evidence=dict(left),
        )


def _sampling(parts: dict[str, pl.DataFrame]) -> Iterator[Finding]:
    large = {name: part.height for name, part in parts.items() if part.height > _SAMPLE_ROWS}
    if large:
        yield Finding(
            severity="note",
            title="Looked at a sample",
            sentence=f"Only about {_SAMPLE_ROWS:,} rows of {' and '.join(large)}, evenly spaced, "
            "were looked at, so rows that repeat are undercounted.",
            evidence=dict(large),
        )
