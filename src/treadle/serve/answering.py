"""From what a model says to its answer: probabilities calibrated, then decided for the goal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.calibrator import Calibrator
from treadle.contracts import Json
from treadle.data.amounts import read_amounts
from treadle.data.columns import Column
from treadle.data.moments import read_moments
from treadle.data.tables import Schema, TargetEncoder
from treadle.decision import (
    ClassDecision,
    Decision,
    NumberDecision,
    TwoClassDecision,
    read_decision,
)


class Answering:
    """How a model answers, read from its model.json.

    columns: what it decides by besides the model: columns that say what a mistake costs
    """

    def __init__(self, facts: Json, target: TargetEncoder, schema: Schema | None = None) -> None:
        self.target = target
        self.schema = schema
        self.calibrator = Calibrator.model_validate(facts.get("calibrator", {}))
        _check_map(self.calibrator, target)
        self.decision: Decision | None = None
        if "decision" in facts:
            self.decision = read_decision(facts["decision"])
            _check(self.decision, target)
        self.columns: list[str] = self.decision.costs.columns if self.decision else []
        self.when = _when(self.decision, schema)
        if self.when is not None:
            self.columns = [*self.columns, self.when.name]

    def answers(
        self, predicted: NDArray[Any], rows: pl.DataFrame
    ) -> tuple[list[pl.Series], pl.Series]:
        """Return the columns of the answer, and why rows have none, String [N].

        predicted: probabilities [N, C] or values [N]; rows: what the user gave
        """
        costs = self.decision.costs.columns if self.decision else []
        amounts, problems = read_amounts(rows, costs, self.schema)
        if self.target.task == "number":
            foretold = predicted.astype(np.float64)
            if self.decision is None:
                return [pl.Series("prediction", foretold)], problems
            moved = self.decision.answer(foretold, amounts)
            return [pl.Series("prediction", moved), pl.Series("expected", foretold)], problems
        said = self.calibrator(predicted)
        if self.decision is None:
            codes = said.argmax(axis=1)
        elif isinstance(self.decision, TwoClassDecision) and self.when is not None:
            moments, problems = self._moments(rows, problems)
            codes = self.decision.answer(said, amounts, moments)
        else:
            codes = self.decision.answer(said, amounts)
        labels = self.target.decode(codes).alias("prediction")
        return [labels, *probability_columns(said, self.target.classes)], problems

    def _moments(
        self, rows: pl.DataFrame, problems: pl.Series
    ) -> tuple[NDArray[np.float64], pl.Series]:
        """Return when each row came, and the problems of rows that do not say so, as they add up.

        Raises: DataError for rows without that column.
        """
        assert self.when is not None
        moments = read_moments(rows, self.when)
        undated = pl.Series(~np.isfinite(moments)) & problems.is_null()
        told = f"'{self.when.name}' says no date, so whether there is room for it is not known."
        return moments, problems.zip_with(~undated, pl.Series([told]))

    def said(
        self, answers: list[pl.Series], predicted: NDArray[Any], undecided: pl.Series
    ) -> NDArray[np.int64]:
        """Return the class of each answer, int64 [N]; the likeliest where none was decided."""
        if self.target.task == "number":
            return np.zeros(len(predicted), np.int64)
        likeliest = self.calibrator(predicted).argmax(axis=1)
        codes = self.target.encode(answers[0]).astype(np.int64)
        return np.where(undecided.is_null().to_numpy(), codes, likeliest)


def probability_columns(probabilities: NDArray[Any], classes: Sequence[str]) -> list[pl.Series]:
    """Return `probability_<class>` for each class."""
    return [
        pl.Series(f"probability_{name}", probabilities[:, i].astype(np.float64))
        for i, name in enumerate(classes)
    ]


def _when(decision: Decision | None, schema: Schema | None) -> Column | None:
    """Return the column that says when a case came, where the decision goes by it."""
    if not isinstance(decision, TwoClassDecision) or decision.pace is None:
        return None
    known = {column.name: column for column in schema.columns} if schema else {}
    if decision.pace.column not in known:
        raise ValueError("the decision goes by a date that the model does not know")
    return known[decision.pace.column]


def _check_map(calibrator: Calibrator, target: TargetEncoder) -> None:
    """Raise ValueError unless a map, from a file, can be one of this target's probabilities."""
    if calibrator.method in ("platt", "beta", "isotonic") and target.task != "two_classes":
        raise ValueError(f"a {calibrator.method} map is for two classes")
    if calibrator.method == "shifted" and len(calibrator.shifts) != len(target.classes):
        raise ValueError("a map with shifts needs one for each class")


def _check(decision: Decision, target: TargetEncoder) -> None:
    """Raise ValueError unless a decision, from a file, can be one of this target."""
    if decision.kind != target.task:
        raise ValueError(f"a decision of {decision.kind} is none for {target.task}")
    if isinstance(decision, ClassDecision) and decision.classes != target.classes:
        raise ValueError("the decision knows other classes than the model")
    words = {entry.word for entry in decision.costs.entries}
    if isinstance(decision, NumberDecision) and not words <= {"too_high", "too_low"}:
        raise ValueError("the decision's costs are none of a number")
