"""result.json and the report: how every fit of data ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from treadle.contracts import Json, Task
from treadle.folder import RunFolder
from treadle.goal import Metric, metric_named

if TYPE_CHECKING:
    from treadle.data.finding import Finding
    from treadle.loop.journal import Journal

FEW_ROWS = 200


def write_result(
    folder: RunFolder,
    *,
    kind: str,
    task: Task,
    rows: dict[str, int],
    metric: Metric,
    validation: float,
    found: Json,
    baselines: list[Json],
    ended: Json,
    advice: list[str],
    **more: Any,
) -> None:
    """Write what `fit --json` prints, and the report.

    found:     by metric {test, low, high}, the deciding one among them
    baselines: {name, metrics by name}; the best of them is the baseline
    ended:     stopped, samples_per_second, seconds, engine
    """
    sign = 1 if metric.higher_is_better else -1
    best = max(baselines, key=lambda baseline: sign * baseline["metrics"][metric.name])
    result: Json = {
        "run": str(folder.path),
        "kind": kind,
        "task": task,
        "rows": rows,
        "metric": {"name": metric.name, "validation": validation, **found[metric.name]},
        "metrics": found,
        "baseline": {"name": best["name"], "test": best["metrics"][metric.name]},
        "baselines": baselines,
        **ended,
        "advice": advice,
        "test_scorings": (folder.result or {}).get("test_scorings", 0) + 1,
        **more,
    }
    folder.write_json("result.json", result)
    write_report(folder)


def say_findings(journal: Journal, findings: Sequence[Finding]) -> None:
    """Journal what is suspicious about the data, each with what to do."""
    for finding in findings:
        topic = "warning" if finding.severity == "warning" else "data"
        action = f" What to do: {finding.action}." if finding.action else ""
        journal.say(topic, finding.sentence + action, evidence=finding.evidence)


def write_report(folder: RunFolder) -> None:
    """Write report.html from what the folder holds."""
    from treadle.report.page import write

    write(folder.path)


def on_metrics(
    found: Json, task: Task, truth: NDArray[Any], predicted: NDArray[Any]
) -> dict[str, float]:
    """Return what other predictions of the same rows reach, by the names in `found`."""
    return {name: metric_named(name, task)(truth, predicted) for name in found}


def advice_on(
    train: NDArray[np.int64] | None,
    classes: list[str],
    rows_word: str,
    found: Json,
    baseline: float,
    metric: Metric,
) -> list[str]:
    """Return what to do next, in plain sentences. train: class codes, or None for a number."""
    advice = []
    if train is not None:
        counts = np.bincount(train, minlength=len(classes))
        rarest, few = int(counts.argmin()), int((counts < FEW_ROWS).sum())
        word = rows_word.removesuffix("s") if counts[rarest] == 1 else rows_word
        rare = f"{counts[rarest]:,} {word} of '{classes[rarest]}' to learn from"
        if few == len(classes) and 2 * counts.min() > counts.max():  # none is rare beside others
            advice.append(
                f"There are few {rows_word} of each class to learn from ({counts.min():,} to "
                f"{counts.max():,}). More of all would help most, and would make these figures "
                "more certain."
            )
        elif few == 1:
            advice.append(
                f"There {'is' if counts[rarest] == 1 else 'are'} only {rare}. More of them would "
                "help most, and would make these figures more certain."
            )
        elif few:
            advice.append(
                f"{few:,} of {len(classes):,} classes have fewer than {FEW_ROWS} {rows_word}; "
                f"there {'is' if counts[rarest] == 1 else 'are'} only {rare}. More {rows_word} of "
                "rare classes would help most, and would make these figures more certain."
            )
    low, high = found[metric.name]["low"], found[metric.name]["high"]
    beaten = low > baseline if metric.higher_is_better else high < baseline
    if not beaten:
        advice.append(
            "The result is not clearly better than the baseline: the data may not hold what "
            "decides the answer. Look for what does before using this model."
        )
    return advice
