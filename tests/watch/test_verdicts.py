"""Each verdict: told from evidence in which one thing is wrong, and from no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.watch.verdict_evidence import (
    CONSTANT,
    ROWS,
    around,
    jumps,
    probe,
    seen,
    sound,
    windows,
)
from treadle.watch.evidence import Column, Curve, Evidence, Seen
from treadle.watch.verdict import sureness
from treadle.watch.verdicts import judge
from treadle.watch.verdicts_fit import is_behind
from treadle.watch.verdicts_labels import told_apart


def names(evidence: Evidence) -> list[str]:
    return [verdict.name for verdict in judge(evidence)]


def noisy_classes(share: float) -> Seen:
    """Answers that are wrong as often where the model is sure as where it is not."""
    missed = (np.random.default_rng(1).random(ROWS) < share).astype(float)
    return seen(0.4, 0.45, missed=missed)


def numbers(*, related: bool) -> Seen:
    """One number of ten is far off: drawn from all of them, or with something added to it."""
    draw = np.random.default_rng(2)
    said = draw.normal(0.0, 1.0, ROWS)
    truth = said + draw.normal(0.0, 0.05, ROWS)
    few = slice(0, ROWS // 10)
    far = draw.permutation(said)[few] if not related else said[few] + draw.choice([-3, 3], 40)
    truth[few] = far
    return seen(0.2, 0.25, sureness=None, classes=0, said=said, truth=truth)


def broken_rows(**changed: Any) -> Any:
    every = [(20.0 + 40 * epoch, 0.4, 90.0, 0.45) for epoch in range(10)]
    return jumps(*[(s, changed.get("usual", u), lo, a) for s, u, lo, a in every])


def standing_still(
    late: float = 0.25, train: float = 0.2, *, validations: int = 60, at: int = 5
) -> Curve:
    """Return a curve that falls up to a validation and stands there, but for its last quarter."""
    steps = np.arange(1, validations + 1) * (400 / validations)
    held_out = np.r_[np.linspace(0.6, 0.25, at), np.full(validations - at, 0.251)]
    held_out[-validations // 4 :] = late
    learned = np.r_[np.linspace(0.6, 0.2, at), np.linspace(0.2, train, validations - at)]
    return Curve(steps=steps, train=learned, held_out=held_out)


SPOILED: dict[str, dict[str, Any]] = {
    "rate_too_high": {"probes": (probe(0.1, 0.12),)},
    "rate_too_low": {"probes": (probe(10.0, 0.15),), "windows": windows(0.68, 0.67, 0.66, 0.65)},
    "plateau": {"curve": standing_still()},
    "overfitting": {
        "last": seen(0.02, 0.5),
        "best": seen(0.2, 0.25),
        "best_step": 120,
        "probes": (),
    },
    "underfitting": {
        "other": np.zeros(ROWS),
        "best": seen(0.5, 0.52, missed=np.tile([0.0, 1], 200)),
        "probes": (probe(0.1, 0.519), probe(10.0, 0.6)),
        "curve": standing_still(0.251, validations=10, at=6),
    },
    "noisy_labels": {"best": noisy_classes(0.12), "probes": ()},
    "leak": {"column": Column(name="number 3", right=0.99, next=0.1)},
    "dead_units": {
        "last": seen(0.2, 0.25, silent={"1": (32, 28)}),
        "first_silent": {"1": (32, 28)},
    },
    "small_validation": {"held_out_rows": 20},
    "spike": {"jumps": broken_rows()},
}


def test_nothing_is_said_of_a_sound_training() -> None:
    assert judge(sound()) == []


@pytest.mark.parametrize("cause", SPOILED)
def test_each_cause_is_named_alone(cause: str) -> None:
    assert names(sound(**SPOILED[cause])) == [cause]


@pytest.mark.parametrize("cause", SPOILED)
def test_a_verdict_has_numbers_a_confidence_and_two_sentences(cause: str) -> None:
    (verdict,) = judge(sound(**SPOILED[cause]))
    assert 0.5 <= verdict.confidence <= 1.0
    assert verdict.saw
    for words in (verdict.sentence, verdict.action):
        assert (words[0].isupper() or words[0].isdigit()) and words.endswith(".")
        assert "nan" not in words and "inf" not in words.split()


def test_nothing_is_said_where_nothing_could_be_measured() -> None:
    bare = dict.fromkeys(["last", "best", "constant", "constant_missed", "other", "best_step"])
    assert judge(sound(**bare, probes=(), held_out_rows=0)) == []


def test_nothing_is_said_where_there_is_nothing_to_learn() -> None:
    """All answers are alike, so a constant one is right."""
    none = np.zeros(ROWS)
    found = replace(seen(0.0, 0.0, missed=np.zeros(ROWS)), train=none, held_out=none)
    same = {"constant": none, "constant_missed": np.zeros(ROWS), "other": np.zeros(ROWS)}
    level = windows(0.0, 0.0, 0.0, 0.0)
    assert judge(sound(last=found, best=found, probes=(), windows=level, **same)) == []


def test_a_model_that_was_put_back_went_in_steps_too_large_and_that_was_seen_to() -> None:
    (verdict,) = judge(sound(rollbacks=2))
    assert (verdict.name, verdict.taken) == ("rate_too_high", True)
    assert "2 times" in verdict.sentence


def test_a_rate_that_was_lowered_after_the_first_steps_was_too_high() -> None:
    (verdict,) = judge(sound(better_rate=0.03))
    assert (verdict.name, verdict.taken) == ("rate_too_high", True)
    assert judge(sound(better_rate=0.6)) == []


def given(held_out: float, factor: float) -> dict[str, Any]:
    """Return a rate that the first steps lowered, and what the one given does to the model."""
    tried = probe(1 / factor, held_out, steps=10, falls=False)
    return {"better_rate": factor, "probes": (probe(0.1, 0.249), tried)}


def test_a_rate_that_does_no_harm_was_lowered_for_nothing() -> None:
    assert names(sound(**given(0.6, 0.03))) == ["rate_too_high"]
    assert judge(sound(**given(0.2, 0.03))) == []


def test_a_rate_that_was_a_little_lower_must_do_much_harm_to_have_been_too_high() -> None:
    assert judge(sound(**given(0.25, 0.25))) == []
    assert names(sound(**given(0.68, 0.25))) == ["rate_too_high"]


def test_a_trial_that_left_the_numbers_shows_that_the_rate_was_too_high() -> None:
    assert names(sound(**given(float("inf"), 0.03))) == ["rate_too_high"]


def test_a_training_loss_that_runs_away_for_good_has_diverged() -> None:
    assert names(sound(windows=windows(0.7, 9.0, 40.0, 60.0))) == ["diverged"]


def test_one_broken_batch_in_a_window_is_no_overshooting() -> None:
    wild = windows(0.6, 0.35, 0.25, 0.2)
    count = np.full(40, 8.0)
    spiky = replace(wild, batches=count, mean=wild.mean + 100.0 / 8, highest=wild.mean + 100.0)
    assert names(sound(windows=spiky)) == []
    assert names(sound(windows=replace(spiky, highest=spiky.mean + 1))) != []


def test_a_training_loss_that_rises_again_for_good_is_a_rate_too_high() -> None:
    assert names(sound(windows=windows(0.6, 0.3, 0.5, 0.55))) == ["rate_too_high"]


def test_a_loss_thrown_back_to_guessing_is_a_rate_too_high_and_no_spike() -> None:
    thrown = jumps(*[(100.0 + 70 * n, 0.05, 0.8, 0.3) for n in range(4)])
    assert names(sound(jumps=thrown)) == ["rate_too_high"]


def test_jumps_of_a_model_that_has_learned_nearly_all_are_harmless() -> None:
    assert judge(sound(jumps=jumps(*[(60.0 + 70 * n, 0.001, 0.05, 0.001) for n in range(5)]))) == []


def test_blow_ups_of_the_first_epochs_are_no_broken_rows() -> None:
    early = jumps(*[(20.0 + 10 * n, 0.6, 60.0 * 3**n, 0.6) for n in range(4)])
    assert "spike" not in names(sound(jumps=early))


def test_units_that_died_on_the_way_speak_of_the_rate_and_not_of_the_start() -> None:
    died = {"last": seen(0.2, 0.25, silent={"1": (32, 31)}), "first_silent": {"1": (32, 0)}}
    assert names(sound(**died)) == ["rate_too_high"]


def test_a_few_silent_units_are_nothing_to_speak_of() -> None:
    few = {"last": seen(0.2, 0.25, silent={"1": (32, 12)}), "first_silent": {"1": (32, 12)}}
    assert judge(sound(**few)) == []


def test_a_model_that_still_gets_better_is_not_too_simple_but_not_done() -> None:
    falling = SPOILED["underfitting"] | {"curve": sound().curve}
    assert "underfitting" not in names(sound(**falling))


def test_a_little_more_than_the_best_is_no_learning_by_heart() -> None:
    assert judge(sound(last=seen(0.15, 0.26), best_step=360)) == []


def test_a_rise_that_may_be_chance_is_no_learning_by_heart() -> None:
    scattered = seen(0.1, 0.3, spread=3.0)
    assert "overfitting" not in names(sound(last=scattered, best_step=360, probes=()))


def test_a_better_learner_says_nothing_of_a_model_that_learned_by_heart() -> None:
    wide = {"best": seen(0.02, 0.6, missed=np.tile([0.0, 1], 200)), "other": np.zeros(ROWS)}
    assert "underfitting" not in names(sound(**wide))


def test_a_hard_task_that_is_right_where_it_is_sure_is_not_noisy() -> None:
    wrong = (np.random.default_rng(3).random(ROWS) < np.linspace(0.0, 0.4, ROWS)).astype(float)
    assert judge(sound(best=seen(0.2, 0.25, missed=wrong))) == []


def test_numbers_far_off_are_noisy_only_where_their_rows_say_nothing_of_them() -> None:
    base = {"constant_missed": np.ones(ROWS), "other": None}
    assert names(sound(best=numbers(related=False), **base)) == ["noisy_labels"]
    assert judge(sound(best=numbers(related=True), **base)) == []


def test_one_good_input_among_others_as_good_is_no_leak() -> None:
    assert judge(sound(column=Column(name="number 3", right=0.97, next=0.94))) == []


def test_a_leak_that_the_look_at_the_data_found_is_told_without_figures_nobody_measured() -> None:
    (verdict,) = judge(sound(column=Column(name="the column 'paid'", right=1.0, next=None)))
    assert verdict.name == "leak" and "the column 'paid'" in verdict.sentence
    assert "%" not in verdict.sentence and "next" not in verdict.saw


def test_trees_of_too_few_rounds_for_their_rate_crept() -> None:
    trees = {"probes": (), "untouched": 0.8, "best_step": 398}
    (verdict,) = judge(sound(**trees))
    assert verdict.name == "rate_too_low" and "80%" in verdict.sentence
    assert judge(sound(probes=(), untouched=0.002)) == []


def test_a_consequence_is_not_said_beside_its_cause() -> None:
    both = SPOILED["underfitting"] | SPOILED["rate_too_low"]
    assert names(sound(**both)) == ["rate_too_low"]
    assert names(sound(**SPOILED["overfitting"] | {"held_out_rows": 20})) == ["small_validation"]


def test_units_of_another_kind_are_compared_with_the_first_loss() -> None:
    """A sampled loss of 4 beside a ranking that falls short by 0.5 of 1 is no loss above chance."""
    other = sound(
        windows=windows(4.0, 3.0, 2.5, 2.4), same_units=False, constant=around(CONSTANT), probes=()
    )
    assert judge(other) == []


def test_sureness_is_one_half_at_the_threshold_and_grows() -> None:
    assert sureness(0.1, 0.1) == 0.5
    assert sureness(1.0, 0.1) == 0.95
    assert sureness(0.0, 0.1) == 0.0


def test_told_apart_is_the_area_under_the_curve() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(4)
    surely, wrong = draw.integers(0, 20, 200) / 20, (draw.random(200) < 0.3).astype(float)
    assert told_apart(surely, wrong) == pytest.approx(sklearn.roc_auc_score(1 - wrong, surely))


def test_where_far_higher_rates_did_better_from_the_start_the_rate_is_not_too_high() -> None:
    creeping = sound(better_rate=40.0, rollbacks=1)
    assert "rate_too_high" not in names(creeping)


def test_a_rate_that_only_seemed_too_low_at_first_is_not_when_trials_gain_nothing() -> None:
    assert judge(sound(better_rate=60.0)) == []
    assert names(sound(better_rate=60.0, probes=())) == ["rate_too_low"]


def test_a_trial_set_free_that_gains_much_shows_what_held_the_model_back() -> None:
    freed = (probe(1.0, 0.2, falls=True, free=True),)
    crept = {"best": seen(0.65, 0.66), "last": seen(0.65, 0.66), "probes": freed}
    (verdict,) = judge(sound(decayed=40.0, **crept))
    assert verdict.name == "underfitting" and "tenth of the weight decay" in verdict.action
    (verdict,) = judge(sound(left_out=0.95, **crept))
    assert verdict.name == "underfitting" and "tenth of the dropout" in verdict.action
    assert judge(sound(decayed=40.0, probes=(probe(1.0, 0.24, falls=True, free=True),))) == []


def test_weights_that_withered_away_learned_nothing_because_of_their_decay() -> None:
    nothing = {"best": seen(0.7, 0.7), "last": seen(0.7, 0.7), "probes": ()}
    assert names(sound(decayed=90.0, weights_left=1e-6, **nothing)) == ["underfitting"]
    assert "underfitting" not in names(sound(decayed=0.1, weights_left=1e-6, **nothing))


def test_a_batch_that_reaches_beyond_all_others_is_broken_whatever_followed() -> None:
    wild = np.array([[105.0, 9_000.0]])
    (verdict,) = judge(sound(wild=wild, rollbacks=1))
    assert verdict.name == "spike"
    assert "step 105" in verdict.sentence and "9,000 times" in verdict.sentence


def test_rows_that_reach_too_far_are_said_only_where_they_did_harm() -> None:
    assert judge(sound(wild_rows=(6, 9_000.0))) == []
    once = jumps((44.0, 0.6, 11.0, 0.6))
    assert names(sound(wild_rows=(6, 9_000.0), jumps=once)) == ["spike"]


def test_what_was_said_on_the_way_stays_said_unless_something_explains_it() -> None:
    (said,) = judge(sound(**SPOILED["overfitting"]))
    assert [v.name for v in judge(sound(), {"overfitting": said})] == ["overfitting"]
    small = judge(sound(held_out_rows=20), {"overfitting": said})
    assert [v.name for v in small] == ["small_validation"]


def test_train_rows_known_by_heart_and_others_hardly_are_overfitting_without_a_rise() -> None:
    by_heart = {"best": seen(0.05, 0.66), "last": seen(0.01, 0.67), "probes": ()}
    assert names(sound(**by_heart)) == ["overfitting"]
    better = {"best": seen(0.05, 0.3), "last": seen(0.01, 0.31), "probes": ()}
    assert judge(sound(**better)) == []


def test_a_model_too_simple_for_its_train_rows_is_so_whatever_the_gap() -> None:
    behind = {"other": np.zeros(ROWS), "probes": ()}
    simple = seen(0.6, 0.68, missed=np.tile([0.0, 1], 200))
    assert is_behind(sound(best=simple, last=simple, **behind))
    by_heart = seen(0.05, 0.6, missed=np.tile([0.0, 1], 200))
    assert not is_behind(sound(best=by_heart, last=by_heart, **behind))


@pytest.mark.parametrize(
    "curve",
    [
        standing_still(late=0.4),
        standing_still(train=0.02),
        standing_still(validations=12, at=2),
        standing_still(at=20),
    ],
    ids=["rises", "learns by heart", "too few", "late"],
)
def test_other_curves_do_not_stand_still(curve: Curve) -> None:
    assert "plateau" not in names(sound(curve=curve))


def test_a_number_that_is_not_learned_at_all_says_nothing_of_wrong_answers() -> None:
    found = numbers(related=False)
    assert found.truth is not None and found.said is not None
    unlearned = replace(found, said=0.02 * found.said)
    assert judge(sound(best=unlearned, constant_missed=np.ones(ROWS), other=None)) == []
