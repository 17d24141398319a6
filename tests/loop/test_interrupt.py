"""Ctrl-C and SIGTERM ask to stop; a second one ends at once; handlers are put back."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from torch import nn

from treadle.loop.interrupt import Interruption
from treadle.loop.state import TrainState


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_becomes_a_reason_to_stop(number: int, name: str) -> None:
    state = TrainState(model=nn.Linear(1, 1), step=12)
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.condition(state) is None
        os.kill(os.getpid(), number)
        reason = interruption.condition(state)
    assert reason is not None and reason.kind == "interrupted"
    assert reason.sentence == f"{name} asked to stop at step 12"
    assert signal.getsignal(number) == before


def test_a_second_signal_ends_at_once() -> None:
    with Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Interruption() as interruption:
            seen.append(interruption.asked_by)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
    assert signal.getsignal(signal.SIGINT) == before
