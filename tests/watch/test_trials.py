"""Which short trainings are made at the end: few where nothing is suspected."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.watch.verdict_evidence import around, probe, seen, sound, windows
from treadle.watch.evidence import Evidence, Probe
from treadle.watch.trials import MOST_STEPS, Trial, gain, wanted_trials

FLAT = windows(0.6, 0.2, 0.2, 0.2)


def fresh(**changed: object) -> Evidence:
    return sound(probes=(), **changed)


def made(trial: Trial, held_out: float) -> Probe:
    return probe(trial.factor, held_out, steps=trial.steps, falls=trial.falls, free=trial.free)


def test_a_lower_rate_is_always_tried_and_a_higher_one_where_the_loss_still_falls() -> None:
    assert [trial.factor for trial in wanted_trials(fresh(windows=FLAT))] == [0.1]
    assert [trial.factor for trial in wanted_trials(fresh())] == [0.1, 10.0]


def test_where_nothing_is_suspected_trials_are_a_tenth_of_the_training_at_most() -> None:
    wanted = wanted_trials(fresh(step=6_000))
    assert sum(trial.steps for trial in wanted) <= 0.1 * 6_000
    long = wanted_trials(fresh(step=10_000_000))
    assert all(trial.steps <= MOST_STEPS for trial in long)


def test_a_trial_that_gains_a_little_asks_for_a_longer_one_and_no_other() -> None:
    first = wanted_trials(fresh())
    for reached, longer in ((0.249, 0), (0.22, 1)):
        probes = tuple(made(trial, reached) for trial in first)
        more = wanted_trials(sound(probes=probes))
        assert len(more) == longer
        assert all(trial.steps > 2 * first[1].steps for trial in more)


@pytest.mark.parametrize("suspicion", ["behind", "first steps", "learned little"])
def test_what_is_suspected_is_tried_even_where_the_loss_stands(suspicion: str) -> None:
    little = seen(0.66, 0.67)
    evidence = fresh(windows=FLAT, better_rate=40.0 if suspicion == "first steps" else 1.0)
    if suspicion == "learned little":
        evidence = replace(evidence, last=little, best=little)
    factors = [t.factor for t in wanted_trials(evidence, is_behind=suspicion == "behind")]
    assert factors == [0.1, 10.0, 30.0]


def test_a_rate_that_was_lowered_is_tried_as_it_was_given() -> None:
    factors = [t.factor for t in wanted_trials(fresh(windows=FLAT, better_rate=0.02))]
    assert factors == [0.1, pytest.approx(50.0)]
    assert [t.factor for t in wanted_trials(fresh(windows=FLAT, better_rate=0.9))] == [0.1]


@pytest.mark.parametrize("held", ["decayed", "left_out"])
def test_a_model_that_may_be_held_back_is_tried_without(held: str) -> None:
    wanted = wanted_trials(fresh(windows=FLAT, **{held: 5.0}))
    assert [(trial.factor, trial.free) for trial in wanted] == [(0.1, False), (1.0, True)]


def test_a_gain_is_worth_less_at_the_last_digit_and_where_nothing_can_be_learned() -> None:
    much = gain(around(0.5), around(0.25), 1.0)
    assert much == pytest.approx(math.sqrt(0.5 * 0.25 / 0.75))
    assert gain(around(0.002), around(0.001), 1.0) < 0.03
    assert gain(around(0.99), around(0.985), 1.0) < 0.1
    assert gain(around(0.2), around(0.3), 1.0) == 0.0
    assert gain(around(0.2), around(0.2), 0.2) == 0.0
