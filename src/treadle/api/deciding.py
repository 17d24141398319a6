"""Which measure decides which round, weights and models of a table are best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treadle.api.options import FitOptions
from treadle.goal import DEFAULT, Metric, metric_named

if TYPE_CHECKING:
    from treadle.api.table_data import TableData
    from treadle.contracts import Task
    from treadle.loop.journal import Journal

FEW_ROWS = 1_000
"""Below so many validation rows of the rarest class a rank or a count of right answers jumps about
too much to tell rounds apart: where the log loss chose, ROC AUC on test rows was better in 10 of
17 trainings of trees on small tables (equal in one), and in 6 of 7 of networks (equal in one).
"""


def reported(options: FitOptions, task: Task) -> Metric:
    """Return the metric that the user named, or else the usual one."""
    return metric_named(options.metric or DEFAULT[task], task)


def deciding(options: FitOptions, data: TableData) -> Metric:
    """Return the metric that the user named, or the log loss where rows of a class are few."""
    task = data.target.task
    if options.metric or task == "number" or _rarest(data) >= FEW_ROWS:
        return reported(options, task)
    return metric_named("log_loss", task)


def say_deciding(journal: Journal, metric: Metric, judge: Metric) -> None:
    """Say where something else decides than what is reported."""
    if judge.name == metric.name:
        return
    journal.say(
        "metric",
        f"there are few rows of a class to watch the learning on, so {metric.name} would jump "
        f"about by luck: the log loss, which changes smoothly, decides what is best, and "
        f"{metric.name} is what is told. --metric decides otherwise.",
    )


def _rarest(data: TableData) -> int:
    return int(np.bincount(data.truth("validation"), minlength=len(data.target.classes)).min())
