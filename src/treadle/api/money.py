"""What the test rows cost under the model's answers, and what they would cost without it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.answers import Answers, Part
from treadle.api.each_period import period_facts
from treadle.api.goal_of import Goal
from treadle.api.money_words import SAME_MODEL, SIMPLE, UNMOVED, money_sentences
from treadle.contracts import Json
from treadle.costs import OF_TWO
from treadle.data.amounts import read_amounts
from treadle.data.tables import Schema, TargetEncoder
from treadle.decision import ClassDecision, Columns, NumberDecision, Outcomes, TwoClassDecision
from treadle.study.money_interval import mean_interval
from treadle.study.tradeoff import tradeoff

Array: TypeAlias = NDArray[Any]
CASES = 1_000.0
MOST_PAIRS = 8


def money_of(
    goal: Goal,
    answers: Answers,
    target: TargetEncoder,
    train: Array,
    test: Part,
    *,
    schema: Schema | None = None,
    simple: Answers | None = None,
    simple_words: str = "",
) -> tuple[Json, Json]:
    """Return result.json's "money" and what the report draws of it.

    train:  what is true of the train rows, for rules that know no column
    simple: how a simple model of the same data answers, chosen as the model's answers are;
            simple_words: what it is, as a sentence begins
    """
    columns = read_amounts(test.rows, goal.costs.columns, schema)[0] if goal.costs.columns else {}
    decision, charts = answers.decision, {}
    one_more, more = 0.0, {}
    if isinstance(decision, TwoClassDecision):
        outcomes = Outcomes.of(goal.costs, columns, len(test.truth))
        paid = outcomes.paid(test.truth, answers.said_test == 1)
        rules = _two_class_rules(goal, outcomes, test, answers)
        one_more = _one_more(outcomes, test.truth)
        said = answers.said_test == 1
        curve = (decision, outcomes, answers.test[:, 1], test.truth, said, test.weights)
        charts = {"money_curve": tradeoff(*curve)}
        more = _two_class_facts(goal, decision, outcomes, test, answers, train.mean())
        more["twice"] = _with_twice_the_room(charts["money_curve"], goal)
        if simple is not None:
            rules.append((SIMPLE, outcomes.paid(test.truth, simple.said_test == 1)))
    elif isinstance(decision, ClassDecision):
        paid = decision.paid(test.truth, answers.said_test, columns)
        rules = _class_rules(decision, target, train, test, answers, columns)
        more = {"pairs": _pairs(decision, target, test, answers.said_test, columns, goal)}
    else:
        assert isinstance(decision, NumberDecision)
        paid = decision.paid(test.truth, answers.said_test, columns)
        rules = _number_rules(decision, train, test, columns)
    if simple is not None and not isinstance(decision, TwoClassDecision):
        rules.append((SIMPLE, decision.paid(test.truth, simple.said_test, columns)))
    counts = _shares(test) * len(test.truth)
    paid, rules = paid * counts, [(name, cost * counts) for name, cost in rules]
    money: Json = {
        "in_money": goal.in_money,
        "unit": goal.costs.unit,
        "per": "year" if goal.cases_a_year is not None else "1,000 cases",
        "cases": _scale(goal),
        "volume": goal.volume_words,
        "capacity": goal.capacity,
        "positive": goal.positive,
        "model": _figure(paid, test.clusters, one_more, _scale(goal)),
        "rules": [_rule(name, cost, paid, test.clusters, one_more, goal) for name, cost in rules],
        "simple": simple_words,
        **more,
    }
    return money | {"sentences": money_sentences(money, target)}, charts


def _shares(test: Part) -> Array:
    """Return which share of all cases each row stands for, [N]."""
    if test.weights is None:
        return np.full(len(test.truth), 1 / max(1, len(test.truth)))
    share: Array = test.weights / test.weights.sum()
    return share


def _scale(goal: Goal) -> float:
    return CASES if goal.cases_a_year is None else goal.cases_a_year


def _figure(values: Array, clusters: Array | None, one_more: float, scale: float) -> Json:
    low, high = mean_interval(values, clusters, one_more=one_more)
    return {"cost": float(values.mean()) * scale, "low": low * scale, "high": high * scale}


def _rule(
    name: str, cost: Array, paid: Array, clusters: Array | None, one_more: float, goal: Goal
) -> Json:
    """Return what a rule costs, and what the model saves against it on the same rows."""
    low, high = mean_interval(cost - paid, clusters, one_less=one_more)
    of_a_model = name.startswith((SAME_MODEL, SIMPLE))  # it may have been lucky as well
    return {
        "name": name,
        "without_model": not of_a_model,
        **_figure(cost, clusters, one_more if of_a_model else 0.0, _scale(goal)),
        "saved": float((cost - paid).mean()) * _scale(goal),
        "saved_low": low * _scale(goal),
        "saved_high": high * _scale(goal),
    }


def _one_more(outcomes: Outcomes, truth: Array) -> float:
    """Return what one more mistake than was seen may cost: the dearer kind's average."""
    kinds = [(outcomes.missed, truth == 1), (outcomes.false_alarm, truth == 0)]
    return max([0.0, *(float(cost[rows].mean()) for cost, rows in kinds if rows.any())])


def _two_class_rules(
    goal: Goal,
    outcomes: Outcomes,
    test: Part,
    answers: Answers,
) -> list[tuple[str, Array]]:
    """Return what doing without the model would cost, row by row, and its plain threshold."""
    none = outcomes.paid(test.truth, np.zeros(len(test.truth), bool))
    every = outcomes.paid(test.truth, np.ones(len(test.truth), bool))
    if goal.capacity is not None and goal.capacity < 1:
        share = float(_shares(test)[answers.said_test == 1].sum())
        drawn = "as many taken at random"
        return [("doing nothing", none), (drawn, (1 - share) * none + share * every)]
    even = outcomes.paid(test.truth, answers.test[:, 1] > 0.5)
    return [
        ("doing nothing", none),
        ("flagging everything", every),
        (f"{SAME_MODEL}, flagging from 0.5 on", even),
    ]


def _two_class_facts(
    goal: Goal,
    decision: TwoClassDecision,
    outcomes: Outcomes,
    test: Part,
    answers: Answers,
    positives: float,
) -> Json:
    """Return the confusion in money, and from where on a case is flagged.

    positives: their share in training
    """
    truth, said, share = test.truth, answers.said_test, _shares(test)
    when = {"missed": (1, 0), "false_alarm": (0, 1), "caught": (1, 1), "passed": (0, 0)}
    found = []
    for word in OF_TWO:
        rows = (truth == when[word][0]) & (said == when[word][1])
        cost = float(getattr(outcomes, word)[rows] @ share[rows])
        found.append(
            {
                "outcome": word,
                "rows": int(rows.sum()),
                "cases": float(share[rows].sum()) * _scale(goal),
                "cost": cost * _scale(goal),
            }
        )
    each = {}
    if answers.fixed_test is not None and goal.each is not None and test.moments is not None:
        each = {"each": period_facts(goal.each, test.moments, said == 1, answers.fixed_test)}
    return {
        **each,
        "outcomes": found,
        "majority": "nothing" if positives <= 0.5 else "everything",
        "threshold": decision.threshold,
        "margin": decision.margin,
        "flagged": float(share[said == 1].sum()),
    }


def _with_twice_the_room(curve: Json, goal: Goal) -> float | None:
    """Return what flagging twice as many would have saved more, where a capacity is the limit."""
    share = curve["chosen"]["share"]
    if goal.capacity is None or goal.capacity >= 1 or not 0 < share <= 0.5:
        return None
    now, then = np.interp([share, 2 * share], curve["shares"], curve["costs"])
    return float(now - then) * _scale(goal)


def _class_rules(
    decision: ClassDecision,
    target: TargetEncoder,
    train: Array,
    test: Part,
    answers: Answers,
    columns: Columns,
) -> list[tuple[str, Array]]:
    shares = np.bincount(train, minlength=len(target.classes)) / len(train)
    common = int(shares.argmax())
    cheapest = int(decision.answer(np.tile(shares, (len(test.truth), 1)), columns)[0])
    rules = [(f"always '{target.classes[common]}', the majority rule", common)]
    if cheapest != common:
        rules.append((f"always '{target.classes[cheapest]}', the cheapest single answer", cheapest))
    return [
        *((name, _always(decision, test.truth, code, columns)) for name, code in rules),
        (
            f"{SAME_MODEL}, saying the most probable class",
            decision.paid(test.truth, answers.test.argmax(axis=1), columns),
        ),
    ]


def _always(decision: ClassDecision, truth: Array, code: int, columns: Columns) -> Array:
    return decision.paid(truth, np.full(len(truth), code), columns)


def _pairs(
    decision: ClassDecision,
    target: TargetEncoder,
    test: Part,
    said: Array,
    columns: Columns,
    goal: Goal,
) -> list[Json]:
    """Return the mistakes that cost most in all."""
    count, scale, share = len(target.classes), _scale(goal), _shares(test)
    places = test.truth * count + said
    cost = decision.paid(test.truth, said, columns) * share
    paid = np.bincount(places, weights=cost, minlength=count**2)
    rows = np.bincount(places, minlength=count**2)
    cases = np.bincount(places, weights=share, minlength=count**2)
    dearest = np.argsort(-np.abs(paid), kind="stable")[:MOST_PAIRS]
    return [
        {
            "true": target.classes[place // count],
            "said": target.classes[place % count],
            "rows": int(rows[place]),
            "cases": float(cases[place]) * scale,
            "cost": float(paid[place]) * scale,
        }
        for place in dearest.tolist()
        if paid[place] != 0
    ]


def _number_rules(
    decision: NumberDecision, train: Array, test: Part, columns: Columns
) -> list[tuple[str, Array]]:
    rows = len(test.truth)
    level = float(np.clip(decision.level(columns, rows).mean(), 0.0, 1.0))
    answers = {
        "always the average": np.full(rows, float(train.mean())),
        "always the one number that costs least": np.full(rows, float(np.quantile(train, level))),
        UNMOVED: test.predicted,
    }
    return [(name, decision.paid(test.truth, said, columns)) for name, said in answers.items()]
