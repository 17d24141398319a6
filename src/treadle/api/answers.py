"""From what the models say to what is answered: calibrated, then decided for the user's goal.

Both are chosen on validation alone. What is said of validation rows is cross-fitted: each row was
answered by a map and a threshold that were chosen without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.each_period import Cases, each_period, flag_each_period
from treadle.api.goal_of import Goal
from treadle.calibrator import Calibrator
from treadle.contracts import Json
from treadle.data.amounts import read_amounts
from treadle.data.tables import Schema, TargetEncoder
from treadle.decision import ClassDecision, Columns, Decision, Outcomes
from treadle.goal import Metric
from treadle.study.calibration import Calibrated, calibrate, calibration_error, error_interval
from treadle.study.folds import folds_of
from treadle.study.move import choose_move
from treadle.study.threshold import choose_threshold, within

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part's rows: what is true, what the models say, and what is known of each row.

    predicted: probabilities [N, C], or values [N] for a number
    rows:      the rows as they were given, to read costs from
    clusters:  a code int64 [N] where rows of one cluster are not independent, else None
    moments:   when each row happened, seconds float64 [N], else None
    weights:   how many cases each row stands for, float64 [N]; None: one each
    """

    truth: Array
    predicted: Array
    rows: pl.DataFrame
    clusters: Array | None = None
    moments: Array | None = None
    weights: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How the model answers.

    validation, test: what is said of each row: probabilities [N, C], or the value foretold [N]
    said_validation, said_test: the answers: class codes int64 [N], or values
    why:              what was chosen, in sentences
    fixed_test:       where a capacity holds in each period, what one threshold for all would have
                      flagged, bool [N]
    """

    calibrator: Calibrator
    decision: Decision | None
    validation: Array
    test: Array
    said_validation: Array
    said_test: Array
    calibration: Json | None = None
    why: list[str] = field(default_factory=list)
    fixed_test: Array | None = None

    def facts(self) -> Json:
        """Return what model.json keeps of them."""
        found: Json = {}
        if self.calibrator.method != "as_is":
            found["calibrator"] = self.calibrator.model_dump(mode="json")
        if self.decision is not None:
            found["decision"] = self.decision.model_dump(mode="json")
        return found


def answers_of(
    goal: Goal | None,
    target: TargetEncoder,
    metric: Metric,
    validation: Part,
    test: Part,
    *,
    schema: Schema | None = None,
    train: Array | None = None,
    weighted: bool = False,
    seed: int = 0,
) -> Answers:
    """Choose how to answer on the validation part, and answer both parts.

    train:    what is true of the train rows: how frequent classes usually are
    weighted: rows count differently, so that plain shares of them say nothing of probabilities
    """
    folds = folds_of(
        validation.truth, groups=validation.clusters, moments=validation.moments, seed=seed
    )
    if target.task == "number":
        return _moved(goal, validation, test, folds, schema)
    calibrated = None if weighted else _calibrated(goal, metric, validation, folds, train)
    said = validation.predicted if calibrated is None else calibrated.crossed
    calibrator = Calibrator() if calibrated is None else calibrated.calibrator
    later = calibrator(test.predicted)
    found = Answers(
        calibrator=calibrator,
        decision=None,
        validation=said,
        test=later,
        said_validation=said.argmax(axis=1),
        said_test=later.argmax(axis=1),
        calibration=None if calibrated is None else _checked(calibrated, later, test),
    )
    if goal is None:
        return found
    seen, ahead = (_columns(goal, part.rows, schema) for part in (validation, test))
    if target.task == "classes":
        return _cheapest(found, goal, target, seen, ahead)
    return _flagged(found, goal, validation, test, folds, (seen, ahead))


def _calibrated(
    goal: Goal | None, metric: Metric, validation: Part, folds: Array, train: Array | None
) -> Calibrated | None:
    """Return the probabilities as they will be said; as they are where that serves the metric."""
    truth = validation.truth
    usual = None
    if train is not None:
        usual = np.bincount(train, minlength=validation.predicted.shape[1]) / len(train)
    by_time = validation.moments is not None
    found = calibrate(validation.predicted, truth, folds, by_time=by_time, usual=usual)
    may_harm = metric.needs == "labels" or validation.predicted.shape[1] > 2
    if goal is None and may_harm and found.calibrator.method != "as_is":
        before, after = metric(truth, validation.predicted), metric(truth, found.crossed)
        if metric.better(before, after):
            return None
    return found


def _cheapest(
    found: Answers, goal: Goal, target: TargetEncoder, seen: Columns, ahead: Columns
) -> Answers:
    """Answer with the class, of several, whose mistakes cost least."""
    decision = ClassDecision(costs=goal.costs, classes=target.classes)
    return replace(
        found,
        decision=decision,
        said_validation=decision.answer(found.validation, seen),
        said_test=decision.answer(found.test, ahead),
        why=["the class is said whose mistakes cost least by its probabilities."],
    )


def _flagged(
    found: Answers,
    goal: Goal,
    validation: Part,
    test: Part,
    folds: Array,
    columns: tuple[Columns, Columns],
) -> Answers:
    """Answer with the positive class where that is expected to cost less."""
    seen, ahead = (
        Outcomes.of(goal.costs, named, len(said))
        for named, said in zip(columns, (found.validation, found.test), strict=True)
    )
    counts = np.ones(len(validation.truth)) if validation.weights is None else validation.weights
    each = each_period(goal, validation)
    chosen = choose_threshold(
        goal.costs,
        seen,
        found.validation[:, 1],
        validation.truth,
        folds,
        capacity=None if each else goal.capacity,
        by_time=validation.moments is not None,
        weights=counts,
    )
    if each is None:
        return replace(
            found,
            decision=chosen.decision,
            said_validation=chosen.flagged.astype(np.int64),
            said_test=chosen.decision.answer(found.test, columns[1]),
            why=[chosen.why],
        )
    before = Cases.of(validation, seen, found.validation)
    after = Cases.of(test, ahead, found.test)
    paced = flag_each_period(each, chosen, before, after)
    fixed = within(chosen.decision, seen, before.probability, goal.capacity, counts)
    return replace(
        found,
        decision=paced.decision,
        said_validation=paced.before.astype(np.int64),
        said_test=paced.after.astype(np.int64),
        why=[chosen.why, paced.why],
        fixed_test=fixed.flags(after.probability, ahead),
    )


def _moved(
    goal: Goal | None, validation: Part, test: Part, folds: Array, schema: Schema | None
) -> Answers:
    """Return a number's answers: moved to where errors cost least."""
    plain = Answers(
        calibrator=Calibrator(),
        decision=None,
        validation=validation.predicted,
        test=test.predicted,
        said_validation=validation.predicted,
        said_test=test.predicted,
    )
    if goal is None:
        return plain
    columns = _columns(goal, validation.rows, schema)
    chosen = choose_move(
        goal.costs,
        columns,
        validation.predicted,
        validation.truth,
        folds,
        weights=validation.weights,
    )
    later = chosen.decision.answer(test.predicted, _columns(goal, test.rows, schema))
    return replace(
        plain,
        decision=chosen.decision,
        said_validation=chosen.values,
        said_test=later,
        why=[chosen.why],
    )


def _columns(goal: Goal | None, rows: pl.DataFrame, schema: Schema | None) -> Columns:
    if goal is None or not goal.costs.columns:
        return {}
    return read_amounts(rows, goal.costs.columns, schema)[0]


def _checked(calibrated: Calibrated, said: Array, test: Part) -> Json:
    """Return what the report says of the probabilities: off by how much, before and after."""
    before = calibration_error(test.predicted, test.truth)
    after = calibration_error(said, test.truth)
    low, high = error_interval(said, test.truth)
    return {
        "method": calibrated.calibrator.method,
        "validation": {"before": calibrated.before, "after": calibrated.after},
        "test": {"before": before, "after": after, "low": low, "high": high},
        "sentence": calibrated.why,
    }
