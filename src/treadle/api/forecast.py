"""Forecasts and the stop of a training, put together from what is known of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treadle import track_record
from treadle.api.engine import schedule_of
from treadle.contracts import Json, Watcher
from treadle.goal import Metric
from treadle.loop.until import StopCondition

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.api.training import Training
    from treadle.contracts import Schedule
    from treadle.loop.journal import Journal
    from treadle.loop.state import TrainState
    from treadle.watch.forecast_plan import Plan

FAR = 1_000_000
FEWEST_STILL = 2
"""Validations without a better one before which no rate runs out, however short the patience."""

FEWEST_ROUNDS = 100
"""Validations before which trees are not stopped: one round teaches them little."""


class Forecasts:
    """The watchers that forecast and that stop, and the condition that they stop by.

    A training that validates nothing has nothing to forecast; one whose plan lowers the rate where
    validation stands still is left to do so.
    """

    def __init__(self, training: Training, journal: Journal) -> None:
        from treadle.watch.enough import FEWEST_CHECKS, STILL, Enough
        from treadle.watch.forecaster import Forecaster
        from treadle.watch.pace import Pace

        pace = Pace(
            journal,
            max_steps=training.until.max_steps(training.steps_per_epoch),
            max_seconds=training.until.max_minutes * 60,
            validate_every=training.validate_every,
        )
        self.watchers: list[Watcher] = [pace]
        self.enough = StopCondition.never()
        self._forecaster: Forecaster | None = None
        if training.metric.name == "train_loss":
            return
        plan = _plan(training, journal)
        self._forecaster = Forecaster(journal, plan, width=_width, keep=track_record.keep)
        self.watchers.append(self._forecaster)
        patience = training.until.patience
        runs_out = training.holds_rate and math.isfinite(patience)
        if (training.stops_itself or runs_out) and not training.plateau:
            error = error_of(training.metric, training.validation_rows)
            enough = Enough(
                journal,
                plan,
                worth=training.worth,
                error=error,
                fewest_checks=FEWEST_CHECKS if training.state.optimizers else FEWEST_ROUNDS,
                still=max(FEWEST_STILL, int(min(STILL, patience / 2))) if runs_out else STILL,
                weighs=training.stops_itself,
            )
            self.watchers.append(enough)
            self.enough = enough.condition

    def conclude(self, state: TrainState) -> None:
        """Check the forecasts for where training ended, and make the last ones."""
        if self._forecaster is not None:
            self._forecaster.conclude(state)

    def told(self, state: TrainState) -> list[Json]:
        """Return the newest forecasts, as result.json has them."""
        return self._forecaster.told(state) if self._forecaster is not None else []


def _plan(training: Training, journal: Journal) -> Plan:
    from treadle.watch.forecast_plan import Plan

    about = {
        "run": str(journal.folder.resolve()) if journal.folder else "",
        "name": training.name,
        "rows": training.source.num_rows,
        "validation_rows": training.validation_rows,
    }
    return Plan(
        metric=training.metric,
        max_steps=training.until.max_steps(training.steps_per_epoch),
        levels=training.until.levels,
        factor=_falling(schedule_of(training.step)),
        about=about,
    )


def _falling(schedule: Schedule | None) -> Callable[[int, int], float] | None:
    """Return the plan of the rate, where it has the rate fall by its end."""
    if schedule is None or schedule(FAR, FAR, 1.0) > 0.5:
        return None
    return lambda step, horizon: schedule(step, horizon, 1.0)


def _width() -> tuple[float, str]:
    record = track_record.read()
    return track_record.factor(record), track_record.sentence(record)


def error_of(metric: Metric, rows: int) -> Callable[[float], float]:
    """Return about how far a metric's value would be off on as many other validation rows.

    A rule of thumb: a share has the deviation of a count, a mean loss that of values that differ
    from each other by as much as their mean. 0 where the rows are not known.
    """

    def error(value: float) -> float:
        if rows < 1 or not math.isfinite(value):
            return 0.0
        if metric.higher_is_better and 0 <= value <= 1:
            return math.sqrt(max(value * (1 - value), 1 / rows) / rows)
        return abs(value) / math.sqrt(rows)

    return error
