"""Numbers that a user's own code logs from inside a step: whose they are, and when they count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.loop.state import TrainState

_turning: ContextVar[TrainState | None] = ContextVar("turning", default=None)


def log(name: str, value: float) -> None:
    """Log a number from inside a step, loss or module; its mean joins the curves."""
    if (state := _turning.get()) is not None:
        state.totals.log(name, value)


@contextmanager
def logging_to(state: TrainState | None) -> Iterator[None]:
    """Let what is logged for a while count into the totals of `state`; None: let it go."""
    token = _turning.set(state)
    try:
        yield
    finally:
        _turning.reset(token)
