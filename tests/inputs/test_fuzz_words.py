"""What people write after --until and --label-delay, at random: a condition or a refusal."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.inputs.fuzzing import result_or_refusal, tries
from treadle.data.durations import parse_duration
from treadle.loop.until import StopCondition, parse

PARTS = st.sampled_from(
    [
        *("5", "0", "1e3", "1,000", "0.5", "-1", "inf", "nan", "epochs", "epoch", "steps", "h"),
        *("minutes", "or", "|", ">=", "<", "==", "roc_auc", "hit@10", "no better for", "checks"),
        *(" ", "", "٣", "½", "9" * 400, "1" + "," * 50, "or " * 50),
    ]
)
WORDS = st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=8).map(" ".join))


@tries(300)
@given(text=WORDS)
def test_any_words_are_a_condition_or_refused(text: str) -> None:
    found: StopCondition | None = result_or_refusal(lambda: parse(text))
    if found is not None:
        again = parse(found.text)
        assert again.text == found.text
        assert (again.steps_limit, again.epochs_limit) == (found.steps_limit, found.epochs_limit)
        assert again.max_minutes == found.max_minutes and again.metrics == found.metrics
        assert found.max_steps(10) > 0 and found.max_minutes > 0


@tries(300)
@given(
    count=st.one_of(st.integers(1, 10**9), st.floats(0.001, 1e9)),
    unit=st.sampled_from(["steps", "epochs", "seconds", "minutes", "hours"]),
)
def test_what_is_asked_for_is_what_is_understood(count: float, unit: str) -> None:
    found = parse(f"{count:.17f} {unit}" if isinstance(count, float) else f"{count:,} {unit}")
    minutes = {"seconds": 1 / 60, "minutes": 1.0, "hours": 60.0}
    if unit in minutes:
        assert math.isclose(found.max_minutes, float(count) * minutes[unit], rel_tol=1e-9)
    else:
        limit = found.steps_limit if unit == "steps" else found.epochs_limit
        assert limit == math.ceil(count)


@tries(200)
@given(text=WORDS)
def test_any_words_are_a_length_of_time_or_refused(text: str) -> None:
    found: float | None = result_or_refusal(lambda: parse_duration(text))
    assert found is None or found >= 0
