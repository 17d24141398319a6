"""When the captured step takes over from the eager one: by what is ahead, measured, and decided."""

from __future__ import annotations

import statistics
import time
from collections import deque

import torch

from treadle.capture.background import Background, Captured, Refused, can_fork
from treadle.contracts import Json
from treadle.loop.compiled import TAKE_OVER, CompiledStep, is_captured
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.steadiness import Steadiness
from treadle.loop.thread_count import is_open

LOOK_EVERY = 8
"""Steps between two looks; a power of two, so that looking costs nothing in between."""

FEWEST_PACES = 16
WORTH_LOOKING_SECONDS = 10.0
"""What must be ahead for a look into the cache, which takes about two seconds."""

COMPILING_SHARE = 0.2
"""Of the time ahead, what compiling may take: it saves a third to a half of what comes after it,
and meanwhile training has a thread less."""

THREADS = "threads"
TOPIC = "engine"


class TakeOver:
    """A watcher that has the step captured beside training, and lets it take over when it is.

    It measures the eager step; where enough is ahead, a child process captures, on a core that
    training leaves it; the captured step takes over at a step that is decided, and goes again if
    it turns out to be slower. A resumed run replays all of that at the same steps.

    max_steps, max_seconds: what the stop conditions allow; infinite if they do not say
    """

    def __init__(
        self, step: CompiledStep, journal: Journal, *, max_steps: float, max_seconds: float
    ) -> None:
        self.step = step
        self.journal = journal
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.threads = torch.get_num_threads()
        self._steadiness = Steadiness(step, journal)
        self._background: Background | None = None
        self._eager_pace = 0.0
        self._paces: deque[float] = deque(maxlen=4 * FEWEST_PACES)
        self._last = time.perf_counter()

    def __call__(self, state: TrainState) -> None:
        now = time.perf_counter()
        self._paces.append(now - self._last)
        self._last = now
        if state.step % LOOK_EVERY == 0 and not self.step.pinned:
            self._look(state)
        if self.step.notes:
            self._tell(state)

    def close(self) -> None:
        """End a capture that is still under way, and give training its threads back."""
        if self._background is not None:
            self._background.stop()
        torch.set_num_threads(self.threads)

    def _look(self, state: TrainState) -> None:
        memory = state.memory.setdefault(TAKE_OVER, {"phase": "waiting"})
        if self.step.refused and memory["phase"] != "done":
            self._give_up(state, memory)
        elif memory["phase"] == "waiting":
            self._begin_if_worth(state, memory)
        elif memory["phase"] == "capturing":
            self._take_over_if_ready(state, memory)
        elif memory["phase"] == "trying":
            self._judge(state, memory)
        else:
            self._steadiness.look(state, memory, self._paces)

    def _begin_if_worth(self, state: TrainState, memory: Json) -> None:
        if is_open(state):
            return
        replayed = self.journal.has_replay(THREADS, state.step)
        if self.journal.has_replay_after(THREADS, state.step) and not replayed:
            return
        if not replayed and not (len(self._paces) >= FEWEST_PACES and self._is_worth(state)):
            return
        if not can_fork():
            return  # nothing can be compiled beside training: --engine compiled waits for it
        self.threads = torch.get_num_threads()
        self._begin(state)
        if self._background is None:
            return
        left = max(1, self.threads - 1)
        threads = self.journal.decide(THREADS, state.step, lambda: self._threads_said(left))
        torch.set_num_threads(threads)
        memory.update(phase="capturing", threads=threads)

    def _begin(self, state: TrainState) -> None:
        self._eager_pace = statistics.median(self._paces)
        ahead = self._seconds_ahead(state)
        self._background = self.step.begin(
            state, worth_seconds=COMPILING_SHARE * ahead, threads=self.threads
        )

    def _threads_said(self, left: int) -> tuple[int, str, Json]:
        saw = {"milliseconds_per_step": round(self._eager_pace * 1e3, 4)}
        sentence = (
            f"one step takes {self._eager_pace * 1e3:.3g} ms; whether compiled code is faster is "
            "found out beside training"
        )
        if left < self.threads:
            sentence += f", which leaves one of its {self.threads} threads for that"
        return left, sentence + ".", saw

    def _is_worth(self, state: TrainState) -> bool:
        self._eager_pace = statistics.median(self._paces)
        return self._seconds_ahead(state) >= WORTH_LOOKING_SECONDS

    def _seconds_ahead(self, state: TrainState) -> float:
        steps = (self.max_steps - state.step) * max(self._eager_pace, 1e-9)
        return max(0.0, min(steps, self.max_seconds - state.seconds))

    def _take_over_if_ready(self, state: TrainState, memory: Json) -> None:
        if self._background is None:  # a resumed run: what the earlier attempt began is gone
            self._begin(state)
            if self._background is None:
                return
        replayed = self.journal.has_replay(TOPIC, state.step)
        if not replayed and self.journal.has_replay_after(TOPIC, state.step):
            return
        answer = self._background.wait() if replayed else self._background.poll()
        if answer is None:
            return
        engine = self.journal.decide(TOPIC, state.step, lambda: self._engine_said(state, answer))
        torch.set_num_threads(self.threads)
        memory.pop(THREADS, None)
        memory["phase"] = "done"
        if isinstance(answer, Refused) or engine == "eager":
            self.step.disengage(state)
        elif self.step.engage(state, answer):
            memory.update(phase="trying", since=state.step, seconds=answer.seconds)
            memory["eager_pace"] = self._eager_pace
        self._restart_clock()

    def _engine_said(self, state: TrainState, answer: Captured | Refused) -> tuple[str, str, Json]:
        if isinstance(answer, Refused):
            return "eager", f"the step stays uncompiled: {answer.reason}.", {}
        how = "was found in the cache" if answer.was_cached else "was compiled beside training"
        sentence = (
            f"from here on each step is one piece of compiled code, which {how} in "
            f"{answer.seconds:.1f} seconds."
        )
        saw = {"seconds": round(answer.seconds, 2), "cached": answer.was_cached}
        return "compiled", sentence, saw

    def _judge(self, state: TrainState, memory: Json) -> None:
        """After some steps, say what was gained; go back where nothing was."""
        if not is_captured(state):
            memory["phase"] = "done"
        if state.step < memory["since"] + FEWEST_PACES + LOOK_EVERY or not is_captured(state):
            return
        stays = self.journal.decide(
            TOPIC, state.step, lambda: self._judged(memory["seconds"], memory["since"])
        )
        memory["phase"] = "done"
        if stays == "eager":
            self.step.disengage(state)

    def _judged(self, seconds: float, since: int) -> tuple[str, str, Json]:
        captured = statistics.median(list(self._paces)[-FEWEST_PACES:])
        saw = {
            "eager_milliseconds": round(self._eager_pace * 1e3, 4),
            "compiled_milliseconds": round(captured * 1e3, 4),
        }
        if not self._eager_pace:  # just resumed: there is nothing to compare with
            return "compiled", "the compiled step goes on.", saw
        both = f"{captured * 1e3:.3g} ms against {self._eager_pace * 1e3:.3g} ms"
        saved = self._eager_pace - captured
        if saved <= 0:
            return "eager", f"compiled, a step is no faster ({both}); the plain one goes on.", saw
        saw["break_even_steps"] = round(seconds / saved)
        sentence = (
            f"compiled, a step takes {both} before; the {seconds:.1f} seconds of work that it took "
            f"are made good after {seconds / saved:,.0f} steps."
        )
        return "compiled", sentence, saw

    def _give_up(self, state: TrainState, memory: Json) -> None:
        memory["phase"] = "done"
        if self._background is not None:
            self._background.stop()
        if memory.pop(THREADS, None) is not None:
            torch.set_num_threads(self.threads)

    def _tell(self, state: TrainState) -> None:
        for sentence, saw in self.step.notes:
            self.journal.say(TOPIC, sentence, step=state.step, **saw)
        self.step.notes.clear()

    def _restart_clock(self) -> None:
        self._paces.clear()
        self._last = time.perf_counter()
