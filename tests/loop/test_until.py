"""Stop conditions, and the words they are written in."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from treadle.contracts import Validation
from treadle.errors import OptionError
from treadle.loop.state import TrainState
from treadle.loop.until import (
    StopCondition,
    epochs,
    minutes,
    no_better_for,
    parse,
    reaches,
    steps,
)


def a_state(**facts: object) -> TrainState:
    state = TrainState(model=nn.Linear(1, 1))
    for name, value in facts.items():
        setattr(state, name, value)
    return state


def measured(**metrics: float) -> list[Validation]:
    return [Validation(step=1, epoch=0, metrics=metrics)]


def test_the_example_of_the_documentation_stops_by_each_of_its_parts() -> None:
    until = parse("50 epochs or 10 minutes or average_precision >= 0.85")
    assert until(a_state(epoch=49, history=measured(average_precision=0.84))) is None
    kinds = [
        until(state).kind  # type: ignore[union-attr]
        for state in (
            a_state(epoch=50),
            a_state(seconds_before=600.0),
            a_state(history=measured(average_precision=0.85)),
        )
    ]
    assert kinds == ["epochs", "minutes", "reached"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("50 epochs", "50 epochs"),
        ("1 epoch", "1 epochs"),
        ("1,000 steps", "1000 steps"),
        ("1,234,567 steps", "1234567 steps"),
        ("2 hours", "120 minutes"),
        ("30 s", "30 seconds"),
        ("90 seconds", "1.5 minutes"),
        ("10min", "10 minutes"),
        ("5 EPOCHS OR 3 Mins", "5 epochs or 3 minutes"),
        ("5 epochs | 3 minutes", "5 epochs or 3 minutes"),
        ("loss < 0.25", "loss <= 0.25"),
        ("ndcg@10>=.3", "ndcg@10 >= 0.3"),
        ("r2 >= -1e-3", "r2 >= -0.001"),
        ("no better for 5 validations", "no better for 5"),
        ("1000000 steps", "1000000 steps"),
    ],
)
def test_words_are_understood(text: str, plain: str) -> None:
    assert parse(text).text == plain
    assert parse(plain).text == plain


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("fifty epochs", "was not understood", "Write for example"),
        ("50 epocs", "'epocs', which is not a unit", "did you mean 'epochs'"),
        ("10 ms", "'ms', which is not a unit", "seconds"),
        ("2,5 minutes", "'2,5'", "Write for example"),
        ("0 epochs", "would never start", "more than zero"),
        ("no better for 0", "would never start", "more than zero"),
        ("loss = 0.3", "exactly one value", "<= where less is"),
        ("auc >= 0.8.5", "no number", "Write for example"),
        ("", "was not understood", "Write for example"),
        ("5 epochs or", "was not understood", "Write for example"),
        ("5 epochs and 3 minutes", "was not understood", "Write for example"),
    ],
)
def test_what_is_not_understood_is_named_with_a_hint(text: str, found: str, hint: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse(text)
    assert found in raised.value.message
    assert hint in raised.value.hint


counts = st.floats(1e-6, 1e9, allow_nan=False)
conditions = st.one_of(
    st.integers(1, 10**9).map(steps),
    counts.map(epochs),
    counts.map(minutes),
    st.integers(1, 1000).map(no_better_for),
    st.builds(
        reaches,
        st.from_regex(r"[a-z]\w{0,10}(@[1-9])?", fullmatch=True).filter(str.isascii),
        st.floats(allow_nan=False, allow_infinity=False),
        below=st.booleans(),
    ),
)


@given(st.lists(conditions, min_size=1, max_size=4))
def test_the_text_of_a_condition_says_the_same_condition(parts: list[StopCondition]) -> None:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole | part
    again = parse(whole.text)
    assert again.text == whole.text
    assert again.steps_limit == whole.steps_limit
    assert again.epochs_limit == whole.epochs_limit
    assert math.isclose(again.max_minutes, whole.max_minutes) or math.isinf(whole.max_minutes)


@given(st.text(max_size=30))
def test_any_other_text_is_refused_in_words_and_never_crashes(text: str) -> None:
    with contextlib.suppress(OptionError):
        assert parse(text).text


def test_limits_of_the_parts_are_those_of_the_whole() -> None:
    until = epochs(5) | steps(200) | minutes(3) | reaches("loss", 0.1, below=True)
    assert until.max_steps(30) == 150
    assert until.max_steps(100) == 200
    assert until.max_minutes == 3
    assert no_better_for(3).max_steps(10) == math.inf


def test_a_part_of_an_epoch_counts_as_a_whole_one() -> None:
    assert epochs(1.5).max_steps(10) == 20
    assert epochs(1.5)(a_state(epoch=1)) is None
    assert epochs(1.5)(a_state(epoch=2)) is not None


def test_a_metric_that_is_not_measured_is_said_with_what_is() -> None:
    with pytest.raises(OptionError, match="not measured") as raised:
        reaches("acuracy", 0.5)(a_state(history=measured(accuracy=0.4, loss=1.0)))
    assert "did you mean 'accuracy'" in raised.value.hint and "loss" in raised.value.hint


def test_nan_reaches_nothing() -> None:
    assert reaches("loss", 0.5, below=True)(a_state(history=measured(loss=math.nan))) is None


def test_never_stops_nothing() -> None:
    state = a_state(step=10**9, epoch=10**6)
    assert StopCondition.never()(state) is None


def test_the_shortest_patience_is_known() -> None:
    assert parse("50 epochs or no better for 10 or no better for 4").patience == 4
    assert math.isinf(epochs(50).patience)
