"""What the files of a run hold, for tests."""

from __future__ import annotations

import math
from collections.abc import Callable

from treadle.contracts import Json
from treadle.folder import RunFolder

MakeRun = Callable[..., RunFolder]


def result(metric: str, test: float, low: float, high: float, **more: object) -> Json:
    """Return a result.json as `fit --json` prints it."""
    figures = {"test": test, "low": low, "high": high}
    return {
        "task": "two_classes",
        "rows": {"train": 800, "validation": 100, "test": 100},
        "metric": {"name": metric, "validation": test + 0.01, **figures},
        "metrics": {metric: figures, "accuracy": {"test": 0.86, "low": 0.8, "high": 0.91}},
        "stopped": {
            "reason": "no_better",
            "step": 600,
            "best_step": 400,
            "sentence": "validation was no better for 5 checks in a row",
        },
        "seconds": 74.0,
        "advice": ["collect more rows"],
        "test_scorings": 1,
    } | more


def event(step: int, topic: str, sentence: str, **more: object) -> Json:
    time = "2026-11-22T16:00:00.000+00:00"
    return {"time": time, "attempt": 1, "step": step, "topic": topic, "sentence": sentence} | more


def curve(names: tuple[str, ...]) -> list[Json]:
    steps = range(20, 620, 20)
    return [
        {
            "attempt": 1,
            "step": s,
            "epoch": s // 100,
            "values": {n: math.exp(-s / 200) for n in names},
        }
        for s in steps
    ]
