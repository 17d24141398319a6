"""From what a model says of a row to the answer that costs least: kept with the model as JSON.

Two classes: a case is flagged where what finding it saves, times its probability, is more than
what a false alarm costs, times the rest. With costs of its own each row has its own threshold, so
what is chosen on validation is not a probability but a distance from break-even, in log-odds.

Source: Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, equation 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, TypeAdapter

from treadle.contracts import Frozen
from treadle.costs import ANY, OF_NUMBERS, OF_TWO, Amount, Costs
from treadle.pace import Pace

Array: TypeAlias = NDArray[Any]
Columns: TypeAlias = Mapping[str, Array]
"""Column → what it says of each row, float64 [N]."""

SMALLEST = 1e-12


def amounts_of(amount: Amount, columns: Columns, rows: int) -> Array:
    """Return what an outcome costs in each row, float64 [N]."""
    if amount.column is None:
        return np.full(rows, amount.factor)
    values: Array = amount.factor * columns[amount.column]
    return values


def log_odds(probability: Array) -> Array:
    """Return log(p / (1 − p)), finite where p is 0 or 1."""
    safe = np.clip(probability.astype(np.float64), SMALLEST, 1 - SMALLEST)
    odds: Array = np.log(safe) - np.log1p(-safe)
    return odds


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What each of the four outcomes costs, row by row, float64 [N]."""

    missed: Array
    false_alarm: Array
    caught: Array
    passed: Array

    @classmethod
    def of(cls, costs: Costs, columns: Columns, rows: int) -> Outcomes:
        return cls(**{word: amounts_of(costs.of(word), columns, rows) for word in OF_TWO})

    def __getitem__(self, rows: Any) -> Outcomes:
        return Outcomes(**{word: getattr(self, word)[rows] for word in OF_TWO})

    @property
    def gain(self) -> Array:
        """What flagging a positive saves."""
        return self.missed - self.caught

    @property
    def price(self) -> Array:
        """What flagging a negative costs more than letting it pass."""
        return self.false_alarm - self.passed

    def benefit(self, probability: Array) -> Array:
        """Return what flagging a case is expected to save, in money."""
        p = probability.astype(np.float64)
        return p * self.gain - (1 - p) * self.price

    def margin(self, probability: Array) -> Array:
        """Return how far each case lies above break-even, in log-odds; ±inf where one-sided."""
        both = (self.gain > 0) & (self.price > 0)
        one_sided = np.where(self.benefit(probability) > 0, np.inf, -np.inf)
        gain, price = (np.where(both, part, 1.0) for part in (self.gain, self.price))
        return np.where(both, log_odds(probability) - np.log(price / gain), one_sided)

    def paid(self, truth: Array, flagged: Array) -> Array:
        """Return what each row costs in the end, [N]. truth, flagged: true for positives."""
        when_positive = np.where(flagged, self.caught, self.missed)
        when_negative = np.where(flagged, self.false_alarm, self.passed)
        return np.where(truth.astype(bool), when_positive, when_negative)


class TwoClassDecision(Frozen):
    """When the positive class is said.

    margin: the log-odds above break-even from which a case is flagged; 0: from break-even on
    least:  where only so many can be looked at, the least expected saving of a flagged case
    pace:   where only so many can be looked at in each hour, day or week
    """

    kind: Literal["two_classes"] = "two_classes"
    costs: Costs
    margin: FiniteFloat = 0.0
    least: FiniteFloat | None = None
    pace: Pace | None = None

    def answer(self, probabilities: Array, columns: Columns, moments: Array | None = None) -> Array:
        """Return class codes int64 [N]. probabilities: [N, 2]; moments: see `flags`."""
        outcomes = Outcomes.of(self.costs, columns, len(probabilities))
        return self.flags(probabilities[:, 1], outcomes, moments).astype(np.int64)

    def flags(self, probability: Array, outcomes: Outcomes, moments: Array | None = None) -> Array:
        """Return bool [N]: which cases are flagged.

        moments: when each case came, seconds float64 [N], where there is a pace; without a moment
                 (NaN) none is flagged
        """
        flagged = outcomes.margin(probability) > self.margin
        benefit = outcomes.benefit(probability)
        if self.least is not None:
            flagged &= benefit >= self.least
        if self.pace is not None:
            assert moments is not None, "a pace needs to know when cases came"
            dated = np.isfinite(moments)
            paced = self.pace.flags(moments[dated], benefit[dated], flagged[dated])
            flagged[dated], flagged[~dated] = paced, False
        return flagged

    @property
    def threshold(self) -> float | None:
        """The probability from which cases are flagged; None where each row has its own."""
        if self.costs.columns or self.pace is not None:
            return None
        one = Outcomes.of(self.costs, {}, 1)
        gain, price = float(one.gain[0]), float(one.price[0])
        start = 0.0
        if price > 0:
            start = float(1 / (1 + np.exp(-(np.log(price / gain) + self.margin))))
        if self.least is None:
            return start
        return max(start, (self.least + price) / (gain + price))


class ClassDecision(Frozen):
    """The class whose expected cost is least, among several.

    classes: as the model orders them
    """

    kind: Literal["classes"] = "classes"
    costs: Costs
    classes: tuple[str, ...]

    def answer(self, probabilities: Array, columns: Columns) -> Array:
        """Return class codes int64 [N]; among equals the more probable. probabilities: [N, C]."""
        expected = self.expected(probabilities, columns)
        least = expected.min(axis=1, keepdims=True)
        near = expected <= least + 1e-12 * (1 + np.abs(least))
        chosen: Array = np.where(near, probabilities, -1.0).argmax(axis=1)
        return chosen

    def expected(self, probabilities: Array, columns: Columns) -> Array:
        """Return what saying each class is expected to cost, float64 [N, C]."""
        found = np.zeros(probabilities.shape, np.float64)
        for amount, mask in self._masks():
            costs = amounts_of(amount, columns, len(probabilities))
            found += costs[:, None] * (probabilities @ mask)
        return found

    def paid(self, truth: Array, said: Array, columns: Columns) -> Array:
        """Return what each row costs in the end, float64 [N]. truth, said: class codes [N]."""
        found = np.zeros(len(truth), np.float64)
        for amount, mask in self._masks():
            found += amounts_of(amount, columns, len(truth)) * mask[truth, said]
        return found

    def _masks(self) -> list[tuple[Amount, Array]]:
        """Return each amount with the pairs that cost it: 1.0 in [C, C], by (true, said).

        What was said of one pair goes before what holds for any class.
        """
        of_entry = np.full((len(self.classes), len(self.classes)), -1)
        rank = [-(e.true == ANY) - (e.said == ANY) for e in self.costs.entries]
        for place in np.argsort(rank, kind="stable"):
            entry = self.costs.entries[place]
            trues = slice(None) if entry.true == ANY else self._code(entry.true)
            saids = slice(None) if entry.said == ANY else self._code(entry.said)
            right = of_entry.diagonal().copy()
            of_entry[trues, saids] = place
            if ANY in (entry.true, entry.said):  # any other class: being right is none of them
                np.fill_diagonal(of_entry, right)
        return [
            (entry.amount, (of_entry == place).astype(np.float64))
            for place, entry in enumerate(self.costs.entries)
        ]

    def _code(self, name: str) -> int:
        return self.classes.index(name)


class NumberDecision(Frozen):
    """A number moved to where errors cost least.

    way:     "add": the move is added; "multiply": it is a share of the prediction, added
    levels:  shares of cases, ascending; moves: the move below which so many true values lie
    """

    kind: Literal["number"] = "number"
    costs: Costs
    way: Literal["add", "multiply"] = "add"
    levels: tuple[FiniteFloat, ...]
    moves: tuple[FiniteFloat, ...]

    def answer(self, predicted: Array, columns: Columns) -> Array:
        """Return the moved values, float64 [N]."""
        level = self.level(columns, len(predicted))
        move = np.interp(level, np.array(self.levels), np.array(self.moves))
        values = predicted.astype(np.float64)
        moved: Array = values + (move * np.abs(values) if self.way == "multiply" else move)
        return moved

    def level(self, columns: Columns, rows: int) -> Array:
        """Return the share of cases that should lie below the answer, [N].

        Source: Koenker and Bassett, Regression Quantiles, Econometrica 1978.
        """
        high, low = self._costs(columns, rows)
        share: Array = low / np.maximum(high + low, SMALLEST)
        return share

    def paid(self, truth: Array, said: Array, columns: Columns) -> Array:
        """Return what each row costs in the end, float64 [N]."""
        high, low = self._costs(columns, len(truth))
        error = said.astype(np.float64) - truth
        return np.where(error > 0, high * error, -low * error)

    def _costs(self, columns: Columns, rows: int) -> tuple[Array, Array]:
        high, low = (amounts_of(self.costs.of(word), columns, rows) for word in OF_NUMBERS)
        return high, low


Decision: TypeAlias = TwoClassDecision | ClassDecision | NumberDecision
_DECISION: TypeAdapter[Decision] = TypeAdapter(Annotated[Decision, Field(discriminator="kind")])


def read_decision(facts: object) -> Decision:
    """Return a decision from what model.json says of it. Raises: ValueError."""
    decision = _DECISION.validate_python(facts)
    names = decision.costs.columns
    if isinstance(decision, NumberDecision):
        levels = np.array(decision.levels)
        if len(levels) != len(decision.moves) or not len(levels) or (np.diff(levels) <= 0).any():
            raise ValueError("a decision's moves do not fit its levels")
    if isinstance(decision, ClassDecision):
        decision.paid(np.zeros(0, np.int64), np.zeros(0, np.int64), {n: np.zeros(0) for n in names})
    return decision
