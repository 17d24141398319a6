"""The captured step: forward, loss, backward, clip, check, update and averages as one graph.

It is an eager step until its code is there, and for every batch of another shape than the one it
was captured for. Both change the same tensors in place, so they may take turns at any step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from treadle.capture.background import Background, Captured, Order, Refused, capture_and_wait
from treadle.capture.one_order import SumsInOneOrder
from treadle.capture.package import Runner, default_cache, load
from treadle.capture.trace import CannotCapture
from treadle.contracts import Collective, Json, Schedule
from treadle.loop.agreement import Agreement, disagreement
from treadle.loop.leaves import Matcher, Skeleton, skeleton_of
from treadle.loop.state import TrainState
from treadle.loop.step import BatchLoss, EagerStep, StepOptions
from treadle.loop.update import settings_of
from treadle.loop.whole_step import LOGS, WholeStep, why_not

ENGINE = "engine"
"""Where the state remembers since when, and for what batches, the step is captured."""

TAKE_OVER = "takeover"
"""Where it remembers how far taking over has come, and the threads meanwhile."""


class CompiledStep:
    """A step that runs as one piece of native code, where its module can be captured.

    The first step of a run is eager: modules and optimizers make in it what they make late. The
    captured step changes the same tensors as the eager one, equal to it within rounding; before
    it is relied on, one update is made by both and compared. What cannot be captured stays eager,
    and `notes` says why in one sentence.

    pinned: capture at the second step, waiting for the compiler; without it the step stays eager
            until `begin` and `engage` are called, which is what `TakeOver` does
    cache:  the folder of compiled code; by default the user's own
    """

    def __init__(
        self,
        loss: BatchLoss,
        *,
        schedule: Schedule | None = None,
        options: StepOptions | None = None,
        collective: Collective | None = None,
        pinned: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.eager = EagerStep(loss, schedule=schedule, options=options, collective=collective)
        self.pinned = pinned
        self.cache = cache or default_cache()
        self.notes: list[tuple[str, Json]] = []
        self.refused = False
        self._has_begun = False
        self._has_stepped = False
        self._engaged: _Engaged | None = None
        self._is_paused = False
        self._skeleton: Skeleton | None = None
        self._whole: WholeStep | None = None
        self._python: list[Any] | None = None

    @property
    def is_engaged(self) -> bool:
        """Whether batches of the captured shape take the captured step now."""
        return self._engaged is not None

    @property
    def is_paused(self) -> bool:
        """Whether the eager step has its turn although there is captured code."""
        return self._is_paused

    def prepare(self, state: TrainState) -> None:
        """Make the state's tensors that this step will change. Call once, before step 0."""
        self.eager.prepare(state)

    def __call__(self, state: TrainState, batch: Any) -> None:
        if self._engaged is None and not self.refused:
            self._capture_if_due(state, batch)
        engaged = self._engaged
        leaves = engaged.match(batch) if engaged and not self._is_paused else None
        if engaged is None or leaves is None:
            self._eagerly(state, batch)
        elif engaged.is_checked:
            self._captured(engaged, state, leaves, batch)
        else:
            self._compare(engaged, state, leaves, batch)

    def begin(self, state: TrainState, *, worth_seconds: float, threads: int) -> Background | None:
        """Start to capture in a child process; None, and a note, where it cannot be.

        worth_seconds: what a compiler may take at most
        threads: what the code will run on
        """
        order = self._order(state)
        if order is None:
            return None
        return Background(replace(order, worth_seconds=worth_seconds, threads=threads))

    def engage(self, state: TrainState, captured: Captured) -> bool:
        """Take the captured code for batches of its shape from the next step on."""
        assert self._whole is not None, "begin() comes before engage()"
        try:
            run = load(captured.path)
        except CannotCapture as error:
            self._refuse(state, str(error))
            return False
        self._engaged = _Engaged(
            run=run,
            whole=self._whole,
            match=Matcher(self._whole.skeleton),
            guards=Guards(self._whole),
            logs=captured.notes.get(LOGS, []),
            is_random=captured.is_random,
        )
        # a resumed run must find the same code again, for the same batches
        state.memory[ENGINE] = {
            "key": captured.key,
            "leaves": _facts(self._whole.skeleton),
            "paused": self._is_paused,
        }
        return True

    def pause(self, state: TrainState, paused: bool) -> None:
        """Let the eager step have its turn, or the captured one again, from the next step on."""
        self._is_paused = paused
        state.memory[ENGINE]["paused"] = paused

    def disengage(self, state: TrainState) -> None:
        """Go back to the eager step, from the next one on, for good."""
        self._engaged, self.refused = None, True
        state.memory[ENGINE] = {"refused": True}

    def _eagerly(self, state: TrainState, batch: Any) -> None:
        if self._engaged is not None:
            self.eager.forget_buffers()  # the captured code changed them unseen
        if not self._has_stepped:
            self._has_stepped = True
            self._skeleton = found = _skeleton(batch)
            if self.pinned and state.step == 0 and found is not None:
                state.memory[ENGINE] = {"leaves": _facts(found)}
            self._python = python_numbers(state.model)
        self.eager(state, batch)

    def _captured(
        self, engaged: _Engaged, state: TrainState, leaves: list[Tensor], batch: Any
    ) -> None:
        if problem := engaged.guards.broken():
            self.disengage(state)
            self._note(f"the step is taken the plain way again: {problem}.")
            self._eagerly(state, batch)
            return
        self.eager.set_rates(state)
        engaged.whole.set_rates()
        with torch.no_grad(), SumsInOneOrder(state.device):
            logged = engaged.run(engaged.whole.tensors(leaves))
        for name, value in zip(engaged.logs, logged, strict=True):
            state.totals.log(name, value)

    def _compare(
        self, engaged: _Engaged, state: TrainState, leaves: list[Tensor], batch: Any
    ) -> None:
        """Make this update both ways from the same state, and keep the captured one's result."""
        agreement = Agreement(engaged.whole, leaves)
        engaged.is_checked = True
        self.eager.forget_buffers()
        self.eager(state, batch)
        expected = agreement.take_back()
        for optimizer in state.optimizers.values():
            optimizer.zero_grad(set_to_none=True)  # the captured step needs none of them
        self._captured(engaged, state, leaves, batch)
        if self._engaged is None:
            return
        if problem := disagreement(
            agreement, expected, self.eager.options.precision, is_random=engaged.is_random
        ):
            agreement.take_back()
            self.disengage(state)
            self._note(f"the step is taken the plain way: captured, it computes another {problem}.")
            self._eagerly(state, batch)

    def _capture_if_due(self, state: TrainState, batch: Any) -> None:
        """Capture now, and wait for it, where that is pinned or an earlier attempt had done it."""
        if not self._has_begun:
            self._has_begun = True
            threads = state.memory.get(TAKE_OVER, {}).get("threads")
            if threads:  # resumed while a child was compiling
                torch.set_num_threads(threads)
        before = state.memory.get(ENGINE)
        if before is None:
            if self.pinned and self._has_stepped:
                self._refuse(state, "its batches hold other things than tensors")
            return
        if "refused" in before:
            self.refused = True
            return
        found = _skeleton(batch)
        if found is None or _facts(found) != before["leaves"]:
            return
        self._skeleton = found
        self._is_paused = before.get("paused", False)
        order = self._order(state)
        if order is None:
            return
        answer = capture_and_wait(order)
        if isinstance(answer, Refused):
            self._refuse(state, answer.reason)
        elif self.engage(state, answer):
            self._say_captured(answer, before)

    def _order(self, state: TrainState) -> Order | None:
        if self._skeleton is None:
            self._refuse(state, "its batches hold other things than tensors")
            return None
        problem = why_not(self.eager, state) or self._changing_number(state)
        if problem:
            self._refuse(state, problem)
            return None
        whole = self._whole = WholeStep(self.eager, state, self._skeleton)
        return Order(
            function=whole,
            tensors=whole.tensors(self._skeleton.empty_leaves()),
            cache=self.cache,
            threads=torch.get_num_threads(),
            notes=whole.notes,
        )

    def _changing_number(self, state: TrainState) -> str | None:
        """Return what is wrong with a module that counts in Python: a graph would freeze it."""
        if self._python is None:
            return None
        if changed := changed_numbers(self._python, state.model):
            return f"the module changes a number of its own, '{changed}', from step to step"
        return None

    def _say_captured(self, answer: Captured, before: Json) -> None:
        how = "was there already" if answer.was_cached else "was compiled"
        self._note(
            f"from here on each step is one piece of compiled code; it {how} ({answer.seconds:.1f} "
            "seconds).",
            seconds=round(answer.seconds, 2),
            cached=answer.was_cached,
        )
        if before.get("key", answer.key) != answer.key:
            self._note(
                "not exact: the step's code is another than before (the module, its loss or the "
                "compiler has changed), so the result may differ."
            )

    def _refuse(self, state: TrainState, reason: str) -> None:
        self.disengage(state)
        self._note(f"the step stays uncompiled: {reason}.")

    def _note(self, sentence: str, **saw: Any) -> None:
        self.notes.append((sentence, saw))


def is_captured(state: TrainState) -> bool:
    """Tell whether a state's step is captured: also where it was just resumed, and the code will
    be there only once a batch of its shape has come."""
    return "key" in state.memory.get(ENGINE, {})


@dataclass(kw_only=True)
class _Engaged:
    run: Runner
    whole: WholeStep
    match: Matcher
    guards: Guards
    logs: list[str]
    is_random: bool
    is_checked: bool = False


class Guards:
    """What the captured code takes for granted, looked at before every step.

    Which parameters are trained, the numbers that modules keep in Python (training or not,
    shares of dropout), and the optimizers' settings but for the learning rate.
    """

    def __init__(self, whole: WholeStep) -> None:
        module = whole.state.module
        self.parameters = list(module.parameters())
        self.trained = [parameter.requires_grad for parameter in self.parameters]
        self.numbers = _numbers(module)
        self.values = [owner[name] for owner, name in self.numbers]
        self.settings = [(group, name) for group in whole.groups for name in settings_of(group)]
        self.set_to = [group[name] for group, name in self.settings]

    def broken(self) -> str | None:
        """Return what is other than when the step was captured, or None."""
        if [parameter.requires_grad for parameter in self.parameters] != self.trained:
            return "other parameters are trained than before"
        if [owner.get(name) for owner, name in self.numbers] != self.values:
            changed = next(
                name
                for (owner, name), value in zip(self.numbers, self.values, strict=True)
                if owner.get(name) != value
            )
            return f"the module's '{changed}' was changed"
        if [group.get(name) for group, name in self.settings] != self.set_to:
            return "a setting of the optimizer was changed"
        return None


def _numbers(module: nn.Module) -> list[tuple[dict[str, Any], str]]:
    """Return where the parts of a module keep plain numbers and words."""
    return [
        (vars(part), name)
        for part in module.modules()
        for name, value in vars(part).items()
        if type(value) in (bool, int, float, str)
    ]


def python_numbers(model: Any) -> list[Any]:
    """Return the plain numbers and words that a module's parts keep, with their names."""
    if not isinstance(model, nn.Module):
        return []
    return [(name, owner[name]) for owner, name in _numbers(model)]


def changed_numbers(before: list[Any], model: Any) -> str | None:
    """Return the name of the first number that is another than `before`, or None."""
    for was, now in zip_longest(before, python_numbers(model), fillvalue=(None, None)):
        if was != now:
            return str(now[0] or was[0])
    return None


def _skeleton(batch: Any) -> Skeleton | None:
    try:
        return skeleton_of(batch)
    except TypeError:
        return None


def _facts(skeleton: Skeleton) -> list[Any]:
    """Return what JSON can hold of a batch's shape."""
    return [[list(leaf.shape), list(leaf.stride), str(leaf.dtype)] for leaf in skeleton.leaves]
