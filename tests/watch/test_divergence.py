"""What is skipped is said; what diverges is rolled back, by decision, and at last given up."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from treadle.contracts import Validation
from treadle.errors import DivergedError
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.divergence import LOOK_EVERY, MOST_ROLLBACKS, SMALLER, Divergence, FiniteCheck


def a_state() -> TrainState:
    module = nn.Linear(1, 1, bias=False)
    state = TrainState(model=module, optimizers={"main": torch.optim.AdamW(module.parameters())})
    set_weight(state, 1.0)
    return state


def set_weight(state: TrainState, value: float) -> None:
    with torch.no_grad():
        state.module.get_parameter("weight").fill_(value)


def weight(state: TrainState) -> float:
    return float(state.module.get_parameter("weight").detach())


def give_up(sentence: str) -> None:
    raise DivergedError(sentence)


def begun(journal: Journal | None = None) -> tuple[TrainState, Journal, Divergence]:
    """Return a training at its beginning, and what watches it."""
    state, journal = a_state(), journal or Journal()
    watch = Divergence(journal, give_up=give_up)
    watch.begin(state)
    return state, journal, watch


def look(state: TrainState, watch: Divergence, loss: float, skipped: int = 0) -> None:
    """Turn the steps of one look: each with this mean loss, but for those that are skipped."""
    for number in range(LOOK_EVERY):
        state.step += 1
        if number < skipped:
            state.totals.non_finite.add_(1)
        else:
            state.totals.add(torch.tensor(loss * 4), 4.0)
        watch(state)


def topics(journal: Journal) -> list[str]:
    return [line["topic"] for line in journal.lines]


def test_a_steady_training_is_left_alone() -> None:
    state, journal, watch = begun()
    for number in range(40):
        look(state, watch, 2.0 / (1 + number))
    assert journal.lines == [] and state.scale == 1.0


def test_one_bad_look_is_said_and_passes() -> None:
    state, journal, watch = begun()
    for loss in (1.0, 0.9, 0.8, 0.7, 500.0, 0.7, 0.6, 500.0, 0.6):
        look(state, watch, loss)
    assert topics(journal) == ["spike", "spike"]
    assert "jumped to 500, where 0.85 was usual" in journal.lines[0]["sentence"]
    assert state.scale == 1.0 and weight(state) == 1.0


def test_a_loss_that_stays_high_is_rolled_back_to_the_best_with_a_smaller_rate() -> None:
    state, journal, watch = begun()
    for loss in (1.0, 0.9, 0.8, 0.7):
        look(state, watch, loss)
    set_weight(state, 5.0)
    state.keep_best(0.7)
    set_weight(state, 99.0)
    state.optimizers["main"].state[state.module.get_parameter("weight")] = {
        "step": torch.tensor(7.0),
        "exp_avg": torch.full((1, 1), 3.0),
    }
    look(state, watch, 500.0)
    look(state, watch, 500.0)
    assert topics(journal) == ["spike", "rollback"]
    decided = journal.lines[-1]
    assert decided["value"] == {"scale": SMALLER, "to": 80} and decided["step"] == 120
    assert "put back to its best weights, those of step 80" in decided["sentence"]
    assert weight(state) == 5.0 and state.scale == SMALLER
    values = state.optimizers["main"].state[state.module.get_parameter("weight")]
    assert float(values["step"]) == 0 and float(values["exp_avg"]) == 0


def test_where_nothing_was_measured_yet_it_goes_back_to_where_it_began() -> None:
    state, journal, watch = begun()
    look(state, watch, 1.0)
    set_weight(state, 1e30)
    look(state, watch, 1.0, skipped=LOOK_EVERY)
    assert weight(state) == 1.0
    assert "the weights that it began with" in journal.lines[-1]["sentence"]
    state.give_back_best()
    assert state.best_step is None


def test_averaged_weights_go_back_too() -> None:
    state, _, watch = begun()
    state.average = {"weight": torch.full((1, 1), 8.0)}
    look(state, watch, 1.0)
    look(state, watch, 1.0, skipped=LOOK_EVERY)
    assert float(state.average["weight"]) == 1.0


def test_after_three_rollbacks_it_is_given_up_with_a_report() -> None:
    state, journal, watch = begun()
    look(state, watch, 1.0)
    for _ in range(MOST_ROLLBACKS):
        look(state, watch, 1.0, skipped=LOOK_EVERY)
    assert topics(journal) == ["rollback"] * MOST_ROLLBACKS
    assert state.scale == pytest.approx(SMALLER**MOST_ROLLBACKS)
    with pytest.raises(DivergedError, match=r"put back 3 times \(at steps 40, 60, 80\)") as raised:
        look(state, watch, 1.0, skipped=LOOK_EVERY)
    assert "No validation has found good weights" in raised.value.message


def test_a_new_best_lets_the_count_begin_anew() -> None:
    state, journal, watch = begun()
    look(state, watch, 1.0)
    for _ in range(2 * MOST_ROLLBACKS):
        look(state, watch, 1.0, skipped=LOOK_EVERY)
        look(state, watch, 1.0)
        state.keep_best(0.5)
    assert topics(journal) == ["rollback"] * 2 * MOST_ROLLBACKS


def test_a_training_in_which_no_batch_ever_counted_is_given_up_at_once() -> None:
    state, _, watch = begun()
    with pytest.raises(DivergedError, match=r"all of the last 20 batches .* could not learn"):
        look(state, watch, 1.0, skipped=LOOK_EVERY)


def test_losses_below_zero_and_near_it_are_judged_by_how_much_they_move() -> None:
    state, journal, watch = begun()
    for loss in (-1.0, -1.1, -1.2, -1.1, -0.5, 2.0, 1.0, -1.2, -1.1):
        look(state, watch, loss)
    assert journal.lines == []
    look(state, watch, 200.0)
    assert topics(journal) == ["spike"]


def test_a_bounded_loss_that_stays_well_above_where_training_began_is_rolled_back() -> None:
    """Over normalised outputs it never becomes ten times the usual."""
    state, journal, watch = begun()
    for loss in (3.1, 2.0, 1.5, 1.4, 1.3, 1.3, 1.3, 4.5, 4.5):
        look(state, watch, loss)
    assert topics(journal) == ["spike", "rollback"]


def test_where_little_was_learned_a_loss_a_little_above_the_first_is_left_alone() -> None:
    state, journal, watch = begun()
    for loss in (0.693, 0.692, 0.691, 0.691, 0.690, 0.690, 0.699, 0.699, 0.699):
        look(state, watch, loss)
    assert journal.lines == []


def test_best_weights_with_a_higher_loss_are_not_rolled_back_to_again_and_again() -> None:
    """What was usual later, for weights that validation found worse, is not usual for them."""
    state, journal, watch = begun()
    for number, loss in enumerate((0.7, 0.6, 0.5, 0.4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3)):
        look(state, watch, loss)
        if number == 2:
            state.keep_best(0.5)
    look(state, watch, 1.0, skipped=LOOK_EVERY)
    for loss in (0.5, 0.45, 0.4, 0.4, 0.3):
        look(state, watch, loss)
    assert topics(journal) == ["rollback"]


def test_where_the_best_was_found_while_the_loss_was_high_nothing_is_usual_for_it() -> None:
    state, journal, watch = begun()
    for loss in (1.0, 0.9, 0.8, 0.7, 500.0):
        look(state, watch, loss)
    state.keep_best(0.5)
    for loss in (500.0, 400.0, 390.0, 380.0):
        look(state, watch, loss)
    assert topics(journal) == ["spike", "rollback"]


def test_a_validation_that_takes_the_sums_moves_no_decision() -> None:
    state, journal, watch = begun()
    for loss in (1.0, 0.9, 0.8, 0.7, 500.0, 500.0):
        for _ in range(LOOK_EVERY):
            state.step += 1
            state.totals.add(torch.tensor(loss * 4), 4.0)
            watch(state)
            if state.step % 4 == 0:  # as the validator does, after this watcher
                state.history.append(Validation(step=state.step, epoch=0, metrics={}))
                state.totals.take_mean()
    assert topics(journal) == ["spike", "rollback"]


@pytest.mark.parametrize("after", range(1, 8))
def test_a_resumed_training_comes_to_the_same_decisions(tmp_path: Path, after: int) -> None:
    """Nothing is kept but in the state: resumed after any look, the same is decided."""
    losses = (1.0, 0.9, 0.8, 0.7, 500.0, 500.0, 0.7, 0.6)
    state, whole, watch = begun()
    for loss in losses:
        look(state, watch, loss)
    first, _, watch = begun(Journal(tmp_path))
    for loss in losses[:after]:
        look(first, watch, loss)
    kept = first.snapshot()
    journal = Journal(tmp_path)
    journal.replay_after(first.step)
    second = a_state()
    second.best_weights = {}
    second.restore(*kept)
    watch = Divergence(journal, give_up=give_up)
    watch.begin(second)
    for loss in losses[after:]:
        look(second, watch, loss)
    assert second.memory == state.memory and second.scale == state.scale
    assert weight(second) == weight(state)
    said = [line["sentence"] for line in [*journal._earlier, *Journal(tmp_path)._earlier]]
    assert set(said) == {line["sentence"] for line in whole.lines}


def test_weights_that_a_step_of_a_users_own_spoilt_are_put_back_at_once() -> None:
    state, journal = a_state(), Journal()
    watch = Divergence(journal, give_up=give_up, checks_weights=True)
    watch.begin(state)
    for state.step in (1, 2, 3):
        if state.step == 2:
            set_weight(state, math.nan)
        watch(state)
    assert weight(state) == 1.0
    assert [line["step"] for line in journal.lines] == [2]


def test_says_how_many_batches_were_skipped_since_the_last_look() -> None:
    state, journal = a_state(), Journal()
    check = FiniteCheck(journal, every_steps=10, give_up=pytest.fail)
    for step in range(1, 31):
        state.step = step
        if step in (4, 7, 25):
            state.totals.non_finite.add_(1)
        check(state)
    said = [line["sentence"].split(" batches")[0] for line in journal.lines]
    assert said == ["2 of the last 10", "1 of the last 10"]


def test_a_short_training_in_which_no_batch_counted_is_given_up_at_its_end() -> None:
    state, journal = a_state(), Journal()
    check = FiniteCheck(journal, every_steps=100, give_up=give_up)
    state.step = 5
    state.totals.non_finite.fill_(5)
    with pytest.raises(DivergedError):
        check.close(state)
    state.totals.non_finite.fill_(4)
    FiniteCheck(journal, every_steps=100, give_up=give_up).close(state)
