"""The deep look at a table: what only shows when learners of its own are trained on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.label_list import listed, row_marks
from treadle.api.options import FitOptions
from treadle.api.table_data import PARTS, TableData
from treadle.api.wrong_answers import how_far_off, wrong_answers
from treadle.contracts import Json
from treadle.data.cells import typed_cells
from treadle.data.duplicates import near_duplicates
from treadle.data.finding import Finding, worst_first
from treadle.data.leak_scores import text_codes
from treadle.data.thin import thin_parts
from treadle.study.drift import drift_findings, drift_of
from treadle.study.label_errors import Suspects, find_label_errors
from treadle.study.out_of_fold import Examples
from treadle.study.slices import slice_findings, worst_slices

MOST_ROWS = 100_000
THREADS = 2


@dataclass(frozen=True, kw_only=True)
class DeepLook:
    """What a deep look found.

    findings: warnings first
    list:     the answers that are probably wrong, as label_errors.csv has them; or None
    facts:    label errors, slices and drift as numbers, for --json
    """

    findings: list[Finding]
    list: pl.DataFrame | None = None
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows that are looked at: places int64 [N] in the frame, and the part 0, 1, 2 of each."""

    examples: Examples
    frame: pl.DataFrame
    places: NDArray[np.int64]
    part: NDArray[np.int64]


def look_deeper(data: TableData, options: FitOptions) -> DeepLook:
    """Return what learners of our own find in a prepared table; 100,000 rows at most.

    A few trainings of boosted trees and forests, under a minute for 100,000 rows on two cores.
    """
    began = time.monotonic()
    threads = options.threads or THREADS
    rows = _rows_of(data, options)
    findings = near_duplicates(data.frame, data.schema, data.split)
    findings += thin_parts(data.rows("train"), data.schema)
    facts: Json = {}
    suspects = find_label_errors(rows.examples, seed=options.seed, threads=threads)
    found = None
    if suspects is not None:
        found = _list_of(data, rows, suspects)
        told, facts["label_errors"] = wrong_answers(data.target, rows.examples, suspects, found)
        findings += told
        slices, told = _slices(data, rows, suspects)
        findings += told
        facts["slices"] = slices
    drifts, told = _drifts(data, rows, options.seed, threads)
    findings += told
    facts["drift"] = drifts
    findings += _sampled(data, rows)
    facts["seconds"] = round(time.monotonic() - began, 2)
    return DeepLook(findings=worst_first(findings), list=found, facts=facts)


def examples_of(data: TableData, options: FitOptions) -> tuple[Examples, NDArray[np.int64]]:
    """Return the rows of all parts as a quick learner takes them, and their places in the frame.

    100,000 rows at most, evenly spaced.
    """
    rows = data.split.rows
    rows = rows[:: max(-(-len(rows) // MOST_ROWS), 1)]
    frame = data.frame[rows]
    group = text_codes(frame[options.group]) if options.group else None
    examples = Examples.of_arrays(
        data.encoder.encode(frame),
        data.target.encode(frame[data.target.column]),
        data.target.task,
        len(data.target.classes),
        group,
    )
    return examples, rows


def _rows_of(data: TableData, options: FitOptions) -> _Rows:
    examples, places = examples_of(data, options)
    part = data.split.part_of(data.frame.height)[places]
    return _Rows(examples=examples, frame=data.frame[places], places=places, part=part)


def _list_of(data: TableData, rows: _Rows, suspects: Suspects) -> pl.DataFrame:
    frame = rows.frame[suspects.rows]
    numbers = data.places[rows.places[suspects.rows]] + 1
    named = {"row": numbers.tolist(), "mark": row_marks(frame, data.target.column)}
    parts = [PARTS[code] for code in rows.part[suspects.rows]]
    return listed(frame, data.target, suspects, named=named, parts=parts)


def _slices(data: TableData, rows: _Rows, suspects: Suspects) -> tuple[list[Json], list[Finding]]:
    """Return the parts of the data where a quick learner's answers are worst."""
    off = how_far_off(suspects.before, rows.examples)
    words = (
        {"far": "off by {} on average"}
        if rows.examples.is_number
        else {"far": "wrong for {} of 100", "scale": "100"}
    )
    typed, _ = typed_cells(rows.frame, data.schema)
    known = typed.select(~pl.selectors.datetime())
    found = worst_slices(known, off)
    told = slice_findings(found, words, len(off))
    return [dict(finding.evidence) for finding in told], told


def _drifts(
    data: TableData, rows: _Rows, seed: int, threads: int
) -> tuple[list[Json], list[Finding]]:
    examples, names = _without_calendar(data, rows.examples)
    train = np.flatnonzero(rows.part == 0)
    found = []
    for code, part in ((1, "validation"), (2, "test")):
        other = np.flatnonzero(rows.part == code)
        drift = drift_of(examples, names, train, other, part, seed=seed, threads=threads)
        if drift is not None:
            found.append(drift)
    facts = [
        {
            "part": d.part,
            "roc_auc": d.area,
            "low": d.low,
            "high": min(2 * d.area - d.low, 1.0),
            "columns": [*d.apart, *(column[0] for column in d.columns)],
        }
        for d in found
    ]
    return facts, drift_findings(found)


def _without_calendar(data: TableData, examples: Examples) -> tuple[Examples, list[str]]:
    """Leave out hours, weekdays and months of dates: that they go on is no drift."""
    numbers = data.encoder.numbers
    kept = [place for place, feature in enumerate(numbers) if feature.part == "value"]
    names = [numbers[place].name for place in kept] + data.encoder.category_names
    places = [*kept, *examples.categories]
    return replace(
        examples,
        columns=examples.columns[:, places],
        categories=tuple(range(len(kept), len(places))),
    ), names


def _sampled(data: TableData, rows: _Rows) -> list[Finding]:
    total = sum(len(getattr(data.split, part)) for part in PARTS)
    if len(rows.places) == total:
        return []
    return [
        Finding(
            severity="note",
            title="Looked deeper at a sample",
            sentence=f"{len(rows.places):,} of {total:,} rows, evenly spaced, were looked at in "
            "depth.",
            evidence={"rows": len(rows.places), "of": total},
        )
    ]
