"""Parts of another kind than training are told, with the columns behind it."""

from __future__ import annotations

import numpy as np

from treadle.study.drift import drift_findings, drift_of
from treadle.study.out_of_fold import Examples

ROWS = 1600


def rows(shift: float) -> Examples:
    random = np.random.default_rng(0)
    columns = random.normal(size=(ROWS, 4)).astype(np.float32)
    columns[ROWS // 2 :, 2] += shift
    columns[:, 3] = random.integers(5, size=ROWS)
    return Examples(
        columns=columns, categories=(3,), truth=random.integers(2, size=ROWS), classes=2
    )


NAMES = ["a", "b", "price", "shop"]
TRAIN, TEST = np.arange(ROWS // 2), np.arange(ROWS // 2, ROWS)


def test_a_shifted_column_is_named_with_its_means() -> None:
    drift = drift_of(rows(2.0), NAMES, TRAIN, TEST, "test")
    assert drift is not None and drift.area > 0.85 and drift.low < drift.area
    assert [column[0] for column in drift.columns] == ["price"]
    (finding,) = drift_findings([drift])
    assert finding.severity == "warning" and "'price' (on average" in finding.sentence


def test_parts_of_one_kind_are_not_told() -> None:
    drift = drift_of(rows(0.0), NAMES, TRAIN, TEST, "test")
    assert drift is not None and abs(drift.area - 0.5) < 0.07
    assert drift_findings([drift]) == []


def test_a_small_shift_is_a_note() -> None:
    drift = drift_of(rows(0.7), NAMES, TRAIN, TEST, "validation")
    assert drift is not None
    assert [finding.severity for finding in drift_findings([drift])] == ["note"]


def test_few_rows_say_nothing() -> None:
    assert drift_of(rows(2.0), NAMES, TRAIN, TEST[:50], "test") is None
