"""`--tune`: other settings beside the usual ones, by successive halving, within a budget of time.

Each trial is a whole training in a run folder of its own below members/. What was tried, and what
is tried next, are decisions: a resumed run replays them and goes on with the trial it was in.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from treadle.api.member import Member
from treadle.contracts import Json
from treadle.errors import DivergedError, MemoryFullError
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition, minutes, steps
from treadle.report.spoken import raw
from treadle.study.dials import Dial, changed_in_words, drawn
from treadle.study.halving import BRACKETS, Bracket, Trial, best_third
from treadle.watch.forecast_words import duration

TOPIC = "tune"
POOL = 8
"""How many of all trials may join the answer: predicting takes as much longer as there are."""

IN_VAIN, MOST_BRACKETS = 2, 12
"""After so many brackets in a row without anything better, or so many at all, a model's settings
are left alone: the more are tried, the more the best of them owes to luck."""

SLOWER = 1.5
"""How much longer than the usual ones trials are reckoned to take, some being wider, until a
bracket has shown it; FASTEST: what is reckoned with at the least."""

FASTEST = 0.5

RESERVE_SECONDS, RESERVE_SHARE = 4.0, 0.02
"""What of the budget is kept for testing and the report."""

SCORES = 1_000
"""For choosing the answer among so many models, the metric is measured about so often."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A model whose settings are tried.

    usual:    its usual settings, by name; dials: those that are tried
    member:   it, trained with them
    overhead: the seconds that its fit took beside its training
    fit:      trains it with other settings, for a share of the usual length, in the run folder of
              a name
    """

    name: str
    usual: Mapping[str, float]
    dials: Sequence[Dial]
    member: Member
    overhead: float
    fit: Callable[[str, Json, float, StopCondition], Member]


TIMED_SCORES = 5


class Timed(NamedTuple):
    """A usual member, and the seconds that its fit took beside its training."""

    member: Member
    overhead: float


def timed(fit: Callable[[], Member]) -> Timed:
    """Fit a member, and measure what that took beside its training."""
    began = time.monotonic()
    member = fit()
    whole = time.monotonic() - began
    return Timed(member, max(0.0, whole - float(member.trained["seconds"])))


class Budget:
    """The time that a fit may take all in all; before: seconds that earlier attempts took."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.before = seconds, 0.0
        self.reserve = RESERVE_SECONDS + RESERVE_SHARE * seconds
        self._began = time.monotonic()

    @property
    def spent(self) -> float:
        return self.before + time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds left for training; what ends a fit is kept back."""
        return max(0.0, self.seconds - self.reserve - self.spent)

    def keep_for_choosing(self, score: Callable[[], object]) -> None:
        """Keep back the time that choosing the answer takes, as it is measured for."""
        began = time.monotonic()
        for _ in range(TIMED_SCORES):
            score()
        self.reserve += SCORES / TIMED_SCORES * (time.monotonic() - began)


@dataclass(kw_only=True)
class Tuner:
    """Tries brackets of settings while time is left, and remembers all trials.

    trained: the members that came of trials and may join the answer, by name
    """

    families: Sequence[Family]
    metric: Metric
    journal: Journal
    budget: Budget
    seed: int
    trials: list[Trial] = field(default_factory=list)
    trained: dict[str, Member] = field(default_factory=dict)
    _decided: int = 0

    def members(self) -> list[Member]:
        """Try what the budget holds; return the best of what was tried. Raises: Interrupted."""
        self._carry_over()
        while (plan := self._decide(self._next))["family"]:
            self._bracket(self._family(plan["family"]), BRACKETS[plan["bracket"]])
        return [self.trained.get(trial.name) or self._again(trial) for trial in self._pool()]

    def report(self) -> Json:
        """Return what result.json says of the trials."""
        return {
            "budget_seconds": self.budget.seconds,
            "seconds": round(self.budget.spent, 1),
            "metric": self.metric.name,
            "usual": {family.name: family.member.value for family in self.families},
            "trials": [trial.recorded() for trial in self.trials],
        }

    def _family(self, name: str) -> Family:
        return next(family for family in self.families if family.name == name)

    def _decide(self, make: Callable[[], tuple[Json, str]]) -> Json:
        """Return what is decided next; with it the time that it all took is recorded."""

        def made() -> tuple[Json, str, Json]:
            value, sentence = make()
            spent = round(self.budget.spent, 2)
            return value | {"spent": spent}, sentence, {"left": round(self.budget.left, 2)}

        self._decided += 1
        return self.journal.decide(TOPIC, self._decided, made)

    def _carry_over(self) -> None:
        """Replay what earlier attempts decided, and count the time that they took."""
        self.journal.replay_after(-1)
        last = self.journal.last_value(TOPIC, sys.maxsize) or {"spent": 0.0}
        in_folders = sum(float(family.member.trained["seconds"]) for family in self.families)
        self.budget.before = max(0.0, last["spent"], in_folders - self.budget.spent)

    def _next(self) -> tuple[Json, str]:
        """Return which family is tried next, and how many settings of it; "": no more."""
        left, whole = duration(self.budget.left / 60), duration(self.budget.seconds / 60)
        undone = [family for family in self.families if self._is_open(family)]
        for family in sorted(undone, key=self._turn):
            for number, bracket in enumerate(BRACKETS):
                if self._seconds(family, bracket) <= self.budget.left:
                    sentence = (
                        f"{bracket.settings} other settings of the {WORDS[family.name]} are "
                        f"tried next; of {whole} there is {left} left for that."
                    )
                    return {"family": family.name, "bracket": number}, sentence
        sentence = (
            f"of {whole} there is {left} left, too little to try more settings."
            if undone
            else f"other settings bring nothing better any more: {left} of the time is not needed."
        )
        return {"family": ""}, sentence

    def _seconds(self, family: Family, bracket: Bracket) -> float:
        """Return about how long a bracket of so many settings takes."""
        usual = float(family.member.trained["seconds"])
        own = [trial for trial in self.trials if trial.family == family.name]
        took, planned = sum(t.seconds for t in own), sum(t.share for t in own)
        slower = max(FASTEST, took / (planned * usual)) if own and usual else SLOWER
        return bracket.whole_lengths * slower * usual + bracket.num_trials * family.overhead

    def _turn(self, family: Family) -> tuple[int, float]:
        """Return the order of families: who had fewer brackets, then who does better."""
        return len(self._brackets(family)), -self._rank(family.member.value)

    def _brackets(self, family: Family) -> list[float]:
        """Return what each bracket of a family came to: the rank of the best value."""
        found: dict[int, float] = {}
        for trial in self.trials:
            if trial.family == family.name:
                before = found.get(trial.bracket, -math.inf)
                found[trial.bracket] = max(before, self._rank(trial.value))
        return list(found.values())

    def _is_open(self, family: Family) -> bool:
        """Tell whether a family's last brackets brought anything better."""
        results = [self._rank(family.member.value), *self._brackets(family)]
        if len(results) <= IN_VAIN:
            return True
        return len(results) <= MOST_BRACKETS and max(results[-IN_VAIN:]) > max(results[:-IN_VAIN])

    def _bracket(self, family: Family, bracket: Bracket) -> None:
        """Try so many settings for a short time, the better third for longer, the best in full."""
        number = len(self._brackets(family)) + 1
        changes = self._drawn(family, number, bracket.settings)
        for rung, share in enumerate(bracket.shares):
            wanted = [
                Trial(
                    name=f"{family.name}-{number}{rung + 1}{n + 1}",
                    family=family.name,
                    bracket=number,
                    changes=each,
                    share=share,
                )
                for n, each in enumerate(changes)
            ]
            decided = self._decide(partial(self._rung, family, wanted))
            tried = [Trial.of(record) for record in decided["trials"]]
            self.trials += tried
            self._forget_all_but_the_best()
            changes = [dict(trial.changes) for trial in best_third(tried, self._rank)]

    def _drawn(self, family: Family, number: int, count: int) -> list[Json]:
        """Return the settings of a bracket: beside the usual ones, and beside the best so far."""
        generator = np.random.default_rng((self.seed, number, *family.name.encode()))
        own = [trial for trial in self._pool() if trial.family == family.name]
        is_better = own and self._rank(own[0].value) > self._rank(family.member.value)
        best = own[0].changes if is_better else {}
        found = []
        for n in range(count):
            start = dict(best) if n % 2 else {}
            changes = start | drawn(family.dials, {**family.usual, **start}, generator)
            found.append({k: v for k, v in changes.items() if v != family.usual[k]})
        return [changes for changes in found if changes]

    def _rung(self, family: Family, wanted: Sequence[Trial]) -> tuple[Json, str]:
        began = time.monotonic()
        in_time = (trial for trial in wanted if self.budget.left > family.overhead)
        tried = [self._tried(family, trial) for trial in in_time]
        sentence = self._said(family, tried, time.monotonic() - began)
        return {"trials": [trial.recorded() for trial in tried]}, sentence

    def _tried(self, family: Family, trial: Trial) -> Trial:
        """Return a trial with what it came to; one that breaks down came to nothing."""
        until = minutes(round((self.budget.left - family.overhead) / 60, 4))
        try:
            member = family.fit(trial.name, trial.changes, trial.share, until)
        except (DivergedError, MemoryFullError):
            return trial
        self.trained[trial.name] = member
        step, seconds = member.trained["stopped"]["step"], member.trained["seconds"]
        return replace(trial, value=member.value, steps=step, seconds=seconds)

    def _again(self, trial: Trial) -> Member:
        """Open a trial of an earlier attempt, at the step that it had come to."""
        fit = self._family(trial.family).fit
        return fit(trial.name, trial.changes, trial.share, steps(trial.steps))

    def _pool(self) -> list[Trial]:
        """Return the trials that may join the answer, the best first."""
        sound = [trial for trial in self.trials if math.isfinite(trial.value)]
        return sorted(sound, key=lambda trial: -self._rank(trial.value))[:POOL]

    def _forget_all_but_the_best(self) -> None:
        kept = {trial.name for trial in self._pool()}
        self.trained = {name: member for name, member in self.trained.items() if name in kept}

    def _rank(self, value: float) -> float:
        if not math.isfinite(value):
            return -math.inf
        return value if self.metric.higher_is_better else -value

    def _said(self, family: Family, tried: Sequence[Trial], seconds: float) -> str:
        """Return what came of some trials, in one sentence."""
        model = WORDS[family.name]
        best = best_third(tried, self._rank)[:1]
        if not best:
            return f"no other settings of the {model} came to a result."
        share, values = tried[0].share, (best[0].value, family.member.value)
        how = (
            f"were tried in trainings of {LENGTHS[round(1 / share)]} of the usual length"
            if share < 1
            else "were trained at full length"
            if len(tried) > 1
            else "was trained at full length"
        )
        count = f"{len(tried)} settings" if len(tried) > 1 else "the best setting"
        return (
            f"{count} of the {model} {how} ({duration(seconds / 60)}). The best reaches "
            f"{self.metric.name} {raw(values[0])} on validation, the usual settings at full length "
            f"{raw(values[1])}; it has {changed_in_words(family.dials, best[0].changes)}."
        )


LENGTHS = {3: "a third", 9: "a ninth"}
WORDS = {"trees": "trees", "neural": "network"}
