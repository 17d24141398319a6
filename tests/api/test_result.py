"""Advice at the end of a fit: few rows of a class, or of many."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.api.result import advice_on
from treadle.goal import metric_named

FOUND = {"accuracy": {"test": 0.9, "low": 0.8, "high": 0.95}}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([300, 300], []),
        ([70, 71], ["There are few rows of each class to learn from (70 to 71). More of all"]),
        ([300, 34], ["There are only 34 rows of 'B' to learn from. More of them"]),
        ([300, 1], ["There is only 1 row of 'B' to learn from. More of them"]),
        (
            [300, 20, 1],
            [
                "2 of 3 classes have fewer than 200 rows; there is only 1 row of 'C' to learn "
                "from. More rows of rare classes"
            ],
        ),
    ],
)
def test_classes_of_few_rows_are_counted_and_the_rarest_named(
    counts: list[int], expected: list[str]
) -> None:
    train = np.repeat(np.arange(len(counts)), counts)
    metric = metric_named("accuracy", "classes")
    advice = advice_on(train, list("ABC")[: len(counts)], "rows", FOUND, 0.5, metric)
    assert [one.partition(" would help")[0] for one in advice] == expected
