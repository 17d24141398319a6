"""Would longer help? Forecasts at validations, and what came of them.

A forecast is made when the steps have grown by a fifth, and said where it is news. What it was
made of is in the state alone. What came of the forecasts of earlier runs (the track record) enters
once, by decision, and makes what is said wider or narrower; nothing in the state depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch import forecast_words as words
from treadle.watch.forecast import LEVEL, Band, Target
from treadle.watch.forecast_plan import Plan

MEMORY = "forecast"
GROWTH = 1.2
"""Steps grow by this factor between two forecasts."""

SAID_AGAIN = 2.0
"""After this growth a forecast is said again, though it is what it was."""

MULTIPLES = (2, 5)
FARTHEST = 10
"""How many times the steps so far the plan's end may be away to be forecast: beyond, bands fail."""


class Forecaster:
    """A watcher that says what longer would bring, and checks what it said.

    width: () → (the factor of the track record, its sentence), asked for once
    keep:  called with each forecast that was checked
    """

    def __init__(
        self,
        journal: Journal,
        plan: Plan,
        *,
        width: Callable[[], tuple[float, str]] = lambda: (1.0, ""),
        keep: Callable[[Json], None] = lambda line: None,
    ) -> None:
        self.journal, self.plan, self.width, self.keep = journal, plan, width, keep
        self._factor: float | None = None

    def __call__(self, state: TrainState) -> None:
        measured = state.history and state.history[-1].step == state.step
        if not measured or state.best_value is None:
            return
        memory = state.memory.setdefault(MEMORY, _begun())
        self._check(state, memory)
        if state.step >= GROWTH * memory["looked"]:
            self._look(state, memory)

    def conclude(self, state: TrainState) -> None:
        """Check what was forecast for the step at which training ended, and look ahead from it."""
        self(state)
        if MEMORY in state.memory and state.memory[MEMORY]["looked"] != state.step:
            self._look(state, state.memory[MEMORY])

    def _look(self, state: TrainState, memory: Json) -> None:
        targets = self._targets(state)
        if not self.plan.bands(state, targets[:1]):
            return
        bands = self.plan.bands(state, targets)
        told = [self._told(state, b, t) for b, t in zip(bands, targets, strict=True)]
        memory.update(looked=state.step, bands=told)
        self._say(state, memory)
        self._say_unreachable(state, memory, bands)

    def _targets(self, state: TrainState) -> list[Target]:
        """Return twice the steps, five times, and the plan's end where that is further on."""
        steps = [multiple * state.step for multiple in MULTIPLES]
        end = self.plan.end(state)
        if state.step < end <= FARTHEST * state.step and int(end) not in steps:
            steps.append(int(end))
        return [self.plan.target(state, step) for step in steps]

    def _told(self, state: TrainState, band: Band, target: Target) -> Json:
        return {
            "metric": self.plan.metric.name,
            "at_step": state.step,
            "for_step": band.step,
            "low": band.low,
            "middle": band.middle,
            "high": band.high,
            "level": LEVEL,
            "best": state.best_value,
            "gain": band.gain,
            "another_plan": target.replanned,
        }

    def _say(self, state: TrainState, memory: Json) -> None:
        """Say the newest forecasts, where they are not what was said before."""
        twice, said = memory["bands"][0], memory["said"]
        is_new = (
            said is None
            or state.step >= SAID_AGAIN * said["at_step"]
            or abs(twice["middle"] - said["middle"]) > max(1e-12, said["high"] - said["low"])
        )
        if not is_new:
            return
        memory["said"] = twice
        memory["open"] += [told for told in memory["bands"] if not told["another_plan"]]
        told = self.told(state)
        sentence = words.forecast(told, self.plan.metric, state.seconds / state.step)
        self.journal.say("forecast", sentence, step=state.step, forecasts=told)

    def _check(self, state: TrainState, memory: Json) -> None:
        """Compare what was forecast for steps that are past with what came."""
        due = [told for told in memory["open"] if told["for_step"] <= state.step]
        if due:
            memory["open"] = [told for told in memory["open"] if told["for_step"] > state.step]
        for told in due:
            truth = self.plan.best_until(state, told["for_step"])
            if truth is not None:
                self._judge(state, self._widened(state, told), truth)

    def _judge(self, state: TrainState, told: Json, truth: float) -> None:
        slack = 1e-9 * abs(truth)
        held = told["low"] - slack <= truth <= told["high"] + slack
        below = truth < told["low"]
        checked = {
            "held": held,
            "truth": truth,
            "too_hopeful": not held and below == self.plan.metric.higher_is_better,
        }
        steps = {"at_step": told["at_step"], "for_step": told["for_step"]}
        sentence = words.checked(told, truth, checked)
        self.journal.say("forecast_check", sentence, step=state.step, **checked, **steps)
        self.keep(self.plan.about | told | checked)

    def told(self, state: TrainState) -> list[Json]:
        """Return the newest forecasts, as wide as the track record has them."""
        bands = state.memory.get(MEMORY, {}).get("bands", [])
        return [self._widened(state, told) for told in bands]

    def _widened(self, state: TrainState, told: Json) -> Json:
        """Return a forecast with its ends moved from its middle; what is there already stays."""
        if self._factor is None:
            known = self.journal.last_value("track_record", state.step)
            if known is None:
                known = self.journal.decide("track_record", state.step, self._width)
            self._factor = float(known)
        middle, ends = told["middle"], (told["low"], told["high"])
        low, high = (middle + self._factor * (end - middle) for end in ends)
        if self.plan.metric.higher_is_better:
            low, high = max(low, told["best"]), min(high, 1.0) if ends[1] <= 1 else high
        else:
            low, high = max(low, 0.0) if ends[0] >= 0 else low, min(high, told["best"])
        return told | {"low": low, "high": high, "width": self._factor}

    def _width(self) -> tuple[float, str, Json]:
        factor, record = self.width()
        return factor, words.width(factor, record), {"factor": factor, "same": True}

    def _say_unreachable(self, state: TrainState, memory: Json, bands: Sequence[Band]) -> None:
        """Say of a level that the user waits for that it will hardly be reached."""
        end, metric = self.plan.end(state), self.plan.metric
        ahead = [band for band in bands if band.step <= end] or list(bands[:1])
        best = max(b.high for b in ahead) if metric.higher_is_better else min(b.low for b in ahead)
        for level in self.plan.levels:
            known = level.metric == metric.name and level.text not in memory["unreachable"]
            if known and not level.holds(best):
                memory["unreachable"].append(level.text)
                step = max(band.step for band in ahead)
                sentence = words.unreachable(level, best, step)
                self.journal.say("unreachable", sentence, step=state.step, highest=best, by=step)


def _begun() -> Json:
    return {"looked": 0, "bands": [], "said": None, "open": [], "unreachable": []}
